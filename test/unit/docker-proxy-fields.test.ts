/** The Docker API proxy's tables: which fields are refused, passed on, replaced or limited, and what a policy may say. */
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

import { describe, expect, test } from "@jest/globals";

import * as app from "../../docker-proxy/app.ts";
import { container } from "../../docker-proxy/container.ts";
import { whole } from "../../docker-proxy/engine.ts";
import { empty, isObject, type Json, list, object, text } from "../../docker-proxy/json.ts";
import { appLabel, type AppsPolicy, policySchema } from "../../docker-proxy/policy.ts";
import { readableAs, withoutValues } from "../../docker-proxy/read.ts";
import { Refusal } from "../../docker-proxy/refusal.ts";
import { service } from "../../docker-proxy/service.ts";

const image = "example/demo:1";
const mebibyte = 1024 * 1024;
const policy: AppsPolicy = {
  may: "run-apps",
  engine: "swarm",
  stack: "shiny",
  network: "shiny-apps",
  images: [image, "example/other:2"],
  constraints: ["node.role==worker"],
  memoryMib: 512,
  cpu: 1,
  shmMib: {},
  volumes: ["reports", "models", "/srv/listed"],
};

/** The status and sentence of a refusal. */
function refusal(call: () => unknown): { status: number; message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

const path = (found: unknown, keys: readonly string[]): unknown =>
  keys.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), found);

/** A place for fields in what a client asks for. */
interface Place {
  readonly make: (fields: Json) => Json;
  /** The request with these fields at that place. */
  readonly ask: (fields: Json) => Json;
  /** Where they come out. */
  readonly out: readonly string[];
  /** What a later engine may have, and options of today that give an app more than it should have. */
  readonly refused: readonly string[];
  readonly passed?: readonly string[];
  readonly replaced?: readonly string[];
}

const onSwarm = (asked: Json) => service(asked, policy);
const onEngine = (asked: Json) => container(asked, { ...policy, engine: "docker" });
const ofService = (fields: Json) => ({ TaskTemplate: { ContainerSpec: { Image: image } }, ...fields });
const ofTask = (fields: Json) => ofService({ TaskTemplate: { ContainerSpec: { Image: image }, ...fields } });
const ofSpec = (fields: Json) => ofTask({ ContainerSpec: { Image: image, ...fields } });
const ofContainer = (fields: Json) => ({ Image: image, ...fields });
const ofHost = (fields: Json) => ofContainer({ HostConfig: fields });

