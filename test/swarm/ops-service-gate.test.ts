import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";

import { TestStack } from "../support/stack.ts";
import { failsTwice, passes, startSwarm } from "./ops-support.ts";

import type { Swarm } from "./ops-support.ts";

const name = "web";
const password = "correct-horse-battery";
const label = "platform-topologies.spec";

let swarm: Swarm;
let stack: TestStack;
beforeAll(async () => {
  swarm = await startSwarm("ops-gate");
  stack = await TestStack.create({ program: "" });
}, 180_000);
afterEach(async () => {
  await stack.rewrite("");
  await stack.up();
  await swarm.docker("service", "rm", name).catch(() => undefined);
}, 60_000);
afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await swarm.stop();
  }
}, 60_000);

/** A service of `script`; its containers carry `spec`. */
async function service(spec: string, script: string, ...options: string[]): Promise<void> {
  const own = ["--container-label", `${label}=${spec}`, "--restart-delay", "1s", ...options];
  await swarm.docker("service", "create", "-q", "--detach", "--name", name, ...own, swarm.image, "sh", "-c", script);
}

async function change(spec: string, script: string, ...options: string[]): Promise<void> {
  const own = ["--container-label-add", `${label}=${spec}`, ...options];
  await swarm.docker("service", "update", "-q", "--detach", ...own, "--args", `sh -c '${script}'`, name);
}

async function program(spec: string, seconds = 60): Promise<string> {
  const id = await swarm.docker("service", "inspect", "-f", "{{.ID}}", name);
  return `${swarm.imports}
new ServiceGate("gate", {
  host, service: "${id}", spec: "${spec}", name: "the web service", seconds: ${String(seconds)},
  redact: [pulumi.secret("${password}")],
});`;
}

const healthy = ["--health-cmd", "test -e /tmp/ready", "--health-interval", "1s", "--health-retries", "3"];
const crash = `echo says ${password}; echo no data folder >&2; exit 3`;

test("passes when every replica is healthy, and again when it is another spec", async () => {
  await service("a", "sleep 3; touch /tmp/ready; sleep 1000", "--replicas", "2", ...healthy);
  await passes(stack, await program("a"));
  const health = await Promise.all(
    swarm.cluster.nodes.map(async (node) => {
      const running = await swarm.cluster.dockerOf(node).listContainers();
      return running.map(({ Status }) => Status).join();
    }),
  );
  expect(health.join()).toMatch(/healthy.*healthy/);
  await change("b", "touch /tmp/ready; sleep 1001", "--update-delay", "0s", "--update-monitor", "1s");
  await passes(stack, await program("b"));
  const states = await swarm.docker("service", "ps", "--format", "{{.DesiredState}} {{.CurrentState}}", name);
  expect(states.match(/^Running Running/gm)).toHaveLength(2);
}, 120_000);

test("a replica that fails three times fails it with its log, each time, and it passes once mended", async () => {
  await service("a", crash);
  for (const output of await failsTwice(stack, await program("a"))) {
    expect(output).toMatch(
      /the web service did not become healthy: a replica has failed 3 times \(web\.1 on node [mw]1: task: non-zero exit \(3\)\)/,
    );
    expect(output).toMatch(/last log lines of web\.1 on node [mw]1:\s+\| /);
    for (const line of ["says [secret]", "no data folder"]) expect(output).toContain(`| ${line}`);
    expect(output).not.toContain(password);
  }
  await change("a", "sleep 1000", "--update-monitor", "1s");
  await passes(stack, await program("a"));
}, 180_000);

test("a rolled back update is told as such, with the task's own error, each time", async () => {
  const policy = ["--update-failure-action", "rollback", "--update-monitor", "2s", "--rollback-monitor", "1s"];
  await service("a", "sleep 1000", ...policy);
  await passes(stack, await program("a"));
  await change("b", "echo wrong version; exit 4");
  for (const output of await failsTwice(stack, await program("b"))) {
    expect(output).toMatch(
      /its update was rolled back: the earlier version runs on \(web\.1 on node [mw]1: task: non-zero exit \(4\)\); mend it, or run `pulumi up --refresh`/,
    );
    expect(output).toMatch(/\| wrong version/);
  }
  await passes(stack, await program("a"));
}, 180_000);

test("an image that cannot be had, a paused update and a service without a node are told at once", async () => {
  const missing = `${swarm.cluster.registry}/nosuch:1`;
  await swarm.docker(
    ...["service", "create", "-q", "--detach", "--no-resolve-image", "--restart-delay", "1s", "--name", name],
    ...["--container-label", `${label}=a`, missing],
  );
  for (const output of await failsTwice(stack, await program("a"))) {
    expect(output).toMatch(/its image cannot be had: web\.1 on node [mw]1: "?No such image: .*nosuch:1/);
  }
  await swarm.docker("service", "rm", name);

  await service("a", "sleep 1000", "--update-monitor", "1s");
  await change("b", "exit 5");
  for (const output of await failsTwice(stack, await program("b"))) {
    expect(output).toMatch(/its update is paused \(web\.1 on node [mw]1: task: non-zero exit \(5\)\)/);
  }
  await swarm.docker("service", "rm", name);

  await service("a", "sleep 1000", "--constraint", "node.labels.disk==fast");
  for (const output of await failsTwice(stack, await program("a"))) {
    expect(output).toContain("no suitable node (scheduling constraints not satisfied on 2 nodes)");
  }
  const worker = await swarm.docker("node", "ls", "-qf", "role=worker");
  await swarm.docker("node", "update", "--label-add", "disk=fast", worker);
  await passes(stack, await program("a"));
  await swarm.docker("node", "update", "--label-rm", "disk", worker);
}, 240_000);

test("a global service is waited for on every node that may take it", async () => {
  await service("a", "sleep 1000", "--mode", "global", "--constraint", "node.role==worker");
  await passes(stack, await program("a"));
  await swarm.docker("service", "update", "-q", "--detach", "--constraint-rm", "node.role==worker", name);
  const id = await swarm.docker("node", "ls", "-qf", "role=manager");
  await swarm.docker("node", "update", "--availability", "drain", id);
  await passes(stack, (await program("a")).replace('"gate"', '"second"'));
  await swarm.docker("node", "update", "--availability", "active", id);
  await passes(stack, (await program("a")).replace('"gate"', '"third"'));
  expect((await swarm.docker("service", "ps", "-qf", "desired-state=running", name)).split("\n")).toHaveLength(2);
}, 180_000);

test("another host is no difference, and of several managers one that answers will do", async () => {
  await service("a", "sleep 1000");
  const first = await program("a");
  await passes(stack, first);
  const dead = 'const host = "tcp://127.0.0.1:14001,';
  const second = first.replace('const host = "', dead);
  expect(second).toContain(dead);
  await stack.rewrite(second);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
  await passes(stack, second.replace('"gate"', '"other"'));
  const none = second.replace(/const host = .*/, 'const host = "tcp://127.0.0.1:14001,tcp://127.0.0.1:14002";');
  for (const output of await failsTwice(stack, none.replace('"gate"', '"none"'))) {
    expect(output).toContain(
      "none of these answers as a manager: Docker at tcp://127.0.0.1:14001 refuses the connection",
    );
  }
}, 120_000);
