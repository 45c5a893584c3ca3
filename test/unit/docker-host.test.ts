/** What one Docker host registers for a part of each kind: on which engine, in which order, and what it protects. */
import { describe, expect, jest, test } from "@jest/globals";
import { ComponentResource } from "@pulumi/pulumi";

import type { Container, Job, Platform, Ready, Slot, Workload } from "../../components/core/contracts.ts";
import { ConfigError, sentence } from "../../components/core/errors.ts";
import { planOf } from "../../components/core/recorder.ts";
import type { At, Site } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { DockerHost, type DockerHostArgs } from "../../components/topologies/docker/index.ts";
import { identityFor } from "../../components/topologies/identity.ts";
import type { Memory, Survey } from "../../components/topologies/survey.ts";
import { resolved } from "../support/hostile.ts";
import { type Options, record, type Registered } from "../support/mocks.ts";
import { site } from "../support/sketches.ts";

jest.setTimeout(60_000); // on a busy machine one recording takes seconds

const health = { ready: { command: ["true"] }, startSeconds: 40, stopSeconds: 10 };
const container: Container = { image: "toolbox", tier: "app", cpu: 1, memoryMib: 64 };
const web: Workload = { ...container, health, replicas: 1 };
const store: Slot = {
  ...{ ...container, tier: "data", health },
  disk: { path: "/data", gib: 1, backup: { rebuilt: "anew" } },
};
const task: Omit<Job, "trigger"> = { ...container, seconds: 5 };
const migrate: Job = { ...task, trigger: "1" };
const routed = {
  ports: { web: { number: 80, protocol: "http" } },
  routes: [{ host: "shop.example.com", path: "/", port: "web" }],
} as const;

type Make = (name: string) => At;
/** Everything that is registered for parts that `make` makes on a host, and the host itself. */
async function made(
  make: (on: DockerHost, at: Make) => void,
  { at = site(), ...more }: Partial<DockerHostArgs> & { readonly at?: Site } = {},
) {
  const hosts: DockerHost[] = [];
  const registered = await record(() => {
    const args = { site: at, host: "unix:///run/d.sock", address: "10.0.0.7", tls: { mode: "local" } } as const;
    const on = new DockerHost("host", { ...args, ...more });
    hosts.push(on);
    make(on, (name) => ({ parent: on, logicalName: `shop-${name}` }));
  });
  const all = registered.map((each) => ({ ...each, options: byName(each.options) }));
  const [on] = hosts;
  if (on === undefined) throw new Error("no host");
  const of = (type: string, name: string): Registered => {
    const found = all.find((each) => each.name === name && each.type.endsWith(`:${type}`));
    if (found === undefined) throw new Error(`no ${type} ${name} among ${all.map((each) => each.name).join()}`);
    return found;
  };
  const names = (type: string) => all.filter((each) => each.type.endsWith(`:${type}`)).map(({ name }) => name);
  return { all, of, names, on };
}
/** Other resources by their names alone: here no two kinds of one name are told apart. */
function byName(options: Options): Options {
  const name = (text: string): string => text.split(" ").at(-1) ?? "";
  return { ...options, dependsOn: options.dependsOn.map(name), deletedWith: name(options.deletedWith) };
}
const planned = (parts: (p: Platform) => void, at = site()) =>
  planOf<object>(parts, {}, { site: at, services: containerServices, capabilities: dockerCapabilities });
const ours = (name: string) => ({
  ...{ "platform-topologies.name": "sample", "platform-topologies.owner": "host-identity-id" },
  "platform-topologies.workload": name,
});
const listed = (labels: Record<string, string>) => Object.entries(labels).map(([label, value]) => ({ label, value }));

