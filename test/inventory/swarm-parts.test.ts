/** A part of each shape on a swarm, as the program registers it: what it is given, and what the engine is told of it. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { type Output, output, secret } from "@pulumi/pulumi";

import type { Job, Slot, Workload } from "../../components/core/contracts.ts";
import type { Plan } from "../../components/core/plan.ts";
import { siteOf } from "../../components/core/site.ts";
import type { At } from "../../components/core/topology.ts";
import { Survey, type Wish } from "../../components/topologies/survey.ts";
import { swarm } from "../../components/topologies/swarm/entry.ts";
import { Swarm, type SwarmArgs } from "../../components/topologies/swarm/index.ts";
import { OpsProvider } from "../../ops/resources.ts";
import { certificate } from "../support/certificates.ts";
import { fakeEngine } from "../support/fake-engine.ts";
import { newFolder } from "../support/folder.ts";
import { goTemplate, resolved } from "../support/hostile.ts";
import { record, type Registered } from "../support/mocks.ts";

jest.setTimeout(60_000); // the first load of the SDK takes longer than five seconds on a busy machine

const managers = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"];
const host = managers.join(",");
const site = (more: Partial<Parameters<typeof siteOf>[0]> = {}) =>
  siteOf({
    ...{ name: "shop", hostname: "shop.example.com", secrets: { licence: "the-licence" } },
    images: { "shop/*": "r.example.com/shop-*:1", traefik: "r.example.com/traefik:1" },
    ...more,
  });

const health = { ready: { command: ["healthy", "--now"] }, startSeconds: 30, stopSeconds: 90 };
/** What every part has to say, and nothing more. */
const least = { image: "shop/web", tier: "app", cpu: 0.5, memoryMib: 64, health } as const;
const plain: Workload = { ...least, replicas: 1 };
const runs = { image: "shop/tool", tier: "data", cpu: 1, memoryMib: 32, command: ["tool"], seconds: 60 } as const;
const full: Workload = {
  ...{
    ...least,
    replicas: 3,
    shmMib: 8,
    user: "1000:1000",
    needs: ["container-api"],
    machine: "w1",
    update: "stop-first",
  },
  ...{ command: ["web", "--port", "80"], prepare: "mkdir -p /tmp/web", nodes: { zone: "a", role: "worker" } },
  ...{ env: { A: "a={{x}}" }, secretEnv: { B: secret("the-secret") }, nodeName: "NODE", names: ["www", "a-first"] },
  networks: ["extra"],
  files: [
    { path: "/run/web/conf.d/web.conf", content: "conf" },
    { path: "/run/web/key", content: secret("the-key"), secret: true, mode: 0o400 },
  ],
  mounts: [
    { volume: "v{{", path: "/v{{" },
    { folder: "/f{{", path: "/f", readOnly: true },
  ],
};
const slot = (more: Partial<Slot> = {}): Slot => ({
  ...{ ...least, image: "shop/db", tier: "data" },
  disk: { path: "/data", gib: 1, backup: { rebuilt: "by hand" } },
  ...more,
});

interface Made {
  readonly all: Registered[];
  readonly wishes: Wish[];
  /** What a run is told of things that do not work: the thing, its id, and the hash of its spec. */
  readonly complaints: { readonly wish: Wish; readonly id: unknown; readonly spec: unknown }[];
  readonly on: Swarm;
}

/** Registers parts on a swarm. A survey that is told apart by its answers stands in for the real one. */
async function deploy(
  make: (on: Swarm, at: (name: string) => At) => void,
  more: Partial<SwarmArgs> = {},
  words: Readonly<Record<string, string>> = {},
): Promise<Made> {
  const wishes: Wish[] = [];
  const complaints: { wish: Wish; id: Output<unknown>; spec: Output<string> }[] = [];
  const real = Object.getOwnPropertyDescriptors(Survey.prototype);
  Object.assign(Survey.prototype, {
    wants: (wish: Wish) => {
      wishes.push(wish);
      return output(`round of ${wish.kind} ${wish.logical}`);
    },
    gate: ({ kind, logical }: Wish) => output(`gate's round of ${kind} ${logical}`),
    word: (of: string) => output(words[of] ?? ""),
    complain: (wish: Wish, id: Output<unknown>, spec: Output<string>) => {
      complaints.push({ wish, id, spec });
    },
  });
  try {
    let on: Swarm | undefined;
    const all = await record(() => {
      const pin = (ref: string): Promise<string> => Promise.resolve(`${ref}@sha256:0`);
      const usual = { site: site(), managers, tls: { mode: "local" }, ...(more.managers ? {} : { pin }) } as const;
      const made = new Swarm("swarm", { ...usual, ...more });
      make(made, (name) => ({ parent: made, logicalName: `sys-${name}` }));
      on = made;
    });
    if (on === undefined) throw new Error("no swarm");
    return { all, wishes, complaints: (await resolved(complaints)) as Made["complaints"], on };
  } finally {
    Object.defineProperties(Survey.prototype, real);
  }
}

const of = ({ all }: Pick<Made, "all">, type: string): Registered[] =>
  all.filter((each) => each.type.endsWith(`:${type}`));
