/** Who uses the components without a stack's config meets the same rules, before anything is made. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { output, secret } from "@pulumi/pulumi";

import { checkedPair } from "../../components/core/certificates.ts";
import { ConfigError, sentence } from "../../components/core/errors.ts";
import { siteOf } from "../../components/core/site.ts";
import { planStack } from "../../components/deploy.ts";
import type { Topology } from "../../components/core/topology.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { ContainerApi } from "../../components/services/containers.ts";
import { Postgres } from "../../components/services/postgres.ts";
import { Redis } from "../../components/services/redis.ts";
import { MediaPlatform } from "../../components/systems/media.ts";
import { type SystemName, systems } from "../../components/systems/index.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { topologies } from "../../components/topologies/index.ts";
import type { Tls } from "../../components/topologies/tls.ts";
import { Swarm, type SwarmArgs } from "../../components/topologies/swarm/index.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { record } from "../support/mocks.ts";
import "../support/unpublished.ts";

const hostname = "shop.example.com";
const images = Object.fromEntries(
  ["toolbox", "rehearsal", "postgres-ha", "garage"].map((key) => [key, `r.example.com/${key}:1`]),
);
const site = (more: Partial<Parameters<typeof siteOf>[0]> = {}) =>
  siteOf({
    name: "shop",
    hostname,
    rehearsal: true,
    images,
    ...more,
  });
const host = (more: Partial<ConstructorParameters<typeof DockerHost>[1]> = {}) =>
  new DockerHost("host", {
    site: site(),
    host: "unix:///run/d.sock",
    address: "0.0.0.0",
    tls: { mode: "local" },
    ...more,
  });
const swarm = (more: Partial<SwarmArgs> = {}) =>
  new Swarm("swarm", { site: site(), managers: ["tcp://m:2375"], tls: { mode: "local" }, ...more });

/** The error of what is made by `make`. */
async function refused(make: () => void): Promise<string> {
  return (await attempt(make, () => undefined)).message;
}

/** What `make` throws after `before`, and what of it all is registered. */
async function attempt<T>(make: (on: T) => void, before: () => T) {
  const thrown: unknown[] = [];
  const all = await record(() => {
    const on = before();
    try {
      make(on);
    } catch (error) {
      thrown.push(error);
    }
  });
  const [error] = thrown;
  return {
    message: error instanceof Error ? error.message : thrown.map(String).join(""),
    problems: error instanceof ConfigError ? error.problems.map(sentence) : [],
    registered: all.map(({ type, name }) => `${type} ${name}`).sort(),
  };
}

/** Beside what `before` registers there is nothing: only the sentences. */
async function nothingButWords(make: (on: Topology) => void, before: () => Topology): Promise<string[]> {
  const { problems, registered } = await attempt(make, before);
  const alone = await attempt(() => undefined, before);
  expect(registered).toEqual(alone.registered);
  return problems;
}

test.each([
  ["pr.12", 'name = "pr.12": lower-case letters'],
  ["PR", 'name = "PR": lower-case letters'],
  ["constructor_", 'name = "constructor_": lower-case letters'],
  ["x".repeat(32), "lower-case letters"],
])("a site called %s", async (name, expected) => {
  expect(await refused(() => void site({ name }))).toContain(expected);
});

test("a site's references and mirror", async () => {
  expect(await refused(() => void site({ images: { redis: "r.example.com/Redis:1" } }))).toContain("images.redis");
  expect(await refused(() => void site({ mirror: "myhub" }))).toContain('mirror = "myhub": a registry');
});

test("an image of ours: by its version in a mirror, by the tag of what was built where a site is told", () => {
  const own = { images: {}, rehearsal: false, built: { toolbox: "platform-topologies/toolbox:1-0123abcd" } };
  const mirror = "r.example.com/hub";
  const ref = (more: Partial<Parameters<typeof siteOf>[0]>) => site(more).image("toolbox");
  expect(ref({ ...own, built: {}, mirror })).toMatchObject({ ref: `${mirror}/platform-topologies/toolbox:1` });
  expect(ref({ ...own, mirror })).toMatchObject({ ref: `${mirror}/platform-topologies/toolbox:1-0123abcd` });
  expect(ref({ ...own, localImages: true })).toMatchObject({ ref: own.built.toolbox });
  expect(ref(own)).toMatchObject({ key: "images.toolbox" });
});

