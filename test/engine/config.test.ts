/** What only a real Pulumi tells: which leaves of a stack's config are encrypted, and in which file. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { stackName } from "../support/run.ts";
import { certificate } from "../support/certificates.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const project = "test-stack";
/** Whole but for its engine, which nobody is asked for before the config is right. */
const config = {
  system: "arkindex",
  topology: "docker",
  hostname: "arkindex.example.com",
  rehearsal: true,
  images: { toolbox: "registry.example.com/toolbox:1", rehearsal: "registry.example.com/rehearsal:1" },
  docker: { host: "unix:///nowhere/docker.sock" },
  backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } },
};
const isRight = /1 problem, nothing was changed:\s+- docker\.host/;

let stack: TestStack;
beforeAll(async () => {
  stack = await TestStack.create({
    program: `import { deploy } from "${repo}/components/deploy.ts"; await deploy();`,
    config: {
      "pulumi:disable-default-providers": ["*"],
      ...Object.fromEntries(Object.entries(config).map(([key, value]) => [`${project}:${key}`, value])),
    },
  });
}, 60_000);
afterAll(() => stack.dispose(), 60_000);

async function set(name: string, value: string, ...flags: string[]): Promise<void> {
  succeeded(await stack.run(["config", "set", "--path", `secrets.${name}`, value, ...flags]));
}

test("one plain secret beside an encrypted one, in the usual file", async () => {
  await set("backupKey", "hunter1", "--secret");
  await set("backupSecret", "hunter2", "--plaintext");
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toMatch(/1 problem, nothing was changed:\s+- secrets\.backupSecret: in plain text/);
  expect(output).not.toMatch(/hunter[12]/);
}, 60_000);

test("the file that --config-file names is the one that counts", async () => {
  const usual = join(stack.folder, `Pulumi.${stackName}.yaml`);
  await mkdir(join(stack.folder, "else where"));
  const file = join("else where", "other.yaml");
  await writeFile(join(stack.folder, file), await readFile(usual));
  await set("backupSecret", "hunter2", "--secret", "--config-file", file);
  for (const flags of [["--config-file", file], [`--config-file=${file}`]]) {
    const { output } = await stack.preview(flags);
    expect(output).toMatch(isRight);
    expect(output).not.toContain("could not be looked at");
  }
}, 60_000);

test("stackConfigDir is where the files are, then", async () => {
  const usual = join(stack.folder, `Pulumi.${stackName}.yaml`);
  const described = JSON.parse(await readFile(join(stack.folder, "Pulumi.yaml"), "utf8")) as object;
  await mkdir(join(stack.folder, "stacks"));
  await rename(usual, join(stack.folder, "stacks", `Pulumi.${stackName}.yaml`));
  await writeFile(join(stack.folder, "Pulumi.yaml"), JSON.stringify({ ...described, stackConfigDir: "stacks" }));
  expect((await stack.preview()).output).toMatch(/secrets\.backupSecret: in plain text/);
  await set("backupSecret", "hunter2", "--secret");
  expect((await stack.preview()).output).toMatch(isRight);
}, 60_000);

test("an importer's key that is known later: refused when it is known, and not shown", async () => {
  const name = "a.example.com";
  const [one, other] = [await certificate({ name, hostnames: [name] }), await certificate({ name, hostnames: [name] })];
  await stack.rewrite(`
    import * as pulumi from "@pulumi/pulumi";
    import { checkedPair } from "${repo}/components/core/certificates.ts";
    const key = pulumi.secret(Promise.resolve(${JSON.stringify(other.key)}));
    export const cert = checkedPair({ cert: ${JSON.stringify(one.pem)}, key }, ["${name}"]).cert;`);
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain("secrets.tlsKey: it is not the key of the certificate");
  expect(output).not.toContain("PRIVATE KEY");
}, 60_000);