function one(made: Pick<Made, "all">, type: string, name: string): Registered {
  const found = of(made, type).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${type} ${name}`);
  return found;
}
type Labels = readonly { readonly label: string; readonly value: string }[];
const dict = (labels: Labels = []) => Object.fromEntries(labels.map(({ label, value }) => [label, value]));
interface Mount {
  readonly type: string;
  readonly source?: string;
  readonly target: string;
  readonly volumeOptions?: {
    readonly labels: Labels;
    readonly driverName?: string;
    readonly driverOptions?: Readonly<Record<string, string>>;
  };
}
interface Spec {
  readonly name: string;
  readonly labels: Labels;
  readonly mode: object;
  readonly endpointSpec: { readonly mode: string; readonly ports?: readonly object[] };
  readonly updateConfig: object;
  readonly rollbackConfig: object;
  readonly taskSpec: {
    readonly placement: { readonly constraints: readonly string[] };
    readonly networksAdvanceds: readonly { readonly id: string; readonly aliases: readonly string[] }[];
    readonly resources: object;
    readonly restartPolicy: object;
    readonly containerSpec: Readonly<Record<string, unknown>> & {
      readonly env: Readonly<Record<string, string>>;
      readonly mounts?: readonly Mount[];
    };
  };
}
const spec = (made: Pick<Made, "all">, name: string) => one(made, "Service", name).inputs as unknown as Spec;

let made: Made;
let ids: readonly string[];
beforeAll(async () => {
  made = await deploy(
    (on, at) => {
      on.workload("plain", plain, at("plain"));
      const web = on.workload(
        "web",
        { ...full, after: [on.job("migrate", { ...runs, trigger: "1" }, at("migrate"))] },
        at("web"),
      );
      on.workload("nodes", { ...plain, replicas: "each-node", after: [web] }, at("nodes"));
      on.slot("db-1", slot({ disk: { ...slot().disk, marker: ".disk" }, alone: true }), at("db-1"));
      on.slot("kv-1", slot({ leave: runs, left: { ...runs, command: ["tool", "forget"] } }), at("kv-1"));
      on.slot(
        "kv-2",
        slot({ colocate: "kv-1", machine: "w2", names: ["kv"], mounts: [{ volume: "v", path: "/v" }] }),
        at("kv-2"),
      );
    },
    {
      nodes: {
        w1: { labels: { disk: "fast" }, address: "192.0.2.1" },
        w2: { availability: "drain" },
        w3: { address: "192.0.2.3" },
      },
      registries: ["r.example.com", "localhost:5000"],
      socket: "/run/d.sock",
      update: { parallelism: 2, delaySeconds: 90, monitorSeconds: 7 },
    },
  );
  ids = of(made, "Service").map(({ name }) => name);
});

test("each service, network, described node and volume node is looked for under its name, and its round reaches it", () => {
  const kinds = { Service: "service", Network: "network", VolumeNode: "volume node", NodeLabels: "node" } as const;
  for (const [type, kind] of Object.entries(kinds)) {
    const wished = made.wishes.filter((wish) => wish.kind === kind).map(({ name, logical }) => [name, logical]);
    const there = of(made, type);
    expect(wished.sort()).toEqual(there.map(({ name, inputs }) => [inputs.name ?? inputs.node, name]).sort());
    expect(there.length).toBeGreaterThan(1);
    for (const { name, inputs, options } of there) {
      const round = `round of ${kind} ${name}`;
      if (kind === "service") {
        expect(options.replacementTrigger).toBe(round);
        expect(inputs.labels).toContainEqual({ label: "platform-topologies.round", value: round });
        expect(one(made, "ServiceEnd", name).inputs.round).toBe(round);
      } else if (kind === "network") expect(options.replacementTrigger).toMatch(new RegExp(` ${round}$`));
      else expect(inputs.round).toBe(round);
    }
  }
});

test("others stand in for a member that is not alone, and for no workload", () => {
  const spare = made.wishes.filter((wish) => wish.kind === "service" && wish.spare === true).map(({ name }) => name);
  expect(spare).toEqual(["shop-kv-1", "shop-kv-2"]);
});

test("the managers are named together to what asks them itself, the Docker provider is given one, with the registries", () => {
  const [provider] = of(made, "docker");
  expect(provider?.name).toBe("swarm-engine");
  expect(provider?.inputs.host).toBe(managers[0]);
  expect(JSON.parse(String(provider?.inputs.registryAuth))).toEqual([
    { address: "r.example.com" },
    { address: "localhost:5000" },
  ]);
  for (const type of ["ServiceEnd", "ServiceGate", "VolumeNode", "NodeLabels", "Job", "Finalizer", "Orphans"]) {
    expect(of(made, type)).not.toEqual([]);
    for (const { inputs } of of(made, type)) expect(inputs.host).toBe(host);
  }
});

describe("nodes", () => {
  test("one with labels or another availability is described, one with an address alone is not", () => {
    expect(
      of(made, "NodeLabels").map(({ name, inputs: { node, labels, availability } }) => [
        name,
        node,
        labels,
        availability,
      ]),
    ).toEqual([
      ["swarm-w1", "w1", { disk: "fast" }, undefined],
      ["swarm-w2", "w2", {}, "drain"],
    ]);
    for (const { inputs } of of(made, "NodeLabels").slice(0, 1)) expect(inputs).not.toHaveProperty("availability");
  });

  test("everything that is placed waits for all of them", () => {
    for (const type of ["Service", "ServiceEnd", "VolumeNode", "Job"])
      for (const { name, options } of of(made, type))
        expect([name, options.dependsOn]).toEqual([
          name,
          expect.arrayContaining(["NodeLabels swarm-w1", "NodeLabels swarm-w2"]),
        ]);
  });

  test("the outputs are the nodes' addresses, and each slot's node", async () => {
    expect(Object.keys(made.on.outputs.nodes)).toEqual(["w1", "w3"]);
    expect(await resolved(made.on.outputs)).toEqual({
      nodes: { w1: "192.0.2.1", w3: "192.0.2.3" },
      slots: { "db-1": "host-of-swarm-db-1", "kv-1": "host-of-swarm-kv-1", "kv-2": "host-of-swarm-kv-1" },
    });
  });
});

describe("a service", () => {
  test("goes with its end, which waits for its tasks and keeps what they use", () => {
    for (const { name, inputs, options } of of(made, "Service")) {
      const end = one(made, "ServiceEnd", name);
      expect(options.deletedWith).toBe(`ServiceEnd ${name}`);
      expect(options.dependsOn).toEqual(expect.arrayContaining([`ServiceEnd ${name}`, ...end.options.dependsOn]));
      expect(end.inputs).toMatchObject({ service: inputs.name, seconds: 105 });
      const { taskSpec } = spec(made, name);
      const files = [
        ...((taskSpec.containerSpec.secrets ?? []) as { secretId: string }[]).map(({ secretId }) => secretId),
        ...((taskSpec.containerSpec.configs ?? []) as { configId: string }[]).map(({ configId }) => configId),
      ];
      const volumeNodes = taskSpec.placement.constraints.filter((each) => each !== "node.hostname==w2");
      expect(new Set(end.inputs.uses as string[])).toEqual(
        new Set([
          ...files,
          ...taskSpec.networksAdvanceds.map(({ id }) => id),
          ...volumeNodes,
          ...taskSpec.placement.constraints,
        ]),
      );
    }
  });

  test("is made again only for what its provider cannot change, or does not read back", () => {
    for (const { options } of of(made, "Service")) {
      expect(options.ignoreChanges).toEqual(["taskSpec.placement.platforms", "taskSpec.containerSpec.sysctl"]);
      expect(options.replaceOnChanges).toEqual(["mode.global"]);
    }
  });

  test("has a gate, which knows its hash, waits for an image's pull, and hides the operator's secrets", () => {
    expect(
      of(made, "ServiceGate")
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...ids].sort());
    for (const { name, inputs, options } of of(made, "ServiceGate")) {
      const { name: service, taskSpec } = spec(made, name);
      const hash = taskSpec.containerSpec.env.PLATFORM_TOPOLOGIES_SPEC;
      expect(inputs).toMatchObject({ service: `${name}-id`, name: service, spec: hash, seconds: 330 });
      expect(inputs.redact).toEqual(["the-licence", "KEY"]);
      expect(options.replacementTrigger).toBe(`gate's round of service ${name}`);
      const about = made.complaints.find(({ wish }) => wish.logical === name);
      expect(about).toEqual({
        wish: expect.objectContaining({ kind: "service", name: service }) as unknown,
        id: `${name}-id`,
        spec: hash,
      });
    }
  });

  test("has a gate that knows who starts together with it, where a new role's members do", async () => {
    const together = ["kv-1", "kv-2", "kv-3"];
    const gates = await deploy((on, at) => {
      on.slot("kv-2", slot({ together }), at("kv-2"));
    });
    expect(one(gates, "ServiceGate", "sys-kv-2").inputs.together).toEqual(together.map((each) => `shop-${each}`));
    for (const { inputs } of of(made, "ServiceGate")) expect(inputs).not.toHaveProperty("together");
  });

  test("has another hash than any other, as it is another's", () => {
    const hashes = ids.map((name) => spec(made, name).taskSpec.containerSpec.env.PLATFORM_TOPOLOGIES_SPEC);
    expect(new Set(hashes).size).toBe(ids.length);
  });

  test("is told how many tasks it is to have; on each node there is no number", () => {
    const counts = Object.fromEntries(
      ids.map((name) => [name, [spec(made, name).mode, one(made, "ServiceGate", name).inputs.replicas]]),
    );
    const replicated = (replicas: number) => [{ replicated: { replicas } }, replicas];
    expect(counts).toEqual({
      ...{ "sys-plain": replicated(1), "sys-web": replicated(3), "sys-nodes": [{ global: true }, undefined] },
      ...{ "sys-db-1": replicated(1), "sys-kv-1": replicated(1), "sys-kv-2": replicated(1) },
    });
    expect(one(made, "ServiceGate", "sys-nodes").inputs).not.toHaveProperty("replicas");
  });

  test("rolls as the config says, forward and back; the old task ends first only where two cannot be", () => {
    for (const name of ids) {
      const order = ["sys-plain", "sys-nodes"].includes(name) ? "start-first" : "stop-first";
      const rolling = { parallelism: 2, delay: "1m30s", monitor: "7s", maxFailureRatio: "0.0", order };
      expect(spec(made, name).updateConfig).toEqual({ ...rolling, failureAction: "rollback" });
      expect(spec(made, name).rollbackConfig).toEqual({ ...rolling, failureAction: "pause" });
    }
  });

  test("has its limits, is started again whatever its end, keeps a little log, and says whose it is", () => {
    for (const name of ids) {
      const { taskSpec, labels, name: service } = spec(made, name);
      const memoryBytes = 64 * 1024 * 1024;
      expect(taskSpec).toMatchObject({
        resources: { limits: { nanoCpus: 5e8, memoryBytes }, reservation: { memoryBytes } },
        restartPolicy: { condition: "any", delay: "2s", maxAttempts: 0, window: "0s" },
        logDriver: { name: "json-file", options: { "max-size": "10m", "max-file": "3" } },
        containerSpec: { init: true, capDrops: ["ALL"], stopGracePeriod: "1m30s" },
      });
      expect(taskSpec.containerSpec.healthcheck).toMatchObject({ startPeriod: "30s", interval: "5s" });
      const own = ["name", "owner", "workload"].map((label, at) => ({
        label: `platform-topologies.${label}`,
        value: ["shop", "swarm-identity-id", service.slice(5)][at],
      }));
      expect(taskSpec.containerSpec.labels).toEqual(own);
      expect(labels.slice(0, 3)).toEqual(own);
    }
  });

  test("that asks for nothing is given nothing", () => {
    const { taskSpec, endpointSpec } = spec(made, "sys-plain");
    const { containerSpec, placement, networksAdvanceds } = taskSpec;
    expect(Object.keys(containerSpec).sort()).toEqual(
      ["capDrops", "env", "healthcheck", "image", "init", "labels", "stopGracePeriod", "sysctl"].sort(),
    );
    expect(Object.keys(containerSpec.env)).toEqual(["PLATFORM_TOPOLOGIES_SPEC"]);
    expect([placement.constraints, endpointSpec]).toEqual([[], { mode: "vip" }]);
    expect(networksAdvanceds.map(({ id, aliases }) => [id, aliases])).toEqual([
      ["swarm-app-id", ["plain"]],
      ["swarm-data-id", ["plain"]],
    ]);
  });

  test("is given all that it asks for, byte for byte though the swarm reads templates", () => {
    const { taskSpec } = spec(made, "sys-web");
    const { containerSpec, placement, networksAdvanceds } = taskSpec;
    expect(placement.constraints).toEqual(["node.labels.zone==a", "node.role==worker", "node.hostname==w1"]);
    expect(networksAdvanceds.map(({ id, aliases }) => [id, aliases])).toEqual(
      ["swarm-app-id", "swarm-data-id", "swarm-extra-id"].map((id) => [id, ["a-first", "web", "www"]]),
    );
    expect(containerSpec).toMatchObject({
      ...{ image: "r.example.com/shop-web:1@sha256:0", user: "1000:1000", args: ["web", "--port", "80"] },
      commands: ["/bin/sh", "-c", 'mkdir -p /tmp/web\nexec "$@"', "prepare"],
    });
    const { PLATFORM_TOPOLOGIES_SPEC: hash, ...env } = containerSpec.env;
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(Object.entries(env).map(([key, value]) => [key, goTemplate(value, "the-node")])).toEqual([
      ...[
        ["A", "a={{x}}"],
        ["B", "the-secret"],
        ["NODE", "the-node"],
      ],
    ]);
    expect(
      containerSpec.mounts?.map((mount) => ({
        ...mount,
        ...(mount.source === undefined ? {} : { source: goTemplate(mount.source) }),
        target: goTemplate(mount.target),
      })),
    ).toEqual([
      { type: "volume", source: "v{{", target: "/v{{" },
      { type: "bind", source: "/f{{", target: "/f", readOnly: true },
      { type: "bind", source: "/run/d.sock", target: "/var/run/docker.sock" },
      { type: "tmpfs", target: "/dev/shm", tmpfsOptions: { sizeBytes: 8 * 1024 * 1024 } },
    ]);
  });

  test("has a secret for each secret file, and a config for each other one, new before old", () => {
    const { containerSpec } = spec(made, "sys-web").taskSpec;
    const [conf, key] = ["sys-web-run-web-conf-d-web-conf", "sys-web-run-web-key"];
    expect(containerSpec.configs).toEqual([
      { configId: `${conf}-id`, fileName: "/run/web/conf.d/web.conf", fileMode: 0o444 },
    ]);
    expect(containerSpec.secrets).toEqual([{ secretId: `${key}-id`, fileName: "/run/web/key", fileMode: 0o400 }]);
    for (const [type, name, content] of [
      ["ServiceConfig", conf, "conf"],
      ["Secret", key, "the-key"],
    ] as const) {
      const { inputs, options } = one(made, type, name);
      expect(Buffer.from(String(inputs.data), "base64").toString()).toBe(content);
      expect(inputs.labels).toEqual(spec(made, "sys-web").labels.slice(0, 3));
      expect(options.deleteBeforeReplace).toBe(false);
    }
  });

  test("waits for what its part names", () => {
    expect(one(made, "Service", "sys-web").options.dependsOn).toContain("Job sys-migrate");
    expect(one(made, "Service", "sys-nodes").options.dependsOn).toContain("ServiceGate sys-web");
  });
});

