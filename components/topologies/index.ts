import { type ComponentResourceOptions, secret } from "@pulumi/pulumi";

import type { Settings } from "../config.ts";
import type { Container, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import type { Image } from "../core/images.ts";
import type { RetirementStore } from "../core/retirements.ts";
import type { Capabilities, Site, Topology, TopologyName } from "../core/topology.ts";
import { networksOf } from "./containers.ts";
import { dockerCapabilities } from "./docker/capabilities.ts";
import { networksBy, networksOn, socketProblems } from "./docker/machines.ts";
import { subnetProblems } from "./subnets.ts";
import { swarmCapabilities } from "./swarm/capabilities.ts";
import { SwarmRetirements } from "./swarm/retirements.ts";
import { noSocket } from "./swarm/sockets.ts";

type Planned = List<readonly [string, Container]>;

/** A topology as a stack's config chooses it. Its SDK is loaded only when it is made. */
export interface TopologyEntry {
  readonly capabilities: Capabilities;
  /** The edge's ports on the machines. */
  ports(settings: Settings): Site["ports"];
  /** What only the settings and the plan's containers together can tell. */
  check(settings: Settings, planned: Planned): Problem[];
  /** What can be asked of the engines before the first resource. */
  preflight(settings: Settings, site: Site, images: List<Image>, planned: Planned): Promise<Problem[]>;
  make(settings: Settings, site: Site, opts: ComponentResourceOptions): Promise<Topology>;
  /** Where the reconciler's retirements are kept for a stack of this name. Without it nothing is retired by itself here. */
  retirements?(settings: Settings, name: string): RetirementStore;
}

const docker: TopologyEntry = {
  capabilities: dockerCapabilities,
  ports: (settings) => published(settings.docker.ports, settings),
  check: (settings, planned) => [
    ...acmePort("docker.ports.https", settings.docker.ports, settings),
    ...machines("docker.machines", settings.docker.machines, planned),
    ...subnetProblems(
      "docker.subnets",
      settings.docker.subnets,
      ["", ...Object.keys(settings.docker.machines)].flatMap((machine) => Object.keys(networksOn(machine, planned))),
      planned,
      networksBy,
    ),
    ...socketProblems(settings.docker, settings.docker.machines, planned),
  ],
  preflight: async (settings, site, images, planned) => {
    const { preflight } = await import("./docker/preflight.ts");
    const outside = await loggedOutOf("docker.registries", settings.docker.registries);
    if (outside.length > 0) return outside;
    const local = images.filter(({ ref }) => ref.startsWith("platform-topologies/"));
    return preflight({ site, ...settings.docker, local, planned });
  },
  make: async (settings, site, opts) => {
    const { DockerHost } = await import("./docker/index.ts");
    return new DockerHost("docker", { site, ...settings.docker, tls: tlsOf(settings) }, opts);
  },
};

const swarm: TopologyEntry = {
  capabilities: swarmCapabilities,
  ports: (settings) => published(settings.swarm.ports, settings),
  check: (settings, planned) => [
    ...acmePort("swarm.ports.https", settings.swarm.ports, settings),
    ...machines("swarm.nodes", settings.swarm.nodes, planned),
    ...ingress(settings),
    ...subnetProblems("swarm.subnets", settings.swarm.subnets, ["edge", "app", "data"], planned, (container) =>
      networksOf(container, "disk" in container),
    ),
    ...noSocket(settings.swarm, planned),
  ],
  preflight: async (settings, site, images, planned) => {
    const { preflight } = await import("./swarm/preflight.ts");
    const outside = await loggedOutOf("swarm.registries", settings.swarm.registries);
    if (outside.length > 0) return outside;
    return preflight({ ...settings.swarm, site, images, planned });
  },
  make: async (settings, site, opts) => {
    const { Swarm } = await import("./swarm/index.ts");
    return new Swarm("swarm", { site, ...settings.swarm, tls: tlsOf(settings) }, opts);
  },
  retirements: ({ swarm: { managers } }, name) => new SwarmRetirements(managers, name),
};

/** The topologies that can be deployed on; a new one is its own folder and a row here. */
export const topologies: { readonly docker: TopologyEntry } & { readonly [T in TopologyName]?: TopologyEntry } = {
  docker,
  swarm,
};

/** Who signs the edge's certificate, with the operator's own key where there is one. */
export function tlsOf({ tls, secrets }: Settings) {
  return tls.mode === "own" ? { ...tls, key: secret(secrets.tlsKey ?? "") } : tls;
}

/** Their credentials come from `docker login` on the machine that deploys; the provider would only say that there are none. */
async function loggedOutOf(key: string, registries: List<string>): Promise<Problem[]> {
  const { loggedOut } = await import("../../ops/registry.ts");
  const remedies = await Promise.all(registries.map((value) => loggedOut(value)));
  return registries.flatMap((value, index) => {
    const remedy = remedies[index];
    return remedy === undefined ? [] : [{ key, value, remedy }];
  });
}

/** What ends TLS in front of the edge calls its http port. */
function published({ http, https }: Required<Site["ports"]>, { tls }: Settings): Site["ports"] {
  return tls.mode === "outside" ? { http } : { http, https };
}

function acmePort(key: string, { https }: Required<Site["ports"]>, { tls, publicPort }: Settings): Problem[] {
  const [at, port] = publicPort === undefined ? [key, https] : ["publicPort", publicPort];
  return tls.mode === "acme" && port !== 443
    ? [{ key: at, value: port, remedy: "ACME's challenge arrives on 443; use it, or tls.mode own" }]
    : [];
}

function machines(key: string, known: object, planned: Planned): Problem[] {
  return planned.flatMap(([name, { machine }]) =>
    machine === undefined || Object.hasOwn(known, machine)
      ? []
      : [{ key: `${name}.machine`, value: machine, remedy: `no such machine: add it to ${key}` }],
  );
}

/** Ingress is a virtual address of the kernel's balancer, which a swarm with dnsrr has not, and every caller has that one. */
function ingress({ tls, swarm: { publish, endpointMode } }: Settings): Problem[] {
  if (publish !== "ingress") return [];
  const say = (remedy: string): Problem => ({ key: "swarm.publish", value: publish, remedy });
  return [
    ...(endpointMode === "dnsrr" ? [say("needs endpointMode vip: use host, or vip")] : []),
    ...(tls.mode === "outside" ? [say("hides who calls, so no proxy can be told from a stranger: use host")] : []),
  ];
}
