/**
 * docs/first-production-stack.md, block by block, as somebody types it: on the real engine, with a registry of this machine's own.
 * `instead` is all that is put in another's place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { stringify } from "yaml";

import { type Emulator } from "../../tools/emulate/emulator.ts";
import { moto } from "../../tools/emulate/moto.ts";
import { built, images } from "../../tools/images/index.ts";
import { installRegistry } from "../../tools/swarm/registry.ts";
import { cacheRoot } from "../../tools/setup/paths.ts";
import { containerIds, eventually, sweep } from "../support/arkindex.ts";
import { certificate } from "../support/certificates.ts";
import { repo } from "../support/stack.ts";

const registry = "127.0.0.1:5153";
const https = 18449;
const names = ["arangodb-graph", "arangodb-graph-2"];
const keys = ["arangodb", "traefik", "toolbox", "arangodb-toolbox"];
const minutes = 60_000;

let folder = "";
let server: ChildProcess | undefined;
let aws: Emulator | undefined;
/** What each block printed. */
const said: { code: string; output: string }[] = [];

/** The page's blocks of commands, as they stand there. */
const blocks = Array.from(
  (await readFile(join(repo, "docs/first-production-stack.md"), "utf8")).matchAll(/^```sh\n(.*?)^```$/gms),
  ([, code = ""]) => code,
);

/** A text of the page, and what a machine without the internet has in its place. Each has to be found. */
async function instead(): Promise<[string, string][]> {
  const tags = await built();
  return [
    [
      "https://git.example.com/platform-topologies.git platform",
      `${folder}/origin platform && ln -s ${repo}/node_modules platform/node_modules`,
    ],
    [
      "git clone --quiet . ../colleague",
      `git clone --quiet . ../colleague && ln -s ${repo}/node_modules ../colleague/node_modules`,
    ],
    ["/srv/", `${folder}/srv/`],
    ["-C /srv ", `-C ${folder}/srv `],
    [
      "--docker.address 0.0.0.0",
      `--docker.address 127.0.0.1 --docker.ports.http ${String(https - 360)} --docker.ports.https ${String(https)}`,
    ],
    ["registry.example.com/hub", `${registry}/hub`],
    // Where no public registry answers the public images are made here, too.
    ["images -- build toolbox arangodb-toolbox", `images -- build ${keys.join(" ")}`],
    ...["toolbox", "arangodb-toolbox"].map((key): [string, string] => [
      `platform-topologies/${key}:1-0123abcd`,
      tags[key] ?? "",
    ]),
  ];
}

/** All blocks in one shell, which says where each of them begins and that the last one has ended. */
async function script(): Promise<string> {
  const changes = await instead();
  const marked = [
    ...blocks.map((code, index) => `printf '\\n== block ${String(index)}\\n'\n${code}`),
    "printf '\\n== end\\n'",
  ];
  const text = changes.reduce((whole, [from, to]) => {
    if (!whole.includes(from)) throw new Error(`the page has no more: ${from}`);
    return whole.replaceAll(from, to);
  }, marked.join("\n"));
  return `set -euo pipefail\n${text}\n`;
}