describe("a service's health check", () => {
  /** Its end, for a container that has been healthy so long, with these lines in /etc/hosts and these names in DNS. */
  function healthy(seconds: number | undefined, known: string, { own = "10.0.0.7", client = true, works = true } = {}) {
    const { tests } = spec(made, "sys-web").taskSpec.containerSpec.healthcheck as { tests: string[] };
    const folder = newFolder("health");
    const program = (name: string, line: string) => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    };
    program("healthy", `[ "$1" = --now ] && ${String(works)}`);
    if (client) program("getent", `[ "$2" = tasks.web ] && printf '${known}'`);
    writeFileSync(join(folder, "uptime"), "1000.25 900.00\n");
    writeFileSync(join(folder, "hosts"), `127.0.0.1 localhost\n${own} web\n`);
    if (seconds !== undefined) writeFileSync(join(folder, "since"), `${String(1000 - seconds)}\n`);
    const [kind, shell = "", ...args] = tests;
    expect(kind).toBe("CMD");
    const here = args.map((each) =>
      each
        .replaceAll("/proc/uptime", join(folder, "uptime"))
        .replaceAll("/etc/hosts", join(folder, "hosts"))
        .replaceAll("/dev/shm/healthy-since", join(folder, "since")),
    );
    // Only the shell's own commands, and those of the folder: the machine has a getent, too.
    const { status, stdout } = spawnSync(`/bin/${shell}`, here, { env: { PATH: folder } });
    return [status, stdout.toString()];
  }

  test("is the part's own", () => {
    expect(healthy(undefined, "")).toEqual([0, ""]);
    expect(healthy(60, "10.0.0.7 tasks.web\\n", { works: false })[0]).toBe(1);
  });

  test("fails, too, when the swarm's DNS does not know the task half a minute later", () => {
    const lost = [1, "the swarm's DNS does not know this task as web: another has to take its place\n"];
    expect(healthy(29, "")).toEqual([0, ""]);
    for (const known of ["", "10.0.0.70 tasks.web\\n", "110.0.0.7 tasks.web\\n"])
      expect(healthy(30, known)).toEqual(lost);
    for (const known of ["10.0.0.7 tasks.web\\n", "10.0.0.3 tasks.web\\n10.0.0.7  tasks.web\\n10.0.0.9 tasks.web\\n"])
      expect(healthy(30, known)).toEqual([0, ""]);
  });

  test("leaves that out in an image without a client", () => {
    expect(healthy(60, "", { client: false })).toEqual([0, ""]);
  });
});