test("an image of ours that no registry has: the two commands, before anything is made", async () => {
  const here = () => host({ site: site({ images: {} }) });
  const said = await nothingButWords((on) => {
    new Postgres("db", { on, databases: ["shop"], clientTls: "never", gib: 1 });
  }, here);
  expect(said).toEqual([
    expect.stringMatching(
      /^images\.toolbox: ours, .*`npm run images -- build toolbox`, then `npm run images -- push registry\.example\.com\/hub toolbox`/,
    ),
  ]);
});

test("registries by their bare names", async () => {
  const registries = ["https://r.example.com/group"];
  expect(await refused(() => void host({ registries }))).toContain("registries.0");
  expect(await refused(() => void swarm({ registries }))).toContain("registries.0");
});

test("everything that is wrong in a topology's arguments comes at once", async () => {
  const said = await refused(() => void host({ host: "localhost:2375", address: "eth0", mtu: 12 }));
  expect(said).toContain("3 problems, nothing was changed");
  for (const key of ["host = ", "address = ", "mtu = "]) expect(said).toContain(key);
  expect(await refused(() => void swarm({ managers: [], publish: "both" as "host" }))).toContain("2 problems");
});

test("an address that moves needs keepalived's image, in a topology of the program's and in a system's own", async () => {
  const edge = { nodes: {}, address: "192.0.2.10/24" };
  const args = { site: site(), managers: ["tcp://m:2375"], tls: { mode: "local" }, edge } as const;
  for (const on of [() => swarm({ edge }), () => Swarm.own(args)])
    expect(await refused(() => new Arkindex("one", { on: on() }))).toMatch(/^1 problem.*\n.*images\.keepalived: /);
});

test("labels by the grammar of a constraint: of the swarm, and of a store", async () => {
  expect(await refused(() => void swarm({ place: { zone: "eu/a, b@c" } }))).toContain('place.zone = "eu/a, b@c"');
  expect(await refused(() => void swarm({ edge: { nodes: { role: "boss" } } }))).toContain("role is manager or worker");
  const store = { databases: ["shop"], clientTls: "never", gib: 1, nodeLabels: { zone: "a,b" } } as const;
  const made = (): void => {
    new Postgres("db", { on: swarm(), ...store });
  };
  expect(await refused(made)).toContain('db-1.nodes.zone = "a,b"');
});

let right: Made;
let other: Made;
beforeAll(async () => {
  right = await certificate({ name: hostname, hostnames: [hostname, `*.${hostname}`] });
  other = await certificate({ name: hostname, hostnames: [hostname] });
});

test.each(["docker", "swarm"])("a certificate of one's own on %s: its key and every routed name", async (topology) => {
  const made = (tls: Tls) => () => {
    new Arkindex("arkindex", {
      on: topology === "docker" ? host({ tls }) : swarm({ tls, pin: (ref) => Promise.resolve(ref) }),
    });
  };
  const { pem: cert, key } = right;
  expect(await refused(made({ mode: "own", cert, key }))).toBe("");
  expect(await refused(made({ mode: "own", cert, key: other.key }))).toContain("it is not the key of the certificate");
  expect(await refused(made({ mode: "own", cert: other.pem, key: other.key }))).toContain(
    `it does not cover objects.${hostname}`,
  );
});

test("a key that comes later is checked when it comes", async () => {
  const { pem: cert, key } = right;
  const known = (given: string) =>
    new Promise((resolve) => output(checkedPair({ cert, key: secret(given) }, [hostname]).key).apply(resolve));
  expect(await known(key)).toBe(key);
});