const places: Readonly<Record<string, Place>> = {
  service: {
    ...{ make: onSwarm, ask: ofService, out: [] },
    refused: ["Unheard"],
    passed: ["Name"],
    replaced: ["UpdateConfig", "RollbackConfig"],
  },
  TaskTemplate: {
    ...{ make: onSwarm, ask: ofTask, out: ["TaskTemplate"] },
    refused: ["PluginSpec", "NetworkAttachmentSpec", "Unheard"],
    passed: ["RestartPolicy", "ForceUpdate"],
    replaced: ["Placement", "Runtime", "LogDriver"],
  },
  ContainerSpec: {
    ...{ make: onSwarm, ask: ofSpec, out: ["TaskTemplate", "ContainerSpec"] },
    refused: [
      ...["Groups", "Privileges", "TTY", "OpenStdin", "ReadOnly", "Healthcheck", "Hosts", "Secrets", "Configs"],
      ...["OomScoreAdj", "Sysctls", "CapabilityAdd", "CapabilityDrop", "Ulimits", "Unheard"],
    ],
    passed: ["Command", "Args", "Env", "Hostname", "User", "Dir", "StopGracePeriod", "StopSignal"],
    replaced: ["Init", "Isolation"],
  },
  DNSConfig: {
    ...{ make: onSwarm, ask: (fields) => ofSpec({ DNSConfig: fields }), out: [] },
    refused: ["Nameservers", "Search", "Options", "Unheard"],
  },
  Mode: {
    ...{ make: onSwarm, ask: (fields) => ofService({ Mode: fields }), out: [] },
    refused: ["Global", "ReplicatedJob", "GlobalJob", "Unheard"],
    replaced: ["Replicated"],
  },
  EndpointSpec: {
    ...{ make: onSwarm, ask: (fields) => ofService({ EndpointSpec: fields }), out: [] },
    refused: ["Ports", "Unheard"],
    replaced: ["Mode"],
  },
  Limits: {
    ...{ make: onSwarm, ask: (fields) => ofTask({ Resources: { Limits: fields } }), out: [] },
    refused: ["GenericResources", "Unheard"],
    replaced: ["Pids"],
  },
  Reservations: {
    ...{ make: onSwarm, ask: (fields) => ofTask({ Resources: { Reservations: fields } }), out: [] },
    refused: ["GenericResources", "Pids", "Unheard"],
  },
  container: {
    ...{ make: onEngine, ask: ofContainer, out: [] },
    refused: [
      ...["Domainname", "AttachStdin", "ExposedPorts", "Tty", "OpenStdin", "StdinOnce", "Healthcheck", "ArgsEscaped"],
      ...["Volumes", "NetworkDisabled", "MacAddress", "OnBuild", "Shell", "Unheard"],
    ],
    passed: ["Cmd", "Entrypoint", "Env", "Hostname", "User", "WorkingDir", "StopSignal", "StopTimeout"],
    replaced: ["AttachStdout", "AttachStderr"],
  },
  HostConfig: {
    ...{ make: onEngine, ask: ofHost, out: ["HostConfig"] },
    refused: [
      ...["CpuShares", "CgroupParent", "BlkioWeight", "CpuRealtimePeriod", "CpusetCpus", "DeviceCgroupRules"],
      ...["Devices", "DeviceRequests", "MemorySwap", "MemorySwappiness", "OomKillDisable", "PidsLimit", "Ulimits"],
      ...["PortBindings", "PublishAllPorts", "VolumeDriver", "VolumesFrom", "CapAdd", "CapDrop", "CgroupnsMode"],
      ...["Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "Cgroup", "Links", "OomScoreAdj"],
      ...["PidMode", "Privileged", "ReadonlyRootfs", "SecurityOpt", "StorageOpt", "Tmpfs", "UTSMode", "UsernsMode"],
      ...["Sysctls", "Runtime", "MaskedPaths", "ReadonlyPaths", "ContainerIDFile", "Unheard"],
    ],
    replaced: ["RestartPolicy", "AutoRemove", "Init", "ShmSize", "LogConfig", "CpuPeriod"],
  },
};
const fieldsOf = (which: "refused" | "passed" | "replaced"): [string, string][] =>
  Object.entries(places).flatMap(([at, place]) => (place[which] ?? []).map((field): [string, string] => [at, field]));
const placeOf = (at: string): Place => {
  const place = places[at];
  if (place === undefined) throw new Error(at);
  return place;
};

describe("a field", () => {
  test.each(fieldsOf("refused"))("%s.%s is refused, with its name", (at, field) => {
    const { make, ask } = placeOf(at);
    const wanted = { status: 403, message: `${at}.${field} is not allowed: apps are started without it` };
    for (const said of ["said", 1, true, ["said"], { said: true }])
      expect(refusal(() => make(ask({ [field]: said })))).toEqual(wanted);
  });

  test.each(fieldsOf("refused"))("%s.%s that says nothing is left out", (at, field) => {
    const { make, ask } = placeOf(at);
    for (const nothing of [null, false, 0, "", [], {}, [{ a: "" }], { a: [0, null] }])
      expect(make(ask({ [field]: nothing }))).toEqual(make(ask({})));
  });

  test.each(fieldsOf("passed"))("%s.%s is passed on unchanged, and left out where nothing is said", (at, field) => {
    const { make, ask, out } = placeOf(at);
    for (const said of [["said"], { said: { deep: 1 } }, 0, ""])
      expect(path(make(ask({ [field]: said })), [...out, field])).toEqual(said);
    if (field !== "Name") expect(path(make(ask({ [field]: null })), out)).toEqual(path(make(ask({})), out));
  });

  test.each(fieldsOf("replaced"))("%s.%s is taken, and changes nothing", (at, field) => {
    const { make, ask } = placeOf(at);
    expect(make(ask({ [field]: "said" }))).toEqual(make(ask({})));
  });

  test.each<[string, () => unknown]>([
    ["Labels", () => onSwarm(ofService({ Labels: "x" }))],
    ["Labels", () => onSwarm(ofSpec({ Labels: ["x"] }))],
    ["TaskTemplate", () => onSwarm({ TaskTemplate: 1 })],
    ["ContainerSpec", () => onSwarm(ofTask({ ContainerSpec: [] }))],
    ["DNSConfig", () => onSwarm(ofSpec({ DNSConfig: ["192.0.2.1"] }))],
    ["Mode", () => onSwarm(ofService({ Mode: "global" }))],
    ["EndpointSpec", () => onSwarm(ofService({ EndpointSpec: true }))],
    ["Networks", () => onSwarm(ofService({ Networks: ["host"] }))],
    ["Networks", () => onSwarm(ofTask({ Networks: ["host"] }))],
    ["Resources", () => onSwarm(ofTask({ Resources: "all" }))],
    ["Limits", () => onSwarm(ofTask({ Resources: { Limits: "none" } }))],
    ["Reservations", () => onSwarm(ofTask({ Resources: { Reservations: 1 } }))],
    ["Mounts", () => onSwarm(ofSpec({ Mounts: ["/:/host"] }))],
    ["HostConfig", () => onEngine(ofContainer({ HostConfig: [] }))],
    ["NetworkingConfig", () => onEngine(ofContainer({ NetworkingConfig: "host" }))],
    ["EndpointsConfig", () => onEngine(ofContainer({ NetworkingConfig: { EndpointsConfig: ["host"] } }))],
  ])("%s that is no object is refused, with its name", (at, call) => {
    expect(refusal(call)).toEqual({ status: 400, message: `${at} must be an object` });
  });

  test.each<[string, () => unknown]>([
    ["Networks", () => onSwarm(ofService({ Networks: { Target: "host" } }))],
    ["TaskTemplate.Networks", () => onSwarm(ofTask({ Networks: "host" }))],
    ["Mounts", () => onSwarm(ofSpec({ Mounts: { Type: "bind" } }))],
    ["Binds", () => onEngine(ofHost({ Binds: "/:/host" }))],
    ["Mounts", () => onEngine(ofHost({ Mounts: "/:/host" }))],
  ])("%s that is no list is refused, with its name", (at, call) => {
    expect(refusal(call)).toEqual({ status: 400, message: `${at} must be a list` });
  });
});

describe("an image", () => {
  test.each(policy.images)("%s of the list comes out", (listed) => {
    expect(app.image(listed, policy)).toBe(listed);
  });

  test.each([undefined, null, "", 1, ["example/demo:1"], "example/demo", "example/demo:11", "x/example/demo:1"])(
    "%j is refused, with the list",
    (other) => {
      const { status, message } = refusal(() => app.image(other, policy));
      expect(status).toBe(403);
      expect(message).toMatch(/^image .*is not one of the configured apps': example\/demo:1, example\/other:2$/);
    },
  );
});

describe("labels", () => {
  test("of the client stay, but none by which the platform or Docker knows its own", () => {
    const kept = { a: "b", "my.com.docker.x": "1", "x.platform-topologies.app": "other", "com.dockerish": "1" };
    const dropped = {
      "platform-topologies.app": "other",
      "platform-topologies.owner": "other",
      "com.docker.stack.namespace": "other",
    };
    expect(app.labels({ ...kept, ...dropped }, policy)).toEqual({ ...kept, "platform-topologies.app": "shiny" });
    expect(app.labels(null, policy)).toEqual({ "platform-topologies.app": "shiny" });
  });

  test.each<[unknown, boolean]>([
    [{ [appLabel]: "shiny" }, true],
    [{ [appLabel]: "shiny", a: "b" }, true],
    [{ [appLabel]: "other" }, false],
    [{ [appLabel]: "" }, false],
    [{}, false],
    [null, false],
    [undefined, false],
    [["shiny"], false],
    ["shiny", false],
  ])("%j: an app of this stack: %j", (labels, expected) => {
    expect(app.isApp(labels, policy)).toBe(expected);
  });
});

describe("a limit", () => {
  const most = 512 * mebibyte;
  test.each<[unknown, number]>([
    [1, 1],
    [most - 1, most - 1],
    [most, most],
    [most + 1, most],
    [9e15, most],
    [0, most],
    [-1, most],
    ["1", most],
    [null, most],
    [undefined, most],
  ])("of memory: %j becomes %j", (asked, expected) => {
    expect(app.memory(asked, policy)).toBe(expected);
  });

  test.each<[unknown, number]>([
    [1, 1],
    [1e9 - 1, 1e9 - 1],
    [1e9, 1e9],
    [1e9 + 1, 1e9],
    [0, 1e9],
    [-1, 1e9],
    ["1", 1e9],
    [null, 1e9],
    [undefined, 1e9],
  ])("of cores: %j becomes %j", (asked, expected) => {
    expect(app.nanoCpus(asked, policy)).toBe(expected);
  });

  test("of cores that is no whole number of Docker's unit is rounded", () => {
    expect(app.nanoCpus(undefined, { ...policy, cpu: 0.1 + 0.2 })).toBe(3e8);
  });

  // Docker has two ways to say it, and ShinyProxy uses the older one.
  test.each<[object, number]>([
    [{}, 1e9],
    [{ NanoCpus: 5e8 }, 5e8],
    [{ NanoCpus: 5e9 }, 1e9],
    [{ CpuQuota: 25_000 }, 2.5e8],
    [{ CpuQuota: 25_000, NanoCpus: 5e8 }, 2.5e8],
    [{ CpuQuota: 25_000, CpuPeriod: 50_000 }, 5e8],
    [{ CpuQuota: 25_000, CpuPeriod: 0 }, 2.5e8],
    [{ CpuQuota: 25_000, CpuPeriod: -1 }, 2.5e8],
    [{ CpuQuota: 25_000, CpuPeriod: "50000" }, 2.5e8],
    [{ CpuQuota: 900_000 }, 1e9],
    [{ CpuQuota: 0, NanoCpus: 5e8 }, 5e8],
    [{ CpuQuota: -1, NanoCpus: 5e8 }, 5e8],
    [{ CpuQuota: "25000", NanoCpus: 5e8 }, 5e8],
  ])("of a container's cores: %j becomes %j", (asked, expected) => {
    expect(path(onEngine(ofHost({ ...asked })), ["HostConfig", "NanoCpus"])).toBe(expected);
  });

  // A client that reserves nothing may say so. The swarm would else keep a whole app's memory free for each.
  test.each<[unknown, number | undefined]>([
    [undefined, undefined],
    [null, undefined],
    [0, undefined],
    [-1, undefined],
    ["5", undefined],
    [1, 1],
    [100, 100],
    [101, 100],
  ])("of 100 bounds what is reserved: %j becomes %j", (asked, expected) => {
    const made = onSwarm(
      ofTask({
        Resources: {
          Limits: { MemoryBytes: 100, NanoCPUs: 100 },
          Reservations: { MemoryBytes: asked, NanoCPUs: asked },
        },
      }),
    );
    expect(path(made, ["TaskTemplate", "Resources", "Reservations"])).toEqual(
      expected === undefined ? {} : { MemoryBytes: expected, NanoCPUs: expected },
    );
    const alone = onEngine(ofHost({ Memory: 100, MemoryReservation: asked }));
    expect(path(alone, ["HostConfig", "MemoryReservation"])).toBe(expected);
  });
});

describe("a network", () => {
  test.each([undefined, "", "default", "shiny-apps"])("%j is the apps' own", (name) => {
    expect(() => {
      app.networks([name, "shiny-apps"], policy);
    }).not.toThrow();
  });

  test.each(["host", "bridge", "none", "container:db", "shiny-apps2", "shiny"])("%j is refused", (name) => {
    expect(
      refusal(() => {
        app.networks(["shiny-apps", name], policy);
      }),
    ).toEqual({ status: 403, message: `network ${name} is not the apps' own, shiny-apps` });
  });

  test("is the apps' own wherever Docker has a place for one", () => {
    const own = [{ Target: "shiny-apps" }];
    for (const made of [onSwarm(ofService({ Networks: own })), onSwarm(ofTask({ Networks: own }))]) {
      expect(path(made, ["TaskTemplate", "Networks"])).toEqual(own);
      expect(made.Networks).toBeUndefined();
    }
    const made = onEngine(
      ofContainer({
        HostConfig: { NetworkMode: "default" },
        NetworkingConfig: { EndpointsConfig: { "shiny-apps": { Aliases: ["db"] } } },
      }),
    );
    expect(path(made, ["HostConfig", "NetworkMode"])).toBe("shiny-apps");
    expect(made.NetworkingConfig).toBeUndefined();
  });
});

describe("a mount", () => {
  test.each<[object, object]>([
    [
      { Type: "volume", Source: "models", Target: "/m", ReadOnly: true },
      { Type: "volume", Source: "models", Target: "/m", ReadOnly: true },
    ],
    [
      { Type: "volume", Source: "models", Target: "/m", ReadOnly: "true" },
      { Type: "volume", Source: "models", Target: "/m", ReadOnly: false },
    ],
    [
      { Type: "bind", Source: "reports", Target: "/r", BindOptions: { Propagation: "shared" } },
      { Type: "volume", Source: "reports", Target: "/r", ReadOnly: false },
    ],
    [
      {
        Type: "volume",
        Source: "reports",
        Target: "/r",
        VolumeOptions: { DriverConfig: { Options: { device: "/" } } },
      },
      { Type: "volume", Source: "reports", Target: "/r", ReadOnly: false },
    ],
    [
      { Type: "tmpfs", Target: "/tmp", TmpfsOptions: { SizeBytes: 9e12 } },
      { Type: "tmpfs", Target: "/tmp" },
    ],
  ])("%j becomes %j", (asked, expected) => {
    expect(app.mounts([asked], policy)).toEqual([expected]);
  });

  test.each<[object, string]>([
    [{ Type: "volume", Source: "db" }, "db"],
    [{ Type: "volume" }, ""],
    [{ Type: "bind", Source: "/" }, "/"],
    [{ Type: "bind", Source: "reports/" }, "reports/"],
    [{ Type: "bind", Source: "" }, ""],
    // A path shows the host's files, even if somebody has listed it.
    [{ Type: "bind", Source: "/srv/listed" }, "/srv/listed"],
    [{ Type: "tmpfs", Source: "reports" }, "reports"],
    [{ Type: "npipe", Source: "reports" }, "reports"],
    [{ Type: "cluster", Source: "reports" }, "reports"],
    [{ Type: "image", Source: "reports" }, "reports"],
    [{ Source: "reports" }, "reports"],
    [{}, ""],
  ])("%j is refused", (asked, source) => {
    const mount = { Target: "/x", ...asked };
    expect(refusal(() => app.mounts([mount], policy))).toEqual({
      status: 403,
      message: `mount ${source} is not allowed: volumes are reports, models, /srv/listed`,
    });
    expect(refusal(() => app.mounts([mount], { ...policy, volumes: [] })).message).toBe(
      `mount ${source} is not allowed: apps have no volumes`,
    );
  });

  test.each([undefined, "", "x", "./x", 1])("to %j, which is no absolute path, is refused", (target) => {
    for (const mount of [
      { Type: "volume", Source: "reports", Target: target },
      { Type: "tmpfs", Target: target },
    ])
      expect(refusal(() => app.mounts([mount], policy))).toEqual({
        status: 400,
        message: "a mount needs an absolute target",
      });
  });

  test.each<[string, boolean]>([
    ["reports:/r", false],
    ["reports:/r:ro", true],
    ["reports:/r:rw", false],
    ["reports:/r:z,ro", true],
    ["reports:/r:nocopy", false],
  ])("in its short form %s is read only: %j", (bind, ReadOnly) => {
    const made = onEngine(ofHost({ Binds: [bind], Mounts: [{ Type: "tmpfs", Target: "/t" }] }));
    expect(path(made, ["HostConfig", "Mounts"])).toEqual([
      { Type: "volume", Source: "reports", Target: "/r", ReadOnly },
      { Type: "tmpfs", Target: "/t" },
    ]);
  });

  test.each([["reports"], ["/"], [""], [1], [null], [{ Source: "/" }]])("in its short form %j is refused", (bind) => {
    expect(refusal(() => onEngine(ofHost({ Binds: [bind] })))).toEqual({
      status: 400,
      message: "a bind is source:target",
    });
  });

  test("of another place leaves an app its shared memory", () => {
    const asked = ofSpec({ Mounts: [{ Type: "volume", Source: "reports", Target: "/r" }] });
    const made = service(asked, { ...policy, shmMib: { [image]: 64 } });
    expect(path(made, ["TaskTemplate", "ContainerSpec", "Mounts"])).toEqual([
      { Type: "volume", Source: "reports", Target: "/r", ReadOnly: false },
      { Type: "tmpfs", Target: "/dev/shm", TmpfsOptions: { SizeBytes: 64 * mebibyte } },
    ]);
  });
});

describe("read", () => {
  const streams = ["/_ping", "/version", "/info", "/events", "/containers/c1/stats"];
  const filtered = [
    ...["/containers/json", "/services", "/tasks", "/nodes", "/networks", "/containers/c-1.a_b/json"],
    ...["/services/s1", "/tasks/t1", "/nodes/n1", "/networks/n1"],
  ];
  test.each([...streams.map((at) => [at, "stream"]), ...filtered.map((at) => [at, "json"])])(
    "%s comes as %s, and nothing before or behind it",
    (at, how) => {
      for (const method of ["GET", "HEAD"]) expect(readableAs(method, at)).toBe(how);
      for (const other of [`/x${at}`, `${at}/x/x`, `${at}/`, ...(at.endsWith("1") ? [] : [`${at}x`])])
        expect(refusal(() => readableAs("GET", other))).toEqual({
          status: 403,
          message: `GET ${other} is not allowed: it reads containers, services, tasks, nodes, networks and events`,
        });
      for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", ""])
        expect(refusal(() => readableAs(method, at))).toEqual({
          status: 403,
          message: `${method} ${at} is not allowed: this proxy only reads`,
        });
    },
  );

  test.each(["/secrets", "/configs", "/swarm", "/volumes", "/images/json", "/containers/-c/json", "/services/.."])(
    "%s is refused",
    (at) => {
      expect(refusal(() => readableAs("GET", at)).status).toBe(403);
    },
  );

  test("shows names of the environment, and all else as it is", () => {
    const args = { Cmd: ["--user=jane", "a=b=c"], Env: "A=b", Labels: { env: "A=b" }, Count: 1, None: null };
    expect(withoutValues(args)).toEqual(args);
    expect(withoutValues([{ deep: { Env: ["A=secret=more", "B=", "C", 5], Args: ["x=y"] } }])).toEqual([
      { deep: { Env: ["A=", "B=", "C=", "5="], Args: ["x=y"] } },
    ]);
  });
});

describe("JSON of unknown shape", () => {
  const values = [undefined, null, false, true, 0, 1, "", "a", [], ["a"], {}, { a: 1 }] as const;
  const those = (passes: (value: unknown) => boolean) => values.filter((value) => passes(value));

  test("is an object, a list or a text, or refused by its name; nothing is an empty one", () => {
    expect(those(isObject)).toEqual([{}, { a: 1 }]);
    for (const nothing of [undefined, null]) {
      expect(object(nothing, "it")).toEqual({});
      expect(list(nothing, "it")).toEqual([]);
    }
    expect(object({ a: 1 }, "it")).toEqual({ a: 1 });
    expect(list(["a"], "it")).toEqual(["a"]);
    for (const other of [false, 0, "", "a", ["a"]])
      expect(refusal(() => object(other, "it"))).toEqual({ status: 400, message: "it must be an object" });
    for (const other of [false, 0, "", "a", { a: 1 }])
      expect(refusal(() => list(other, "it"))).toEqual({ status: 400, message: "it must be a list" });
    expect(values.map(text).filter((found) => found !== undefined)).toEqual(["", "a"]);
  });

  test("says nothing where a client writes an option that it does not use", () => {
    expect(those(empty)).toEqual([undefined, null, false, 0, "", [], {}]);
    expect(empty([[], {}, { a: [null, { b: "" }] }])).toBe(true);
    expect(empty([[], { a: [null, { b: "x" }] }])).toBe(false);
  });

  test("is read up to its limit, whatever the pieces, and not a byte further", async () => {
    const sent = (...parts: string[]) => {
      const message = new IncomingMessage(new Socket());
      for (const part of [...parts, null]) message.push(part);
      return message;
    };
    expect(await whole(sent("abc", "de"), 5)).toBe("abcde");
    await expect(whole(sent("abc", "def"), 5)).rejects.toMatchObject({
      status: 413,
      message: "the body is too large",
    });
  });
});

describe("a policy", () => {
  const smallest = {
    ...{ may: "run-apps", engine: "docker", stack: "s", network: "n", images: ["i"], constraints: [] },
    ...{ memoryMib: 16, cpu: 0.01, shmMib: { i: 1 }, volumes: [] },
  };
  const largest = {
    ...{ may: "run-apps", engine: "swarm", stack: "shiny", network: "shiny-apps", images: [], constraints: ["a==b"] },
    ...{ memoryMib: 1 << 20, cpu: 64.5, shmMib: {}, volumes: ["reports"] },
  };
  test.each<[object]>([[{ may: "read" }], [smallest], [largest]])("%j is one", (given) => {
    expect(policySchema.parse(given)).toEqual(given);
  });

  test.each<[string, object]>([
    ["may", {}],
    ["may", { ...largest, may: "all" }],
    ["", { may: "read", stack: "s" }],
    ["", { ...largest, privileged: true }],
    ["engine", { ...largest, engine: "podman" }],
    ["engine", { ...largest, engine: "" }],
    ["stack", { ...largest, stack: "" }],
    ["network", { ...largest, network: "" }],
    ["images.0", { ...largest, images: [""] }],
    ["memoryMib", { ...largest, memoryMib: 15 }],
    ["memoryMib", { ...largest, memoryMib: 16.5 }],
    ["cpu", { ...largest, cpu: 0.009 }],
    ["shmMib.i", { ...largest, shmMib: { i: 0 } }],
    ["constraints", { ...largest, constraints: undefined }],
    ["volumes", { ...largest, volumes: undefined }],
  ])("is refused at %j: %j", (at, given) => {
    expect(policySchema.safeParse(given).error?.issues.map((issue) => issue.path.join("."))).toEqual([at]);
  });
});