describe("a slot", () => {
  test("is one task under its own name, which leads to its own address", () => {
    for (const name of ["db-1", "kv-1", "kv-2"]) {
      const { endpointSpec, taskSpec } = spec(made, `sys-${name}`);
      expect(endpointSpec).toEqual({ mode: "dnsrr" });
      expect(taskSpec.containerSpec.hostname).toBe(name);
      expect(taskSpec.networksAdvanceds).toEqual([
        { id: "swarm-data-id", aliases: name === "kv-2" ? ["kv", name] : [name] },
      ]);
    }
  });

  test("has its disk on its volume node, or on that of the slot whose node it shares", () => {
    const pins = (name: string) => `node.labels.platform-topologies.volume-node.shop.${name}==swarm-${name}-id`;
    const disks = Object.fromEntries(
      ["db-1", "kv-1", "kv-2"].map((name) => {
        const { placement, containerSpec } = spec(made, `sys-${name}`).taskSpec;
        return [name, [placement.constraints, containerSpec.mounts?.map(({ target, source }) => [target, source])]];
      }),
    );
    expect(disks).toEqual({
      "db-1": [[pins("db-1")], [["/data", "shop-db-1-swarm-db-1-id"]]],
      "kv-1": [[pins("kv-1")], [["/data", "shop-kv-1-swarm-kv-1-id"]]],
      "kv-2": [
        [pins("kv-1"), "node.hostname==w2"],
        [
          ["/v", "v"],
          ["/data", "shop-kv-2-swarm-kv-1-id"],
        ],
      ],
    });
    expect(of(made, "VolumeNode").map(({ name, inputs }) => [name, inputs])).toEqual(
      [
        ["db-1", false],
        ["kv-1", true],
      ].map(([name, spare]) => [
        `swarm-${String(name)}`,
        expect.objectContaining({
          name: `shop.${String(name)}`,
          constraints: { labels: {} },
          spread: `shop/${String(name).slice(0, 2)}`,
          owner: "swarm-identity-id",
          spare,
          generation: "",
        }),
      ]),
    );
  });

  test("keeps its data: only one whose data are elsewhere, too, or may go by the operator's word, is not protected", async () => {
    const kept = async (args: Partial<Parameters<typeof siteOf>[0]>) =>
      of(
        await deploy(
          (on, at) => {
            on.slot("db-1", slot(), at("db-1"));
            on.slot("db-2", slot({ leave: runs }), at("db-2"));
            on.slot("db-3", slot({ left: runs }), at("db-3"));
          },
          { site: site(args) },
        ),
        "VolumeNode",
      ).map(({ options, inputs }) => [options.protect, inputs.spare]);
    const others = [
      [false, true],
      [false, true],
    ];
    expect(await kept({})).toEqual([[true, false], ...others]);
    expect(await kept({ disks: { "db-1": "gone" } })).toEqual([[false, false], ...others]);
    expect(await kept({ protect: false })).toEqual([[false, false], ...others]);
  });

  test("leaves its marker once, on the very disk that its service mounts", () => {
    const { inputs, options } = one(made, "Job", "sys-db-1-disk");
    const { mounts = [], ...containerSpec } = spec(made, "sys-db-1").taskSpec.containerSpec;
    const { source, volumeOptions } = mounts[0] ?? {};
    const labels = dict(volumeOptions?.labels);
    expect(labels).toMatchObject({
      "platform-topologies.disk": "swarm-db-1-id",
      "platform-topologies.workload": "db-1",
      "platform-topologies.name": "shop",
    });
    expect(inputs).toMatchObject({
      ...{
        name: "shop-db-1-disk",
        image: containerSpec.image,
        trigger: "swarm-db-1-id",
        env: { DISK: "swarm-db-1-id" },
      },
      swarm: {
        constraints: spec(made, "sys-db-1").taskSpec.placement.constraints,
        registries: ["r.example.com", "localhost:5000"],
      },
    });
    expect(inputs.mounts).toEqual([{ source, path: "/data", labels }]);
    expect(options.ignoreChanges).toEqual(["command", "entrypoint", "env", "image", "user"]);
    expect(one(made, "Service", "sys-db-1").options.dependsOn).toContain("Job sys-db-1-disk");
    expect(of(made, "Job").map(({ name }) => name)).not.toContain("sys-kv-1-disk");
  });

  test("runs a job before it goes and one when it has gone, but not when the whole stack goes", () => {
    const [leave, left] = ["leave", "left"].map((end) => one(made, "Finalizer", `sys-kv-1-${end}`));
    for (const end of [leave, left]) expect(end?.options.deletedWith).toBe("Network swarm-data");
    expect(leave?.inputs.job).toMatchObject({ name: "shop-kv-1-leave", entrypoint: ["tool"] });
    expect(left?.inputs.job).toMatchObject({ name: "shop-kv-1-left", entrypoint: ["tool"], command: ["forget"] });
    // A resource is deleted before those that it depends on.
    expect(leave?.options.dependsOn).toContain("ServiceGate sys-kv-1");
    expect(left?.options.dependsOn).not.toContain("ServiceGate sys-kv-1");
    expect(one(made, "Service", "sys-kv-1").options.dependsOn).toContain("Finalizer sys-kv-1-left");
    expect(of(made, "Finalizer")).toHaveLength(2);
  });

  test("that is alone is known to the jobs after it by its disk; another member's disk is no matter to them", async () => {
    const { all } = await deploy((on, at) => {
      const alone = on.slot("db-1", slot({ alone: true }), at("db-1"));
      const member = on.slot("kv-1", slot({ leave: runs }), at("kv-1"));
      const first = on.job("set-up", { ...runs, trigger: "1", after: [alone, member] }, at("set-up"));
      on.job("later", { ...runs, trigger: "1", after: [first] }, at("later"));
    });
    for (const name of ["sys-set-up", "sys-later"])
      expect(one({ all }, "Job", name).inputs.disks).toEqual({ "db-1": "swarm-db-1-id" });
    // The next member, and who uses it, are gone before this one begins to leave.
    expect(one({ all }, "Job", "sys-set-up").options.dependsOn).toEqual(
      expect.arrayContaining(["ServiceGate sys-kv-1", "Finalizer sys-kv-1-leave"]),
    );
  });

  test("with a new word has a new disk, on the same node if it shares that", async () => {
    const named = async (words: Readonly<Record<string, string>>, more: Partial<SwarmArgs> = {}) => {
      const all = await deploy(
        (on, at) => {
          on.slot("a-1", slot(), at("a-1"));
          on.slot("b-1", slot({ colocate: "a-1" }), at("b-1"));
        },
        more,
        words,
      );
      return ["a-1", "b-1"]
        .map((name) => spec(all, `sys-${name}`).taskSpec.containerSpec.mounts?.[0]?.source ?? "")
        .concat(of(all, "VolumeNode").map(({ inputs }) => String(inputs.generation)));
    };
    expect(await named({})).toEqual(["shop-a-1-swarm-a-1-id", "shop-b-1-swarm-a-1-id", ""]);
    const [a, b, generation] = await named({ "a-1": "x", "b-1": "x" });
    expect([a, generation]).toEqual(["shop-a-1-swarm-a-1-id", "x"]); // the volume node's new id makes it another
    expect(b).toMatch(/^shop-b-1-swarm-a-1-id-[0-9a-f]{6}$/);
    expect((await named({ "b-1": "y" }))[1]).not.toBe(b);
    const driver = { volumes: { driver: "nfs", options: {} } };
    expect(await named({}, driver)).toEqual(["shop-a-1", "shop-b-1"]);
    expect(await named({ "a-1": "x" }, driver)).toEqual([expect.stringMatching(/^shop-a-1-[0-9a-f]{6}$/), "shop-b-1"]);
  });

  test("of a volume driver goes where its labels say, and its disk is made as the driver is told, by whoever comes first", async () => {
    const volumes = { driver: "nfs", options: { device: ":/{volume}/{volume}", o: "addr={{x}}" } };
    const free = await deploy(
      (on, at) => {
        on.slot("db-1", slot({ disk: { ...slot().disk, path: "/data{{", marker: ".disk" } }), at("db-1"));
        on.slot("db-2", slot({ nodes: { disk: "fast" } }), at("db-2"));
      },
      { volumes, place: { zone: "a" } },
    );
    expect(of(free, "VolumeNode")).toEqual([]);
    const constraints = ["db-1", "db-2"].map((name) => spec(free, `sys-${name}`).taskSpec.placement.constraints);
    expect(constraints).toEqual([["node.labels.zone==a"], ["node.labels.disk==fast"]]);
    const { inputs } = one(free, "Job", "sys-db-1-disk");
    const labels = {
      ...{ "platform-topologies.name": "shop", "platform-topologies.workload": "db-1" },
      ...{ "platform-topologies.owner": "swarm-identity-id", "platform-topologies.disk": "swarm-identity-id" },
    };
    expect(inputs.mounts).toEqual([
      {
        source: "shop-db-1",
        path: "/data{{",
        driver: "nfs",
        driverOptions: { device: ":/shop-db-1/shop-db-1", o: "addr={{x}}" },
        labels,
      },
    ]);
    expect(inputs).toMatchObject({ trigger: "swarm-identity-id", swarm: { constraints: constraints[0] } });
    const [mount] = spec(free, "sys-db-1").taskSpec.containerSpec.mounts ?? [];
    expect(mount).toMatchObject({ type: "volume", source: "shop-db-1" });
    expect(goTemplate(mount?.target ?? "")).toBe("/data{{");
    const { labels: written, driverName, driverOptions } = mount?.volumeOptions ?? {};
    expect([dict(written), driverName, driverOptions?.device]).toEqual([labels, "nfs", ":/shop-db-1/shop-db-1"]);
    expect(goTemplate(driverOptions?.o ?? "")).toBe("addr={{x}}");
    const [local] = spec(made, "sys-db-1").taskSpec.containerSpec.mounts ?? [];
    expect(Object.keys(local?.volumeOptions ?? {})).toEqual(["labels"]);
  });
});

