/** Ponos agents: one beside the stack, one on another Docker host that only ssh reaches. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  arkindexConfig,
  arkindexStack,
  cleanUp,
  containerIds,
  engine,
  inContainer,
  localImage,
  removeVolume,
  untilHealthy,
} from "../support/arkindex.ts";
import { leaks } from "../support/secrets.ts";
import { installSshd, SshEngine } from "../support/ssh-engine.ts";
import { type Outcome, succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-agents";
const https = 18843;
const minutes = 60_000;
const seeds = { local: "seed-of-the-farm-beside-the-stack", gpu1: "seed-of-the-farm-on-another-machine" };
const farms = { local: "0b4b7a5e-0d3c-4d6e-9a55-7b0a0d8c1f01", gpu1: "5f5de6c6-3c1c-4a3f-8f6e-2f6a5e0b9c02" };
let far: SshEngine;
let stack: TestStack;
let first: Outcome;

beforeAll(async () => {
  await installSshd();
  far = await SshEngine.create("ark-gpu1", "198.51.101");
  await far.load(localImage("rehearsal"));
  stack = await arkindexStack({ name, https, before: resolvesOn(far), env: await far.env() });
  await configure(["local", "gpu1"]);
  first = await stack.up(["--diff"]);
  succeeded(first);
}, 10 * minutes);

afterAll(async () => {
  try {
    await cleanUp(stack, name);
  } finally {
    await far.remove();
    await removeVolume(`${name}-ponos-local`);
  }
}, 3 * minutes);

/** Each engine has its own there. */
const socket = "/var/run/docker.sock";

type Agent = keyof typeof farms;

function config(agents: object): Record<string, unknown> {
  const docker = {
    address: "0.0.0.0",
    ports: { http: https - 1, https },
    machines: { gpu1: { host: far.url, socket } },
  };
  return arkindexConfig({
    name,
    https,
    config: { docker, arkindex: { version: "1.7.0", agents }, backup: undefined },
  });
}

/** The config of a stack with those agents, their seeds encrypted as `pulumi config set --secret` does it. */
async function configure(agents: readonly Agent[]): Promise<void> {
  const entries = agents.map((agent) => [
    agent,
    { farm: farms[agent], ...(agent === "local" ? {} : { machine: agent }) },
  ]);
  await stack.configure(config(Object.fromEntries(entries) as object));
  for (const agent of agents) {
    const key = `platform-topologies:secrets.ponosSeed-${agent}`;
    succeeded(await stack.run(["config", "set", "--path", "--secret", key, seeds[agent]]));
  }
}

/** In the place of DNS: on the other machine the public name has to lead to the edge. */
function resolvesOn({ machine }: SshEngine): string {
  return `pulumi.runtime.registerResourceTransform(({ type, name, props, opts }) =>
    type === "docker:index/container:Container" && name === "arkindex-agent-gpu1-1"
      ? { props: { ...props, hosts: [{ host: "${name}.localhost", ip: "${machine.gateway}" }] }, opts }
      : undefined);`;
}

test("the agent beside the stack is healthy and has this host's engine", async () => {
  const { "agent-local-1": id = "" } = await containerIds(name);
  await untilHealthy([id]);
  const { Mounts } = await engine.getContainer(id).inspect();
  expect(Mounts.map(({ Destination }) => Destination).sort()).toEqual([
    "/usr/share/ponos/data",
    "/var/run/docker.sock",
  ]);
  const { ID } = (await engine.info()) as { ID: string };
  expect(
    (await inContainer({ container: id }, "curl -s --unix-socket /var/run/docker.sock http://docker/info")).body,
  ).toContain(ID);
});

test("the agent on the other machine is healthy, alone there, and has that machine's engine", async () => {
  const all = await far.docker.listContainers({ all: true });
  expect(all.map(({ Names }) => Names)).toEqual([[`/${name}-agent-gpu1-1`]]);
  const container = far.docker.getContainer(all[0]?.Id ?? "");
  await untilHealthy([container.id], far.docker);
  const { HostConfig, NetworkSettings } = await container.inspect();
  expect(HostConfig).toMatchObject({
    CapDrop: ["ALL"],
    Privileged: false,
    PortBindings: {},
    RestartPolicy: { Name: "unless-stopped" },
  });
  expect(Object.keys(NetworkSettings.Networks)).toEqual([`${name}-app`]);
  const log = (await container.logs({ stdout: true, stderr: true })).toString();
  expect(log).toContain("Ponos agent");
  expect(((await far.docker.info()) as { Name: string }).Name).toBe("ark-gpu1");
  expect(Object.keys(await containerIds(name))).not.toContain("agent-gpu1-1");
});

test(
  "a second preview and a refresh find nothing",
  async () => {
    succeeded(await stack.preview(["--expect-no-changes"]));
    succeeded(await stack.run(["refresh", "--preview-only", "--expect-no-changes"]));
  },
  minutes,
);

test(
  "the seeds are nowhere in plain: output, state, and what both engines and logs tell",
  async () => {
    const outcomes = [first, await stack.run(["stack", "output", "--json"]), await stack.run(["stack", "export"])];
    for (const { output } of outcomes) expect(leaks(output, seeds)).toEqual([]);
    const state = join(stack.folder, "state");
    const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(1);
    for (const { parentPath, name: file } of files)
      expect([file, leaks(await readFile(join(parentPath, file), "utf8"), seeds)]).toEqual([file, []]);
    for (const docker of [engine, far.docker]) {
      const agents = await docker.listContainers({ filters: { name: [`${name}-agent-`] } });
      expect(agents).toHaveLength(1);
      const container = docker.getContainer(agents[0]?.Id ?? "");
      const told = [
        JSON.stringify(await container.inspect()),
        (await container.logs({ stdout: true, stderr: true })).toString("latin1"),
      ];
      expect(told.flatMap((text) => leaks(text, seeds))).toEqual([]);
    }
  },
  minutes,
);

test(
  "a missing seed and an unknown machine are refused by name",
  async () => {
    const agents = { local: { farm: farms.local }, gpu2: { farm: farms.gpu1, machine: "gpu2" } };
    await stack.configure(config(agents));
    const { code, output } = await stack.preview();
    expect(code).not.toBe(0);
    expect(output).toContain(
      "secrets.ponosSeed-gpu2: set it: pulumi config set --path --secret secrets.ponosSeed-gpu2",
    );
    expect(output).toContain(`agent-gpu2.machine = "gpu2": no such machine: add it to docker.machines`);
  },
  minutes,
);

test(
  "a machine that ssh does not reach is refused before anything is changed, and again, until it is back",
  async () => {
    await configure(["local", "gpu1"]);
    await far.stopSshd();
    for (const { code, output } of [await stack.up(), await stack.up()]) {
      expect(code).not.toBe(0);
      expect(output).toContain(`docker.machines.gpu1 = "${far.url}"`);
      expect(output).toContain("cannot be reached by ssh");
      expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
    }
    await far.startSshd();
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  2 * minutes,
);

test(
  "an agent that is taken out of the config goes, the other and the stack stay",
  async () => {
    const before = await containerIds(name);
    await configure(["local"]);
    succeeded(await stack.up());
    expect(await far.docker.listContainers({ all: true })).toEqual([]);
    expect(await containerIds(name)).toEqual(before);
  },
  2 * minutes,
);