describe("an engine", () => {
  const machines = { gpu: { host: "ssh://gpu", socket: "/s" }, cpu: "ssh://cpu" };

  test("has networks of the stack's own, each labelled; a further one has app alone; nothing leaves data", async () => {
    const { names, of } = await made(() => undefined, { machines });
    expect(names("Network").sort()).toEqual(["host-app", "host-app-cpu", "host-app-gpu", "host-data", "host-edge"]);
    for (const name of names("Network")) {
      const network = name.split("-")[1] ?? "";
      const { inputs, options } = of("Network", name);
      expect(inputs).toMatchObject({ name: `sample-${network}`, driver: "bridge", labels: listed(ours(network)) });
      const closed = { internal: true, options: { "com.docker.network.bridge.inhibit_ipv4": "true" } };
      expect(inputs).toMatchObject(name === "host-data" ? closed : {});
      if (name !== "host-data") for (const key of Object.keys(closed)) expect(inputs).not.toHaveProperty(key);
      expect(options.replacementTrigger).toBe("0"); // a survey that misses it counts on
    }
  });

  test("is reached by the provider, with the names of its registries and no credentials", async () => {
    const { of } = await made(() => undefined, { machines, registries: ["r.example.com"] });
    const address = { registryAuth: [{ address: "r.example.com" }] };
    const hostOf = (name: string) => of("docker", name).inputs;
    const told = (inputs: Registered["inputs"]) => ({ ...inputs, registryAuth: parsed(inputs.registryAuth) });
    expect(told(hostOf("host-engine"))).toMatchObject({ host: "unix:///run/d.sock", ...address });
    expect(told(hostOf("host-engine-gpu"))).toMatchObject({ host: "ssh://gpu", ...address });
    expect(told(hostOf("host-engine-cpu"))).toMatchObject({ host: "ssh://cpu", ...address });
  });

  test("has each image once, which stays when the stack goes, and the next before the last is gone", async () => {
    const image: Site["image"] = (key) => ({
      ...{ key, ref: `r/${key}:1`, client: "none", secrets: "files", rehearsing: key.startsWith("shop/") },
    });
    const { of, names } = await made(
      (on, at) => {
        for (const [name, more] of [
          ["a", { image: "toolbox" }],
          ["b", { image: "toolbox" }],
          ["c", { image: "media/x" }],
          ["d", { image: "shop/x" }],
          ["e", { image: "shop/y" }],
          ["f", { image: "toolbox", machine: "gpu" }],
          ["g", { image: "toolbox", machine: "nowhere" }],
        ] as const)
          on.workload(name, { ...web, ...more }, at(name));
      },
      { machines, at: site({ image }) },
    );
    const prefix = "host-image-";
    const images = ["toolbox", "media-x", "rehearsal", "toolbox-gpu"];
    expect(names("RemoteImage").sort()).toEqual(images.map((name) => prefix + name).sort());
    for (const name of images) {
      const { inputs, options } = of("RemoteImage", prefix + name);
      expect(inputs).toMatchObject({ keepLocally: true });
      expect(options).toMatchObject({ deleteBeforeReplace: false, replacementTrigger: "0" });
    }
    expect(of("RemoteImage", "host-image-media-x").inputs.name).toBe("r/media/x:1");
    const runs = ["a", "b", "c", "d", "e", "f", "g"].map((name) => of("Container", `shop-${name}-1`));
    expect(runs.map(({ inputs }) => inputs.image)).toEqual(
      ["toolbox", "toolbox", "media-x", "rehearsal", "rehearsal", "toolbox-gpu", "toolbox"].map(
        (name) => `sha256:${prefix}${name}`,
      ),
    );
  });

  test("makes a network that containers join by name once, and clears it of what they have started there", async () => {
    const { of, names } = await made(
      (on, at) => {
        const joins: Workload = { ...web, tier: "isolated", networks: ["apps"] };
        on.workload("a", joins, at("a"));
        on.workload("b", joins, at("b"));
        on.workload("c", { ...joins, machine: "gpu" }, at("c"));
      },
      { machines },
    );
    expect(names("Network").filter((name) => name.includes("apps"))).toEqual(["host-apps", "host-apps-gpu"]);
    expect(of("Network", "host-apps-gpu").inputs.name).toBe("sample-apps");
    expect(of("Orphans", "host-apps").inputs).toMatchObject({
      ...{ host: "unix:///run/d.sock", network: "host-apps-id", label: "platform-topologies.app=sample" },
    });
    expect(of("Orphans", "host-apps-gpu").inputs).toMatchObject({ host: "ssh://gpu", network: "host-apps-gpu-id" });
    const joined = (name: string) =>
      (of("Container", name).inputs.networksAdvanced as { name: string }[]).map((each) => each.name);
    expect(["shop-a-1", "shop-b-1", "shop-c-1"].map(joined)).toEqual([
      ["host-apps-id"],
      ["host-apps-id"],
      ["host-app-gpu-id", "host-apps-gpu-id"], // a further one has its app, too
    ]);
  });

  test("is given to a container that asks for it, as a mount and not as a volume, where its socket is known", async () => {
    const { of } = await made(
      (on, at) => {
        const asks: Workload = { ...web, needs: ["container-api"] };
        on.workload("a", asks, at("a"));
        on.workload("b", { ...asks, machine: "gpu" }, at("b"));
        on.workload("c", { ...asks, machine: "cpu" }, at("c"));
        on.workload("d", { ...web, needs: ["max-map-count"] }, at("d"));
      },
      { machines },
    );
    const target = "/var/run/docker.sock";
    expect(["a", "b", "c", "d"].map((name) => of("Container", `shop-${name}-1`).inputs.mounts)).toEqual([
      [{ type: "bind", source: "/run/d.sock", target }],
      [{ type: "bind", source: "/s", target }],
      ...[undefined, undefined],
    ]);
  });
});