test("a job runs where its part says, with the registries that the nodes need; without any there is no word of them", async () => {
  const job: Job = { ...runs, tier: "app", trigger: "1" };
  const placed = async (more: Partial<SwarmArgs>) =>
    of(
      await deploy(
        (on, at) => {
          on.job("any", job, at("any"));
          on.job("own", { ...job, nodes: { disk: "fast" }, machine: "w1" }, at("own"));
        },
        { place: { zone: "a" }, ...more },
      ),
      "Job",
    ).map(({ inputs }) => inputs.swarm);
  const any = { constraints: ["node.labels.zone==a"] };
  const own = { constraints: ["node.labels.disk==fast", "node.hostname==w1"] };
  expect(await placed({})).toEqual([any, own]);
  expect(await placed({ registries: ["r.example.com"] })).toEqual(
    [any, own].map((each) => ({ ...each, registries: ["r.example.com"] })),
  );
});

describe("networks", () => {
  const networks = async (more: Partial<SwarmArgs> = {}) =>
    Object.fromEntries(
      of(await deploy((on, at) => void on.workload("web", full, at("web")), more), "Network").map(
        ({ name, inputs, options }) => [name, { inputs, options }],
      ),
    );

  test("are overlays that a client may join, and only the data's has no way out", async () => {
    const there = await networks();
    expect(Object.keys(there).sort()).toEqual(["swarm-app", "swarm-data", "swarm-edge", "swarm-extra"]);
    for (const [name, { inputs, options }] of Object.entries(there)) {
      const tier = name.replace("swarm-", "");
      expect(inputs).toMatchObject({
        name: `shop-${tier}`,
        driver: "overlay",
        attachable: true,
        internal: tier === "data",
        options: { encrypted: "true" },
      });
      expect((inputs.labels as object[])[2]).toEqual({ label: "platform-topologies.workload", value: tier });
      expect(options.ignoreChanges).toEqual(["options", "ipamConfigs"]);
    }
  });

  test("are made anew for another choice of theirs, and for no other's", async () => {
    const usual = await networks();
    const differ = async (more: Partial<SwarmArgs>) =>
      Object.entries(await networks(more))
        .filter(([name, { options }]) => options.replacementTrigger !== usual[name]?.options.replacementTrigger)
        .map(([name]) => name)
        .sort();
    const all = ["swarm-app", "swarm-data", "swarm-edge", "swarm-extra"];
    expect(await differ({ encrypted: true })).toEqual([]);
    expect(await differ({ encrypted: false })).toEqual(all);
    expect(await differ({ mtu: 1400 })).toEqual(all);
    expect(await differ({ subnets: { app: "10.60.1.0/24" } })).toEqual(["swarm-app"]);
  });

  test("are plain where the config says so", async () => {
    for (const { inputs } of Object.values(await networks({ encrypted: false })))
      expect(inputs).not.toHaveProperty("options");
  });

  test("that parts join by name are made once, and emptied of what their programs have started before they go", async () => {
    const joined = await deploy((on, at) => {
      for (const name of ["a", "b"]) on.workload(name, { ...plain, networks: ["apps"] }, at(name));
    });
    const { name, inputs } = of(joined, "Orphans")[0] ?? {};
    expect([name, inputs]).toEqual([
      "swarm-apps",
      { host, network: "swarm-apps-id", label: "platform-topologies.app=shop" },
    ]);
    expect(of(joined, "Orphans")).toHaveLength(1);
    expect(of(joined, "Network").filter((each) => each.name === "swarm-apps")).toHaveLength(1);
  });
});

