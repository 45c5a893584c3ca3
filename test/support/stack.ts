/** A throw-away stack on the real engine: a Pulumi project of its own in a temporary folder, with its own state. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { parse } from "yaml";

import { heal } from "../../tools/heal.ts";
import { toolchain, type Toolchain } from "../../tools/setup/toolchain.ts";
import type { Level } from "../../tools/commands/proved.ts";
import { Proving } from "./proved.ts";
import { run, stackName } from "./run.ts";

/** The checkout's root, without a trailing slash: programs import components by this absolute path. */
export const repo = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** A program of its own, with its Pulumi.yaml and package.json, copied as it is. */
export interface ExampleArgs extends Pick<TestStackArgs, "config" | "env" | "level"> {
  /** Its folder below `examples`. */
  example: string;
  /** The program's `node_modules`. */
  modules: string;
}

export interface TestStackArgs {
  /** The source of the program's index.ts (ES module; `@pulumi/*` and all of the checkout's packages resolve). */
  program: string;
  /** Values for Pulumi.test.yaml, by full key (`pulumi:disable-default-providers`, `<project>:key`). */
  config?: Readonly<Record<string, unknown>>;
  /** Further environment for every run. */
  env?: Readonly<Record<string, string>>;
  /** Default: `test-stack`. */
  project?: string;
  /** The program's `node_modules`. Default: the checkout's. */
  modules?: string;
  /** The folder that has our provider. Default: the checkout's. */
  provider?: string;
  /** A program in another language: parts of its Pulumi.yaml, and its further files by name. Default: `program` alone. */
  language?: { readonly yaml: object; readonly files?: Readonly<Record<string, string>> };
  /** What its resources are made in. Default: `real`. */
  level?: Level;
  /** The stack's name, which its URNs have. Default: this run's, so that its things can be told from another run's. */
  name?: string;
}

/** One resource as the checkpoint has it. Secrets are envelopes with a ciphertext. */
export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  custom: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  protect?: boolean;
  delete?: boolean;
  dependencies?: string[];
  initErrors?: string[];
}

export interface State {
  resources: StateResource[];
  pending_operations?: { type: string; resource: StateResource }[];
}

/** The end of a command: its exit code, and stdout and stderr as they came. */
export interface Outcome {
  code: number;
  output: string;
}

/** What a command printed. If it failed, throws an error with that, as an exit code alone would explain nothing. */
export function succeeded({ code, output }: Outcome): string {
  if (code !== 0) throw new Error(`exit code ${String(code)}:\n${output}`);
  return output;
}

/** A command that still runs. `kill` ends the CLI alone, as `kill -9` of a real `up` would. */
export interface Running {
  done: Promise<Outcome>;
  kill(signal: NodeJS.Signals): void;
}

export class TestStack {
  /** The project's folder; the program runs there. */
  readonly folder: string;
  readonly name: string;
  private readonly tools: Toolchain;
  private readonly project: string;
  private readonly proving: Proving;

  private constructor(
    folder: string,
    tools: Toolchain,
    project: string,
    { level = "real", name }: Pick<TestStackArgs, "level" | "name">,
  ) {
    this.folder = folder;
    this.name = name ?? stackName;
    this.tools = tools;
    this.project = project;
    this.proving = new Proving(level);
  }

