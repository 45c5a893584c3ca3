/** Pyrus on this machine's engine as a throw-away stack, with small sizes. */
import { apps } from "../../components/systems/pyrus-config.ts";
import { arkindexProgram, sweep } from "./arkindex.ts";
import { TestStack } from "./stack.ts";

const project = "platform-topologies";

export interface PyrusTest {
  readonly name: string;
  /** The edge's port for https; the one below it is for http. */
  readonly https: number;
  /** Further or other keys under `pyrus`. */
  readonly pyrus?: Readonly<Record<string, unknown>>;
  /** Further or other keys of the config, without the project's prefix. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** TypeScript before the program. */
  readonly before?: string;
}

/** What a laptop can carry. */
export const small = {
  adminEmail: "admin@example.com",
  memoryMiB: Object.fromEntries(Object.keys(apps).map((app) => [app, 192])),
  postgresMemoryMiB: 256,
  logsMemoryMiB: 256,
  elasticHeapMiB: 256,
  natsMemoryMiB: 256,
};

export function pyrusConfig({ name, https, pyrus = {}, config = {} }: PyrusTest): Record<string, unknown> {
  const own = {
    system: "pyrus",
    topology: "docker",
    name,
    hostname: `${name}.localhost`,
    rehearsal: true,
    protect: false,
    localImages: true,
    docker: { address: "127.0.0.1", ports: { http: https - 1, https } },
    pyrus: { ...small, ...pyrus },
    ...config,
  };
  const keyed: Record<string, unknown> = { "pulumi:disable-default-providers": ["*"] };
  for (const [key, value] of Object.entries(own)) keyed[`${project}:${key}`] = value;
  return keyed;
}

export const licence = "licence-of-the-test-4711";
export const adminPassword = "admin-password-of-the-test";

export async function pyrusStack(test: PyrusTest): Promise<TestStack> {
  await sweep(test.name);
  const stack = await TestStack.create({ project, program: arkindexProgram(test.before), config: pyrusConfig(test) });
  await setSecrets(stack);
  return stack;
}

/** A new configuration; the secrets of the operator are set again. */
export async function reconfigure(stack: TestStack, test: PyrusTest): Promise<void> {
  await stack.configure(pyrusConfig(test));
  await setSecrets(stack);
}

async function setSecrets(stack: TestStack): Promise<void> {
  const secrets = { pyrusLicence: licence, pyrusAdminPassword: adminPassword };
  for (const [key, value] of Object.entries(secrets)) {
    const set = ["config", "set", "--path", "--secret", `${project}:secrets.${key}`, value];
    const { code, output } = await stack.run(set);
    if (code !== 0) throw new Error(output);
  }
}
