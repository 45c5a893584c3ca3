/** The Docker API proxy before a fake engine: every rule of both policies. */
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import { container } from "../../docker-proxy/container.ts";
import { Engine } from "../../docker-proxy/engine.ts";
import { appLabel, type AppsPolicy, type Policy } from "../../docker-proxy/policy.ts";
import { proxy } from "../../docker-proxy/server.ts";
import { service } from "../../docker-proxy/service.ts";

const policy: AppsPolicy = {
  may: "run-apps",
  engine: "swarm",
  stack: "shiny",
  network: "shiny-apps",
  images: ["example/demo:1"],
  constraints: ["node.role==worker"],
  memoryMib: 512,
  cpu: 1,
  shmMib: {},
  volumes: ["reports"],
};
const onDocker: AppsPolicy = { ...policy, engine: "docker" };
const mine = { [appLabel]: "shiny" };
const theirs = { [appLabel]: "other" };

/** What the proxy says in its own log. */
const said: string[] = [];
const write = process.stdout.write.bind(process.stdout);
beforeEach(() => {
  process.stdout.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
});
const ends: (() => void)[] = [];
afterEach(() => {
  process.stdout.write = write;
  said.splice(0);
  for (const end of ends.splice(0)) end();
});

interface Seen {
  method: string;
  url: string;
  body: string;
  headers: http.IncomingHttpHeaders;
}
/** An answer that a table of bodies cannot give. */
type Engines = (response: http.ServerResponse) => void;

