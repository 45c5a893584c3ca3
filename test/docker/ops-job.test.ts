import { readFile } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { runLabel, stackName } from "../support/run.ts";
import { command, leavesNothing, name, passes, program, runs, stack, up } from "./ops-job-support.ts";
import { docker, removeContainers } from "./ops-support.ts";

const networks = ["ops-job-test-1", "ops-job-test-2"];
const secrets = { environment: "env-secret-4711", file: "file-secret-4712", named: "named-secret-4713" };

beforeAll(async () => {
  for (const network of networks) await docker("network", "create", "--internal", "--label", runLabel, network);
}, 60_000);
afterAll(async () => {
  for (const network of networks) await docker("network", "rm", network);
}, 60_000);

async function failsTwice(args: object, ...parts: string[]): Promise<void> {
  for (const run of ["first", "second"]) {
    const { code, output } = await up(args);
    expect([run, code === 0]).toEqual([run, false]);
    for (const part of parts) expect(output).toContain(part);
    expect(output).not.toMatch(/\n\s+at .*\.[jt]s:\d+/); // a stack trace
    for (const secret of Object.values(secrets)) expect(output).not.toContain(secret);
    await leavesNothing();
  }
}

test("fails twice with its log, then passes once", async () => {
  const script = command("echo to stdout; echo to stderr >&2; test $READY = yes || exit 4");
  await failsTwice(
    { command: script, env: { READY: "no" } },
    `${name} failed with exit code 4`,
    "to stdout",
    "to stderr",
  );
  await passes({ command: script, env: { READY: "yes" } });
  expect(await runs()).toBe(3);
}, 120_000);

test("reruns for once and command, not for files, environment or limits", async () => {
  const first = { command: command("true") };
  await passes(first);
  await passes({ ...first, files: [{ path: "/a/b", content: "c" }], env: { A: "b" }, seconds: 61, memoryMib: 64 });
  expect(await runs()).toBe(1);
  await passes({ ...first, trigger: "2" });
  expect(await runs()).toBe(2);
  await passes({ ...first, trigger: "2", command: command("exit 0") });
  expect(await runs()).toBe(3);
}, 120_000);

test("one that takes too long is stopped, and one without its image names it, again and again", async () => {
  await failsTwice(
    { command: command("echo waiting; trap exit TERM; sleep 1000 & wait"), seconds: 2 },
    "did not end in 2 s and was stopped",
    "waiting",
  );
  await failsTwice(
    { command: ["true"], image: "no-such/image:7" },
    `${name}: the image no-such/image:7 is not on unix:///var/run/docker.sock`,
  );
}, 180_000);

test("files come with their mode, networks before the start, and no privileges", async () => {
  const uid = 4242;
  const script = command(
    "cat /new/deep/secret; stat -c '%a %u' /new/deep/secret /new /tmp; ls /sys/class/net | wc -l; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; id -u; exit 1",
  );
  const files = [
    { path: "/new/deep/secret", content: "in the file", mode: 0o440 }, // a user without a group is in root's
    { path: "/tmp/x", content: "" },
  ];
  const { output } = await up({ command: script, files, networks, user: String(uid) });
  const log = output
    .slice(output.lastIndexOf("last log lines"))
    .split("\n")
    .map((line) => line.replace(/^\s*\| /, ""));
  expect(log).toEqual(
    expect.arrayContaining([
      "in the file440 0",
      "755 0",
      "1777 0",
      "3",
      "CapBnd:\t0000000000000000",
      "NoNewPrivs:\t1",
      String(uid),
    ]),
  );
}, 60_000);

test("secrets are in neither state nor output, whether it fails or passes", async () => {
  const args = (exit: number): string => `{
    command: ["sh", "-c", "echo $SECRET; cat /secret /other; echo ${secrets.named.slice(0, 6)}''${secrets.named.slice(6)}; exit ${String(exit)}"],
    secretEnv: { SECRET: "${secrets.environment}" },
    files: [{ path: "/secret", content: pulumi.secret("${secrets.file}\\n") }, { path: "/other", content: "${secrets.file}", secret: true }],
    redact: ["${secrets.named}"],
  }`;
  for (const exit of [1, 1, 0]) {
    await stack.rewrite(program(args(exit)));
    const { code, output } = await stack.up();
    expect([code === 0, output]).toEqual([exit === 0, output]);
    if (exit === 1) expect(output.match(/\| \[secret\]/g)?.length).toBeGreaterThanOrEqual(3);
    const preview = await stack.preview(["--diff"]);
    const detail = await stack.run(["stack", "export"]);
    const state = await readFile(`${stack.folder}/state/.pulumi/stacks/test-stack/${stackName}.json`, "utf8");
    for (const secret of Object.values(secrets)) {
      for (const text of [output, preview.output, detail.output, state]) expect(text).not.toContain(secret);
    }
  }
  // A change of one stays hidden as well.
  await stack.rewrite(program(args(0).replaceAll("4711", "0815")));
  const changed = await stack.preview(["--diff"]);
  expect(changed.output).toMatch(/secretEnv/);
  expect(changed.output).not.toContain("env-secret");
}, 120_000);

test("another's container of the same name is left alone", async () => {
  await docker("run", "-d", "--name", name, "--network", "none", "platform-topologies-test/busybox", "sleep", "1000");
  for (const run of ["first", "second"]) {
    const { code, output } = await up({ command: command("true") });
    expect([run, code === 0]).toEqual([run, false]);
    expect(output).toContain(`a container ${name} exists that is not this job's: remove or rename it`);
  }
  await removeContainers(name);
  await passes({ command: command("true") });
}, 60_000);