const pinned = { pin: (ref: string) => Promise.resolve(ref) };
const both = [
  ["host", host],
  ["swarm", () => swarm(pinned)],
] as const;
const postgres = (name: string, on: Topology) =>
  new Postgres(name, { on, databases: ["shop"], clientTls: "never", gib: 1, copies: 1 });
const redis = (name: string, on: Topology) =>
  new Redis(name, { on, clientTls: "never", clientAuth: false, keep: true, memoryMib: 16, copies: 1 });

describe.each(both)("several on one %s", (called, make) => {
  const having = (first: (on: Topology) => void) => (): Topology => {
    const on = make();
    first(on);
    return on;
  };

  test("a second system is refused in one sentence, whichever it is", async () => {
    const first = having((on) => new Arkindex("one", { on }));
    const words = `on = "two": ${called} has a system already, one: make a topology for each, with a site of its own`;
    expect(await nothingButWords((on) => new Arkindex("two", { on }), first)).toEqual([words]);
    expect(await nothingButWords((on) => new MediaPlatform("two", { on }), first)).toEqual([words]);
  });

  test("two services whose parts have one name: the second is refused", async () => {
    const words = (whose: string, part: string, name: string) =>
      `${part}: ${whose} has a part of this name on ${called}: name ${name} otherwise`;
    const store = having((on) => postgres("store", on));
    expect(await nothingButWords((on) => redis("store", on), store)).toEqual([words("store", "store-1", "store")]);
    // A system's parts have short names on the engine, too.
    const system = having((on) => new Arkindex("one", { on }));
    expect(await nothingButWords((on) => postgres("db", on), system)).toEqual(
      ["db-1", "db-setup"].map((part) => words("one", part, "db")),
    );
  });

  test("services beside each other, and beside a system, where no name is another's", async () => {
    const made = await attempt(
      (on) => {
        postgres("shop", on);
        redis("cache", on);
      },
      having((on) => new Arkindex("one", { on })),
    );
    expect(made.message).toBe("");
    expect(made.registered.filter((each) => / (shop|cache)-1$/.test(each)).length).toBeGreaterThanOrEqual(4);
  });

  test("wrong values come at once, before anything is registered", async () => {
    expect(await nothingButWords((on) => new Arkindex("a", { on, backends: 0, workers: "x" as never }), make)).toEqual([
      expect.stringMatching(/^backends = 0: Too small/),
      expect.stringMatching(/^workers = "x": Invalid input: expected number/),
    ]);
  });

  test.each(Object.keys(systems) as SystemName[])("%s refuses a key that it has not", async (name) => {
    const found = await nothingButWords((on) => systems[name].make("a", { strange: 1 }, on, {}), make);
    expect(found).toContainEqual(expect.stringMatching(/^strange: unknown key.*; known are /));
  });
});

test.each(["docker", "swarm"] as const)(
  "what a config says of its topology, the topology takes: %s",
  async (topology) => {
    const { whole, problems } = planStack(
      {
        ...{ system: "arkindex", topology, hostname, rehearsal: true },
        images,
      },
      "dev",
    );
    expect(problems).toEqual([]);
    if (whole === undefined) throw new Error("no plan");
    const all = await record(async () => {
      (await topologies[topology]?.own(whole.topology, { ...whole, secrets: {} }))?.make(topology, {});
    });
    expect(all[0]?.name).toBe(topology);
  },
);

test("services alone share a site: a disk of one is no mistake of another, and the edge's name is the system's", async () => {
  const store = { clientTls: "never", gib: 1 } as const;
  const two = () => {
    const on = host({ site: site({ disks: { "db-1": "today" } }) });
    new Postgres("db", { on, databases: ["shop"], ...store });
    new Postgres("other", { on, databases: ["shop"], ...store });
  };
  expect(await refused(two)).toBe("");
  const one = () => {
    const on = host();
    new Arkindex("arkindex", { on });
    new ContainerApi("edge", { on, may: "read" });
  };
  expect(await refused(one)).toContain("arkindex has a part of this name on host");
});
