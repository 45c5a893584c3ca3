/** Every system, and every service alone, on each topology of engines, as a program of an importer's makes them. */
import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Ask, Kind } from "../../components/core/contracts.ts";
import { siteOf, type SiteArgs } from "../../components/core/site.ts";
import type { BackupPlace, ServiceClass, Topology } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { type SystemName, systems } from "../../components/systems/index.ts";
import { AwsRegion } from "../../components/topologies/aws/index.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
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
}

/** A site with a backup, named as its topology is. */
const site = (name: string, { secrets = {}, backup, protect = true }: Choices, over: Partial<SiteArgs> = {}) =>
  siteOf({
    ...{ name, hostname: `${name}.example.com`, rehearsal: true, images: builtImages, protect },
    secrets: { pyrusLicence: "licence", pyrusAdminPassword: "admin", ...secrets },
    ...(backup === false ? {} : { backup: saved({ volume: "backup" }) }),
    ...over,
  });
const saved = (to: BackupPlace) => ({ everyHours: 24, keepDays: 14, drillEveryHours: 168, to });

/** The account's own registry has all images, and a bucket the backups. */
const awsSite = (name: string, { secrets = {}, backup, protect = true }: Choices) =>
  site(
    name,
    { secrets: { backupKey: "key", backupSecret: "secret", ...secrets }, backup: false, protect },
    {
      ...{ images: {}, mirror: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub" },
      ...(backup === false
        ? {}
        : { backup: saved({ s3: { endpoint: "https://s3.example.com", bucket: "backups", region: "eu-central-1" } }) }),
    },
  );

/** A topology of each kind, by its class. */
export const places = {
  DockerHost: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}): DockerHost =>
    new DockerHost(
      name,
      {
        ...{ site: site(name, choices), host: "unix:///run/d.sock", address: "0.0.0.0" },
        machines: { gpu: { host: "ssh://gpu.example.com", socket: "/run/d.sock" } },
        tls: choices.tls ?? { mode: "local" },
      },
      opts,
    ),
  Swarm: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}): Swarm =>
    new Swarm(
      name,
      {
        ...{ site: site(name, choices), managers: ["unix:///run/d.sock"] },
        nodes: { gpu: { labels: { disk: "fast" } } },
        tls: choices.tls ?? { mode: "local" },
        pin: (ref) => Promise.resolve(`${ref}@sha256:0`),
      },
      opts,
    ),
  AwsRegion: (name: string, choices: Choices = {}, opts: ComponentResourceOptions = {}): AwsRegion =>
    new AwsRegion(
      name,
      {
        ...{ site: awsSite(name, choices), account: "123456789012", region: "eu-central-1", tls: { mode: "local" } },
        zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
      },
      opts,
    ),
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
  on: Topology,
  more: object = {},
  opts: ComponentResourceOptions = {},
): void {
  const entry = systems[system];
  entry.make(name, entry.config.parse({ ...samples[system], ...more }), on, opts);
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