const parsed = (value: unknown): unknown => (typeof value === "string" ? (JSON.parse(value) as unknown) : value);

test("what an importer says of a host is checked as a config is: everything at once, before anything is made", async () => {
  const keys: string[] = [];
  const all = await record(() => {
    const wrong = { host: "x", address: "x", socket: "x", machines: { gpu: "x" }, registries: ["x"], mtu: 1 };
    try {
      new DockerHost("host", { site: site(), tls: { mode: "local" }, subnets: { edge: "x" }, ...wrong });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      keys.push(...error.problems.map(({ key }) => key));
    }
  });
  expect(keys.sort()).toEqual(["address", "host", "machines.gpu", "mtu", "registries.0", "socket", "subnets.edge"]);
  expect(all).toEqual([]);
});

describe("a workload", () => {
  test("has a container and a gate for each replica; each waits for the one before, and for what it names", async () => {
    const { of, names, on } = await made((host, at) => {
      const earlier = host.workload("db", web, at("db"));
      host.workload("web", { ...web, replicas: 2, names: ["shop"], after: [earlier] }, at("web"));
    });
    expect(names("Gate")).toEqual(["shop-db-1", "shop-web-1", "shop-web-2"]);
    expect(names("Container")).toEqual(names("Gate"));
    const aliases = (name: string) =>
      (of("Container", name).inputs.networksAdvanced as { aliases: string[] }[]).map((each) => each.aliases);
    expect(aliases("shop-web-2")).toEqual([
      ["web", "web-2", "shop"],
      ["web", "web-2", "shop"],
    ]);
    expect(of("Container", "shop-web-1").options.dependsOn).toContain("shop-db-1");
    const { options } = of("Container", "shop-web-2");
    expect(options.dependsOn).toEqual(expect.arrayContaining(["host-identity", "shop-db-1", "shop-web-1"]));
    expect(options).toMatchObject({
      ...{ deleteBeforeReplace: true, replacementTrigger: "0", protect: false },
      replaceOnChanges: ["healthcheck", "mounts"],
    });
    const gate = of("Gate", "shop-web-1");
    expect(gate.inputs).toEqual({
      ...{ host: "unix:///run/d.sock", container: "shop-web-1-id", name: "sample-web-1", seconds: 70 },
      redact: ["licence", "password", "federation", "KEY"],
    });
    expect(gate.options.replacementTrigger).toBe("0");
    expect([gate.parent, of("Container", "shop-web-1").parent]).toEqual(["host", "host"]);
    expect(await resolved(on.passwords)).toHaveLength(4);
  });

  test("waits for the edge if it calls it, or is called through it, and else for what it names alone", async () => {
    const plan = planned((p) => void p.run("web", { ...web, ...routed }));
    const { of } = await made((on, at) => {
      on.open(plan, { parent: on, logicalName: "shop" });
      on.workload("web", { ...web, ...routed }, at("web"));
      on.workload("calls", { ...web, callsEdge: true }, at("calls"));
      on.workload("other", { ...web, callsEdge: false, routes: [] }, at("other"));
    });
    const waits = (name: string) => of("Container", `shop-${name}-1`).options.dependsOn.includes("shop-edge");
    expect(["web", "calls", "other"].map(waits)).toEqual([true, true, false]);
  });
});

