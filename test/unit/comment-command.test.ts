/** The command's arguments, and where its results go. */
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { expect, jest, test } from "@jest/globals";

import { given, run, Wrong } from "../../comment/main.ts";
import { run as inCheckout } from "../../tools/commands/preview-comment.ts";
import { repo } from "../../tools/setup/paths.ts";
import { newFolder } from "../support/folder.ts";

test.each<[string, readonly string[], RegExp]>([
  ["an unknown option", ["--nonsense"], /Unknown option '--nonsense'/],
  ["no name of a stack", ["a b"], /"a b" is no name of a stack/],
  ["a stack named twice", ["a", "a=x.yaml"], /a is named twice/],
  ["secrets are to be shown", ["a", "--", "--show-secrets"], /--show-secrets is not for a comment/],
  ["another form", ["a", "--", "--json=true"], /--json=true is not for a comment/],
  ["a pull request without its repository", ["a", "--pr", "1"], /--github and --pr go together/],
  ["a repository without its pull request", ["a", "--github", "o/n"], /--github and --pr go together/],
  ["a number that is none", ["a", "--github", "o/n", "--pr", "1/2"], /--pr 1\/2: use its number/],
  ["a repository that is none", ["a", "--github", "o/n/../x", "--pr", "1"], /use owner\/name/],
  ["two forges", ["a", "--github", "o/n", "--pr", "1", "--gitlab", "p", "--mr", "1"], /one comment, one forge/],
  ["a link that is none", ["a", "--link", "javascript:x"], /use an address that begins with https/],
  ["files and stacks", ["a", "--from", "x.json"], /name no stack/],
])("%s is refused", (_, args, message) => {
  expect(() => given(args)).toThrow(message);
  expect(() => given(args)).toThrow(Wrong);
});

test("stacks, their files, and what the preview is told", () => {
  const { wishes } = given([
    "a=x.yaml",
    "acme/shop/b",
    "--save-plans",
    "p",
    "--",
    "--refresh",
    "--policy-pack",
    "policy",
  ]);
  const args = ["--refresh", "--policy-pack", "policy"];
  expect(wishes).toEqual([
    { stack: "a", configFile: "x.yaml", plans: resolve("p"), args },
    { stack: "acme/shop/b", plans: resolve("p"), args },
  ]);
});

/** A CLI that prints what it is told to, in the place of Pulumi. */
async function cli(folder: string, script: string): Promise<string> {
  const file = join(folder, "pulumi");
  await writeFile(file, `#!/bin/sh\ncase "$1" in preview) ${script} ;; *) exit 1 ;; esac\n`);
  await chmod(file, 0o755);
  return file;
}

async function ran(args: readonly string[], env: Record<string, string> = {}, stop?: AbortSignal) {
  const said: string[] = [];
  let text = "";
  const around = {
    env: { PATH: process.env.PATH, ...env },
    out: (more: string) => (text += more),
    say: (line: string) => said.push(line),
    ...(stop === undefined ? {} : { stop }),
  };
  return { code: await run(given(args), around), text, said };
}

test("a file of what was found, and a comment of it elsewhere", async () => {
  const folder = newFolder("comment");
  const pulumi = await cli(folder, "echo 'no event'; echo '{\"summaryEvent\":{}}'; exit 0");
  const data = join(folder, "found.json");
  const first = await ran(["a", "--pulumi", pulumi, "--cwd", folder, "--data", data]);
  expect(first).toMatchObject({ code: 0, text: "" });
  const output = join(folder, "comment.md");
  expect(await ran(["--from", data, "--output", output])).toMatchObject({ code: 0, text: "" });
  expect(await readFile(output, "utf8")).toContain("`a` nothing changes");
  await writeFile(data, '{"version":1,"stacks":[{"stack":"<b>"}]}');
  await expect(ran(["--from", data])).rejects.toThrow(/it is not what --data writes/);
  await expect(ran(["--from", join(folder, "none")])).rejects.toThrow(/ENOENT/);
});

test("a CLI that fails before its engine begins: its own words, without what the environment keeps secret", async () => {
  const folder = newFolder("comment");
  const pulumi = await cli(folder, 'echo "error: $MY_TOKEN is no token of $PWD/x" >&2; exit 255');
  const { code, text } = await ran(["a", "--pulumi", pulumi, "--cwd", folder], { MY_TOKEN: "abcdef123" });
  expect(code).toBe(1);
  expect(text).toContain("error: [secret] is no token of x\n");
  expect(text).toMatch(/`a` \*\*failed\*\*/);
});

