/** nginx at the edge, as a topology makes it, in a container of its own, with backends that a test starts and stops. */
import type Docker from "dockerode";
import { type Pack, pack } from "tar-stream";

import type { EdgeOptions, Workload } from "../../components/core/contracts.ts";
import { siteOf } from "../../components/core/site.ts";
import type { PlannedRoute } from "../../components/core/plan.ts";
import { proxies } from "../../components/edge/edge.ts";
import { publishedPorts } from "../../components/edge/proxy.ts";
import { entry } from "../../components/topologies/containers.ts";
import { certificate } from "../../ops/certificate.ts";
import { engine, inContainer, localImage, localImages } from "./arkindex.ts";
import { runLabels } from "./run.ts";
import { repo } from "./stack.ts";

const label = "platform-topologies.nginx-edge";

export interface EdgeTestOptions {
  readonly proxy?: EdgeOptions["proxy"];
  /** TLS ends in front of it, on the machine itself, whose requests come from the network's own address. */
  readonly outside?: boolean;
  /** Something on the machine itself passes TCP on, and names each caller first. */
  readonly passed?: boolean;
  /** The port of the public URLs; default: `https`. */
  readonly publicPort?: number;
}

export class NginxEdge {
  readonly name: string;
  readonly https: number;
  readonly ca: string;
  readonly container: Docker.Container;
  /** Its health check's command. */
  readonly probe: readonly string[];

  private constructor(name: string, https: number, ca: string, container: Docker.Container, probe: readonly string[]) {
    this.name = name;
    this.https = https;
    this.ca = ca;
    this.container = container;
    this.probe = probe;
  }

  /**
   * Publishes `https` and the port below it on loopback; with `outside` the latter alone. `name` is the network's, too.
   */
  static async create(
    name: string,
    https: number,
    routes: readonly PlannedRoute[],
    { proxy = "nginx", outside = false, passed = false, publicPort = https }: EdgeTestOptions = {},
  ): Promise<NginxEdge> {
    await NginxEdge.sweep(name);
    const network = await engine.createNetwork({ Name: name, Labels: { ...runLabels, [label]: name } });
    const { IPAM } = (await network.inspect()) as { IPAM: { Config: { Gateway: string }[] } };
    const gateway = IPAM.Config[0]?.Gateway ?? "";
    const hostnames = [...new Set(routes.map(({ host }) => host))];
    const asked = { hostnames };
    const made = await certificate.create({ raw: asked, plain: asked, secrets: [], partial: false });
    // Secrets come in the wire's envelope.
    const { caCert, cert, key } = JSON.parse(JSON.stringify(made)) as {
      caCert: string;
      cert: string;
      key: { value: string };
    };
    const site = siteOf({
      name,
      hostname: hostnames[0] ?? "",
      publicPort,
      images: localImages(),
      ports: { http: https - 1, ...(outside ? {} : { https }) },
    });
    const workload = proxies[proxy]({
      site,
      routes,
      engine: "docker",
      tls: { cert, key: key.value, ...(outside ? { trustedProxies: [gateway] } : {}) },
      backends: ({ hosts }) => ({ hosts, watch: true }),
      ...(passed ? { proxyProtocol: [gateway] } : {}),
    });
    const { entrypoints = [], command = [] } = entry(workload);
    const ports = publishedPorts(site).map(({ inside, published }): [string, Docker.PortBinding[]] => [
      `${String(inside)}/tcp`,
      [{ HostIp: "127.0.0.1", HostPort: String(published) }],
    ]);
    const container = await engine.createContainer({
      name: `${name}-edge`,
      Image: localImage(proxy),
      User: workload.user ?? "",
      Entrypoint: entrypoints,
      Cmd: command,
      Labels: { ...runLabels, [label]: name },
      ExposedPorts: Object.fromEntries(ports.map(([port]) => [port, {}])),
      HostConfig: {
        Init: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
        Memory: workload.memoryMib * 1024 * 1024,
        Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 16384 }], // a soft limit as newer engines have it
        NetworkMode: name,
        PortBindings: Object.fromEntries(ports),
      },
      NetworkingConfig: { EndpointsConfig: { [name]: { Aliases: ["edge", ...hostnames] } } },
    });
    await container.putArchive(archived(workload.files ?? []), { path: "/" });
    await container.start();
    const { ready } = workload.health;
    return new NginxEdge(name, https, caCert, container, "command" in ready ? ready.command : []);
  }

  /** The health check's status and output. */
  async health(): Promise<{ status: number; said: string }> {
    const [, , script = ""] = this.probe;
    const { status, body } = await inContainer({ container: this.container.id }, script);
    return { status, said: body.trim() };
  }

  /** Replaces one of the files that nginx was given. */
  async put(path: string, content: string): Promise<void> {
    await this.container.putArchive(archived([{ path, content }]), { path: "/" });
  }

  /** A backend that listens on port 80 under the names. */
  async backend(id: string, ...aliases: string[]): Promise<Docker.Container> {
    const container = await engine.createContainer({
      name: `${this.name}-${id}`,
      Hostname: id,
      Image: localImage("rehearsal"),
      User: "0:0",
      Entrypoint: ["node", "-e", backendSource],
      Cmd: [],
      Labels: { ...runLabels, [label]: this.name },
      HostConfig: { NetworkMode: this.name, Binds: [`${repo}/node_modules/ws:/ws:ro`], Init: true },
      NetworkingConfig: { EndpointsConfig: { [this.name]: { Aliases: aliases } } },
    });
    await container.start();
    return container;
  }

  async remove(): Promise<void> {
    await NginxEdge.sweep(this.name);
  }

  private static async sweep(name: string): Promise<void> {
    const filters = { label: [`${label}=${name}`] };
    const left = await engine.listContainers({ all: true, filters });
    await Promise.all(left.map(({ Id }) => engine.getContainer(Id).remove({ force: true, v: true })));
    for (const { Id } of await engine.listNetworks({ filters })) await engine.getNetwork(Id).remove();
  }
}

function archived(files: NonNullable<Workload["files"]>): Pack {
  const tar = pack();
  for (const { path, content, mode = 0o444 } of files) {
    if (typeof content !== "string") throw new Error(`${path} is not plain`);
    tar.entry({ name: path.slice(1), mode }, content);
  }
  tar.finalize();
  return tar;
}

/**
 * A backend that says who it is and what it was sent, counts a body as it comes, echoes on a websocket, obeys commands.
 */
const backendSource = `
const { hostname } = require("node:os");
const { WebSocketServer } = require("/ws");
let seen = 0;
const server = require("node:http").createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://backend");
  const answer = (status, value) => { response.writeHead(status, { "content-type": "application/json" }); response.end(JSON.stringify(value)); };
  if (pathname.endsWith("/seen")) return answer(200, { seen });
  if (request.method === "POST" || request.method === "PUT") {
    seen = 0;
    request.on("data", (part) => { seen += part.length; });
    request.on("end", () => answer(200, { seen, id: hostname(), path: request.url }));
    return;
  }
  setTimeout(() => answer(Number(searchParams.get("status") ?? 200), { id: hostname(), path: request.url, headers: request.headers }), Number(searchParams.get("wait") ?? 0));
});
new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (text) => socket.send(hostname() + " " + text)));
server.listen(80);
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => server.close(() => process.exit(0)));
`;
