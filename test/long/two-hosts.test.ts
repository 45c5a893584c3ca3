/**
 * Several topologies in one program, on two Docker engines: one name on each of the two, and another beside it on the
 * first. Nobody's things are taken for another's.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { call, engine, localImages, sweep } from "../support/arkindex.ts";
import { FarEngine } from "../support/far-engine.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { ensureImage, image } from "../docker/ops-support.ts";

/** By the topology's name in the program. The second site's name begins with the first's. */
const sites = { here: "hosts", there: "hosts", next: "hosts-b" } as const;
type Host = keyof typeof sites;
const all: readonly Host[] = ["here", "there", "next"];
const http = { here: 19043, there: 19043, next: 19053 };
const minutes = 60_000;
/** Longer than any of them takes: a test that gives up leaves the next one a stack that is half done. */
const patience = 10 * minutes;
const config = { "pulumi:disable-default-providers": ["*"] };
const images: Record<string, string> = { ...localImages(), toolbox: image };
let far: FarEngine;
let stack: TestStack;

/** The same system on two hosts; on the third another one, with a service of its own beside it. `last`: more of the program. */
function program(hosts = all, last = ""): string {
  const site = (host: Host) =>
    JSON.stringify({
      ...{ name: sites[host], hostname: `${host}.localhost`, protect: false, images },
      ports: { http: http[host], https: http[host] + 1 },
    });
  const on = (host: Host): string =>
    `on.${host} = new DockerHost("${host}", { site: siteOf(${site(host)}), tls: { mode: "local" }, ${
      host === "there"
        ? `host: "${far.host}", address: "0.0.0.0"`
        : 'host: "unix:///var/run/docker.sock", address: "127.0.0.1"'
    } });`;
  const systems = {
    here: 'systems.here = new Small("first", { on: on.here, says: "here" });',
    there: 'systems.there = new Small("second", { on: on.there, says: "there" });',
    next: `systems.next = new Other("third", { on: on.next });
new Redis("cache", { on: on.next, clientAuth: true, keep: true, memoryMib: 32, speaks: ["redis"] });`,
  };
  return `import { z } from "zod";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { Redis } from "${repo}/components/services/redis.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const small = { image: "toolbox", cpu: 0.5, memoryMib: 32, user: "0:0" };
const health = { ready: { command: ["true"] }, startSeconds: 20, stopSeconds: 1 };
const stored = (p) => p.slots("store", { count: 1 }, () => ({
  ...small, health, tier: "data", command: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"],
  disk: { path: "/data", gib: 1, backup: { rebuilt: "from nothing" } },
}));
const web = (p, says, after) => p.run("web", {
  ...small, health, tier: "app", replicas: 1, after,
  command: ["sh", "-c", "mkdir /www; echo " + says + " >/www/index.html; exec httpd -f -p 8080 -h /www"],
  ports: { http: { number: 8080, protocol: "http" } },
  routes: [{ host: p.hostname, path: "/", port: "http" }],
});
class Small extends SystemComponent {
  constructor(name, args) {
    super("Small", (p, { says }) => {
      p.edge({ proxy: "nginx" });
      const setup = p.job("setup", { ...small, tier: "data", seconds: 60, trigger: "1", command: ["true"], after: stored(p) });
      web(p, says, [setup]);
    }, z.any(), name, args);
  }
}
class Other extends SystemComponent {
  constructor(name, args) {
    super("Other", (p) => { p.edge({ proxy: "nginx" }); web(p, "next", stored(p)); }, z.any(), name, args);
  }
}
const on = {}, systems = {};
${hosts.map(on).join("\n")}
${hosts.map((host) => systems[host]).join("\n")}
${last}
export const urls = Object.fromEntries(Object.entries(systems).map(([host, { url }]) => [host, url]));
export const cas = Object.fromEntries(Object.entries(on).map(([host, { ca }]) => [host, ca]));
`;
}

const engineOf = (host: Host): Docker => (host === "there" ? far.docker : engine);

/** What a host has on its engine, by kind and name, with its id; and whose all of that is. */
async function thingsOf(host: Host) {
  const filters = { label: [`platform-topologies.name=${sites[host]}`] };
  const docker = engineOf(host);
  const containers = (await docker.listContainers({ all: true, filters })).map(({ Names, Id, Labels }) => ({
    ...{ key: `container ${Names[0]?.slice(1) ?? ""}`, id: Id, labels: Labels },
  }));
  const networks = (await docker.listNetworks({ filters })).map(({ Name, Id, Labels }) => ({
    ...{ key: `network ${Name}`, id: Id, labels: Labels ?? {} },
  }));
  const volumes = (await docker.listVolumes({ filters })).Volumes.map(({ Name, Labels }) => ({
    ...{ key: `volume ${Name}`, id: Labels["platform-topologies.disk"] ?? "", labels: Labels },
  }));
  const things = [...containers, ...networks, ...volumes];
  return {
    ids: Object.fromEntries(things.map(({ key, id }) => [key, id])),
    owners: [...new Set(things.map(({ labels }) => labels["platform-topologies.owner"]))],
  };
}

async function ids(hosts = all): Promise<Partial<Record<Host, Record<string, string>>>> {
  return Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, (await thingsOf(host)).ids] as const)));
}

