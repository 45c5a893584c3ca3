/** Jobs whose provider, whose `up` or whose engine went away while they ran. */
import { expect, test } from "@jest/globals";

import { command, leavesNothing, name, passes, program, runs, stack, volume } from "../docker/ops-job-support.ts";
import { docker, processes, until } from "../docker/ops-support.ts";
import { runLabel, runLabels } from "../support/run.ts";
import { succeeded } from "../support/stack.ts";

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
