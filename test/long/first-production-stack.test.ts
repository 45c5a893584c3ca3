/**
 * docs/first-production-stack.md, block by block, as somebody types it: on the real engine, with a registry of this machine's own.
 * `instead` is all that is put in another's place.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { stringify } from "yaml";

import { type Emulator } from "../../tools/emulate/emulator.ts";
import { moto } from "../../tools/emulate/moto.ts";
import { built, images } from "../../tools/images/index.ts";
import { installRegistry } from "../../tools/swarm/registry.ts";
import { containerIds, eventually, sweep } from "../support/arkindex.ts";
import { certificate } from "../support/certificates.ts";
import { type Instead, origin, Page } from "../support/page.ts";
import { repo } from "../support/stack.ts";

const registry = "127.0.0.1:5153";
const https = 18449;
const names = ["arangodb-graph", "arangodb-graph-2"];
const keys = ["arangodb", "traefik", "toolbox", "arangodb-toolbox"];
const minutes = 60_000;

let folder = "";
let server: ChildProcess | undefined;
let aws: Emulator | undefined;
let page: Page;

async function instead(): Promise<Instead> {
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

beforeAll(async () => {
  for (const name of names) await sweep(name);
  await images(() => undefined, keys);
  await installRegistry();
  folder = await mkdtemp(join(tmpdir(), "first-production-"));
  const home = join(folder, "home");
  for (const each of ["home", "srv/graph-backup"]) await mkdir(join(folder, each), { recursive: true });
  await origin(join(folder, "origin"));
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

  page = await Page.run("docs/first-production-stack.md", {
    folder,
    env: { ...aws.env, AWS_REGION: "eu-central-1", HOME: home },
    instead: await instead(),
  });
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

test("every block of the page is run, to its end", () => {
  expect(page.blocks.length).toBeGreaterThan(15);
  page.toItsEnd();
});

test("a preview changes nothing, and `up` is answered at the public name", () => {
  expect(page.output("preview --stack graph\n")).toMatch(/\+ \d+ to create/);
  expect(page.output("graph /_api/version")).toMatch(/"version":\s*"3\./);
  expect(page.output("--yes --skip-preview\nnpm run -s pulumi -- stack output")).toMatch(/passwords +\[secret\]/);
});

test("a colleague, a bucket and a key service each see the same stack", () => {
  for (const command of ["../colleague", "stack import", "change-secrets-provider"])
    expect(page.output(command)).toMatch(/^ +\d{2} unchanged$/m);
});

test("without the passphrase the old password is still in its container, and a new stack has the old data", () => {
  expect(page.output("cat /run/arangodb/root-password").trim()).toMatch(/^\w{32}$/);
  expect(page.output("graph /_api/collection/visitors")).toContain('"visitors"');
});

test("in the end nothing is left but the backup", async () => {
  for (const name of names) expect(await containerIds(name)).toEqual({});
});
