import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { processes, until } from "../docker/ops-support.ts";
import { succeeded, TestStack } from "../support/stack.ts";
import { failsTwice, passes, startSwarm } from "./ops-support.ts";

import type { Swarm } from "./ops-support.ts";

const name = "ops-job";
const secrets = { environment: "env-secret-4711", file: "file-secret-4712" };

let swarm: Swarm;
let stack: TestStack;
let network: string;
beforeAll(async () => {
  swarm = await startSwarm("ops-job");
  network = await swarm.docker("network", "create", "--driver", "overlay", "jobs");
  stack = await TestStack.create({ program: "" });
}, 180_000);
afterEach(async () => {
  await stack.rewrite("");
  await stack.up();
}, 60_000);
afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await swarm.stop();
  }
}, 60_000);

/** Each run leaves a line in /runs/log on the worker. */
const program = (args: object): string => `${swarm.imports}
new Job("job", {
  host, name: "${name}", image, networks: ["${network}"], seconds: 60, trigger: "1",
  mounts: [{ source: "runs", path: "/runs", driver: "local", driverOptions: {} }],
  swarm: { constraints: ["node.role==worker"] },
  ...${JSON.stringify(args)},
});`;
const command = (script: string): string[] => ["sh", "-c", `echo run >> /runs/log; ${script}`];

async function runs(): Promise<number> {
  const read = ["run", "--rm", "--network", "none", "-v", "runs:/runs", swarm.image];
  const script = ["sh", "-c", "touch /runs/log; wc -l < /runs/log"];
  return Number((await execa("docker", ["--host", swarm.cluster.host("w1"), ...read, ...script])).stdout);
}

async function leavesNothing(): Promise<void> {
  for (const kind of ["service", "secret", "config"])
    expect([kind, await swarm.docker(kind, "ls", "-q")]).toEqual([kind, ""]);
}

const files = [
  { path: "/etc/job/secret", content: secrets.file, secret: true, mode: 0o400 },
  { path: "/etc/job/plain", content: "plain\n" },
];

test("runs to its end once, with its files, network, volume and limits, and leaves nothing", async () => {
  const script = [
    'test "$(cat /etc/job/secret)" = file-secret-4712 && test "$(stat -c %a/%u /etc/job/secret)" = 400/0',
    'test "$(cat /etc/job/plain)" = plain && test "$(stat -c %a/%u /etc/job/plain)" = 444/0',
    'test "$SECRET" = env-secret-4711 && grep -q "^CapBnd:.*0000000000000000$" /proc/self/status',
    "ls /sys/class/net | grep -q eth0",
  ];
  const args = { command: command(script.join(" && ")), files, memoryMib: 64, cpu: 0.5 };
  const secretEnv = { SECRET: secrets.environment };
  await passes(stack, program({ ...args, secretEnv }));
  await leavesNothing();
  expect(await runs()).toBe(1);
  await passes(stack, program({ ...args, secretEnv, trigger: "2" }));
  expect(await runs()).toBe(2);
}, 120_000);

test("a failure is told with exit code, node and log, without secrets, each time, and leaves nothing", async () => {
  const script = "echo says $(cat /etc/job/secret) and $SECRET; exit 7";
  const args = { command: command(script), files, secretEnv: { SECRET: secrets.environment } };
  for (const output of await failsTwice(stack, program(args))) {
    expect(output).toContain(`${name} failed with exit code 7 on node w1`);
    expect(output).toContain("| says [secret] and [secret]");
    for (const secret of Object.values(secrets)) expect(output).not.toContain(secret);
    await leavesNothing();
  }
  for (const output of await failsTwice(stack, program({ command: command("echo begun; sleep 1000"), seconds: 12 }))) {
    expect(output).toContain(`${name} did not end in 12 s and was stopped`);
    expect(output).toContain("| begun");
    await leavesNothing();
  }
}, 180_000);

