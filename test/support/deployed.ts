/** Every system, and every service alone, on each topology of engines, as a program of an importer's makes them. */
import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Ask, Kind } from "../../components/core/contracts.ts";
import { siteOf, type SiteArgs } from "../../components/core/site.ts";
import type { SystemComponent } from "../../components/core/system.ts";
import type { BackupPlace, OwnTopology, ServiceClass, Topology } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { type SystemName, systems } from "../../components/systems/index.ts";
import { AwsRegion, type AwsRegionArgs } from "../../components/topologies/aws/index.ts";
import { DockerHost, type DockerHostArgs } from "../../components/topologies/docker/index.ts";
import { Swarm, type SwarmArgs } from "../../components/topologies/swarm/index.ts";
import type { Tls } from "../../components/topologies/tls.ts";
import { builtImages, samples } from "./sketches.ts";

export interface Choices {
  readonly tls?: Tls;
  /** More secrets of the operator's. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** For services alone, which have no backup. */
  readonly backup?: false;
  /** Of the site. Default: true. */
  readonly protect?: boolean;
  readonly disks?: Readonly<Record<string, string>>;
}

/** A site with a backup, named as its topology is. */
const site = (
  name: string,
  { secrets = {}, backup, protect = true, disks = {} }: Choices,
  over: Partial<SiteArgs> = {},
) =>
  siteOf({
    ...{ name, hostname: `${name}.example.com`, rehearsal: true, images: builtImages, protect, disks },
    secrets: { pyrusLicence: "licence", pyrusAdminPassword: "admin", ...secrets },
    ...(backup === false ? {} : { backup: saved({ volume: "backup" }) }),
    ...over,
  });
const saved = (to: BackupPlace) => ({ everyHours: 24, keepDays: 14, drillEveryHours: 168, to });

/** The account's own registry has all images, and a bucket the backups. */
const awsSite = (name: string, { secrets = {}, backup, ...rest }: Choices) =>
  site(
    name,
    { secrets: { backupKey: "key", backupSecret: "secret", ...secrets }, backup: false, ...rest },
    {
      ...{ images: {}, mirror: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub" },
      ...(backup === false
        ? {}
        : { backup: saved({ s3: { endpoint: "https://s3.example.com", bucket: "backups", region: "eu-central-1" } }) }),
    },
  );

/** The arguments of a topology of each kind, by its class. */
const argumentsOf = {
  DockerHost: (name: string, choices: Choices): DockerHostArgs => ({
    ...{ site: site(name, choices), host: "unix:///run/d.sock", address: "0.0.0.0" },
    machines: { gpu: { host: "ssh://gpu.example.com", socket: "/run/d.sock" } },
    tls: choices.tls ?? { mode: "local" },
  }),
  Swarm: (name: string, choices: Choices): SwarmArgs => ({
    ...{ site: site(name, choices), managers: ["unix:///run/d.sock"] },
    nodes: { gpu: { labels: { disk: "fast" } } },
    tls: choices.tls ?? { mode: "local" },
    pin: (ref) => Promise.resolve(`${ref}@sha256:0`),
  }),
  AwsRegion: (name: string, choices: Choices): AwsRegionArgs => ({
    ...{ site: awsSite(name, choices), account: "123456789012", region: "eu-central-1", tls: { mode: "local" } },
    zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
  }),
};

/** A topology of each kind, by its class. */
export const places = {
  DockerHost: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}) =>
    new DockerHost(name, argumentsOf.DockerHost(name, choices), opts),
  Swarm: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}) =>
    new Swarm(name, argumentsOf.Swarm(name, choices), opts),
  AwsRegion: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}) =>
    new AwsRegion(name, argumentsOf.AwsRegion(name, choices), opts),
};

/** The same, to be made by the system that is on it. */
export const ownPlaces = {
  DockerHost: (name: string, choices: Choices = {}) => DockerHost.own(argumentsOf.DockerHost(name, choices)),
  Swarm: (name: string, choices: Choices = {}) => Swarm.own(argumentsOf.Swarm(name, choices)),
  AwsRegion: (name: string, choices: Choices = {}) => AwsRegion.own(argumentsOf.AwsRegion(name, choices)),
};
export type PlaceName = keyof typeof places;
export const placeNames = Object.keys(places) as PlaceName[];
export const systemNames = Object.keys(samples) as (keyof typeof samples)[];
/** Whether a system runs there. */
export const runsOn = (system: SystemName, place: PlaceName): boolean =>
  place !== "AwsRegion" || (systems[system].on as readonly string[]).includes("aws");

/** A system with a sample's config, and `more` over it. */
export function systemOn(
  system: keyof typeof samples,
  name: string,
  on: Topology | OwnTopology,
  more: object = {},
  opts: ComponentResourceOptions = {},
): SystemComponent<unknown> {
  const entry = systems[system];
  return entry.make(name, entry.config.parse({ ...samples[system], ...more }), on, opts);
}

/** What each kind is asked for here. */
const asks: { readonly [K in Exclude<Kind, "swarm">]: Ask<K> } = {
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
export const kinds = Object.keys(containerServices) as (keyof typeof asks)[];

/** A service alone. */
export function serviceOn(
  kind: keyof typeof asks,
  name: string,
  on: Topology,
  opts: ComponentResourceOptions = {},
): void {
  const Service = containerServices[kind] as ServiceClass<Kind> | undefined;
  if (Service === undefined) throw new Error(`nothing supplies ${kind}`);
  new Service(name, { ...asks[kind], on }, opts);
}