/** An engine that answers from a table of paths, and a proxy before it. */
async function given(
  by: Policy,
  answers: Record<string, unknown> = {},
): Promise<{ seen: Seen[]; port: number; ask: Ask }> {
  const folder = mkdtempSync(join(tmpdir(), "docker-proxy-"));
  const seen: Seen[] = [];
  const engine = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, body, headers });
      const path = url.replace(/^\/v\d+\.\d+/, "").replace(/\?.*/, "");
      const found = answers[path] ?? answers[`${method} ${path}`];
      if (typeof found === "function") (found as Engines)(response);
      else
        response
          .writeHead(found === undefined ? 404 : 200)
          .end(typeof found === "string" ? found : JSON.stringify(found ?? { message: "no such thing" }));
    });
  });
  const socket = join(folder, "docker.sock");
  await new Promise<void>((resolve) => engine.listen(socket, resolve));
  const server = proxy(by, new Engine(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
    engine.close();
    rmSync(folder, { recursive: true });
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const ask: Ask = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = answer.headers.get("content-type") === "application/json" || /^[[{]/.test(text);
    return { status: answer.status, body: text === "" ? undefined : json ? (JSON.parse(text) as unknown) : text };
  };
  return { seen, port, ask };
}
type Ask = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;

describe("a swarm's service", () => {
  /** What ShinyProxy sends, with the client's empty values. */
  const asked = {
    Name: "sp-service-1-0",
    Labels: null,
    Networks: [{ Target: "shiny-apps" }],
    TaskTemplate: {
      ContainerSpec: {
        Image: "example/demo:1",
        Labels: { "openanalytics.eu/sp-proxy-id": "1" },
        Command: ["R", "-e", "app()"],
        Env: ["SHINYPROXY_USERNAME=jane"],
        DNSConfig: { Nameservers: null },
        Mounts: null,
        Secrets: [],
      },
      Resources: { Limits: { MemoryBytes: 128 * 1024 * 1024 }, Reservations: {} },
    },
  };

  test("comes out on the apps' nodes and network, limited and labelled", () => {
    expect(service(asked, policy)).toEqual({
      Name: "sp-service-1-0",
      Labels: mine,
      TaskTemplate: {
        ContainerSpec: {
          Image: "example/demo:1",
          Labels: { ...mine, "openanalytics.eu/sp-proxy-id": "1" },
          Command: ["R", "-e", "app()"],
          Env: ["SHINYPROXY_USERNAME=jane"],
          Mounts: [],
          Init: true,
        },
        Resources: { Limits: { NanoCPUs: 1e9, MemoryBytes: 128 * 1024 * 1024, Pids: 1024 }, Reservations: {} },
        LogDriver: { Name: "json-file", Options: { "max-size": "10m", "max-file": "3" } },
        Placement: { Constraints: ["node.role==worker"] },
        Networks: [{ Target: "shiny-apps" }],
      },
      Mode: { Replicated: { Replicas: 1 } },
      EndpointSpec: { Mode: "dnsrr" },
    });
  });

  const withTask = (more: object) => ({ ...asked, TaskTemplate: { ...asked.TaskTemplate, ...more } });
  const withSpec = (more: object) => withTask({ ContainerSpec: { ...asked.TaskTemplate.ContainerSpec, ...more } });

  test("whatever placement, size or count is asked", () => {
    const made = service(
      {
        ...withTask({
          Placement: { Constraints: ["node.role==manager"], Platforms: [] },
          Resources: { Limits: { MemoryBytes: 64e9, NanoCPUs: 64e9 }, Reservations: { MemoryBytes: 64e9 } },
        }),
        Labels: { [appLabel]: "other", "com.docker.stack.namespace": "x" },
        Mode: { Replicated: { Replicas: 50 } },
      },
      policy,
    );
    const most = { NanoCPUs: 1e9, MemoryBytes: 512 * 1024 * 1024 };
    expect(made).toMatchObject({
      Labels: mine,
      TaskTemplate: {
        Placement: { Constraints: ["node.role==worker"] },
        Resources: { Limits: most, Reservations: { MemoryBytes: most.MemoryBytes } },
      },
      Mode: { Replicated: { Replicas: 1 } },
    });
    expect(made.Labels).toEqual(mine);
  });

  test.each<[string, object, string]>([
    [
      "another image",
      withSpec({ Image: "busybox" }),
      "image busybox is not one of the configured apps': example/demo:1",
    ],
    [
      "the host's files",
      withSpec({ Mounts: [{ Type: "bind", Source: "/", Target: "/host" }] }),
      "mount / is not allowed: volumes are reports",
    ],
    [
      "a volume that is not listed",
      withSpec({ Mounts: [{ Type: "volume", Source: "db", Target: "/db" }] }),
      "mount db is not allowed: volumes are reports",
    ],
    [
      "a volume with a driver's options",
      withSpec({ Mounts: [{ Type: "npipe", Source: "reports", Target: "/x" }] }),
      "mount reports is not allowed: volumes are reports",
    ],
    [
      "capabilities",
      withSpec({ CapabilityAdd: ["SYS_ADMIN"] }),
      "ContainerSpec.CapabilityAdd is not allowed: apps are started without it",
    ],
    [
      "privileges",
      withSpec({ Privileges: { SELinuxContext: { Disable: true } } }),
      "ContainerSpec.Privileges is not allowed: apps are started without it",
    ],
    [
      "a secret",
      withSpec({ Secrets: [{ SecretID: "1" }] }),
      "ContainerSpec.Secrets is not allowed: apps are started without it",
    ],
    [
      "a config",
      withSpec({ Configs: [{ ConfigID: "1" }] }),
      "ContainerSpec.Configs is not allowed: apps are started without it",
    ],
    [
      "a name server",
      withSpec({ DNSConfig: { Nameservers: ["192.0.2.1"] } }),
      "DNSConfig.Nameservers is not allowed: apps are started without it",
    ],
    [
      "the host's network",
      { ...asked, Networks: [{ Target: "host" }] },
      "network host is not the apps' own, shiny-apps",
    ],
    [
      "the data network beside",
      withTask({ Networks: [{ Target: "shiny-apps" }, { Target: "shiny-data" }] }),
      "network shiny-data is not the apps' own, shiny-apps",
    ],
    [
      "a published port",
      { ...asked, EndpointSpec: { Ports: [{ TargetPort: 80 }] } },
      "EndpointSpec.Ports is not allowed: apps are started without it",
    ],
    [
      "one on each node",
      { ...asked, Mode: { Global: { x: 1 } } },
      "Mode.Global is not allowed: apps are started without it",
    ],
    [
      "a plugin",
      withTask({ PluginSpec: { Name: "x" } }),
      "TaskTemplate.PluginSpec is not allowed: apps are started without it",
    ],
  ])("%s is refused", (_, wrong, message) => {
    expect(() => service({ ...wrong }, policy)).toThrow(message);
  });
});

describe("a container", () => {
  const asked = {
    Image: "example/demo:1",
    Cmd: null,
    ExposedPorts: {},
    Env: ["A=b"],
    Labels: { x: "y" },
    HostConfig: {
      Memory: 128 * 1024 * 1024,
      CpuPeriod: 100000,
      CpuQuota: 50000,
      NetworkMode: "shiny-apps",
      Privileged: false,
      PortBindings: {},
    },
  };
  const withHost = (more: object) => ({ ...asked, HostConfig: { ...asked.HostConfig, ...more } });

  test("comes out on the apps' network, limited, labelled, without new privileges", () => {
    expect(container(asked, onDocker)).toEqual({
      Image: "example/demo:1",
      Env: ["A=b"],
      Labels: { ...mine, x: "y" },
      HostConfig: {
        Memory: 128 * 1024 * 1024,
        MemorySwap: 128 * 1024 * 1024,
        NanoCpus: 5e8,
        PidsLimit: 1024,
        NetworkMode: "shiny-apps",
        Mounts: [],
        SecurityOpt: ["no-new-privileges:true"],
        Init: true,
        LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      },
    });
  });

  test("at most the policy's size, and never none; a listed volume is mounted", () => {
    const made = container({ ...asked, HostConfig: { Memory: 64e9, Binds: ["reports:/reports:ro"] } }, onDocker);
    expect(made.HostConfig).toMatchObject({
      Memory: 512 * 1024 * 1024,
      NanoCpus: 1e9,
      NetworkMode: "shiny-apps",
      Mounts: [{ Type: "volume", Source: "reports", Target: "/reports", ReadOnly: true }],
    });
  });

  test.each<[string, object, string]>([
    ["privileged", withHost({ Privileged: true }), "HostConfig.Privileged is not allowed"],
    ["capabilities", withHost({ CapAdd: ["ALL"] }), "HostConfig.CapAdd is not allowed"],
    ["a device", withHost({ Devices: [{ PathOnHost: "/dev/sda" }] }), "HostConfig.Devices is not allowed"],
    ["a GPU", withHost({ DeviceRequests: [{ Count: -1 }] }), "HostConfig.DeviceRequests is not allowed"],
    ["the host's processes", withHost({ PidMode: "host" }), "HostConfig.PidMode is not allowed"],
    ["the host's IPC", withHost({ IpcMode: "host" }), "HostConfig.IpcMode is not allowed"],
    ["the host's users", withHost({ UsernsMode: "host" }), "HostConfig.UsernsMode is not allowed"],
    ["no seccomp", withHost({ SecurityOpt: ["seccomp=unconfined"] }), "HostConfig.SecurityOpt is not allowed"],
    ["another container's volumes", withHost({ VolumesFrom: ["db"] }), "HostConfig.VolumesFrom is not allowed"],
    ["another runtime", withHost({ Runtime: "other" }), "HostConfig.Runtime is not allowed"],
    ["another cgroup", withHost({ CgroupParent: "/" }), "HostConfig.CgroupParent is not allowed"],
    ["a sysctl", withHost({ Sysctls: { "net.ipv4.ip_forward": "1" } }), "HostConfig.Sysctls is not allowed"],
    [
      "a published port",
      withHost({ PortBindings: { "80/tcp": [{ HostPort: "80" }] } }),
      "HostConfig.PortBindings is not allowed",
    ],
    ["the socket", withHost({ Binds: ["/var/run/docker.sock:/s"] }), "mount /var/run/docker.sock is not allowed"],
    [
      "a mount of the host",
      withHost({ Mounts: [{ Type: "bind", Source: "/etc", Target: "/x" }] }),
      "mount /etc is not allowed",
    ],
    ["the host's network", withHost({ NetworkMode: "host" }), "network host is not the apps' own"],
    [
      "another container's network",
      withHost({ NetworkMode: "container:db" }),
      "network container:db is not the apps' own",
    ],
    [
      "a second network",
      { ...asked, NetworkingConfig: { EndpointsConfig: { data: {} } } },
      "network data is not the apps' own",
    ],
    ["another image", { ...asked, Image: "busybox" }, "image busybox is not one"],
    [
      "an anonymous volume",
      { ...asked, Volumes: { "/x": {} }, MacAddress: "02:00" },
      "container.MacAddress is not allowed",
    ],
  ])("%s is refused", (_, wrong, message) => {
    expect(() => container({ ...wrong }, onDocker)).toThrow(message);
  });
});

describe("run-apps on a swarm", () => {
  const services = [
    { ID: "s1", Spec: { Name: "one", Labels: mine } },
    { ID: "s2", Spec: { Name: "two", Labels: theirs } },
    { ID: "s3", Spec: { Name: "three" } },
  ];
  const task = (id: string, labels: object) => ({ ID: id, Spec: { ContainerSpec: { Labels: labels } } });
  const answers = {
    "/services": services,
    "/services/s1": services[0],
    "/services/s2": services[1],
    "/services/s1/update": {},
    "/tasks": [task("t1", mine), task("t2", theirs)],
    "/tasks/t1": task("t1", mine),
    "/tasks/t2": task("t2", theirs),
    "/swarm": { ID: "swarm", JoinTokens: { Worker: "SWMTKN-1", Manager: "SWMTKN-2" } },
    "/services/create": { ID: "s4" },
  };

  test("sees its own services and tasks, and the swarm without its tokens", async () => {
    const { ask } = await given(policy, answers);
    expect((await ask("GET", "/v1.41/services")).body).toEqual([services[0]]);
    expect((await ask("GET", "/tasks?filters=%7B%7D")).body).toEqual([task("t1", mine)]);
    expect((await ask("GET", "/services/s1")).status).toBe(200);
    expect((await ask("GET", "/services/s2")).status).toBe(404);
    expect((await ask("GET", "/tasks/t2")).status).toBe(404);
    expect((await ask("GET", "/swarm")).body).toEqual({ ID: "swarm", JoinTokens: { Worker: "", Manager: "" } });
  });

  test("creates and updates the rewritten service, and removes its own alone", async () => {
    const { ask, seen } = await given(policy, answers);
    const body = {
      Name: "x",
      TaskTemplate: { ContainerSpec: { Image: "example/demo:1" }, Placement: { Constraints: ["node.role==manager"] } },
    };
    expect(await ask("POST", "/v1.41/services/create", body)).toMatchObject({ status: 200, body: { ID: "s4" } });
    expect(JSON.parse(seen[0]?.body ?? "")).toMatchObject({
      Labels: mine,
      TaskTemplate: { Placement: { Constraints: ["node.role==worker"] } },
    });
    expect((await ask("POST", "/services/s1/update?version=7&rollback=previous", body)).status).toBe(200);
    expect(seen.at(-1)).toMatchObject({ url: "/services/s1/update?version=7" });
    expect(JSON.parse(seen.at(-1)?.body ?? "")).toMatchObject({
      TaskTemplate: { Placement: { Constraints: ["node.role==worker"] } },
    });
    const before = seen.length;
    expect((await ask("DELETE", "/services/s2")).status).toBe(404);
    expect((await ask("POST", "/services/s2/update?version=1", body)).status).toBe(404);
    expect(seen.slice(before).map(({ method }) => method)).toEqual(["GET", "GET"]);
  });

  test("what is not there, has no id or is another's is no app's", async () => {
    const { ask, seen } = await given(policy, {
      ...answers,
      "/services/anonymous": { Spec: { Labels: mine } },
      "/services/late": (response: http.ServerResponse) => {
        response.writeHead(500).end(JSON.stringify({ ID: "late", Spec: { Labels: mine } }));
      },
      "/services/list": [],
      "/services/odd": (response: http.ServerResponse) => response.end("no JSON"),
      "/tasks/bare": {},
      "/tasks/list": [],
      "/tasks/said": { message: "a task in words", Spec: { ContainerSpec: { Labels: theirs } } },
    });
    for (const ref of ["none", "anonymous", "late", "list", "odd", "s2"]) {
      const wanted = { status: 404, body: { message: `no such service of an app: ${ref}` } };
      expect(await ask("GET", `/services/${ref}`)).toEqual(wanted);
      expect(await ask("GET", `/services/${ref}/logs`)).toEqual(wanted);
      expect(await ask("DELETE", `/services/${ref}`)).toEqual(wanted);
    }
    for (const ref of ["bare", "list", "said", "t2"])
      expect(await ask("GET", `/tasks/${ref}`)).toEqual({ status: 404, body: { message: "no such task of an app" } });
    expect(await ask("GET", "/tasks/t1")).toEqual({ status: 200, body: task("t1", mine) });
    expect(new Set(seen.map(({ method }) => method))).toEqual(new Set(["GET"]));
  });

  test("an entry of odd shape is refused by the name of what is odd", async () => {
    const { ask } = await given(policy, {
      "/services": [{ ID: "s", Spec: "mine" }],
      "/services/s": { ID: "s", Spec: [] },
      "/tasks": [{ ID: "t", Spec: { ContainerSpec: "mine" } }],
      "/tasks/t": { ID: "t", Spec: "mine" },
      "/swarm": "[]",
    });
    for (const [path, at] of [
      ["/services", "Spec"],
      ["/services/s", "Spec"],
      ["/tasks", "ContainerSpec"],
      ["/tasks/t", "Spec"],
      ["/swarm", "swarm"],
    ] as const)
      expect(await ask("GET", path)).toEqual({ status: 400, body: { message: `${at} must be an object` } });
    const other = await given(policy, { "/services": {}, "/tasks": {}, "/containers/json": {} });
    for (const [path, at] of [
      ["/services", "services"],
      ["/tasks", "tasks"],
      ["/containers/json", "containers"],
    ] as const)
      expect(await other.ask("GET", path)).toEqual({ status: 400, body: { message: `${at} must be a list` } });
  });

  test("the engine's own refusals come as they are", async () => {
    const { ask } = await given(policy, {});
    for (const path of ["/services", "/tasks", "/tasks/t1", "/swarm", "/info"])
      expect(await ask("GET", path)).toEqual({ status: 404, body: { message: "no such thing" } });
  });

  test("a service's logs are its own alone, with what the client asks of them", async () => {
    const { ask, seen } = await given(policy, { ...answers, "/services/s1/logs": "line" });
    expect(await ask("GET", "/v1.41/services/s1/logs?stdout=1&tail=9")).toEqual({ status: 200, body: "line" });
    expect(seen.at(-1)?.url).toBe("/v1.41/services/s1/logs?stdout=1&tail=9");
    expect((await ask("POST", "/services/s1/update", { TaskTemplate: "x" })).status).toBe(400);
  });

  test.each([
    ["GET", "/secrets"],
    ["GET", "/configs"],
    ["GET", "/nodes"],
    ["POST", "/swarm/leave"],
    ["POST", "/swarm/update"],
    ["GET", "/swarm/unlockkey"],
    ["POST", "/nodes/n1/update"],
    ["POST", "/containers/create"],
    ["POST", "/containers/c1/exec"],
    ["POST", "/containers/c1/attach"],
    ["PUT", "/containers/c1/archive"],
    ["POST", "/build"],
    ["POST", "/volumes/create"],
    ["GET", "/images/json"],
    ["POST", "/session"],
    ["GET", "/"],
  ])("%s %s is refused, and nothing reaches the engine", async (method, path) => {
    const { ask, seen } = await given(policy, answers);
    const { status, body } = await ask(method, path, method === "GET" ? undefined : {});
    expect({ status, body }).toEqual({
      status: 403,
      body: { message: `${method} ${path} is not allowed: this proxy runs users' apps and nothing else` },
    });
    expect(seen).toEqual([]);
  });

  test.each([
    ...["/services/s1%2f..%2fs2", "//services/s2", "//", "/services//s1", "/services/../secrets", "/services/./s1"],
    ...["/%5fping", "/_ping\\", "http://docker/_ping", "*", "/_ping#x"],
  ])("a path that an engine might read otherwise: %s", async (path) => {
    for (const by of [policy, onDocker, { may: "read" } as const]) {
      const { port, seen } = await given(by, answers);
      const answer = await raw(port, `GET ${path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 400 [^]*\{"message":"not a plain path"\}/);
      expect(seen).toEqual([]);
    }
  });

  test("a connection is not handed over", async () => {
    const { port, seen } = await given(policy, answers);
    const answer = await raw(
      port,
      "POST /containers/c1/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1.1 403/);
    expect(seen).toEqual([]);
  });
});

describe("run-apps on one engine", () => {
  const answers = {
    "/containers/json": [{ Id: "c1", Labels: mine }, { Id: "c2", Labels: theirs }, { Id: "c3" }],
    "/containers/c1/json": { Id: "c1-full", Config: { Labels: mine, Hostname: "c1" } },
    "/containers/c1-full/json": { Id: "c1-full", Config: { Labels: mine, Hostname: "c1" } },
    "/containers/db/json": { Id: "db-full", Config: { Labels: {} } },
    "/containers/create": { Id: "c4" },
    "/containers/c1-full/start": "",
    "/networks/shiny-apps/disconnect": "",
    "DELETE /containers/c1-full": "",
    "/images/example/demo:1/json": { Id: "i1" },
    "/images/create": "",
  };

  test("an app's life", async () => {
    const { ask, seen } = await given(onDocker, answers);
    expect((await ask("GET", "/images/example/demo:1/json")).status).toBe(200);
    expect((await ask("POST", "/images/create?fromImage=example%2Fdemo&tag=1")).status).toBe(200);
    expect(seen.at(-1)?.url).toBe("/images/create?fromImage=example%2Fdemo%3A1");
    expect((await ask("POST", "/containers/create?name=sp-1&platform=x", { Image: "example/demo:1" })).status).toBe(
      200,
    );
    expect(seen.at(-1)?.url).toBe("/containers/create?name=sp-1");
    expect((await ask("POST", "/containers/c1/start")).status).toBe(200);
    expect(seen.at(-1)?.url).toBe("/containers/c1-full/start");
    expect((await ask("GET", "/containers/c1/json")).body).toMatchObject({ Config: { Hostname: "c1" } });
    expect((await ask("GET", "/containers/json?all=1")).body).toEqual([{ Id: "c1", Labels: mine }]);
    expect((await ask("POST", "/networks/shiny-apps/disconnect", { Container: "c1" })).status).toBe(200);
    expect((await ask("DELETE", "/containers/c1?force=1")).status).toBe(200);
    expect(seen.at(-1)?.url).toBe("/containers/c1-full?force=1");
  });

  test.each(["start", "stop", "kill", "wait"])("an app can be asked to %s, a container of others not", async (verb) => {
    const { ask, seen } = await given(onDocker, { ...answers, [`/containers/c1-full/${verb}`]: { StatusCode: 0 } });
    expect(await ask("POST", `/v1.41/containers/c1/${verb}?t=5`)).toEqual({ status: 200, body: { StatusCode: 0 } });
    expect(seen.map(({ method, url }) => [method, url])).toEqual([
      ["GET", "/containers/c1/json"],
      ["POST", `/v1.41/containers/c1-full/${verb}?t=5`],
    ]);
    for (const ref of ["db", "none"])
      expect(await ask("POST", `/containers/${ref}/${verb}`)).toEqual({
        status: 404,
        body: { message: `no such container of an app: ${ref}` },
      });
    expect(seen.filter(({ method }) => method !== "GET")).toHaveLength(1);
  });

  test("an app leaves its network with a container's full id, and nothing else of what is asked", async () => {
    const { ask, seen } = await given(onDocker, answers);
    for (const [Force, sent] of [
      [true, true],
      [undefined, false],
      ["true", false],
    ])
      expect(
        JSON.parse(
          (await ask("POST", "/networks/shiny-apps/disconnect", { Container: "c1", Force, More: 1 }),
          seen.at(-1)?.body ?? ""),
        ),
      ).toEqual({ Container: "c1-full", Force: sent });
    const { status } = await ask("POST", "/networks/shiny-apps/disconnect", {});
    expect(status).toBe(404);
    expect(await ask("POST", "/networks/shiny-apps/disconnect", ["c1"])).toEqual({
      status: 400,
      body: { message: "the body must be an object" },
    });
  });

  test("logs are an app's own, with what the client asks of them", async () => {
    const { ask, seen } = await given(onDocker, { ...answers, "/containers/c1-full/logs": "line" });
    expect(await ask("GET", "/containers/c1/logs?stderr=1")).toEqual({ status: 200, body: "line" });
    expect(seen.at(-1)?.url).toBe("/containers/c1-full/logs?stderr=1");
  });

  test.each<[string, string | undefined]>([
    ["fromImage=example/demo:1", "example/demo:1"],
    ["fromImage=example/demo:1&tag=", "example/demo:1"],
    ["fromImage=example/demo&tag=1", "example/demo:1"],
    ["fromImage=example/demo&tag=1&platform=x&repo=y", "example/demo:1"],
    ["fromImage=example/demo&tag=1&fromSrc=", "example/demo:1"],
    ["fromImage=example/fixed&tag=sha256:1", "example/fixed@sha256:1"],
    ["fromImage=example/fixed@sha256:1", "example/fixed@sha256:1"],
    ["fromImage=example/demo", undefined],
    ["fromImage=example/demo&tag=2", undefined],
    ["fromImage=example/demo:1&tag=1", undefined],
    ["fromImage=example/fixed&tag=1", undefined],
    ["fromImage=example/demo&tag=1&fromSrc=-", undefined],
    ["fromSrc=http://x", undefined],
    ["", undefined],
  ])("a pull of ?%s is of %j", async (query, image) => {
    const images = ["example/demo:1", "example/fixed@sha256:1"];
    const { ask, seen } = await given({ ...onDocker, images }, answers);
    const { status, body } = await ask("POST", `/images/create?${query}`);
    expect(status).toBe(image === undefined ? 403 : 200);
    expect(seen.map(({ url }) => url)).toEqual(
      image === undefined ? [] : [`/images/create?fromImage=${encodeURIComponent(image)}`],
    );
    if (image === undefined)
      expect(body).toEqual({ message: expect.stringMatching(/^image .*is not one of the configured apps'$/) });
  });

  test("an image that no app has is refused by its name", async () => {
    const { ask } = await given(onDocker, answers);
    expect(await ask("GET", "/images/busybox:1/json")).toEqual({
      status: 403,
      body: { message: "image busybox:1 is not one of the configured apps'" },
    });
    expect((await ask("POST", "/images/create?fromImage=busybox&tag=1")).body).toEqual({
      message: "image busybox:1 is not one of the configured apps'",
    });
  });

  test("a container without a name is made without one", async () => {
    const { ask, seen } = await given(onDocker, answers);
    await ask("POST", "/v1.41/containers/create?platform=x", { Image: "example/demo:1" });
    expect(seen.map(({ url }) => url)).toEqual(["/v1.41/containers/create"]);
  });

  test("a container whose labels are odd, or that has no id, is no app's", async () => {
    const { ask } = await given(onDocker, {
      "/containers/odd/json": { Id: "odd", Config: "mine" },
      "/containers/anonymous/json": { Config: { Labels: mine } },
    });
    expect(await ask("GET", "/containers/odd/json")).toEqual({
      status: 400,
      body: { message: "Config must be an object" },
    });
    expect((await ask("GET", "/containers/anonymous/json")).body).toEqual({
      message: "no such container of an app: anonymous",
    });
  });

  test.each([
    ["GET", "/containers/db/json", undefined, 404],
    ["GET", "/containers/db/logs", undefined, 404],
    ["POST", "/containers/db/stop", undefined, 404],
    ["DELETE", "/containers/db", undefined, 404],
    ["POST", "/networks/shiny-data/disconnect", { Container: "db" }, 404],
    ["POST", "/networks/shiny-data/connect", { Container: "c1" }, 403],
    ["GET", "/images/busybox/json", undefined, 403],
    ["POST", "/images/create?fromImage=busybox", undefined, 403],
    ["POST", "/images/create?fromSrc=http://x&fromImage=example/demo:1", undefined, 403],
    ["POST", "/services/create", {}, 403],
    ["GET", "/swarm", undefined, 403],
    ["POST", "/containers/c1/update", {}, 403],
    ["POST", "/containers/c1/exec", {}, 403],
  ])("%s %s is refused", async (method, path, body, status) => {
    const { ask, seen } = await given(onDocker, answers);
    expect((await ask(method, path, body)).status).toBe(status);
    expect(seen.filter(({ method: used }) => used !== "GET")).toEqual([]);
  });
});

describe("read", () => {
  const answers = {
    "/containers/json": [{ Id: "c1" }],
    "/containers/c1/json": { Id: "c1", Config: { Env: ["PASSWORD=secret", "A"] } },
    "/services": [{ ID: "s1", Spec: { TaskTemplate: { ContainerSpec: { Env: ["PASSWORD=secret"] } } } }],
    "/containers/c1/stats": { cpu: 1 },
    "/info": { ID: "x" },
    "/events": [
      {
        Type: "service",
        Action: "create",
        scope: "swarm",
        timeNano: 1000,
        Actor: { ID: "s1", Attributes: { name: "web" } },
      },
      { Type: "container", Action: "exec_start: sh", scope: "local", timeNano: 2000, Actor: { ID: "c1" } },
    ]
      .map((event) => JSON.stringify(event))
      .join("\n"),
  };
  const may: Policy = { may: "read" };

  test("everything that Telegraf asks for, without values of the environment", async () => {
    const { ask } = await given(may, answers);
    for (const path of ["/info", "/containers/json?limit=1", "/containers/c1/stats?stream=0"])
      expect((await ask("GET", path)).status).toBe(200);
    expect((await ask("GET", "/v1.41/containers/c1/json")).body).toEqual({
      Id: "c1",
      Config: { Env: ["PASSWORD=", "A="] },
    });
    expect(JSON.stringify((await ask("GET", "/services")).body)).not.toContain("secret");
  });

  test("events of the last minute, flat, without health checks", async () => {
    const { ask, seen } = await given(may, answers);
    expect((await ask("GET", "/events/recent?seconds=60")).body).toEqual([
      { type: "service", action: "create", scope: "swarm", name: "web", id: "s1", time: "1000" },
    ]);
    const query = new URLSearchParams(seen[0]?.url.split("?")[1]);
    expect(Number(query.get("until")) - Number(query.get("since"))).toBeCloseTo(60);
  });

  test.each([
    ["", 60],
    ["?seconds=5", 5],
    ["?seconds=3600", 3600],
    ["?seconds=3601", 3600],
    ["?seconds=Infinity", 3600],
    ["?seconds=0", 60],
    ["?seconds=", 60],
    ["?seconds=soon", 60],
  ])("events/recent%s: of the last %d seconds, of what runs alone", async (asked, seconds) => {
    const { ask, seen } = await given(may, answers);
    const before = Date.now() / 1000;
    await ask("GET", `/v1.41/events/recent${asked}`);
    const [path, query] = (seen[0]?.url ?? "").split("?");
    const { since, until, filters = "", ...more } = Object.fromEntries(new URLSearchParams(query));
    expect([path, more]).toEqual(["/events", {}]);
    expect(JSON.parse(filters)).toEqual({ type: ["container", "service", "node"] });
    expect(Number(until)).toBeGreaterThanOrEqual(before - 0.001);
    expect(Number(until) - Number(since)).toBeCloseTo(seconds);
    expect(since).toMatch(/^\d+\.\d{3}$/);
  });

  test("an event comes with what it has, and no event of a shell, of no kind or of no action", async () => {
    const events = [
      { Type: "container", Action: "health_status: unhealthy", timeNano: 1 },
      { Type: "node", Action: "update", scope: "swarm", timeNano: 2, Actor: { ID: "n1", Attributes: { name: 5 } } },
      { Type: "container", Action: "die", timeNano: 3, Actor: { Attributes: { name: "web" } } },
      { Type: "container", Action: "exec_die", timeNano: 4 },
      { Type: "container", timeNano: 5 },
      { Action: "die", timeNano: 6 },
      { Type: 1, Action: "die", timeNano: 7 },
    ];
    const { ask } = await given(may, { "/events": `\n${events.map((one) => JSON.stringify(one)).join("\n\n")}\n` });
    const bare = { scope: "local", name: "", id: "" };
    expect((await ask("GET", "/events/recent")).body).toEqual([
      { ...bare, type: "container", action: "health_status", time: "1" },
      { ...bare, type: "node", action: "update", scope: "swarm", id: "n1", time: "2" },
      { ...bare, type: "container", action: "die", name: "web", time: "3" },
    ]);
  });

  test.each([
    ["[]", 400, "event must be an object"],
    ['{"Actor":1}', 400, "Actor must be an object"],
    ['{"Type":"node","Action":"a","Actor":{"Attributes":[]}}', 400, "Attributes must be an object"],
    ["nonsense", 500, "is not valid JSON"],
  ])("an event %s is an error of the whole answer", async (event, status, message) => {
    const { ask } = await given(may, { "/events": event });
    expect(await ask("GET", "/events/recent")).toEqual({
      status,
      body: { message: expect.stringContaining(message) },
    });
  });

  test("an engine that gives no events is no engine without events", async () => {
    const { ask } = await given(may, {
      "/events": (response: http.ServerResponse) => response.writeHead(503).end("starting up"),
    });
    expect(await ask("GET", "/events/recent")).toEqual({
      status: 503,
      body: { message: "the engine gives no events: starting up" },
    });
  });

  test("what has no values comes as the engine sends it, with its query and its headers", async () => {
    const { port, seen } = await given(may, {
      "/_ping": (response: http.ServerResponse) =>
        response.writeHead(200, { "api-version": "1.41", "content-type": "text/plain" }).end("OK"),
    });
    const answer = await fetch(`http://127.0.0.1:${String(port)}/v1.41/_ping?a=1`);
    expect([answer.status, await answer.text()]).toEqual([200, "OK"]);
    expect(answer.headers.get("api-version")).toBe("1.41");
    expect(answer.headers.get("content-type")).toBe("text/plain");
    expect(seen.map(({ method, url }) => [method, url])).toEqual([["GET", "/v1.41/_ping?a=1"]]);
  });

  test("an answer that is no JSON is not passed on", async () => {
    const { ask } = await given(may, { "/services": "Env: PASSWORD=secret" });
    expect(await ask("GET", "/services")).toEqual({ status: 400, body: { message: "not JSON" } });
  });

  test.each([
    ["POST", "/events/recent"],
    ["POST", "/containers/create"],
    ["DELETE", "/services/s1"],
    ["POST", "/containers/c1/exec"],
    ["GET", "/secrets"],
    ["GET", "/swarm"],
    ["GET", "/containers/c1/archive"],
    ["GET", "/containers/c1/export"],
    ["GET", "/containers/c1/logs"],
    ["GET", "/images/json"],
  ])("%s %s is refused", async (method, path) => {
    const { ask, seen } = await given(may, answers);
    expect((await ask(method, path)).status).toBe(403);
    expect(seen).toEqual([]);
  });
});

describe("every policy", () => {
  const policies: readonly Policy[] = [policy, onDocker, { may: "read" }];

  test.each(["/_ping", "/version", "/info"])("%s is asked of the engine with its version and query", async (path) => {
    for (const by of policies) {
      const { ask, seen } = await given(by, { [path]: { fine: true } });
      expect(await ask("GET", `/v1.41${path}?a=1&b=2`)).toEqual({ status: 200, body: { fine: true } });
      expect(await ask("GET", path)).toEqual({ status: 200, body: { fine: true } });
      expect(seen.map(({ url }) => url)).toEqual([`/v1.41${path}?a=1&b=2`, path]);
      for (const other of [
        `/x${path}`,
        `${path}x`,
        `${path}/x`,
        `/v1${path}`,
        `/v1.41.2${path}`,
        `/v1.41/v1.41${path}`,
      ])
        expect((await ask("GET", other)).status).toBe(403);
      expect((await ask("POST", path)).status).toBe(403);
      expect(seen).toHaveLength(2);
    }
  });

  test("a client sees whether the engine is there", async () => {
    for (const by of policies) {
      const { ask, seen } = await given(by, { "/_ping": "OK" });
      expect(await ask("HEAD", "/_ping")).toEqual({ status: 200, body: undefined });
      expect(await ask("GET", "/v12.34/_ping")).toEqual({ status: 200, body: "OK" });
      expect(seen.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
    }
  });

  test("headers go on, but for those of one connection", async () => {
    const connection = {
      "Keep-Alive": "timeout=77",
      TE: "trailers",
      Trailer: "X-End",
      Upgrade: "h2c",
      "Transfer-Encoding": "chunked",
      Connection: "close",
      Host: "elsewhere.example.com",
    };
    const lines = Object.entries({ ...connection, "X-Registry-Auth": "e30=" }).map(
      ([key, value]) => `${key}: ${value}`,
    );
    for (const by of policies) {
      const { port, seen } = await given(by, { "/info": {} });
      const answer = await raw(port, `GET /info HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n2\r\nhi\r\n0\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 200/);
      const { connection: kept, ...headers } = seen[0]?.headers ?? {};
      expect(headers).toEqual({ host: "docker", "x-registry-auth": "e30=" });
      expect(kept).not.toBe("close");
      expect(seen[0]?.body).toBe("");
      const long = "Content-Length: 2\r\nHost: d\r\nConnection: close";
      expect(await raw(port, `GET /info HTTP/1.1\r\n${long}\r\n\r\nhi`)).toMatch(/^HTTP\/1.1 200/);
      expect(seen[1]?.headers["content-length"]).toBeUndefined();
    }
  });

  test("what is written anew is sent with its own length and kind", async () => {
    const { ask, seen } = await given(onDocker, {
      "/containers/c1/json": { Id: "c1", Config: { Labels: mine } },
      "/containers/c1/start": "",
      "/containers/c1": "",
      "/containers/create": { Id: "c2" },
    });
    await ask("POST", "/containers/create", { Image: "example/demo:1", Env: ["WHO=Zoë"] });
    await ask("POST", "/containers/c1/start", { HostConfig: { Privileged: true } });
    await ask("DELETE", "/containers/c1");
    const [create, , start, , remove] = seen;
    expect(create?.headers).toMatchObject({
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(create?.body ?? "")),
    });
    expect(start).toMatchObject({ body: "", headers: { "content-length": "0" } });
    expect(remove?.headers["content-length"]).toBeUndefined();
    expect(remove?.headers["transfer-encoding"]).toBeUndefined();
  });

  test("what the proxy writes itself is JSON, and says so", async () => {
    const { port } = await given(policy, { "/services": [] });
    for (const path of ["/services", "/secrets"]) {
      const answer = await fetch(`http://127.0.0.1:${String(port)}${path}`);
      expect(answer.headers.get("content-type")).toBe("application/json");
      await answer.text();
    }
  });

  test("a body that is no JSON, or longer than a mebibyte, is refused", async () => {
    const { port, seen } = await given(onDocker, {});
    const send = async (body: string) => {
      const answer = await fetch(`http://127.0.0.1:${String(port)}/containers/create`, { method: "POST", body });
      return { status: answer.status, body: await answer.json() };
    };
    for (const body of ["", "nonsense", "{"])
      expect(await send(body)).toEqual({ status: 400, body: { message: "not JSON" } });
    const bytes = (count: number) => `"${"x".repeat(count - 2)}"`;
    expect(await send(bytes(1024 * 1024))).toEqual({ status: 400, body: { message: "the body must be an object" } });
    expect(await send(bytes(1024 * 1024 + 1))).toEqual({ status: 413, body: { message: "the body is too large" } });
    expect(seen).toEqual([]);
  });

  test("the log has what was refused, and nothing of what is merely not there", async () => {
    const { ask } = await given(policy, {});
    await ask("GET", "/services/none");
    await ask("GET", "/services");
    await ask("POST", "/services/create");
    expect(said).toEqual([]);
    await ask("GET", "/secrets");
    expect(said).toEqual(["refused: GET /secrets is not allowed: this proxy runs users' apps and nothing else\n"]);
  });
});

describe("an answer without an end", () => {
  const events = { may: "read" } as const;

  test("is passed on as it comes, its head first; the engine learns when the client goes", async () => {
    const heard = new EventEmitter();
    const begun = once(heard, "request") as Promise<[http.ServerResponse]>;
    const { port } = await given(events, {
      "/events": (response: http.ServerResponse) => {
        response.flushHeaders();
        heard.emit("request", response);
      },
    });
    const client = new AbortController();
    const answer = await fetch(`http://127.0.0.1:${String(port)}/events`, { signal: client.signal });
    expect(answer.status).toBe(200);
    const [engine] = await begun;
    const gone = once(engine, "close");
    const reader = answer.body?.getReader();
    for (const line of ["one", "two"]) {
      engine.write(line);
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(line);
    }
    client.abort();
    await gone;
    expect(engine.writableFinished).toBe(false);
  });

  test("that breaks off in the middle breaks off for the client, too", async () => {
    const { port } = await given(events, {
      "/events": (response: http.ServerResponse) => response.write("half a", () => response.destroy()),
    });
    const answer = await fetch(`http://127.0.0.1:${String(port)}/events`);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow("terminated");
  });
});

function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("end", () => {
      resolve(answer);
    });
    socket.on("error", reject);
  });
}

describe("shared memory", () => {
  const shares = { ...policy, shmMib: { "example/demo:1": 256 } };
  const mebibytes = 1024 * 1024;
  const mountsOf = (asked: object[], by: AppsPolicy) =>
    service(
      {
        Name: "a",
        TaskTemplate: {
          ContainerSpec: { Image: "example/demo:1", Mounts: asked },
          Resources: { Limits: { MemoryBytes: 128 * mebibytes } },
        },
      },
      by,
    ) as { TaskTemplate: { ContainerSpec: { Mounts: object[] } } };

  test("a container has what its image's apps have, whatever is asked, and no more than its memory", () => {
    const sharedBy = (by: AppsPolicy, host: object) =>
      (container({ Image: "example/demo:1", HostConfig: host }, by) as { HostConfig: { ShmSize?: number } }).HostConfig
        .ShmSize;
    const onEngine = { ...shares, engine: "docker" as const };
    expect(sharedBy(onEngine, {})).toBe(256 * mebibytes);
    expect(sharedBy(onEngine, { ShmSize: 9e12 })).toBe(256 * mebibytes);
    expect(sharedBy(onEngine, { Memory: 128 * mebibytes })).toBe(128 * mebibytes);
    expect(sharedBy(onDocker, { ShmSize: 9e12 })).toBeUndefined();
  });

  test("a service has a file system of that size, but where it brings one", () => {
    const own = { Type: "tmpfs", Target: "/dev/shm" };
    const given = { Type: "tmpfs", Target: "/dev/shm", TmpfsOptions: { SizeBytes: 128 * mebibytes } };
    expect(mountsOf([], shares).TaskTemplate.ContainerSpec.Mounts).toEqual([given]);
    expect(mountsOf([own], shares).TaskTemplate.ContainerSpec.Mounts).toEqual([own]);
    expect(mountsOf([], policy).TaskTemplate.ContainerSpec.Mounts).toEqual([]);
  });
});

test.each<[string, (socket: string) => void, string]>([
  ["nothing there", () => undefined, "ENOENT, no socket is mounted: docker.socket (swarm.socket)"],
  ["a folder", (socket) => mkdirSync(socket), "nobody listens on what is mounted"],
  ["a file", (socket) => writeFileSync(socket, ""), "nobody listens on what is mounted"],
])("a socket that is %s: the client is told what the system says", async (_, make, words) => {
  const folder = mkdtempSync(join(tmpdir(), "docker-proxy-"));
  const socket = join(folder, "docker.sock");
  make(socket);
  const server = proxy({ may: "read" }, new Engine(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const { port } = server.address() as { port: number };
  const answer = await fetch(`http://127.0.0.1:${String(port)}/_ping`);
  expect(answer.status).toBe(502);
  expect(((await answer.json()) as { message: string }).message).toContain(
    `the Docker engine does not answer: ${words.startsWith("ENOENT") ? words : ""}`,
  );
  // The container's health check says it.
  const checked = await execa(process.execPath, [join(import.meta.dirname, "../../docker-proxy/main.ts"), "health"], {
    env: { PORT: String(port) },
    reject: false,
  });
  expect([checked.exitCode, checked.stderr]).toEqual([1, expect.stringContaining(words)]);
});