/** This checkout as it is now, as a repository to clone. */
async function origin(): Promise<void> {
  const at = join(folder, "origin");
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

const person = {
  GIT_AUTHOR_NAME: "Operator",
  GIT_AUTHOR_EMAIL: "operator@example.com",
  GIT_COMMITTER_NAME: "Operator",
  GIT_COMMITTER_EMAIL: "operator@example.com",
};

beforeAll(async () => {
  for (const name of names) await sweep(name);
  await images(() => undefined, keys);
  await installRegistry();
  folder = await mkdtemp(join(tmpdir(), "first-production-"));
  const home = join(folder, "home");
  for (const each of ["home", "srv/graph-backup"]) await mkdir(join(folder, each), { recursive: true });
  await origin();
  const { pem, key } = await certificate({ name: "graph.example.com", hostnames: ["graph.example.com"] });
  await writeFile(join(home, "chain.pem"), pem);
  await writeFile(join(home, "key.pem"), key);
  // The name leads to this machine, and the certificate's own is the authority.
  const curl = [`connect-to = graph.example.com:443:127.0.0.1:${String(https)}`, `cacert = ${join(home, "chain.pem")}`];
  await writeFile(join(home, ".curlrc"), `${curl.join("\n")}\n`);
  const log = { level: "error", accesslog: { disabled: true } };
  const storage = { filesystem: { rootdirectory: join(folder, "registry") } };
  await writeFile(join(folder, "registry.yml"), stringify({ version: "0.1", log, storage, http: { addr: registry } }));
  server = spawn("docker-registry", ["serve", join(folder, "registry.yml")], { stdio: "ignore" });
  await eventually(async () => (await fetch(`http://${registry}/v2/`)).ok || undefined);
  aws = await moto("123456789012");
  const url = aws.env.AWS_ENDPOINT_URL ?? "";
  const made = await fetch(`${url}/platform-state`, { method: "PUT", headers: { host: "s3.amazonaws.com" } });
  expect(made.status).toBe(200);
  await makeKey(url);

  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...aws.env,
    ...person,
    AWS_REGION: "eu-central-1",
    HOME: home,
    PLATFORM_TOPOLOGIES_CACHE: cacheRoot(),
    DOCKER_CONFIG: process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"),
  };
  for (const name of Object.keys(env)) if (/^(PULUMI|npm_)/i.test(name)) Reflect.deleteProperty(env, name);
  await writeFile(join(folder, "page.sh"), await script());
  // Into a file, which tells how far it is while it runs.
  const line = "exec bash page.sh > said.txt 2>&1";
  await execa("bash", ["-c", line], { cwd: folder, env, extendEnv: false, stdin: "ignore", reject: false });
  const parts = (await readFile(join(folder, "said.txt"), "utf8")).split(/^== (?:block \d+|end)$/m).slice(1);
  parts.forEach((output, index) => said.push({ code: blocks[index] ?? "the end", output }));
}, 40 * minutes);

/** The key that the page's alias names. */
async function makeKey(url: string): Promise<void> {
  const ask = async (target: string, body: object): Promise<{ KeyMetadata: { KeyId: string } }> => {
    const authorization =
      "AWS4-HMAC-SHA256 Credential=x/20260101/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=x";
    const headers = {
      "x-amz-target": `TrentService.${target}`,
      "content-type": "application/x-amz-json-1.1",
      authorization,
    };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${target}: ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as { KeyMetadata: { KeyId: string } };
  };
  const { KeyMetadata } = await ask("CreateKey", {});
  await ask("CreateAlias", { AliasName: "alias/platform", TargetKeyId: KeyMetadata.KeyId });
}

afterAll(async () => {
  for (const name of names) await sweep(name);
  const mine = await execa("docker", ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", `${registry}/hub/*/*`]);
  const left = mine.stdout.split("\n").filter((line) => line !== "");
  if (left.length > 0) await execa("docker", ["image", "rm", ...left], { reject: false });
  server?.kill();
  await aws?.close();
  await rm(folder, { recursive: true, force: true });
}, 5 * minutes);

/** What the block with this command printed. */
function output(command: string): string {
  const found = said.filter(({ code }) => code.includes(command));
  expect(found).toHaveLength(1);
  return found[0]?.output ?? "";
}

test("every block of the page is run, to its end", () => {
  expect(blocks.length).toBeGreaterThan(15);
  // The last part is what follows the end: a script that fails has none, and says why in its last block.
  expect(said.map(({ code }) => code).at(-1)).toBe(said.length > blocks.length ? "the end" : said.at(-1)?.output);
});

test("a preview changes nothing, and `up` is answered at the public name", () => {
  expect(output("preview --stack graph\n")).toMatch(/\+ \d+ to create/);
  expect(output("graph /_api/version")).toMatch(/"version":\s*"3\./);
  expect(output("--yes --skip-preview\nnpm run -s pulumi -- stack output")).toMatch(/passwords +\[secret\]/);
});

test("a colleague, a bucket and a key service each see the same stack", () => {
  for (const command of ["../colleague", "stack import", "change-secrets-provider"])
    expect(output(command)).toMatch(/^ +\d{2} unchanged$/m);
});

test("without the passphrase the old password is still in its container, and a new stack has the old data", () => {
  expect(output("cat /run/arangodb/root-password").trim()).toMatch(/^\w{32}$/);
  expect(output("graph /_api/collection/visitors")).toContain('"visitors"');
});

test("in the end nothing is left but the backup", async () => {
  for (const name of names) expect(await containerIds(name)).toEqual({});
});