test("an address for all replicas, or one for each, as the config says; a slot's name always leads to itself", async () => {
  const modes = async (more: Partial<SwarmArgs>) => {
    const all = await deploy((on, at) => {
      on.workload("web", plain, at("web"));
      on.slot("db-1", slot(), at("db-1"));
    }, more);
    return [spec(all, "sys-web"), spec(all, "sys-db-1")].map(({ endpointSpec }) => endpointSpec.mode);
  };
  expect(await modes({})).toEqual(["vip", "dnsrr"]);
  expect(await modes({ endpointMode: "dnsrr" })).toEqual(["dnsrr", "dnsrr"]);
});

test("one replica at a time, without a pause, unless the config says otherwise; no socket where nobody knows its path", async () => {
  const all = await deploy((on, at) => void on.workload("web", full, at("web")));
  const rolling = { parallelism: 1, delay: "0s", monitor: "5s" };
  for (const roll of [spec(all, "sys-web").updateConfig, spec(all, "sys-web").rollbackConfig])
    expect(roll).toMatchObject(rolling);
  const mounts = spec(all, "sys-web").taskSpec.containerSpec.mounts ?? [];
  expect(mounts.map(({ target }) => goTemplate(target))).toEqual(["/v{{", "/f", "/dev/shm"]);
});

