/** A stack on a swarm in networks that were there before it, beside somebody else's services. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { Arango, type ArangoOutputs, small } from "../support/arangodb.ts";
import { localImage } from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, swarmConfig, swarmStack, type SwarmTest } from "../support/swarm-stack.ts";

const name = "adopts";
const theirs = { edge: "theirs-front", data: "theirs-back" };
const patience = 600_000;
let cluster: Cluster;
let stack: TestStack | undefined;
let toolbox: string;

const wanted = (networks: object): SwarmTest => ({
  ...{ cluster, name, system: "arangodb" },
  config: { arangodb: { ...small, mode: "single" } },
  swarm: { nodes: { m1: { address: cluster.address("m1") } }, networks },
});
const docker = async (...command: string[]): Promise<string> =>
  (await execa("docker", ["--host", cluster.host("m1"), ...command])).stdout;
const own = async (): Promise<string[]> =>
  (await docker("network", "ls", "--filter", `label=platform-topologies.name=${name}`, "--format", "{{.Name}}"))
    .split("\n")
    .filter((each) => each !== "");
/** A service of the operator's that waits, under a name in a network. */
const serve = (called: string, network: string, alias: string): Promise<string> =>
  docker(
    ...["service", "create", "--detach", "--name", called, "--network", `name=${network},alias=${alias}`],
    ...["--entrypoint", "sleep", toolbox, "3600"],
  );

beforeAll(async () => {
  cluster = await Cluster.start({ name: "adopts", network: "10.213.172", managers: 1, workers: 1 });
  toolbox = Object.values(await cluster.push([localImage("toolbox")]))[0] ?? "";
  for (const network of Object.values(theirs))
    await docker("network", "create", "-d", "overlay", "--attachable", network);
  await docker("network", "create", "-d", "bridge", "theirs-bridge");
  await serve("theirs", theirs.data, "client");
}, patience);

afterAll(async () => {
  await stack?.dispose();
  await cluster.stop();
}, patience);

test(
  "a network of one node, and the swarm's own, are refused before anything is made",
  async () => {
    stack = await swarmStack(wanted({ edge: "ingress", data: "theirs-bridge" }));
    const { code, output } = await stack.preview();
    expect(code).not.toBe(0);
    expect(output).toContain('swarm.networks.edge = "ingress": the swarm\'s own, for published ports alone');
    expect(output).toContain('swarm.networks.data = "theirs-bridge": its driver is bridge');
  },
  patience,
);

test(
  "the stack joins overlays that are there, answers in them, and a second preview is empty",
  async () => {
    await stack?.configure(await swarmConfig(wanted(theirs)));
    if (stack === undefined) throw new Error("no stack");
    succeeded(await stack.up());
    expect(await own()).toEqual([`${name}-app`]);
    succeeded(await stack.preview(["--expect-no-changes"]));
    const { url, ca, passwords } = (await stack.outputs()) as unknown as ArangoOutputs;
    const client = new Client(cluster.address("m1"), ca);
    const arango = new Arango((path, options) => client.call(`${url}${path}`, options), passwords.cluster ?? "");
    await arango.fill("shop", "orders", 10);
    expect(await arango.count("shop", "orders")).toBe(10);
    await client.close();
    const ask = `curl -fsS -m 10 -u 'root:${passwords.cluster ?? ""}' http://coordinators:8529/_api/version`;
    await docker("run", "--rm", "--network", theirs.data, "--entrypoint", "sh", toolbox, "-c", ask);
    const found = `getent hosts ${name}-edge && ! getent hosts edge && ! getent hosts coordinators`;
    await docker("run", "--rm", "--network", theirs.edge, "--entrypoint", "sh", toolbox, "-c", found);
  },
  patience,
);

test(
  "a service that takes a name of the stack's there is refused",
  async () => {
    await serve("theirs-too", theirs.data, "coordinators");
    const { code, output } = (await stack?.preview()) ?? { code: 0, output: "" };
    expect(code).not.toBe(0);
    expect(output).toContain(
      `swarm.networks.data = "${theirs.data}": the service theirs-too has the name coordinators there`,
    );
    await docker("service", "rm", "theirs-too");
  },
  patience,
);

test(
  "destroy leaves the networks and the operator's service",
  async () => {
    if (stack === undefined) throw new Error("no stack");
    succeeded(await stack.destroy());
    expect(await own()).toEqual([]);
    const left = await docker("network", "ls", "--format", "{{.Name}}");
    expect(left.split("\n")).toEqual(expect.arrayContaining(Object.values(theirs)));
    expect(await docker("service", "ls", "--format", "{{.Name}}")).toBe("theirs");
  },
  patience,
);