/** Everything of a host: the parts of its system, and on the third the service's own. */
function expected(host: Host): string[] {
  const name = sites[host];
  const slots = host === "next" ? ["cache-1", "store-1"] : ["store-1"];
  return [
    ...["edge", "web-1", ...slots].map((part) => `container ${name}-${part}`),
    ...["app", "data", "edge"].map((part) => `network ${name}-${part}`),
    ...slots.map((part) => `volume ${name}-${part}`),
  ].sort();
}

beforeAll(async () => {
  await ensureImage();
  for (const name of ["hosts-b", "hosts"]) await sweep(name);
  far = await FarEngine.create("two-hosts", "198.51.103");
  await far.load(image, images.nginx ?? "");
  stack = await TestStack.create({ program: program(), config });
}, 3 * minutes);

afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await far.remove();
    for (const name of ["hosts-b", "hosts"]) await sweep(name);
  }
}, 3 * minutes);

test.each([
  [
    "a second system on one topology",
    'new Other("fourth", { on: on.here });',
    "here has a system already, first: make a topology for each, with a site of its own",
  ],
  [
    "two hosts with one site's name on one engine",
    'new DockerHost("double", { site: on.here.site, host: "unix:///run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });',
    'name = "hosts": another topology of this program has this name on the same engine',
  ],
  [
    "two services with a part of one name",
    'new Redis("store", { on: on.here, clientAuth: false, keep: false, memoryMib: 32, speaks: ["redis"] });',
    "store-1: first has a part of this name on here: name store otherwise",
  ],
])(
  "%s are refused before anything is made",
  async (_, more, sentence) => {
    await stack.rewrite(program(all, more));
    const { code, output } = await stack.up();
    expect(output).toContain(sentence);
    expect(code).not.toBe(0);
    const made = (await stack.state()).resources.filter(({ custom, type }) => custom && !type.startsWith("pulumi:"));
    expect(made.map(({ urn }) => urn)).toEqual([]);
  },
  patience,
);

test(
  "each host has its own things, with its own mark, and answers at its own address",
  async () => {
    await stack.rewrite(program());
    succeeded(await stack.up());
    const { resources } = await stack.state();
    for (const host of all) {
      const { ids, owners } = await thingsOf(host);
      expect(Object.keys(ids).sort()).toEqual(expected(host));
      const identity = resources.find(({ urn }) => urn.endsWith(`::${host}-identity`));
      expect(owners).toEqual([identity?.id]);
    }
    const { urls, cas } = (await stack.outputs()) as Record<"urls" | "cas", Record<Host, string>>;
    for (const host of all) {
      const address = host === "there" ? far.machine.address : "127.0.0.1";
      expect((await call(urls[host], cas[host], { address })).body).toBe(`${host}\n`);
    }
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "a container that was removed on one host is made again there, and nothing else is touched",
  async () => {
    const before = await ids();
    await engine.getContainer("hosts-web-1").remove({ force: true });
    const output = succeeded(await stack.up());
    expect([...new Set(output.match(/\S+ \S+ \S+ is gone from the engine/g))]).toEqual([
      "here: container hosts-web-1 is gone from the engine",
    ]);
    const after = await ids();
    const changed = all.flatMap((host) =>
      Object.keys(after[host] ?? {}).filter((key) => after[host]?.[key] !== before[host]?.[key]),
    );
    expect(changed).toEqual(["container hosts-web-1"]);
    expect(after).toEqual({
      ...before,
      here: { ...before.here, "container hosts-web-1": after.here?.["container hosts-web-1"] },
    });
  },
  patience,
);

test(
  "a refresh finds each host's things, and then there is nothing to do",
  async () => {
    const before = await ids();
    succeeded(await stack.run(["refresh", "--yes", "--skip-preview"]));
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect(await ids()).toEqual(before);
  },
  patience,
);

test(
  "a host that is taken out of the program goes alone; put back, it begins anew beside the other of its name",
  async () => {
    const others = ["here", "next"] as const;
    const before = await ids(others);
    await stack.rewrite(program(others));
    succeeded(await stack.up());
    expect((await thingsOf("there")).ids).toEqual({});
    await stack.rewrite(program());
    succeeded(await stack.up());
    expect(Object.keys((await thingsOf("there")).ids).sort()).toEqual(expected("there"));
    expect(await ids(others)).toEqual(before);
  },
  patience,
);

test(
  "a volume that was removed on one host is refused by its name, and its namesake on the other is not; nothing is done",
  async () => {
    for (const name of ["hosts-store-1", "hosts-web-1"]) await far.docker.getContainer(name).remove({ force: true });
    await far.docker.getVolume("hosts-store-1").remove();
    await engine.getContainer("hosts-web-1").stop();
    const before = await ids();
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect([...new Set(output.match(/\S+ \S+ the volume \S+ is gone/g))]).toEqual([
      "there: disks.store-1: the volume hosts-store-1 is gone",
    ]);
    expect(await ids()).toEqual(before);
    await engine.getContainer("hosts-web-1").start();
  },
  patience,
);

test(
  "a destroy leaves nothing on either engine",
  async () => {
    succeeded(await stack.destroy());
    expect(await ids()).toEqual({ here: {}, there: {}, next: {} });
  },
  patience,
);
