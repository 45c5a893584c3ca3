/** A machine as its agent sees it: a root folder, and programs that write down their calls. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { repo } from "../../tools/setup/paths.ts";

/** Python itself: a version manager's `python3` would put other programs before ours. */
let python: Promise<string> | undefined;
async function findPython(): Promise<string> {
  return (await execa("python3", ["-c", "import sys; print(sys.executable)"])).stdout;
}

/** The file that user data writes to `path`. */
export function fileOf(text: string, path: string): string {
  const [, found] = text.split(`cat >${path} <<'END'\n`);
  if (found === undefined) throw new Error(`user data writes no ${path}`);
  return found.slice(0, found.indexOf("\nEND\n") + 1);
}

export interface Ran {
  readonly code: number | undefined;
  readonly err: string;
  /** The programs that it called, with their arguments. */
  readonly calls: readonly (readonly string[])[];
}

export interface AgentMachineArgs {
  /** The agent's name. */
  readonly program: string;
  /** The user data, whose files are the machine's. */
  readonly userData: string;
  readonly instance: string;
  /** One script below test/support is all of these programs. */
  readonly script: string;
  readonly programs: readonly string[];
  readonly folders?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class AgentMachine {
  readonly root: string;
  readonly python: string;
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;

  protected constructor(root: string, at: string, { program, env = {} }: AgentMachineArgs) {
    this.root = root;
    this.python = at;
    this.#program = program;
    this.#env = env;
  }

  static async of(args: AgentMachineArgs): Promise<AgentMachine> {
    const made = new AgentMachine(await mkdtemp(join(tmpdir(), "agent-")), await (python ??= findPython()), args);
    await made.furnish(args);
    return made;
  }

  protected async furnish({ program, userData, instance, script, programs, folders = [] }: AgentMachineArgs) {
    for (const folder of ["etc", "state", "bin", "var/lib/cloud/data", ...folders])
      await mkdir(join(this.root, folder), { recursive: true });
    await this.put(`bin/${program}`, fileOf(userData, `/usr/local/bin/${program}`));
    await this.put("bin/agent.py", fileOf(userData, "/usr/local/bin/agent.py"));
    await this.put("etc/machine.json", fileOf(userData, "/etc/machine.json"));
    await this.put("var/lib/cloud/data/instance-id", `${instance}\n`);
    for (const name of programs) await symlink(join(repo, "test/support", script), join(this.root, "bin", name));
  }

  async end(): Promise<void> {
    await rm(this.root, { recursive: true });
  }

  async put(path: string, text: string): Promise<void> {
    await writeFile(join(this.root, path), text);
    if (path.startsWith("bin/")) await chmod(join(this.root, path), 0o755);
  }

  /** The text of a file; undefined: there is none. */
  async get(path: string): Promise<string | undefined> {
    return readFile(join(this.root, path), "utf8").catch(() => undefined);
  }

  /** Starts the agent; `later`: how long the machine has been up. */
  start(args: readonly string[], later = 0) {
    return execa(this.python, [join(this.root, "bin", this.#program), ...args], {
      env: {
        PATH: `${join(this.root, "bin")}:/usr/bin:/bin`,
        PYTHONPATH: join(this.root, "bin"),
        PYTHONDONTWRITEBYTECODE: "1",
        MACHINE_ROOT: this.root,
        LATER: String(later),
        ...this.#env,
      },
      extendEnv: false,
      reject: false,
      stdin: "ignore",
    });
  }

  async run(args: string, later = 0): Promise<Ran> {
    await rm(join(this.root, "state/calls"), { force: true });
    const { exitCode, stderr } = await this.start(args.split(" "), later);
    return { code: exitCode, err: stderr, calls: await this.calls() };
  }

  async calls(): Promise<string[][]> {
    const text = (await this.get("state/calls")) ?? "";
    return text
      .split("\u001e")
      .slice(0, -1)
      .map((call) => call.split("\u001f").slice(0, -1));
  }

  static python(): Promise<string> {
    return (python ??= findPython());
  }
}
