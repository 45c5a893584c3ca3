/** A slot's machine as its agent sees it: a root folder, and programs that write down their calls. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import type { Spec } from "../../components/topologies/aws/spec.ts";
import { userData } from "../../components/topologies/aws/user-data.ts";
import { repo } from "../../tools/setup/paths.ts";

const programs = ["aws", "docker", "blkid", "mkfs.xfs", "mount", "xfs_growfs", "iptables", "systemctl"];

/**
 * Time passes when the agent sleeps, and not otherwise. LATER: seconds since the machine's start. Python itself sleeps
 * for parts of a second while it waits for a program.
 */
const clock = `import os, time
now = [float(os.environ.get("LATER", "0"))]
really = time.sleep
def sleep(seconds):
    if seconds < 1:
        return really(seconds)
    now[0] += seconds
time.sleep = sleep
time.monotonic = lambda: now[0]
`;

/** Python itself: a version manager's `python3` would put other programs before ours. */
let python: Promise<string> | undefined;
async function findPython(): Promise<string> {
  return (await execa("python3", ["-c", "import sys; print(sys.executable)"])).stdout;
}

export const machineArgs = {
  region: "eu-central-1",
  secretArn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/slot/db-1-AbCdEf",
  volumeId: "vol-1",
  logGroup: "/shop/slots",
};

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

export class SlotMachine {
  readonly root: string;
  readonly python: string;

  private constructor(root: string, at: string) {
    this.root = root;
    this.python = at;
  }

  /** `disk: false`: the machine has none. */
  static async make(spec: Spec, { disk = true } = {}): Promise<SlotMachine> {
    const root = await mkdtemp(join(tmpdir(), "slot-"));
    const machine = new SlotMachine(root, await (python ??= findPython()));
    const folders = ["etc", "state", "bin", "dev/disk/by-id", "proc/sys/vm", "proc/sys/net/ipv4", "var/lib/cloud/data"];
    for (const folder of folders) await mkdir(join(root, folder), { recursive: true });
    const { volumeId, ...without } = machineArgs;
    const text = userData(disk ? { ...without, volumeId } : without);
    await machine.put("bin/slot", fileOf(text, "/usr/local/bin/slot"));
    await machine.put("etc/slot.json", fileOf(text, "/etc/slot.json"));
    await machine.put("var/lib/cloud/data/instance-id", "i-new\n");
    await machine.put("proc/mounts", "tmpfs /run tmpfs rw 0 0\n");
    await machine.put("bin/sitecustomize.py", clock);
    await machine.put("state/health", "healthy\n");
    await machine.put("state/log", "");
    const script = join(repo, "test/support/slot-programs.sh");
    for (const name of programs) await symlink(script, join(root, "bin", name));
    await machine.spec(spec, "v1", "AWSCURRENT");
    return machine;
  }

  async end(): Promise<void> {
    await rm(this.root, { recursive: true });
  }

  /** Makes these versions of the secret. */
  async spec(spec: Spec, ...versions: string[]): Promise<void> {
    for (const version of versions)
      await this.put(`state/secret-${version}`, JSON.stringify({ SecretString: JSON.stringify(spec) }));
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
    return execa(this.python, [join(this.root, "bin/slot"), ...args], {
      env: {
        PATH: `${join(this.root, "bin")}:/usr/bin:/bin`,
        PYTHONPATH: join(this.root, "bin"),
        PYTHONDONTWRITEBYTECODE: "1",
        SLOT_ROOT: this.root,
        LATER: String(later),
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
}
