/** A page of docs/, its blocks of commands run as somebody types them, in one shell. */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

import { expect } from "@jest/globals";
import { execa } from "execa";

import { cacheRoot } from "../../tools/setup/paths.ts";
import { repo } from "./stack.ts";

/** A text of the page, and what a machine without the internet has in its place. Each has to be found. */
export type Instead = readonly (readonly [from: string, to: string])[];

export interface Run {
  /** Where the shell begins; `page.sh` and, while it runs, `said.txt` are there. */
  readonly folder: string;
  /** Its home, and what else its environment has besides this process' own. */
  readonly env: Readonly<Record<string, string>> & { readonly HOME: string };
  readonly instead: Instead;
  /** Commands before the page's first: what it takes for granted. */
  readonly before?: string;
}

export class Page {
  /** The blocks of commands, as they stand there. */
  readonly blocks: readonly string[];
  /** What each block printed. After a failure the last is the one that failed, else "the end". */
  readonly said: readonly { readonly code: string; readonly output: string }[];

  private constructor(blocks: readonly string[], parts: readonly string[]) {
    this.blocks = blocks;
    this.said = parts.map((output, index) => ({ code: blocks[index] ?? "the end", output }));
  }

  static async run(path: string, { folder, env, instead, before = "" }: Run): Promise<Page> {
    const page = await readFile(join(repo, path), "utf8");
    const blocks = Array.from(page.matchAll(/^```sh\n(.*?)^```$/gms), ([, code = ""]) => code);
    const marked = blocks.map((code, index) => `printf '\\n== block ${String(index)}\\n'\n${code}`).join("\n");
    const text = instead.reduce((whole, [from, to]) => {
      if (!whole.includes(from)) throw new Error(`the page has no more: ${from}`);
      return whole.replaceAll(from, to);
    }, marked);
    await writeFile(join(folder, "page.sh"), `set -euo pipefail\n${before}\n${text}\nprintf '\\n== end\\n'\n`);
    // Into a file, which tells how far it is while it runs.
    const line = "exec bash page.sh > said.txt 2>&1";
    await execa("bash", ["-c", line], { cwd: folder, env: own(env), extendEnv: false, stdin: "ignore", reject: false });
    const [first = "", ...parts] = (await readFile(join(folder, "said.txt"), "utf8")).split(/^== (?:block \d+|end)$/m);
    if (parts.length === 0) throw new Error(`before the page's first block: ${first}`);
    return new Page(blocks, parts);
  }

  /** Fails with what the last block said, if that is not the page's end. */
  toItsEnd(): void {
    expect(this.said.at(-1)?.code).toBe(this.said.length > this.blocks.length ? "the end" : this.said.at(-1)?.output);
  }

  /** What the only block with this command printed. */
  output(command: string): string {
    const found = this.said.filter(({ code }) => code.includes(command));
    expect(found).toHaveLength(1);
    return found[0]?.output ?? "";
  }
}

/** An operator, as git knows one. */
const person = {
  GIT_AUTHOR_NAME: "Operator",
  GIT_AUTHOR_EMAIL: "operator@example.com",
  GIT_COMMITTER_NAME: "Operator",
  GIT_COMMITTER_EMAIL: "operator@example.com",
};

/** A shell that has nothing of this process' Pulumi and npm. */
function own(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...person,
    PLATFORM_TOPOLOGIES_CACHE: cacheRoot(),
    DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"),
  };
  for (const name of Object.keys(env)) if (/^(PULUMI|npm_)/i.test(name)) Reflect.deleteProperty(env, name);
  return { ...env, ...more };
}

/** This checkout as it is now, as a repository to clone. */
export async function origin(at: string): Promise<void> {
  const { stdout } = await execa("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: repo,
  });
  for (const file of stdout.split("\0").filter((name) => name !== ""))
    await mkdir(dirname(join(at, file)), { recursive: true }).then(() =>
      cp(join(repo, file), join(at, file), { verbatimSymlinks: true }).catch((error: unknown) => {
        if ((error as { code?: string }).code !== "ENOENT") throw error; // deleted, and not yet committed
      }),
    );
  for (const args of [
    ["init", "--quiet"],
    ["add", "--all"],
    ["commit", "--quiet", "--message", "as it is"],
  ])
    await execa("git", args, { cwd: at, env: person });
}
