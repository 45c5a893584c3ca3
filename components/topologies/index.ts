import { type ComponentResourceOptions, secret } from "@pulumi/pulumi";

import type { Settings } from "../config.ts";
import type { Container, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";
import type { Image } from "../core/images.ts";
import type { Capabilities, Site, Topology, TopologyName } from "../core/topology.ts";
import { dockerCapabilities } from "./docker/capabilities.ts";

/** A topology as a stack's config chooses it. Its SDK is loaded only when it is made. */
export interface TopologyEntry {
  readonly capabilities: Capabilities;
  /** The edge's ports as the outside sees them. */
  ports(settings: Settings): Site["ports"];
  /** What only the settings and the plan's containers together can tell. */
  check(settings: Settings, planned: List<readonly [string, Container]>): Problem[];
  /** What can be asked of the engines before the first resource. */
  preflight(settings: Settings, site: Site, images: List<Image>): Promise<Problem[]>;
  make(settings: Settings, site: Site, opts: ComponentResourceOptions): Promise<Topology>;
}

const docker: TopologyEntry = {
  capabilities: dockerCapabilities,
  ports: (settings) => settings.docker.ports,
  check: (settings, planned) => [...acmePort("docker.ports.https", settings), ...machines(settings, planned)],
  preflight: async (settings, site, images) => {
    const { preflight } = await import("./docker/preflight.ts");
    const local = images.filter(({ ref }) => ref.startsWith("platform-topologies/"));
    return preflight({ site, ...settings.docker, local });
  },
  make: async (settings, site, opts) => {
    const { DockerHost } = await import("./docker/index.ts");
    return new DockerHost("docker", { site, ...settings.docker, tls: tlsOf(settings) }, opts);
  },
};

/** The topologies that can be deployed on; a new one is its own folder and a row here. */
export const topologies: { readonly docker: TopologyEntry } & { readonly [T in TopologyName]?: TopologyEntry } = {
  docker,
};

/** Who signs the edge's certificate, with the operator's own key where there is one. */
export function tlsOf({ tls, secrets }: Settings) {
  return tls.mode === "own" ? { ...tls, key: secret(secrets.tlsKey ?? "") } : tls;
}

function acmePort(key: string, { tls, docker: { ports } }: Settings): Problem[] {
  return tls.mode === "acme" && ports.https !== 443
    ? [{ key, value: ports.https, remedy: "ACME's challenge arrives on 443; use it, or tls.mode own" }]
    : [];
}

function machines({ docker: host }: Settings, planned: List<readonly [string, Container]>): Problem[] {
  return planned.flatMap(([name, { machine }]) =>
    machine === undefined || machine in host.machines
      ? []
      : [{ key: `${name}.machine`, value: machine, remedy: "no such machine: add it to docker.machines" }],
  );
}
