/** Which stacks a change touches: by their config, and by what their program imports. */
import { access, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

import { execa } from "execa";

import { systems } from "../components/systems/index.ts";
import { topologies } from "../components/topologies/index.ts";
import { repo } from "./setup/paths.ts";
import { Problem } from "./setup/problem.ts";

export interface Candidate {
  /** From the checkout's root. */
  readonly configFile: string;
  readonly system: string;
  readonly topology: string;
}

/** What every program is made of, besides its imports. A trailing slash: the folder. */
const everywhere = [
  ...["package.json", "package-lock.json", "Pulumi.yaml", "policy/", "ops/"],
  ...["tools/go/pulumi/", "tools/go/plugins/", "tools/language-host/", "tools/setup/toolchain.ts"],
];

/** The files that differ between the branch point with `ref` and the work tree, from the checkout's root. */
export async function changedSince(ref: string, cwd = repo): Promise<string[]> {
  const args = ["diff", "--name-only", "--no-renames", "-z", "--merge-base", "--end-of-options", ref, "--"];
  const { stdout, stderr, failed } = await execa("git", args, { cwd, reject: false });
  if (failed) throw new Problem(`--since ${ref}: git does not know what differs from it (${stderr.trim()})`);
  return stdout.split("\0").filter((file) => file !== "");
}

/** What programs import, by system and topology. */
const walked = new Map<string, Promise<Set<string>>>();

/** Whether the stack's preview may be another one. `simulated`: the simulated cloud is part of it. */
export async function touches(stack: Candidate, changed: readonly string[], simulated = false): Promise<boolean> {
  if (changed.includes(stack.configFile)) return true;
  const always = simulated ? [...everywhere, "tools/simulate/"] : everywhere;
  const key = `${stack.system} ${stack.topology}`;
  const walk = walked.get(key) ?? importsOf("index.ts", stack);
  walked.set(key, walk);
  const files = await walk;
  const folders = new Set([...files].map((file) => dirname(file)));
  return changed.some(
    (file) =>
      always.some((each) => (each.endsWith("/") ? file.startsWith(each) : file === each)) ||
      files.has(file) ||
      // What is read beside a module, as the agent of a machine in Python.
      (file.startsWith("components/") && !file.endsWith(".ts") && folders.has(dirname(file))),
  );
}

/** All that is imported from `entry` on, but for the other systems and topologies: their tables import every one. */
async function importsOf(entry: string, { system, topology }: Candidate): Promise<Set<string>> {
  const found = new Set<string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const text = await readFile(join(repo, file), "utf8");
    for (const [, path = ""] of text.matchAll(/(?:from|import|import\() ?"(\.{1,2}\/[^"]+)"/g)) {
      const next = normalize(join(dirname(file), path));
      if (!foreign(file, next, { system, topology }) && (await exists(next))) waiting.push(next);
    }
  }
  return found;
}

/** Whether a table's import is of another system's or another topology's own part. */
function foreign(table: string, file: string, { system, topology }: Pick<Candidate, "system" | "topology">): boolean {
  const part = (folder: string): string | undefined =>
    table === `components/${folder}/index.ts`
      ? new RegExp(`^components/${folder}/([^/.]+)`).exec(file)?.[1]
      : undefined;
  const [ofSystem = system, ofTopology = topology] = [part("systems"), part("topologies")];
  return (
    (ofSystem !== system && Object.hasOwn(systems, ofSystem)) ||
    (ofTopology !== topology && Object.hasOwn(topologies, ofTopology))
  );
}

async function exists(file: string): Promise<boolean> {
  return access(join(repo, file)).then(
    () => true,
    () => false,
  );
}
