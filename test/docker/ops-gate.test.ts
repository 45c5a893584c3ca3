import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { TestStack } from "../support/stack.ts";
import { docker, ensureImage, imports, removeContainers, start } from "./ops-support.ts";

const name = "ops-gate-test";
const password = "correct-horse-battery";
const program = `${imports}
new Gate("gate", {
  host, container: config.require("container"), name: "the database",
  seconds: config.getNumber("seconds") ?? 30, redact: [config.requireSecret("password")],
});
`;
const ready = ["--health-cmd", "echo probe-says-$PASSWORD; test -e /tmp/ready", "--health-interval", "1s"];

let stack: TestStack;
beforeAll(async () => {
  await ensureImage();
  stack = await TestStack.create({ program });
}, 120_000);
afterEach(() => removeContainers(name), 30_000);
afterAll(() => stack.dispose(), 60_000);

async function given(container: string, seconds = 30): Promise<void> {
  await stack.configure({
    "test-stack:container": container,
    "test-stack:password": password,
    "test-stack:seconds": seconds,
  });
}

/** The reason, at the first up and at the second, which must not pass in silence. */
async function failsTwice(container: string, ...parts: (string | RegExp)[]): Promise<void> {
  for (const run of ["first", "second"]) {
    const { code, output } = await stack.up();
    expect([run, code === 0]).toEqual([run, false]);
    for (const part of parts) expect(output).toMatch(part);
    expect(output).not.toContain(password);
    expect(output).not.toMatch(/\n\s+at .*\.[jt]s:\d+/); // a stack trace
    // No record of it, and where it was to replace another, that one stays: either way the next up tries again.
    expect((await stack.state()).resources.filter(({ outputs }) => outputs?.container === container)).toEqual([]);
  }
}

async function passes(): Promise<void> {
  const { code, output } = await stack.up();
  expect([code, output]).toEqual([0, output]);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
}

test("a container that ends fails at once and again, and passes when it stays", async () => {
  const id = await start(
    name,
    `test -e /tmp/ready && exec sleep 1000; echo says ${password}; echo no data folder >&2; exit 3`,
  );
  await given(id);
  await failsTwice(
    id,
    "the database did not become healthy: its process has ended with exit code 3",
    "says [secret]",
    "no data folder",
  );
  await removeContainers(name);
  await given(await start(name, "exec sleep 1000"));
  await passes();
}, 120_000);

test("an unhealthy container fails with log and probe, and passes once the cause is gone", async () => {
  const id = await start(
    name,
    "echo up and waiting; exec sleep 1000",
    ...ready,
    "--health-retries",
    "2",
    "-e",
    `PASSWORD=${password}`,
  );
  await given(id);
  await failsTwice(id, "its health check fails", "up and waiting", "probe-says-[secret]");
  await docker("exec", name, "touch", "/tmp/ready");
  await passes(); // at once, though Docker may still say unhealthy
}, 120_000);

test("a crash loop fails after three restarts, and again, and passes once it holds", async () => {
  const script = "echo starting; test -e /tmp/ready && exec sleep 1000; exit 7";
  const id = await start(name, script, "--restart", "always", ...ready);
  await given(id, 60);
  await failsTwice(id, /its process has ended and been restarted \d+ times( \(exit code 7\))?\n/, "starting");
  await docker("cp", "/etc/hostname", `${name}:/tmp/ready`);
  await passes();
}, 180_000);

test("a container that stays in between fails at the end of the time, and again", async () => {
  const id = await start(name, "exec sleep 1000", ...ready, "--health-retries", "100");
  await given(id, 3);
  await failsTwice(id, "its health check has not passed after 3 s");
  await docker("exec", name, "touch", "/tmp/ready");
  await passes();
}, 120_000);

/** Docker's own word comes after the test. */
const seldom = (check: string) => ["--health-cmd", check, "--health-interval", "1h", "--health-timeout", "1s"];

test("a health check that passes counts before Docker asks for it", async () => {
  await given(await start(name, "sleep 4; touch /tmp/ready; exec sleep 1000", ...seldom("test -e /tmp/ready")));
  await passes();
  expect(await docker("inspect", "--format", "{{.State.Health.Status}}", name)).toBe("starting");
}, 60_000);

test("but not of a process that ends soon after, nor one that hangs", async () => {
  const loop = await start(name, "sleep 1; exit 7", "--restart", "always", ...seldom("true"));
  await given(loop, 60);
  await failsTwice(loop, /its process has ended and been restarted \d+ times/);
  await removeContainers(name);
  const hangs = await start(name, "exec sleep 1000", ...seldom("sleep 1000"));
  await given(hangs, 5);
  await failsTwice(hangs, "its health check has not passed after 5 s");
}, 120_000);

test("a container that is gone, and an engine that is not there", async () => {
  await given("0123456789ab");
  await failsTwice("0123456789ab", "the database did not become healthy: its container is gone");
  await stack.rewrite(program.replace("/var/run/docker.sock", "/nowhere/docker.sock"));
  await failsTwice("0123456789ab", "Docker at unix:///nowhere/docker.sock is not there: start the Docker engine");
  await stack.rewrite(program);
}, 120_000);

test("a changed container replaces the gate; a changed limit waits for nothing", async () => {
  await given(await start(name, "exec sleep 1000"));
  await passes();
  await removeContainers(name);
  await given(
    (await stack.state()).resources.find(({ type }) => type === "platform-topologies:index:Gate")?.inputs
      ?.container as string,
    31,
  );
  const updated = await stack.up();
  expect(updated.output).toMatch(/1 updated/);
  await given(await start(name, "exec sleep 1000"), 31);
  const replaced = await stack.up();
  expect(replaced.output).toMatch(/1 replaced/);
}, 120_000);