  static async create(args: TestStackArgs): Promise<TestStack> {
    const tools = await toolchain(() => undefined);
    const project = args.project ?? "test-stack";
    const folder = await mkdtemp(join(tmpdir(), `stack-${run}-`));
    const ops = args.provider ?? join(repo, "ops");
    const { runtime } = parse(await readFile(join(repo, "Pulumi.yaml"), "utf8")) as { runtime: object };
    const yaml = {
      name: project,
      main: "index.ts",
      runtime,
      // JSON is YAML, so no writer is needed. A provider that is named by its path needs no download.
      ...(existsSync(ops) ? { plugins: { providers: [{ name: "platform-topologies", path: ops }] } } : {}),
      ...args.language?.yaml,
    };
    await writeFile(join(folder, "Pulumi.yaml"), JSON.stringify(yaml));
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: project, type: "module", main: "index.ts" }));
    for (const [file, text] of Object.entries({ "index.ts": args.program, ...args.language?.files }))
      await writeFile(join(folder, file), text);
    return TestStack.#begin(tools, folder, project, args);
  }

  static async example(args: ExampleArgs): Promise<TestStack> {
    const tools = await toolchain(() => undefined);
    const folder = await mkdtemp(join(tmpdir(), `stack-${run}-`));
    await cp(join(repo, "examples", args.example), folder, { recursive: true });
    const { name } = parse(await readFile(join(folder, "Pulumi.yaml"), "utf8")) as { name: string };
    return TestStack.#begin(tools, folder, name, args);
  }

  static async #begin(
    tools: Toolchain,
    folder: string,
    project: string,
    args: Pick<TestStackArgs, "config" | "env" | "level" | "modules" | "name">,
  ): Promise<TestStack> {
    await mkdir(join(folder, "state"), { mode: 0o700 });
    await symlink(args.modules ?? join(repo, "node_modules"), join(folder, "node_modules"));
    const env = {
      ...tools.env,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_BACKEND_URL: `file://${folder}/state?metadata=skip`,
      ...args.env,
    };
    const stack = new TestStack(folder, { ...tools, env }, project, args);
    const made = await stack.run(["stack", "init", stack.name]);
    if (made.code !== 0) throw new Error(`pulumi stack init failed: ${made.output}`);
    if (args.config) await stack.configure(args.config);
    return stack;
  }

  /** Puts another program in the place of the first. */
  rewrite(program: string): Promise<void> {
    return this.write({ "index.ts": program });
  }

  /** The same for a program of other files. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    this.proving.changed();
    for (const [file, text] of Object.entries(files)) await writeFile(join(this.folder, file), text);
  }

  /** The file of its configuration. */
  get settings(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }

  /** Replaces the stack's configuration, all of it. The passphrase's salt stays. */
  async configure(config: Readonly<Record<string, unknown>>): Promise<void> {
    this.proving.changed();
    const salt = existsSync(this.settings)
      ? /^encryptionsalt: (.*)$/m.exec(await readFile(this.settings, "utf8"))?.[1]
      : undefined;
    await writeFile(this.settings, JSON.stringify({ ...(salt === undefined ? {} : { encryptionsalt: salt }), config }));
  }

  /** Changes these keys, full ones, and leaves the others, secrets too; undefined takes one away. */
  async reconfigure(over: Readonly<Record<string, unknown>>): Promise<void> {
    this.proving.changed();
    const text = (await readFile(this.settings, "utf8")).trim();
    const { config, ...rest } = parse(text) as { config: Record<string, unknown> };
    await writeFile(this.settings, JSON.stringify({ ...rest, config: { ...config, ...over } }));
  }

  up(args: readonly string[] = []): Promise<Outcome> {
    return this.run(["up", "--yes", "--skip-preview", ...args]);
  }

  preview(args: readonly string[] = []): Promise<Outcome> {
    return this.run(["preview", ...args]);
  }

  destroy(args: readonly string[] = []): Promise<Outcome> {
    return this.run(["destroy", "--yes", "--skip-preview", ...args]);
  }

  /** Any Pulumi command on this stack; never throws for its exit code. `on`: its name, when it has been renamed. */
  run(args: readonly string[], on = this.name): Promise<Outcome> {
    return this.start(args, on).done;
  }

  /** The same, still running: for a test that ends it half-way. */
  start(args: readonly string[], on = this.name): Running {
    const onStack = args[0] === "stack" && args[1] === "init" ? [] : ["--stack", on];
    const child = execa(this.tools.pulumi, [...args, ...onStack, "--non-interactive", "--color", "never"], {
      cwd: this.folder,
      env: this.tools.env,
      all: true,
      reject: false,
    });
    return {
      done: child.then(async ({ exitCode, all }) => {
        const code = exitCode ?? 1;
        if (on === this.name) await this.proving.ended(args, code, () => this.state());
        return { code, output: all };
      }),
      kill: (signal) => {
        child.kill(signal);
      },
    };
  }

  /** Repairs what a kill has left, as `npm start` does before its own `up`. Returns what it repaired. */
  heal(): Promise<string[]> {
    return heal(this.tools, this.name, { folder: this.folder, state: join(this.folder, "state") });
  }

  /** The checkpoint as it is on disk now, even while an update runs or after one was killed. */
  async state(): Promise<State> {
    const file = join(this.folder, "state/.pulumi/stacks", this.project, `${this.name}.json`);
    const parsed = JSON.parse(await readFile(file, "utf8")) as { checkpoint: { latest?: Partial<State> | null } };
    return { resources: [], ...parsed.checkpoint.latest };
  }

  /** The stack's outputs, secrets in plain text. */
  async outputs(): Promise<Record<string, unknown>> {
    const { code, output } = await this.run(["stack", "output", "--json", "--show-secrets"]);
    if (code !== 0) throw new Error(`pulumi stack output failed: ${output}`);
    return JSON.parse(output) as Record<string, unknown>;
  }

  /** Destroys what is left, then removes the folder. If the destroy fails, it keeps the folder and says where it is. */
  async dispose(): Promise<void> {
    if ((await this.state()).resources.length > 0) {
      const { code, output } = await this.destroy();
      if (code !== 0) throw new Error(`pulumi destroy failed; the stack is in ${this.folder}: ${output}`);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