test("no CLI at all", async () => {
  await expect(ran(["a", "--pulumi", "/nowhere/pulumi"])).rejects.toThrow(/\/nowhere\/pulumi could not be started/);
});

test("what cannot be written is code 2, and the rest is written all the same", async () => {
  const folder = newFolder("comment");
  const pulumi = await cli(folder, "exit 0");
  const args = ["a", "--pulumi", pulumi, "--cwd", folder, "--data", join(folder, "no/such"), "--output", "-"];
  const { code, text, said } = await ran(args);
  expect([code, said.at(-1)]).toEqual([2, expect.stringContaining("--data")]);
  expect(text).toContain("nothing changes");
  await expect(ran(["a", "--github", "o/n", "--pr", "1"])).rejects.toThrow(/GITHUB_TOKEN is not set/);
});

test("Ctrl-C reaches the CLI once, it ends in order, and half a comment is none", async () => {
  const folder = newFolder("comment");
  const script =
    'trap \'echo ended >> "$PWD/log"; exit 1\' INT; echo ready > "$PWD/ready"; while :; do sleep 0.1; done';
  const pulumi = await cli(folder, script);
  const stop = new AbortController();
  const began = ran(["a", "b", "--pulumi", pulumi, "--cwd", folder], {}, stop.signal);
  const refused = expect(began).rejects.toThrow(/no comment is made of half of it/);
  for (;;) {
    const there = await readFile(join(folder, "ready"), "utf8").catch(() => "");
    if (there !== "") break;
    await new Promise((next) => setTimeout(next, 50));
  }
  stop.abort();
  await refused;
  expect(await readFile(join(folder, "log"), "utf8")).toBe("ended\n");
}, 20_000);

test.each([
  [
    "GitHub",
    { GITHUB_SERVER_URL: "https://g.example", GITHUB_REPOSITORY: "o/n", GITHUB_RUN_ID: "5" },
    "https://g.example/o/n/actions/runs/5",
  ],
  ["GitLab", { CI_JOB_URL: "https://l.example/o/n/-/jobs/5" }, "https://l.example/o/n/-/jobs/5"],
])("the run of %s is linked", async (_, env, link) => {
  const folder = newFolder("comment");
  const pulumi = await cli(folder, "exit 0");
  const { text } = await ran(["a", "--pulumi", pulumi, "--cwd", folder], env);
  expect(text).toContain(`[the run](<${link}>)`);
});

/** The same command with this checkout's own options. */
async function printed(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const text = { out: "", err: "" };
  const spies = (
    [
      ["stdout", "out"],
      ["stderr", "err"],
    ] as const
  ).map(([stream, key]) =>
    jest.spyOn(process[stream], "write").mockImplementation((more) => {
      text[key] += String(more);
      return true;
    }),
  );
  const code = await inCheckout(args);
  for (const spy of spies) spy.mockRestore();
  return { code, ...text };
}

test("in a checkout: all ready stacks of a cloud that is simulated, and those that a change touches", async () => {
  const { code, out } = await printed("--simulated", "--list");
  expect([code, out]).toEqual([0, "arangodb-aws\narkindex-aws\nmachines-aws\nmedia-aws\npyrus-aws\n"]);
  expect(await printed("--list", "pyrus-docker", "b=x.yaml")).toMatchObject({ code: 0, out: "pyrus-docker\nb\n" });
});

test.each([
  [["--list"], /^error: name a stack, or --from\n/],
  [["--since"], /^error: --since: name a commit or a branch\n/],
  [["--since", "no/such/branch", "dev"], /^error: --since no\/such\/branch: git does not know what differs from it/],
  [["--nonsense"], /^error: Unknown option '--nonsense'/],
])("in a checkout, %j is code 2", async (args, message) => {
  expect(await printed(...args)).toMatchObject({ code: 2, out: "", err: expect.stringMatching(message) });
});

test("the package has all of it: what it imports is its own, Node's, or zod", async () => {
  const folder = join(repo, "comment");
  const files = await readdir(folder);
  expect(files).toContain("main.ts");
  for (const file of files) {
    const text = await readFile(join(folder, file), "utf8");
    for (const [, from] of text.matchAll(/ from "([^"]+)";$/gm))
      expect(from).toMatch(/^(?:\.\/[\w-]+\.ts|node:[\w/]+|zod)$/);
    expect(text).not.toMatch(/import\.meta|^await /m); // CommonJS has neither
  }
});
