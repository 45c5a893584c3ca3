/** Every system, and every service alone, on each topology of engines, as a program of an importer's makes them. */
import type { Ask, Kind } from "../../components/core/contracts.ts";
import { siteOf } from "../../components/core/site.ts";
import type { ServiceClass, Topology } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { type SystemName, systems } from "../../components/systems/index.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import type { Tls } from "../../components/topologies/tls.ts";
import { builtImages, samples } from "./sketches.ts";

export interface Choices {
  readonly tls?: Tls;
  /** More secrets of the operator's. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** A site with a backup, named as its topology is. */
const site = (name: string, { secrets = {} }: Choices) =>
  siteOf({
    ...{ name, hostname: `${name}.example.com`, rehearsal: true, images: builtImages },
    secrets: { pyrusLicence: "licence", pyrusAdminPassword: "admin", ...secrets },
    backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: { volume: "backup" } },
  });

/** A topology of each kind, by its class. */
export const places = {
  DockerHost: (name: string, choices: Choices = {}): DockerHost =>
    new DockerHost(name, {
      ...{ site: site(name, choices), host: "unix:///run/d.sock", address: "0.0.0.0" },
      machines: { gpu: { host: "ssh://gpu.example.com", socket: "/run/d.sock" } },
      tls: choices.tls ?? { mode: "local" },
    }),
  Swarm: (name: string, choices: Choices = {}): Swarm =>
    new Swarm(name, {
      ...{ site: site(name, choices), managers: ["unix:///run/d.sock"] },
      nodes: { gpu: { labels: { disk: "fast" } } },
      tls: choices.tls ?? { mode: "local" },
      pin: (ref) => Promise.resolve(`${ref}@sha256:0`),
    }),
};
export type PlaceName = keyof typeof places;
export const placeNames = Object.keys(places) as PlaceName[];
export const systemNames = Object.keys(systems) as SystemName[];

const given: Readonly<Record<SystemName, object>> = samples;

/** A system with a sample's config, and `more` over it. */
export function systemOn(system: SystemName, name: string, on: Topology, more: object = {}): void {
  const entry = systems[system];
  entry.make(name, entry.config.parse({ ...given[system], ...more }), on, {});
}

/** What each kind is asked for here. */
const asks: { readonly [K in Kind]: Ask<K> } = {
  postgres: { databases: ["a"], extensions: ["postgis"], clientTls: "never", gib: 1 },
  redis: { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 },
  objects: { apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 },
  solr: { collections: ["a"], gib: 1, memoryMib: 256 },
  elasticsearch: { speaks: ["elasticsearch8"], nodes: 3, gib: 1 },
  nats: { nodes: 3, jetstreamGib: 1 },
  amqp: { nodes: 3, colocate: [], federate: [], exchanges: ["a"] },
  cql: { nodes: 3, keyspaces: ["a"], peers: [], gib: 1 },
  influx: { databases: { a: { keep: "1d" } }, gib: 1 },
  oidc: { callback: "https://app.example.com/callback", groups: ["g"] },
  containers: { may: "read" },
};
export const kinds = Object.keys(containerServices) as Kind[];

/** A service alone. */
export function serviceOn(kind: Kind, name: string, on: Topology): void {
  const Service = containerServices[kind] as ServiceClass<Kind> | undefined;
  if (Service === undefined) throw new Error(`nothing supplies ${kind}`);
  new Service(name, { ...asks[kind], on });
}
