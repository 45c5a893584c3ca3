import { readFile } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { stackName } from "../support/run.ts";
import { TestStack } from "../support/stack.ts";
import { docker, ensureImage, imports, removeContainers } from "./ops-support.ts";

const volume = "ops-finalizer-test";
const secret = "farewell-secret-4711";
const head = `${imports.replace("Certificate, ", "Certificate, Finalizer, ")}
const bye = (name, script, options = {}, env = {}) =>
  new Finalizer(name, {
    host,
    job: {
      name: "ops-finalizer-" + name, image, networks: [], seconds: 60, env,
      command: ["sh", "-c", script + "; code=$?; echo " + name + " >> /runs/log; exit $code"],
      files: [{ path: "/etc/bye", content: "${secret}", secret: true }],
      mounts: [{ source: "${volume}", path: "/runs" }],
    },
  }, options);
const cluster = new Certificate("cluster", { hostnames: ["a.localhost"] });
`;

/** A member between its two finalizers; `member` and the others log their own ends. */
const member = (hostname: string, script = "true"): string => `
const left = bye("left", "true", { deletedWith: cluster });
const slot = new Certificate("slot", { hostnames: ["${hostname}.localhost"] },
  { dependsOn: [left], deleteBeforeReplace: true, replaceOnChanges: ["hostnames"] });
const gone = bye("member", "true", { dependsOn: [slot], deletedWith: cluster });
bye("leave", ${JSON.stringify(script)}, { dependsOn: [gone, slot], deletedWith: cluster }, { CA: slot.caCert });
`;

let stack: TestStack;
beforeAll(async () => {
  await ensureImage();
  stack = await TestStack.create({ program: "" });
}, 120_000);
afterAll(async () => {
  await stack.rewrite("");
  await stack.dispose();
  await removeContainers("ops-finalizer-left", "ops-finalizer-member", "ops-finalizer-leave");
  await docker("volume", "rm", "-f", volume);
}, 60_000);

async function passes(program: string): Promise<void> {
  await stack.rewrite(program);
  const { code, output } = await stack.up();
  expect([code, output]).toEqual([0, output]);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
}

/** Who has ended, in this order. */
async function ended(): Promise<string[]> {
  const mount = ["--network", "none", "-v", `${volume}:/runs`, "platform-topologies-test/busybox"];
  const log = await docker("run", "--rm", ...mount, "sh", "-c", "touch /runs/log; cat /runs/log; : > /runs/log");
  return log.split("\n").filter((line) => line !== "");
}

test("nothing runs before the delete: neither at create, nor at an update, nor when the member is replaced", async () => {
  await passes(head + member("one", "test -e /runs/none"));
  await passes(head + member("one", "test -e /runs/agreed"));
  await passes(head + member("two", "test -e /runs/agreed"));
  expect(await ended()).toEqual([]);
}, 120_000);

test("a finalizer that fails keeps itself and what it depends on, each time, until it ends well", async () => {
  await stack.rewrite(head);
  for (const run of ["first", "second"]) {
    const { code, output } = await stack.up();
    expect([run, code === 0]).toEqual([run, false]);
    expect(output).toContain("ops-finalizer-leave failed with exit code 1");
    expect(output).not.toMatch(/\n\s+at .*\.[jt]s:\d+/);
    const kept = (await stack.state()).resources.filter(({ type }) => type.startsWith("platform-topologies:"));
    expect(kept.map(({ urn }) => urn.split("::").at(-1)).sort()).toEqual([
      "cluster",
      "leave",
      "left",
      "member",
      "slot",
    ]);
    expect(await ended()).toEqual(["leave"]);
  }
  await docker(
    "run",
    "--rm",
    "--network",
    "none",
    "-v",
    `${volume}:/runs`,
    "platform-topologies-test/busybox",
    "touch",
    "/runs/agreed",
  );
  await passes(head);
  expect(await ended()).toEqual(["leave", "member", "left"]);
}, 120_000);

test("its secrets are encrypted in the state, and a destroy of the whole stack does not run it", async () => {
  await passes(head + member("one"));
  const state = await readFile(`${stack.folder}/state/.pulumi/stacks/test-stack/${stackName}.json`, "utf8");
  expect(state).toContain("ops-finalizer-leave");
  expect(state).not.toContain(secret);
  const { code, output } = await stack.destroy();
  expect([code, output]).toEqual([0, output]);
  expect((await stack.state()).resources).toEqual([]);
  expect(await ended()).toEqual([]);
}, 120_000);