describe("the edge", () => {
  const plan = planned((p) => void p.run("web", { ...web, ...routed }));
  const opened = async (more: Parameters<typeof made>[1] = {}, of = plan) =>
    made((on) => {
      on.open(of, { parent: on, logicalName: "shop" });
    }, more);

  test("publishes its ports at the host's address, and stands on its network under its name", async () => {
    const { of, names } = await opened();
    const { inputs } = of("Container", "shop-edge");
    expect(inputs.ports).toEqual([
      { internal: 80, external: 80, ip: "10.0.0.7" },
      { internal: 443, external: 443, ip: "10.0.0.7" },
    ]);
    expect(inputs).toMatchObject({ name: "sample-edge", hostname: "edge" });
    expect(inputs.networksAdvanced).toEqual([{ name: "host-edge-id", aliases: ["edge", "shop.example.com"] }]);
    expect(of("Gate", "shop-edge").inputs.name).toBe("sample-edge");
    expect(names("Volume")).toEqual([]);
  });

  test("knows each replica by its own name for good, also for a visitor who comes back", async () => {
    const sticky = [{ ...routed.routes[0], sticky: { cookie: "s", seconds: 60 } }];
    const { of } = await opened(
      {},
      planned((p) => void p.run("web", { ...web, ...routed, routes: sticky, replicas: 2 })),
    );
    const [routes] = of("Container", "shop-edge").inputs.uploads as { content: string }[];
    expect([...(routes?.content.matchAll(/url: (http:\S+)/g) ?? [])].map(([, url]) => url)).toEqual([
      ...["http://web-1:80", "http://web-2:80"],
    ]);
  });

  test("is not there without a route", async () => {
    const { names } = await opened(
      {},
      planned((p) => void p.run("web", web)),
    );
    expect(names("Container")).toEqual([]);
  });

  test("has a disk for ACME's certificates, which may go", async () => {
    const { of, names, on } = await opened({ tls: { mode: "acme", email: "a@example.com" } });
    expect(of("Volume", "shop-edge").inputs).toMatchObject({ name: "sample-edge", spare: true });
    expect(of("Container", "shop-edge").inputs.volumes).toEqual([
      { volumeName: "sample-edge", containerPath: "/data" },
    ]);
    expect([names("Certificate"), on.ca]).toEqual([[], undefined]);
  });

  test("is signed by the stack's own authority, for its name and all below, unless a public one signs", async () => {
    const { of, on } = await opened();
    expect(of("Certificate", "host-edge").inputs).toEqual({ hostnames: ["media.example.com", "*.media.example.com"] });
    expect(await resolved(on.ca)).toBe("CA");
    const outside = await opened({ tls: { mode: "outside", trustedProxies: ["10.0.0.1"] } });
    expect([outside.names("Certificate"), await resolved(outside.on.ca)]).toEqual([["host-edge"], "CA"]);
  });
});

