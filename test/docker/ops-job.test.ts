import { readFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { runLabel, runLabels, stackName } from "../support/run.ts";
import { succeeded, TestStack } from "../support/stack.ts";
import type { Outcome } from "../support/stack.ts";
import { docker, ensureImage, imports, processes, removeContainers, until } from "./ops-support.ts";

const name = "ops-job-test";
const volume = "ops-job-test";
const networks = ["ops-job-test-1", "ops-job-test-2"];
const secrets = { environment: "env-secret-4711", file: "file-secret-4712", named: "named-secret-4713" };

/** A job whose arguments are the test's; each run leaves a line in /runs/log. */
const program = (args: string): string => `${imports}
new Job("job", {
  host, name: "${name}", image, networks: [], seconds: 60, trigger: "1", mounts: [{ source: "${volume}", path: "/runs" }],
  labels: ${JSON.stringify(runLabels)},
  ...${args},
});
`;
const command = (script: string): string[] => ["sh", "-c", `echo run >> /runs/log; ${script}`];

let stack: TestStack;
/** Before the first, too: a run that was killed has left them. */
async function clean(): Promise<void> {
  await removeContainers(name);
  await docker("volume", "rm", "-f", volume);
}
beforeAll(async () => {
  await ensureImage();
  await clean();
  for (const network of networks) await docker("network", "create", "--internal", "--label", runLabel, network);
  stack = await TestStack.create({ program: "" });
}, 120_000);
afterEach(async () => {
  await stack.rewrite("");
  await stack.up();
  await clean();
}, 30_000);
afterAll(async () => {
  await stack.dispose();
  for (const network of networks) await docker("network", "rm", network);
}, 60_000);

async function up(args: object): Promise<Outcome> {
  await stack.rewrite(program(JSON.stringify(args)));
  return stack.up();
}

async function passes(args: object): Promise<void> {
  const { code, output } = await up(args);
  expect([code, output]).toEqual([0, output]);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
  await leavesNothing();
}

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

async function leavesNothing(): Promise<void> {
  expect(await docker("ps", "-aq", "--filter", `name=${name}`)).toBe("");
}

/** How often the job has run on the volume. */
async function runs(): Promise<number> {
  const log = await docker(
    "run",
    "--rm",
    "--network",
    "none",
    "-v",
    `${volume}:/runs`,
    ...["platform-topologies-test/busybox", "cat", "/runs/log"],
  );
  return log.split("\n").length;
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

test("a killed provider's job goes on, and the next up takes it over", async () => {
  const args = { command: command("for i in $(seq 20); do sleep 1; done; echo end >> /runs/log") };
  await stack.rewrite(program(JSON.stringify(args)));
  const running = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await docker("ps", "-q", "--filter", `name=${name}`)) !== "");
  const id = await docker("inspect", "-f", "{{.Id}}", name);
  const providers = await processes("ops/main.ts", stack.folder);
  expect(providers).not.toEqual([]);
  for (const pid of providers) process.kill(pid, "SIGKILL");
  const { code } = await running.done;
  expect(code).not.toBe(0);
  expect(await docker("inspect", "-f", "{{.Id}}", name)).toBe(id);
  await passes(args);
  expect(await runs()).toBe(2); // one run of two lines
}, 120_000);

/** An `up` that is killed while its job runs, and a job that ends after it. */
async function killed(whole: string): Promise<void> {
  await stack.rewrite(whole);
  const running = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await docker("ps", "-q", "--filter", `name=${name}`)) !== "");
  running.kill("SIGKILL");
  await running.done;
  await until(async () => (await docker("inspect", "-f", "{{.State.Status}}", name)) === "exited");
  await until(async () => (await processes("ops/main.ts", stack.folder)).length === 0); // no orphan
  await stack.run(["cancel", "--yes"]);
}

test("a killed up's job that has ended meanwhile counts, one that was asked otherwise does not", async () => {
  const args = { command: command("sleep 3") };
  for (const [trigger, expected] of [
    ["1", 1],
    ["2", 3],
  ] as const) {
    await killed(program(JSON.stringify({ ...args, trigger: "1" })));
    await passes({ ...args, trigger });
    expect(await runs()).toBe(expected);
    await stack.rewrite("");
    await stack.up();
  }
}, 120_000);

test("a killed up's job counts for its disk alone: one that is made anew, under the same id, has it run again", async () => {
  const disk = `${name}-disk`;
  await docker("volume", "create", "--label", runLabel, volume); // the log is no part of the disk
  const args = `{ ...${JSON.stringify({ command: command("sleep 3") })}, disks: { db: made.disk } }`;
  const made = `const made = new Volume("disk", { host, name: "${disk}", disk: "d15c", word: "", labels: ${JSON.stringify(runLabels)} });`;
  const whole = program(args).replace("new Job(", `${made}\nnew Job(`);
  const emptied = async (): Promise<void> => {
    await stack.rewrite("");
    succeeded(await stack.up());
  };
  const goesOn = async (): Promise<void> => {
    await stack.rewrite(whole);
    succeeded(await stack.up());
    await leavesNothing();
  };
  await killed(whole);
  await goesOn();
  expect(await runs()).toBe(1);
  await emptied();
  await killed(whole);
  expect(await runs()).toBe(2);
  await emptied(); // the disk goes, and what is left of the run stays
  await goesOn();
  expect(await runs()).toBe(3);
}, 300_000);

test("a cancelled up leaves the job running for the next", async () => {
  const args = { command: command("sleep 5") };
  await stack.rewrite(program(JSON.stringify(args)));
  const running = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await docker("ps", "-q", "--filter", `name=${name}`)) !== "");
  running.kill("SIGINT");
  const { code, output } = await running.done;
  expect(code).not.toBe(0);
  expect(output).toContain("goes on in its container: the next up waits for it");
  await passes(args);
  expect(await runs()).toBe(1);
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

test("a delete that cannot reach the engine says so in a sentence, each time", async () => {
  const args = { command: command("true") };
  await passes(args);
  await passes({ ...args, host: "unix:///nowhere/docker.sock" }); // noted only
  await stack.rewrite("");
  for (const run of ["first", "second"]) {
    const { code, output } = await stack.up();
    expect([run, code === 0]).toEqual([run, false]);
    expect(output).toContain("Docker at unix:///nowhere/docker.sock is not there: start the Docker engine");
    expect(output).not.toMatch(/\n\s+at .*\.[jt]s:\d+/);
  }
  await passes(args);
}, 60_000);
