/** Pyrus on this machine's engine as a throw-away stack, with small sizes. */
import { apps } from "../../components/systems/pyrus/config.ts";
import { dockerConfig, dockerStack, type DockerTest, project } from "./arkindex.ts";
import { succeeded, type TestStack } from "./stack.ts";

export interface PyrusTest extends DockerTest {
  /** Further or other keys under `pyrus`. */
  readonly pyrus?: Readonly<Record<string, unknown>>;
}

/** What a laptop can carry. */
export const small = {
  adminEmail: "admin@example.com",
  memoryMib: Object.fromEntries(Object.keys(apps).map((app) => [app, 192])),
  postgresMemoryMib: 256,
  logsMemoryMib: 256,
  elasticHeapMib: 256,
  natsMemoryMib: 256,
};

export function pyrusConfig(test: PyrusTest): Record<string, unknown> {
  return dockerConfig(test, { system: "pyrus", pyrus: { ...small, ...test.pyrus } });
}

export const licence = "licence-of-the-test-4711";
export const adminPassword = "admin-password-of-the-test";

export async function pyrusStack(test: PyrusTest): Promise<TestStack> {
  const stack = await dockerStack(test, pyrusConfig(test));
  await setSecrets(stack);
  return stack;
}

/** Encrypts what the operator of Pyrus has to set. */
export async function setSecrets(stack: TestStack): Promise<void> {
  const secrets = { pyrusLicence: licence, pyrusAdminPassword: adminPassword };
  for (const [key, value] of Object.entries(secrets)) {
    const set = ["config", "set", "--path", "--secret", `${project}:secrets.${key}`, value];
    succeeded(await stack.run(set));
  }
}
