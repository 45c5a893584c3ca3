/** A stack in networks that were there before it, beside other people's containers: on the real engine. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { Arango, arangoConfig, type ArangoOutputs, arangoStack, type ArangoTest } from "../support/arangodb.ts";
import { cleanUp, containerIds, engine, inContainer, localImage } from "../support/arkindex.ts";
import { runLabels } from "../support/run.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "adopts";
const https = 15191;
/** The operator's networks: where a company's proxy is, and another project's own. */
const theirs = { edge: "adopts-theirs-front", data: "adopts-theirs-back" };
/** A container of the operator's in the second one. */
const other = "adopts-theirs-client";
const patience = 300_000;

const ports = { http: https - 1, https };
const withNetworks = (networks: object): ArangoTest => ({
  ...{ name, https, arangodb: { mode: "single" } },
  config: { docker: { address: "127.0.0.1", ports, networks } },
});
let stack: TestStack;
let outputs: ArangoOutputs;

const own = async (): Promise<string[]> => {
  const filters = { label: [`platform-topologies.name=${name}`] };
  return (await engine.listNetworks({ filters })).map(({ Name }) => Name).sort();
};

/** Starts a container of the operator's that waits, under further names in a network. */
async function start(called: string, network: string, aliases: readonly string[] = []): Promise<string> {
  const container = await engine.createContainer({
    ...{ name: called, Image: localImage("toolbox"), Entrypoint: ["sleep", "3600"], Cmd: [], Labels: runLabels },
    HostConfig: { NetworkMode: network },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [...aliases] } } },
  });
  await container.start();
  return container.id;
}

/** With IPv6, too. */
async function makeEdge(): Promise<void> {
  const IPAM = { Config: [{ Subnet: "10.231.11.0/24" }, { Subnet: "fd00:231:11::/64" }] };
  await engine.createNetwork({ Name: theirs.edge, EnableIPv6: true, IPAM, Labels: runLabels });
}

async function remove(): Promise<void> {
  const filters = { name: [other] };
  for (const { Id } of await engine.listContainers({ all: true, filters }))
    await engine.getContainer(Id).remove({ force: true });
  for (const { Id } of await engine.listNetworks({ filters: { name: [`${name}-theirs`] } }))
    await engine.getNetwork(Id).remove();
}

beforeAll(async () => {
  stack = await arangoStack(withNetworks({}));
  await remove();
  await makeEdge();
  await engine.createNetwork({
    Name: theirs.data,
    IPAM: { Config: [{ Subnet: "10.231.12.0/24" }] },
    Labels: runLabels,
  });
  await start(other, theirs.data, ["shop-client"]);
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as ArangoOutputs;
  await Arango.through(outputs).fill("shop", "orders", 10);
}, patience);

afterAll(async () => {
  await cleanUp(stack, name);
  await remove();
}, patience);

test(
  "a stack with networks of its own moves into others, with its data, and a second preview is empty",
  async () => {
    expect(await own()).toEqual([`${name}-app`, `${name}-data`, `${name}-edge`]);
    await stack.configure(arangoConfig(withNetworks(theirs)));
    succeeded(await stack.up());
    expect(await own()).toEqual([`${name}-app`]);
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect(await Arango.through(outputs).count("shop", "orders")).toBe(10);
  },
  patience,
);

test(
  "the operator's own container reaches the store, and a proxy in front the edge",
  async () => {
    const { ca, passwords } = outputs;
    const version = "curl -fsS -u root:$PASSWORD";
    const inside = `PASSWORD='${passwords.cluster ?? ""}'; ${version} http://coordinators:8529/_api/version`;
    expect(await inContainer({ container: other }, inside)).toMatchObject({ status: 0 });
    const host = `${name}.localhost`;
    const through = `PASSWORD='${passwords.cluster ?? ""}'; printf '%s' '${ca}' >/tmp/ca
    ${version} --cacert /tmp/ca --connect-to ::${name}-edge: https://${host}:${String(https)}/_api/version`;
    const proxy = { image: localImage("toolbox"), network: theirs.edge };
    expect(await inContainer(proxy, through)).toMatchObject({ status: 0 });
    // Several stacks stand behind one proxy: what is called `coordinators` there is nobody's.
    expect(await inContainer(proxy, "getent hosts coordinators edge single-1")).toMatchObject({ status: 2, body: "" });
  },
  patience,
);

test(
  "a name of the stack's that somebody else has there, and a network that is not there, are refused",
  async () => {
    const before = await containerIds(name);
    await start(`${other}-2`, theirs.data, ["coordinators"]);
    const taken = await stack.preview();
    expect(taken.code).not.toBe(0);
    expect(taken.output).toContain(
      `docker.networks.data = "${theirs.data}": the container ${other}-2 has the name coordinators there, by which the stack calls a part of its own: name another network, or rename it`,
    );
    await engine.getContainer(`${other}-2`).remove({ force: true });
    await stack.configure(arangoConfig(withNetworks({ ...theirs, edge: "adopts-nothing" })));
    const missing = await stack.preview();
    expect(missing.code).not.toBe(0);
    expect(missing.output).toContain('docker.networks.edge = "adopts-nothing": no such network; there are');
    expect(await containerIds(name)).toEqual(before);
    await stack.configure(arangoConfig(withNetworks(theirs)));
  },
  patience,
);

test(
  "a network that was made anew under its name has the stack's containers again",
  async () => {
    const edge = engine.getNetwork(theirs.edge);
    await edge.disconnect({ Container: `${name}-edge`, Force: true });
    await edge.disconnect({ Container: `${name}-single-1`, Force: true });
    await edge.remove();
    await makeEdge();
    succeeded(await stack.up());
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect(await Arango.through(outputs).count("shop", "orders")).toBe(10);
  },
  patience,
);

test(
  "destroy leaves the networks, and who else is there",
  async () => {
    succeeded(await stack.destroy());
    expect(await own()).toEqual([]);
    const left = await engine.getNetwork(theirs.data).inspect();
    expect(Object.values((left as { Containers: Record<string, { Name: string }> }).Containers)).toEqual([
      expect.objectContaining({ Name: other }),
    ]);
    expect(await engine.getNetwork(theirs.edge).inspect()).toMatchObject({ Name: theirs.edge, Containers: {} });
  },
  patience,
);