test("no node, no image and no network are told in a sentence each", async () => {
  const wrong = { command: command("true"), swarm: { constraints: ["node.labels.disk==fast"] } };
  for (const output of await failsTwice(stack, program(wrong))) {
    expect(output).toContain(
      `${name} could not be placed: no suitable node (scheduling constraints not satisfied on 2 nodes)`,
    );
    await leavesNothing();
  }
  const image = `${swarm.cluster.registry}/nosuch:1`;
  for (const output of await failsTwice(stack, program({ command: command("true"), image }))) {
    expect(output).toContain(`${name} could not be started on node w1: the node cannot get the image ${image}`);
    await leavesNothing();
  }
  for (const output of await failsTwice(stack, program({ command: command("true"), networks: [] }))) {
    expect(output).toContain("networks: a job on a swarm needs a network");
  }
}, 240_000);

test("a killed provider's job goes on, and the next up takes it over", async () => {
  const before = await runs();
  const args = { command: command("sleep 20; echo end >> /runs/log"), files };
  await stack.rewrite(program(args));
  const running = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await swarm.docker("service", "ls", "-q")) !== "");
  const id = await swarm.docker("service", "inspect", "-f", "{{.ID}}", name);
  for (const pid of await processes("ops/main.ts", stack.folder)) process.kill(pid, "SIGKILL");
  expect((await running.done).code).not.toBe(0);
  expect(await swarm.docker("service", "inspect", "-f", "{{.ID}}", name)).toBe(id);
  await passes(stack, program(args));
  expect(await runs()).toBe(before + 2); // one run of two lines
  await leavesNothing();
}, 120_000);

test("a node that loses its power is told, with what to type", async () => {
  await stack.rewrite(program({ command: command("sleep 1000"), seconds: 300 }));
  const running = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await swarm.docker("service", "ls", "-q")) !== "");
  await until(async () => (await swarm.docker("service", "ps", "--format", "{{.Node}}", name)) === "w1");
  await swarm.cluster.kill("w1");
  try {
    const { code, output } = await running.done;
    expect(code).not.toBe(0);
    expect(output).toContain(`${name} waits for its node w1, which is down: start that machine; if it is gone`);
  } finally {
    await swarm.cluster.start("w1");
  }
  await until(async () =>
    (await swarm.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}")).includes("w1 Ready"),
  );
  await leavesNothing();
}, 240_000);

test("another's service of the same name is left alone", async () => {
  await swarm.docker("service", "create", "-q", "--detach", "--name", name, swarm.image, "sleep", "1000");
  for (const output of await failsTwice(stack, program({ command: command("true") }))) {
    expect(output).toContain(`a service ${name} exists that is not this job's: remove or rename it`);
  }
  await swarm.docker("service", "rm", name);
  await passes(stack, program({ command: command("true") }));
}, 120_000);

test("a finalizer on the swarm runs when it is deleted, and is tried again until it ends well", async () => {
  const before = await runs();
  const { host, trigger, ...job } = { host: "", trigger: "", command: command("test -e /runs/agreed"), files };
  // A name of its own, as both it and the job go in one up.
  const finalizer = program({ ...job, name: `${name}-bye` })
    .replace('new Job("job", {\n  host,', 'new Finalizer("bye", { host, job: {')
    .replace('trigger: "1",', "")
    .replace("});", "} });");
  await passes(stack, finalizer);
  expect([host, trigger, await runs()]).toEqual(["", "", before]);
  for (const output of await failsTwice(stack, "")) {
    expect(output).toContain(`${name}-bye failed with exit code 1 on node w1`);
    await leavesNothing();
  }
  await passes(
    stack,
    program({ command: command("touch /runs/agreed"), trigger: "agree" }) + finalizer.slice(swarm.imports.length),
  );
  await stack.rewrite("");
  succeeded(await stack.up());
  expect(await runs()).toBe(before + 4);
}, 180_000);