const routed: Workload = {
  ...{ ...plain, ports: { web: { number: 8000, protocol: "http" } } },
  routes: [{ host: "shop.example.com", path: "/", port: "web" }],
};
const none = {
  needs: [],
  slots: new Map(),
  jobs: new Map(),
  managed: new Map(),
  rotates: new Set<string>(),
  secrets: new Set<string>(),
};
const plan: Plan = {
  ...{ ...none, repeated: new Set(), images: new Set(), edge: { proxy: "traefik" } },
  ...{ waits: new Map(), dumps: [] },
  workloads: new Map([["web", routed]]),
};

describe("the edge", () => {
  const edge = async (more: Partial<SwarmArgs>) => {
    const all = await deploy((on, at) => {
      on.open(plan, { ...at("web"), logicalName: "sys" });
      on.workload("web", routed, at("web"));
    }, more);
    return { all, spec: spec(all, "sys-edge") };
  };

  test("has its name and those of its routes, on its nodes; who has a route waits for it", async () => {
    const { all, spec: found } = await edge({});
    const { placement, networksAdvanceds, containerSpec } = found.taskSpec;
    expect(networksAdvanceds).toEqual([{ id: "swarm-edge-id", aliases: ["edge", "shop.example.com"] }]);
    expect([placement.constraints, containerSpec.mounts]).toEqual([["node.role==manager"], undefined]);
    expect(one(all, "Service", "sys-web").options.dependsOn).toContain("ServiceGate sys-edge");
    expect(spec(all, "sys-web").taskSpec.networksAdvanceds[0]?.id).toBe("swarm-edge-id");
  });

  test("with ACME has a disk for what it is given, which may go: it is asked for again", async () => {
    const { all, spec: found } = await edge({
      tls: { mode: "acme", email: "a@example.com" },
      edge: { nodes: { edge: "yes" } },
    });
    expect(of(all, "VolumeNode").map(({ inputs }) => [inputs.name, inputs.constraints, inputs.spare])).toEqual([
      ["shop.edge", { labels: { edge: "yes" } }, true],
    ]);
    expect(of(all, "VolumeNode").map(({ options }) => options.protect)).toEqual([false]);
    const { placement, containerSpec } = found.taskSpec;
    expect(placement.constraints).toEqual(["node.labels.platform-topologies.volume-node.shop.edge==swarm-edge-id"]);
    expect(containerSpec.mounts?.map(({ source, target }) => [source, target])).toEqual([
      ["shop-edge-swarm-edge-id", "/data"],
    ]);
  });
});