describe("a slot", () => {
  test("has a volume with an id of its own, which nothing removes; the operator's word lets it go", async () => {
    const parts = (on: DockerHost, at: Make) => {
      on.slot("db-1", store, at("db-1"));
      on.slot("db-2", store, at("db-2"));
    };
    const { of } = await made(parts, { at: site({ disks: { "db-2": "today" } }) });
    expect(of("Volume", "shop-db-1").inputs).toMatchObject({
      ...{ host: "unix:///run/d.sock", name: "sample-db-1", word: "", spare: false, labels: ours("db-1") },
    });
    expect(of("Volume", "shop-db-1").inputs).not.toHaveProperty("marker");
    expect(of("RandomId", "shop-db-1-disk").inputs).toEqual({ byteLength: 4, keepers: { word: "" } });
    for (const type of ["Volume", "RandomId"]) {
      const names = type === "Volume" ? ["shop-db-1", "shop-db-2"] : ["shop-db-1-disk", "shop-db-2-disk"];
      expect(names.map((name) => of(type, name).options.protect)).toEqual([true, false]);
    }
    expect(of("Volume", "shop-db-1").options.deleteBeforeReplace).toBe(true);
    expect(of("Container", "shop-db-1").inputs.volumes).toEqual([
      { volumeName: "sample-db-1", containerPath: "/data" },
    ]);
    const free = await made(parts, { at: site({ protect: false }) });
    for (const name of ["shop-db-1", "shop-db-2"]) expect(free.of("Volume", name).options.protect).toBe(false);
  });

  test("has its marker from its own image, its mounts beside its disk, and its names on its networks alone", async () => {
    const { of } = await made((on, at) => {
      const slot = {
        ...{ ...store, names: ["store"], mounts: [{ folder: "/srv", path: "/in" }] },
        disk: { ...store.disk, marker: "ours" },
      };
      on.slot("db-1", slot, at("db-1"));
    });
    expect(of("Volume", "shop-db-1").inputs.marker).toEqual({
      ...{ image: "sha256:host-image-toolbox", path: "/data", file: "ours" },
    });
    const { inputs } = of("Container", "shop-db-1");
    expect(inputs.volumes).toEqual([
      { hostPath: "/srv", containerPath: "/in" },
      { volumeName: "sample-db-1", containerPath: "/data" },
    ]);
    expect(inputs.networksAdvanced).toEqual([{ name: "host-data-id", aliases: ["db-1", "store"] }]);
  });

  test("that applications have is not among the stores", async () => {
    const { of } = await made((on, at) => {
      on.slot("db-1", { ...store, tier: "app" }, at("db-1"));
    });
    expect(of("Container", "shop-db-1").inputs.networksAdvanced).toEqual([{ name: "host-app-id", aliases: ["db-1"] }]);
  });

  test("that leaves has a job before it goes and one after, and neither when the whole stack goes", async () => {
    const { of } = await made((host, at) => {
      const earlier = host.workload("web", web, at("web"));
      const first = host.slot("db-1", { ...store, leave: task, left: task, after: [earlier] }, at("db-1"));
      host.slot("db-2", { ...store, leave: task, after: [first] }, at("db-2"));
      host.slot("db-3", { ...store, left: task }, at("db-3"));
    });
    expect([1, 2, 3].map((number) => of("Volume", `shop-db-${String(number)}`).inputs.spare)).toEqual([
      ...[true, true, true],
    ]);
    const left = of("Finalizer", "shop-db-1-left");
    const leave = of("Finalizer", "shop-db-1-leave");
    for (const each of [left, leave]) {
      expect(each.options.deletedWith).toBe("host-data");
      expect(each.inputs).toMatchObject({ host: "unix:///run/d.sock", job: { seconds: 5 } });
      expect(each.inputs.job).toMatchObject({ redact: ["licence", "password", "federation", "KEY"] });
      expect(each.inputs.job).not.toHaveProperty("swarm");
    }
    expect([left, leave].map(({ inputs }) => (inputs.job as { name: string }).name)).toEqual([
      ...["sample-db-1-left", "sample-db-1-leave"],
    ]);
    // What depends on a thing is gone before it: leave, the container, left.
    expect(left.options.dependsOn).toContain("shop-web-1");
    expect(of("Container", "shop-db-1").options.dependsOn).toContain("shop-db-1-left");
    expect(leave.options.dependsOn).toContain("shop-db-1");
    expect(of("Container", "shop-db-2").options.dependsOn).toEqual(
      expect.arrayContaining(["shop-db-1", "shop-db-1-leave"]),
    );
  });
});

describe("a job", () => {
  test("runs on its machine's engine, with an image and networks of that engine", async () => {
    const { of } = await made(
      (on, at) => {
        on.job("here", { ...migrate, env: { A: "1" } }, at("here"));
        on.job("there", { ...migrate, machine: "gpu" }, at("there"));
      },
      { machines: { gpu: "ssh://gpu" }, registries: ["r.example.com"] },
    );
    expect(of("Job", "shop-here").inputs).toMatchObject({
      ...{ host: "unix:///run/d.sock", name: "sample-here", image: "sha256:host-image-toolbox", ref: "toolbox:1" },
      ...{ networks: ["host-app-id", "host-data-id"], registries: ["r.example.com"], trigger: "1", env: { A: "1" } },
      ...{ labels: ours("here"), redact: ["licence", "password", "federation", "KEY"] },
    });
    expect(of("Job", "shop-there").inputs).toMatchObject({
      ...{ host: "ssh://gpu", image: "sha256:host-image-toolbox-gpu", networks: ["host-app-gpu-id"] },
    });
    expect(of("Job", "shop-here").inputs).not.toHaveProperty("swarm");
  });

  test("runs again for another disk of a slot that stands alone, also behind another job; not for one of several", async () => {
    const { of } = await made((on, at) => {
      const after = (...ready: Ready[]) => ({ ...migrate, after: ready });
      const alone = on.slot("db", { ...store, alone: true }, at("db"));
      const first = on.job("first", after(alone), at("first"));
      on.job("second", after(first), at("second"));
      on.job("member", after(on.slot("many-1", store, at("many-1"))), at("member"));
      on.job("free", migrate, at("free"));
    });
    const disks = (name: string) => of("Job", `shop-${name}`).inputs.disks;
    expect(disks("first")).toEqual({ db: "hex-of-shop-db-disk" });
    expect(disks("second")).toEqual(disks("first"));
    expect([disks("member"), disks("free")]).toEqual([{}, {}]);
    expect(of("Job", "shop-second").options.dependsOn).toContain("shop-first");
  });

  test("of a first installation is not run again for another image", async () => {
    const { of } = await made((on, at) => {
      on.job("once", { ...migrate, onlyOnTrigger: true }, at("once"));
      on.job("each", migrate, at("each"));
    });
    expect(of("Job", "shop-once").options.ignoreChanges).toEqual(["image", "entrypoint", "command"]);
    expect(of("Job", "shop-each").options.ignoreChanges).toEqual([]);
  });
});

