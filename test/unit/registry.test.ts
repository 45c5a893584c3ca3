/** What `docker login` left, as an engine is given it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { afterEach, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { planStack } from "../../components/deploy.ts";
import { topologies } from "../../components/topologies/index.ts";
import { credentials, loggedOut } from "../../ops/registry.ts";

const registry = "registry.example.com:5000";
const before = process.env.DOCKER_CONFIG;
let folder = "";

async function login(config: object): Promise<void> {
  if (folder !== "") await rm(folder, { recursive: true, force: true });
  folder = await mkdtemp(join(tmpdir(), "docker-config-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  process.env.DOCKER_CONFIG = folder;
}

/** A helper that is asked to `get`, and says as the user what it was asked for. */
async function helper(): Promise<void> {
  const script = `#!/bin/sh\n[ "$*" = get ] || exit 1\nread address; echo "{\\"Username\\":\\"$address\\",\\"Secret\\":\\"s\\"}"\n`;
  await writeFile(join(folder, "docker-credential-of-the-test"), script, { mode: 0o755 });
  process.env.PATH = `${folder}:${process.env.PATH ?? ""}`;
}

async function withHelper(does: () => Promise<void>): Promise<void> {
  const path = process.env.PATH;
  try {
    await does();
  } finally {
    process.env.PATH = path;
  }
}

afterEach(async () => {
  if (before === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = before;
  await rm(folder, { recursive: true, force: true });
});

test("a login's user and password, for a registry that is named, and for no other", async () => {
  await login({ auths: { [registry]: { auth: Buffer.from("puller:with:colon").toString("base64") } } });
  const found = { username: "puller", password: "with:colon", serveraddress: registry };
  expect(await credentials(`${registry}/app:1`, [registry])).toEqual(found);
  expect(await credentials(`${registry}/app:1`, [])).toBeUndefined();
  expect(await credentials("registry.example.com/app:1", [registry])).toBeUndefined();
});

test("a credential helper is asked; nobody has logged in: none", async () => {
  await withHelper(async () => {
    await login({ credHelpers: { [registry]: "of-the-test" } });
    await helper();
    const found = { username: registry, password: "s", serveraddress: registry };
    expect(await credentials(`${registry}/app:1`, [registry])).toEqual(found);
  });
  await login({ auths: {} });
  expect(await credentials(`${registry}/app:1`, [registry])).toBeUndefined();
});

test("a login under the address that it was made with, and Docker Hub's own", async () => {
  const auth = Buffer.from("puller:p").toString("base64");
  await login({ auths: { [`https://${registry}/v2/`]: { auth }, "https://index.docker.io/v1/": { auth } } });
  expect(await credentials(`${registry}/app:1`, [registry])).toMatchObject({ username: "puller" });
  for (const ref of ["team/app:1", "docker.io/team/app:1", "redis"])
    expect(await credentials(ref, ["docker.io"])).toMatchObject({ username: "puller" });
  expect(await credentials("localhost/app", ["docker.io"])).toBeUndefined();
});

test.each([
  ["redis", "docker.io"],
  ["redis:7.4", "docker.io"],
  ["redis", "index.docker.io"],
  ["redis", "registry-1.docker.io"],
  ["team/app:1", "https://index.docker.io/v1/"],
  ["index.docker.io/team/app", "docker.io"],
  ["docker.io/redis", "registry-1.docker.io"],
])("%s is of Docker Hub by its name %s, and its login has Docker's own key", async (ref, name) => {
  await withHelper(async () => {
    await login({ credsStore: "of-the-test" });
    await helper();
    expect(await credentials(ref, [name])).toMatchObject({ username: "https://index.docker.io/v1/" });
    expect(await credentials(ref, ["example.com", "docker.io.example.com"])).toBeUndefined();
  });
});

test("a helper is asked by the name under which the login is kept, else by the registry's", async () => {
  await withHelper(async () => {
    const asked = async () => (await credentials(`${registry}/app:1`, [registry]))?.username;
    await login({ credsStore: "of-the-test" });
    await helper();
    expect(await asked()).toBe(registry);
    await login({ credsStore: "of-the-test", auths: { [`https://${registry}`]: {} } });
    await helper();
    expect(await asked()).toBe(`https://${registry}`);
    await login({ credsStore: "nobody-has-this", credHelpers: { [`http://${registry}/v2`]: "of-the-test" } });
    await helper();
    expect(await asked()).toBe(`http://${registry}/v2`);
  });
});

test("who has not logged in is told the command, whatever is missing", async () => {
  const command = `docker login ${registry}`;
  await login({ auths: { "other.example.com": { auth: "eDp5" } } });
  expect(await loggedOut("other.example.com")).toBeUndefined();
  expect(await loggedOut(registry)).toBe(`nobody has logged in there on this machine: ${command}`);
  await rm(join(folder, "config.json"));
  expect(await loggedOut(registry)).toBe(`nobody has logged in there on this machine: ${command}`);
  await writeFile(join(folder, "config.json"), "{");
  expect(await loggedOut(registry)).toMatch(/config\.json cannot be read .*: docker login/);
  await writeFile(join(folder, "config.json"), JSON.stringify({ credsStore: "nobody-has-this" }));
  expect(await loggedOut(registry)).toBe(
    `nobody has logged in there on this machine, as far as docker-credential-nobody-has-this knows (it is not installed): ${command}`,
  );
  for (const name of ["constructor.example.com", "toString:5000"])
    expect(await loggedOut(name)).toContain("docker login");
});

test.each(["docker", "swarm"] as const)("the preview says so before it asks an engine: %s", async (topology) => {
  await login({ auths: {} });
  const { whole } = planStack(
    {
      system: "arkindex",
      topology,
      hostname: "a.example.com",
      rehearsal: true,
      [topology]: {
        ...(topology === "docker" ? { host: "unix:///nowhere" } : { managers: ["unix:///nowhere"] }),
        registries: [registry],
      },
    },
    "dev",
  );
  if (whole === undefined) throw new Error("no plan");
  const found = await topologies[topology]?.preflight(
    whole.topology,
    { ...whole, secrets: {}, state: [], component: "" },
    [],
  );
  expect(found?.map(sentence)).toEqual([
    `${topology}.registries = "${registry}": nobody has logged in there on this machine: docker login ${registry}`,
  ]);
});
