/** What `docker login` left, as an engine is given it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { afterEach, expect, test } from "@jest/globals";

import { credentials } from "../../ops/registry.ts";

const registry = "registry.example.com:5000";
const before = process.env.DOCKER_CONFIG;
let folder = "";

async function login(config: object): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), "docker-config-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  process.env.DOCKER_CONFIG = folder;
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
  await login({ credHelpers: { [registry]: "of-the-test" } });
  const helper = join(folder, "docker-credential-of-the-test");
  await writeFile(helper, `#!/bin/sh\nread address; echo "{\\"Username\\":\\"$address\\",\\"Secret\\":\\"s\\"}"\n`, {
    mode: 0o755,
  });
  const path = process.env.PATH;
  process.env.PATH = `${folder}:${path ?? ""}`;
  try {
    const found = { username: registry, password: "s", serveraddress: registry };
    expect(await credentials(`${registry}/app:1`, [registry])).toEqual(found);
  } finally {
    process.env.PATH = path;
  }
  await rm(folder, { recursive: true });
  await login({ auths: {} });
  expect(await credentials(`${registry}/app:1`, [registry])).toBeUndefined();
});