describe("a plan is let in", () => {
  const app = planned((p) => void p.run("web", web));
  /** What each host of its own says to what is done with it. */
  async function said(
    attempts: readonly ((on: DockerHost) => void)[],
    { at = site(), ...more }: Parameters<typeof made>[1] = {},
  ): Promise<(string[] | undefined)[]> {
    const answers: (string[] | undefined)[] = [];
    await record(() => {
      for (const attempt of attempts) {
        const args = { site: at, host: "unix:///run/d.sock", address: "0.0.0.0", tls: { mode: "local" } } as const;
        const on = new DockerHost("host", { ...args, ...more });
        try {
          attempt(on);
          answers.push(undefined);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          answers.push(error.problems.map(sentence));
        }
      }
    });
    return answers;
  }

  test("unless another has one of its names here: of a workload, its replicas, a slot, a job, the edge", async () => {
    const all = planned((p) => {
      p.run("web", { ...web, ...routed, replicas: 2 });
      p.slots("db", { count: 1 }, () => store);
      p.job("setup", migrate);
    });
    const again =
      (name: string, first = all) =>
      (on: DockerHost) => {
        on.admit("first", first, "system");
        on.admit(
          "second",
          planned((p) => void p.run(name, web)),
          "service",
        );
      };
    const names = ["web", "web-2", "db-1", "setup", "edge"];
    const answers = await said([...names.map((name) => again(name)), again("other"), again("edge", app)]);
    for (const [index, name] of names.entries())
      expect(answers[index]).toContainEqual(`${name}: first has a part of this name on host: name second otherwise`);
    expect(answers.slice(names.length)).toEqual([undefined, undefined]); // a plan without a route has no edge
  });

  test("once, if it is a system's; services come beside it", async () => {
    const other = planned((p) => void p.run("other", web));
    const two = (what: "system" | "service") => (on: DockerHost) => {
      on.admit("first", app, what);
      on.admit("second", other, "system");
    };
    const words = "host has a system already, first: make a topology for each, with a site of its own";
    expect(await said([two("system"), two("service")])).toEqual([[`on = "second": ${words}`], undefined]);
  });

  test("with what its site says of disks and stores: a service answers for its own alone", async () => {
    const at = site({
      disks: { "db-1": "today" },
      data: { other: "container" },
      existing: { other: { kind: "postgres", host: "h" } },
    });
    const admit = (owner: string, what: "system" | "service") => (on: DockerHost) => {
      on.admit(owner, app, what);
    };
    const answers = await said([admit("one", "system"), admit("one", "service"), admit("other", "service")], { at });
    const keys = answers.map((each) => each?.map((one) => one.split(/[: ]/)[0]).sort());
    expect(keys).toEqual([["data.other", "disks.db-1", "existing.other"], undefined, ["data.other", "existing.other"]]);
  });

  test("with ranges for all networks that the engines have, whether something is there or not", async () => {
    const alone = planned((p) => void p.run("web", { ...web, tier: "isolated", networks: ["apps"] }));
    const subnets = { edge: 1, app: 2, data: 3, apps: 4, "app-gpu": 5 };
    const ranges = (names: object) =>
      Object.fromEntries(Object.entries(names).map(([name, part]) => [name, `10.60.${String(part)}.0/24`]));
    const admit = (on: DockerHost) => {
      on.admit("one", alone, "service");
    };
    const machines = { gpu: "ssh://gpu" };
    expect(await said([admit], { machines, subnets: ranges(subnets) })).toEqual([undefined]);
    expect(await said([admit], { machines, subnets: ranges({ "apps-gpu": 6 }) })).toEqual([
      ['docker.subnets.apps-gpu = "10.60.6.0/24": no such network; there are edge, app, data, apps, app-gpu'],
    ]);
  });

  test("unless it names a machine that is none", async () => {
    const far = planned((p) => void p.run("web", { ...web, machine: "gpu" }));
    const admit = (on: DockerHost) => {
      on.admit("one", far, "system");
    };
    expect(await said([admit])).toEqual([['web.machine = "gpu": no such machine: add it to docker.machines']]);
    expect(await said([admit], { machines: { gpu: "ssh://gpu" } })).toEqual([undefined]);
  });
});

