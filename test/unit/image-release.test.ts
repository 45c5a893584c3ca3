/** What a release does with our own images: how they are built, and how their digests come back into the lock file. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";

import { formatted } from "../../tools/commands/formatted.ts";
import { publishable } from "../../tools/images/list.ts";
import { lockedAt, withPublished } from "../../tools/images/lock.ts";
import { publish } from "../../tools/images/publish.ts";
import { repo } from "../../tools/setup/paths.ts";
import { newFolder } from "../support/folder.ts";

const oci = "application/vnd.oci.image.index.v1+json";
const on = (...architectures: string[]): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: oci,
    // buildx puts an attestation beside each image, for no machine.
    manifests: [...architectures, "unknown"].map((architecture) => ({
      platform: { os: architecture === "unknown" ? "unknown" : "linux", architecture },
      annotations: {},
    })),
  });
const sha = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** What the registry has, by path and tag, and what it was asked. */
let kept: Record<string, { body: string; type?: string; digest?: string }> = {};
let asked: string[] = [];
/** Whether it wants a token, as public registries do of everybody. */
let wanted: "token" | "login" | undefined;
let server: Server;
let registry = "";
const folder = newFolder("image-release");
const before = process.env.DOCKER_CONFIG;

beforeAll(async () => {
  server = createServer((request, response) => {
    const { authorization } = request.headers;
    asked.push(`${request.url ?? ""} ${authorization ?? ""}`.trim());
    if (request.url?.startsWith("/token")) {
      const known = authorization === `Basic ${Buffer.from("me:secret").toString("base64")}`;
      if (wanted === "login" && !known) return void response.writeHead(403).end();
      return void response.end(JSON.stringify({ token: "given" }));
    }
    if (wanted !== undefined && authorization !== "Bearer given") {
      const challenge = `Bearer realm="http://${registry}/token",service="registry",scope="repository:x:pull"`;
      return void response.writeHead(401, { "www-authenticate": challenge }).end();
    }
    const found = kept[(request.url ?? "").replace("/v2/", "").replace("/manifests/", ":")];
    if (found === undefined) return void response.writeHead(404).end("{}");
    response.setHeader("content-type", found.type ?? oci);
    response.setHeader("docker-content-digest", found.digest ?? sha(found.body));
    response.end(found.body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  registry = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterAll(() => {
  server.close();
  if (before === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = before;
});
beforeEach(() => {
  process.env.DOCKER_CONFIG = folder;
  writeFileSync(join(folder, "config.json"), "{}");
  asked = [];
  wanted = undefined;
  const body = on("amd64", "arm64");
  kept = { "acme/platform/toolbox:1.2.3": { body }, "acme/platform/rehearsal:1.2.3": { body: `${body}\n` } };
});

const locked = (...keys: string[]) => lockedAt(`${registry}/acme/platform`, "1.2.3", keys);

test("the digest is that of the list of both machines' images, as the registry sends it", async () => {
  const body = on("amd64", "arm64");
  expect(await locked("toolbox", "rehearsal")).toEqual({
    toolbox: `${registry}/acme/platform/toolbox:1.2.3@${sha(body)}`,
    rehearsal: `${registry}/acme/platform/rehearsal:1.2.3@${sha(`${body}\n`)}`,
  });
  expect(asked).toEqual(["toolbox", "rehearsal"].map((key) => `/v2/acme/platform/${key}/manifests/1.2.3`));
});

test("a public registry wants a token of everybody, a private one docker's login", async () => {
  const ref = `${registry}/acme/platform/toolbox:1.2.3@${sha(on("amd64", "arm64"))}`;
  wanted = "token";
  expect(await locked("toolbox")).toEqual({ toolbox: ref });
  expect(asked.find((url) => url.startsWith("/token"))).toBe(
    "/token?service=registry&scope=repository%3Aacme%2Fplatform%2Ftoolbox%3Apull",
  );
  wanted = "login";
  for (let round = 1; round <= 2; round++)
    await expect(locked("toolbox")).rejects.toThrow(/says 403: docker login there$/);
  const auth = Buffer.from("me:secret").toString("base64");
  writeFileSync(join(folder, "config.json"), JSON.stringify({ auths: { [registry]: { auth } } }));
  expect(await locked("toolbox")).toEqual({ toolbox: ref });
});

test.each<[string, () => unknown, RegExp]>([
  ["is not there", () => delete kept["acme/platform/toolbox:1.2.3"], /toolbox:1\.2\.3 is not in the registry: publish/],
  [
    "is there for one machine alone",
    () => (kept["acme/platform/toolbox:1.2.3"] = { body: on("amd64") }),
    /toolbox:1\.2\.3 is not there for linux\/arm64: `npm run images -- publish` builds for both$/,
  ],
  [
    "is no list",
    () => (kept["acme/platform/toolbox:1.2.3"] = { body: "{}", type: "application/vnd.oci.image.manifest.v1+json" }),
    /is not there for linux\/amd64 and linux\/arm64/,
  ],
  [
    "is another one on the way",
    () => (kept["acme/platform/toolbox:1.2.3"] = { body: on("amd64", "arm64"), digest: sha("other") }),
    /the registry says sha256:[0-9a-f]{64}, and has sent sha256:/,
  ],
])("an image that %s is refused", async (_, make, message) => {
  make();
  for (let round = 1; round <= 2; round++) await expect(locked("rehearsal", "toolbox")).rejects.toThrow(message);
});

test("a registry that does not answer: one sentence", async () => {
  await expect(lockedAt("127.0.0.1:1/hub", "1", ["toolbox"])).rejects.toThrow(
    /^127\.0\.0\.1:1\/hub\/toolbox:1 cannot be read: the registry 127\.0\.0\.1:1 does not answer \(/,
  );
});

test("the lock file has the last release's references, and nothing else of it changes", async () => {
  const path = join(repo, "components/core/image-lock.ts");
  const text = readFileSync(path, "utf8");
  const refs = (tag: string) =>
    Object.fromEntries(publishable.map(({ key }) => [key, `ghcr.io/acme/platform/${key}:${tag}@${sha(key + tag)}`]));
  const once = await formatted(path, withPublished(text, refs("1.2.3")));
  const twice = await formatted(path, withPublished(once, refs("1.3.0")));
  const read = async (name: string, source: string) => {
    const file = join(folder, name);
    writeFileSync(file, source);
    return (await import(pathToFileURL(file).href)) as { imageLock: unknown; published: unknown };
  };
  const [first, second] = [await read("first.ts", once), await read("second.ts", twice)];
  expect([first.published, second.published]).toEqual([refs("1.2.3"), refs("1.3.0")]);
  expect(second.imageLock).toEqual((await read("now.ts", text)).imageLock);
  expect(await formatted(path, withPublished(twice, {}))).toBe(await formatted(path, withPublished(text, {})));
  expect(() => withPublished("export const other = {};", {})).toThrow("no `published`");
});

/** A docker that says what it was asked for, and leaves what buildx would. */
function fakeDocker(metadata: object): () => string[] {
  const script = `#!/bin/sh
printf '%s\\n' "$@" > "$0.args"
while [ $# -gt 0 ]; do
  if [ "$1" = --metadata-file ]; then printf '%s' '${JSON.stringify(metadata)}' > "$2"; fi
  last=$1; shift
done
ls -R "$last" > "$0.context"
`;
  writeFileSync(join(folder, "docker"), script, { mode: 0o755 });
  process.env.PATH = [folder, ...(process.env.PATH ?? "").split(delimiter).filter((each) => each !== folder)].join(":");
  return () => readFileSync(join(folder, "docker.args"), "utf8").trimEnd().split("\n");
}

test("an image is built for both machines from a public base, with its provenance and its contents, and pushed", async () => {
  const path = process.env.PATH;
  const env = { GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "acme/platform", GITHUB_SHA: "abc" };
  Object.assign(process.env, env);
  try {
    const args = fakeDocker({ "containerimage.digest": sha("list") });
    const image = publishable.find(({ key }) => key === "docker-proxy");
    if (image === undefined) throw new Error("no docker-proxy");
    expect(await publish(image, "ghcr.io/acme/platform", "1.2.3", () => undefined)).toBe(
      `ghcr.io/acme/platform/docker-proxy:1.2.3@${sha("list")}`,
    );
    const said = args();
    expect(said.slice(0, 2)).toEqual(["buildx", "build"]);
    const after = (flag: string) => said.filter((_, index) => said[index - 1] === flag);
    expect(after("--platform")).toEqual(["linux/amd64,linux/arm64"]);
    expect(after("--build-arg")).toEqual(["BASE=node:24-slim"]);
    expect([after("--provenance"), after("--sbom")]).toEqual([["mode=max"], ["true"]]);
    expect(after("--tag")).toEqual(["ghcr.io/acme/platform/docker-proxy:1.2.3"]);
    expect(said).toContain("--push");
    expect(after("--label")).toEqual(
      ["version=1.2.3", "licenses=Apache-2.0", "source=https://github.com/acme/platform", "revision=abc"].map(
        (label) => `org.opencontainers.image.${label}`,
      ),
    );
    // The context has the program, and no Node of this machine: that is the base's.
    const context = readFileSync(join(folder, "docker.context"), "utf8");
    expect(context).toContain("Dockerfile");
    expect(context).toContain("main.js");
    expect(context).not.toMatch(/parts\/node:/);
    // Nothing of buildx' word is taken for a digest that is none.
    fakeDocker({ "containerimage.digest": "latest" });
    await expect(publish(image, "ghcr.io/acme/platform", "1.2.3", () => undefined)).rejects.toThrow();
  } finally {
    process.env.PATH = path;
    for (const key of Object.keys(env)) Reflect.deleteProperty(process.env, key);
  }
}, 120_000);