test("a stack's config makes a swarm: its words, the operator's own key as the edge's secret, and the program's options", async () => {
  const { pem: cert, key } = await certificate({ name: "shop", hostnames: ["shop.example.com"] });
  const config = swarm.config.parse({ managers, encrypted: false, tls: { mode: "own", cert } });
  const all = await record(async () => {
    const earlier = new OpsProvider("earlier");
    const images = { traefik: `r.example.com/traefik@sha256:${"0".repeat(64)}` }; // no registry has to be asked
    const stack = { site: site({ images }), plan, secrets: { tlsKey: key } };
    const on = (await swarm.own(config, stack)).make("swarm", { dependsOn: earlier });
    on.open(plan, { parent: earlier, logicalName: "sys" });
  });
  const secrets = of({ all }, "Secret").map(({ inputs }) => Buffer.from(String(inputs.data), "base64").toString());
  expect(secrets).toEqual([key]);
  expect(one({ all }, "Network", "swarm-data").inputs).not.toHaveProperty("options");
  expect(one({ all }, "StackIdentity", "swarm-identity").options.dependsOn).toEqual([
    expect.stringContaining("earlier"),
  ]);
});

test("unless told otherwise, the first manager asks the registries, with the logins that the config names", async () => {
  const login = newFolder("login");
  const auths = { "r.example.com": { auth: Buffer.from("puller:word").toString("base64") } };
  writeFileSync(join(login, "config.json"), JSON.stringify({ auths }));
  const before = process.env.DOCKER_CONFIG;
  process.env.DOCKER_CONFIG = login;
  const engine = await fakeEngine({
    "GET /distribution/r.example.com/shop-web:1/json": { Descriptor: { digest: "sha256:d" } },
  });
  try {
    const all = await deploy((on, at) => void on.workload("web", plain, at("web")), {
      ...{ managers: [engine.host], registries: ["r.example.com"] },
    });
    expect(spec(all, "sys-web").taskSpec.containerSpec.image).toBe("r.example.com/shop-web:1@sha256:d");
    expect(engine.headers[0]?.["x-registry-auth"]).toBeDefined();
  } finally {
    engine.close();
    if (before === undefined) delete process.env.DOCKER_CONFIG;
    else process.env.DOCKER_CONFIG = before;
  }
});

test("the registry is asked once for the digest of a reference, however many parts run it", async () => {
  const asked: string[] = [];
  const pin = (ref: string): Promise<string> => {
    asked.push(ref);
    return Promise.resolve(`${ref}@sha256:1`);
  };
  await deploy(
    (on, at) => {
      for (const name of ["a", "b"]) on.workload(name, plain, at(name));
      on.job("tool", { ...runs, trigger: "1" }, at("tool"));
    },
    { pin },
  );
  expect(asked).toEqual(["r.example.com/shop-web:1", "r.example.com/shop-tool:1"]);
});

test("replicas that follow the load are as many as they may be: no swarm scales by itself", async () => {
  const all = await deploy((on, at) => void on.workload("web", { ...plain, replicas: { min: 1, max: 5 } }, at("web")));
  expect(spec(all, "sys-web").mode).toEqual({ replicated: { replicas: 5 } });
});
