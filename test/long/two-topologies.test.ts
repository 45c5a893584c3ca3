/** One Docker host and one swarm in one program, with the same system and the same site name on each. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { init } from "../../tools/swarm/swarm.ts";
import { engine, sweep } from "../support/arkindex.ts";
import { FarEngine } from "../support/far-engine.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { tasksOf } from "../support/swarm-stack.ts";
import { ensureImage, image } from "../docker/ops-support.ts";

const name = "both";
/** Of a registry that refuses at once: the node asks it, and then takes what it has. */
const repository = "localhost:1/two-topologies/busybox";
const config = { "pulumi:disable-default-providers": ["*"] };
const patience = 300_000;
let far: FarEngine;
let stack: TestStack;

function program(last = ""): string {
  return `import { z } from "zod";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
import { Swarm } from "${repo}/components/topologies/swarm/index.ts";

const small = { image: "toolbox", cpu: 0.5, memoryMib: 32, user: "0:0" };
const idle = {
  ...small, command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"],
  health: { ready: { command: ["true"] }, startSeconds: 20, stopSeconds: 1 },
};
class Small extends SystemComponent {
  constructor(name, args) {
    super("Small", (p) => {
      const after = p.slots("store", { count: 1 }, () => ({
        ...idle, tier: "data", disk: { path: "/data", gib: 1, backup: { rebuilt: "from nothing" } },
      }));
      const setup = p.job("setup", { ...small, tier: "data", seconds: 60, trigger: "1", command: ["true"], after });
      p.run("web", { ...idle, tier: "app", replicas: 1, after: [setup] });
    }, z.any(), name, args);
  }
}
const site = siteOf({ name: "${name}", hostname: "both.localhost", protect: false, images: { toolbox: "${repository}:1" } });
const tls = { mode: "local" };
const address = "127.0.0.1";
const host = new DockerHost("host", { site, tls, host: "unix:///var/run/docker.sock", address });
const swarm = new Swarm("swarm", {
  site, tls, managers: ["${far.host}"], encrypted: false, endpointMode: "dnsrr", pin: (ref) => Promise.resolve(ref),
});
new Small("first", { on: host });
new Small("second", { on: swarm });
${last}
`;
}

beforeAll(async () => {
  await ensureImage();
  await sweep(name);
  await engine.getImage(image).tag({ repo: repository, tag: "1" });
  far = await FarEngine.create("two-swarm", "198.51.104");
  await far.load(`${repository}:1`);
  await init(far.docker, far.machine.address);
  stack = await TestStack.create({ program: program(), config });
}, patience);

afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await far.docker.swarmLeave({ force: true });
    await far.remove();
    await sweep(name);
    await engine.getImage(`${repository}:1`).remove();
  }
}, patience);

const parts = ["store-1", "web-1"];

async function onHost(): Promise<string[]> {
  const containers = await engine.listContainers({ filters: { label: [`platform-topologies.name=${name}`] } });
  return containers.map(({ Names }) => Names[0]?.slice(name.length + 2) ?? "").sort();
}

test(
  "a host on a node of the swarm, with the swarm's site name, is refused before anything is made",
  async () => {
    await stack.rewrite(program(`new DockerHost("node", { site, tls, host: "${far.host}", address });`));
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(output).toContain('name = "both": another topology of this program has this name on the same engine');
    const made = (await stack.state()).resources.filter(({ custom, type }) => custom && !type.startsWith("pulumi:"));
    expect(made.map(({ urn }) => urn)).toEqual([]);
  },
  patience,
);

test(
  "both have the whole system, and a second preview is empty",
  async () => {
    await stack.rewrite(program());
    succeeded(await stack.up());
    expect(await onHost()).toEqual(parts);
    expect(await tasksOf(far.docker, name)).toEqual({ "store-1": ["running two-swarm"], web: ["running two-swarm"] });
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "what was removed on either is made again there",
  async () => {
    await far.docker.getService(`${name}-web`).remove();
    await engine.getContainer(`${name}-web-1`).remove({ force: true });
    const output = succeeded(await stack.up());
    expect(output).toContain("swarm: service both-web is gone from the engine: it is made again");
    expect(output).toContain("host: container both-web-1 is gone from the engine: it is made again");
    expect(await onHost()).toEqual(parts);
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "a destroy leaves nothing on either but the swarm's volume",
  async () => {
    succeeded(await stack.destroy());
    expect(await onHost()).toEqual([]);
    expect(await tasksOf(far.docker, name)).toEqual({});
    const filters = { label: [`platform-topologies.name=${name}`] };
    expect(await far.docker.listNetworks({ filters })).toEqual([]);
    expect((await engine.listVolumes({ filters })).Volumes).toEqual([]);
  },
  patience,
);