describe("the identity", () => {
  /** A survey that remembers this of the last run. */
  const remembers = (memory: Partial<Memory>) =>
    ({
      memory: Promise.resolve({ owner: undefined, engine: undefined, rounds: {}, words: {}, ...memory }),
    }) as unknown as Survey;

  async function remembered(memory: Partial<Memory>, further: Record<string, Partial<Memory>> = {}, at = site()) {
    const all = await record(() => {
      const machines = Object.fromEntries(Object.entries(further).map(([key, each]) => [key, remembers(each)]));
      identityFor("host", "docker", at, remembers(memory), machines, {});
    });
    const { inputs } = all.find(({ name }) => name === "host-identity") ?? {};
    return inputs;
  }

  test("remembers its engine, the operator's words and the highest count of all engines", async () => {
    const first = { engine: "E1", rounds: { a: 1, b: 2 }, words: { "db-1": "today" } };
    expect(await remembered(first)).toEqual({ topology: "docker", name: "sample", ...first });
    expect(
      await remembered(first, { gpu: { engine: "E2", rounds: { b: 1, c: 3 } }, cpu: { rounds: { a: 2 } } }),
    ).toEqual({
      ...{ topology: "docker", name: "sample", engine: "E1", words: { "db-1": "today" } },
      ...{ rounds: { a: 2, b: 2, c: 3 }, machines: { gpu: "E2" } },
    });
  });

  test("is a system's, where the stack is one", async () => {
    expect(await remembered({}, {}, site({ system: "media" }))).toMatchObject({ system: "media" });
    expect(await remembered({})).not.toHaveProperty("system");
    expect(await remembered({}, {})).not.toHaveProperty("machines");
  });
});

describe("what is made", () => {
  test("is below what asks for it, waits for the identity, and has a provider of this topology's, of its own engine", async () => {
    const { on, all, of } = await made(
      (host) => {
        const parent = new ComponentResource("shop:index:Part", "part", {}, { ...host.options, parent: host });
        const at = (name: string) => ({ parent, logicalName: `part-${name}` });
        host.workload("near", web, at("near"));
        host.workload("far", { ...web, machine: "gpu" }, at("far"));
        host.job("task", migrate, at("task"));
        host.slot("db-1", { ...store, leave: task }, at("db-1"));
      },
      { machines: { gpu: "ssh://gpu" } },
    );
    expect(Object.keys(on.options.providers ?? {}).sort()).toEqual(["platform-topologies", "random"]);
    for (const { type, name, parent, provider, options, custom } of all) {
      const [whose = ""] = type.split(":");
      if (!custom || whose === "pulumi") continue;
      expect([name, parent]).toEqual([name, name.startsWith("part-") ? "part" : "host"]);
      const ours = { docker: /far|gpu/.test(name) ? "engine-gpu" : "engine", random: "random" }[whose] ?? "ops";
      expect([name, provider]).toEqual([name, expect.stringContaining(`::host-${ours}::`)]);
      if (whose === "docker")
        expect([name, options.dependsOn]).toEqual([name, expect.arrayContaining(["host-identity"])]);
    }
    expect(of("StackIdentity", "host-identity").inputs).toMatchObject({ topology: "docker", name: "sample" });
  });
});
