import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { stackName } from "../support/run.ts";
import { repo, TestStack } from "../support/stack.ts";
import type { StateResource } from "../support/stack.ts";

/** No default providers: everything here works through an explicit OpsProvider. */
const imports = `
import * as pulumi from "@pulumi/pulumi";
import { Certificate, OpsProvider, StackIdentity } from "${repo}/ops/resources.ts";
const provider = new OpsProvider("ops");
`;

let stack: TestStack;
beforeAll(async () => {
  const config = { "pulumi:disable-default-providers": ["*"] };
  stack = await TestStack.create({ program: imports, config });
}, 60_000);
afterAll(() => stack.dispose(), 60_000);

async function passes(program: string): Promise<void> {
  await stack.rewrite(imports + program);
  const { code, output } = await stack.up();
  expect([code, output]).toEqual([0, output]);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
}

/** All of the state but its ciphertexts, which differ at each writing. */
async function resources(): Promise<unknown> {
  return JSON.parse(
    JSON.stringify((await stack.state()).resources).replace(/"ciphertext":"[^"]*"/g, '"ciphertext":""'),
  );
}

async function find(type: string): Promise<StateResource | undefined> {
  return (await stack.state()).resources.find((resource) => resource.type === `platform-topologies:index:${type}`);
}

test("default providers are off in this stack", async () => {
  await stack.rewrite(`${imports}new StackIdentity("identity", { system: "s", topology: "t", name: "n" });`);
  const { code, output } = await stack.up();
  expect(code).not.toBe(0);
  expect(output).toMatch(/Default provider for 'platform-topologies' disabled/);
}, 30_000);

test("a identity refuses another topology in preview and up, each time, before what depends on it", async () => {
  const program = (topology: string, hostnames: string): string => `
    const identity = new StackIdentity("identity", { system: "arkindex", topology: "${topology}", name: "dev" }, { provider });
    new Certificate("certificate", { hostnames: [${hostnames}] }, { provider, dependsOn: identity });`;
  await passes(program("docker", `"a.localhost"`));
  const before = await resources();
  await stack.rewrite(imports + program("swarm", `"b.localhost"`));
  for (const run of [await stack.preview(), await stack.up(), await stack.up()]) {
    expect(run.code).not.toBe(0);
    expect(run.output).toContain(
      "this stack is arkindex on docker named dev, and arkindex on swarm named dev was asked for: a system or topology is " +
        "never changed in place; make a new stack with `restore`",
    );
    expect(run.output).not.toMatch(/\n\s+at .*\.[jt]s:\d+/); // a stack trace
    expect(await resources()).toEqual(before);
    expect(run.output).not.toMatch(/certificate/i);
  }
  await passes(program("docker", `"b.localhost"`));
}, 90_000);

test("a wrong input is refused in the preview with its name", async () => {
  await stack.rewrite(`${imports}new Certificate("none", { hostnames: [] }, { provider });`);
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toMatch(/hostnames: Too small/);
}, 30_000);

test("openssl accepts the certificate for its names only; a new name keeps the authority", async () => {
  const program = (names: string): string => `
    const made = new Certificate("tls", { hostnames: [${names}] }, { provider });
    export const { caCert, caKey, cert, key } = made;`;
  await passes(program(`"app.localhost", "*.app.localhost", "127.0.0.1"`));
  const first = await stack.outputs();
  await verify(first, ["app.localhost", "objects.app.localhost"], ["127.0.0.1"]);
  await expect(verify(first, ["other.localhost"], [])).rejects.toThrow(/mismatch/i);

  await passes(program(`"other.localhost"`));
  const second = await stack.outputs();
  expect(second.caCert).toBe(first.caCert);
  await verify(second, ["other.localhost"], []);

  const state = await readFile(join(stack.folder, `state/.pulumi/stacks/test-stack/${stackName}.json`), "utf8");
  expect(state).toContain("BEGIN CERTIFICATE");
  expect(state).not.toContain("PRIVATE KEY");
  expect(Object.keys((await find("Certificate"))?.outputs ?? {}).sort()).toEqual([
    "caCert",
    "caKey",
    "cert",
    "hostnames",
    "key",
  ]);
}, 90_000);

/** Rejects with openssl's words unless it accepts the certificate and its key for every name and address. */
async function verify(outputs: Record<string, unknown>, names: string[], addresses: string[]): Promise<void> {
  const { caCert, cert, key } = outputs;
  if (typeof caCert !== "string" || typeof cert !== "string" || typeof key !== "string")
    throw new Error("no certificate");
  const [caFile, certFile] = [join(stack.folder, "ca.pem"), join(stack.folder, "cert.pem")];
  await writeFile(caFile, caCert);
  await writeFile(certFile, cert);
  const purpose = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", caFile];
  for (const name of names) await execa("openssl", [...purpose, "-verify_hostname", name, certFile]);
  for (const address of addresses) await execa("openssl", [...purpose, "-verify_ip", address, certFile]);
  const { stdout } = await execa("openssl", ["pkey", "-pubout"], { input: key });
  expect(new X509Certificate(cert).publicKey.export({ type: "spki", format: "pem" }).toString().trim()).toBe(
    stdout.trim(),
  );
}
