import type { ComponentResource, ComponentResourceOptions, Output, Resource } from "@pulumi/pulumi";

import type {
  Ask,
  Dict,
  Dump,
  Engine,
  Given,
  Job,
  Kind,
  List,
  Need,
  Peer,
  Platform,
  Ready,
  Recipe,
  Slot,
  Tier,
  Workload,
} from "./contracts.ts";
import type { Problem } from "./errors.ts";
import type { Existing } from "./existing.ts";
import type { Image } from "./images.ts";
import type { Plan } from "./plan.ts";

export const topologyNames = ["docker", "swarm", "aws", "gcp", "azure"] as const;
export type TopologyName = (typeof topologyNames)[number];

/** Largest request body, and longest request, that get through. */
export interface Limits {
  readonly bodyMib: number;
  readonly seconds: number;
}

/** A way to run a workload, and what it can. The first runner that covers a workload takes it. */
export interface Runner {
  readonly name: "container" | "serverless" | "machine";
  readonly can: ReadonlySet<Need>;
  readonly limits: Limits;
  /** The longest grace between SIGTERM and SIGKILL. Default: any. */
  readonly stopSeconds?: number;
}

/** What a topology can do, as plain values: enough to check a system without loading any provider's SDK. */
export interface Capabilities {
  readonly name: TopologyName;
  readonly runners: List<Runner>;
  /**
   * What it does for a slot beyond running it. `leave`: before and after it goes. `colocate`: it runs it on the machine of
   * the slot that it names; else on a machine of its own.
   */
  readonly slots: ReadonlySet<"marker" | "leave" | "colocate">;
  /** The engine on which a system may start containers itself; unset: there is none here. */
  readonly engine?: Engine;
  /** The operator has machines here: a container may ask for one by labels or by name, or run on each. */
  readonly nodes: boolean;
  /**
   * How a part is called inside the stack: by its bare name, or below a domain of the stack's own,
   * `<name>.<stack>.internal`.
   */
  readonly address: "name" | "domain";
  /** Where backups can go from here. A folder of a machine that comes and goes is no place. */
  readonly backupPlaces: ReadonlySet<"path" | "volume" | "s3">;
  /**
   * What answers the public names: a proxy of the system's choice, or the cloud's balancer. `instead`: what an operator
   * may choose for a route that is beyond these limits.
   */
  readonly edge: { readonly by: "proxy" | "balancer"; readonly instead?: string } & Limits;
  /** Replicas may follow the load (`{ min, max }`). */
  readonly autoscales: boolean;
  /** Kinds that cannot be had here at all, with the reason and what to choose instead. */
  readonly refuses: { readonly [K in Kind]?: string };
  /** Longest name of a workload here, the stack's prefix included. */
  readonly nameLength: number;
}

/** Where a stack's backups go: a folder of the Docker host, a volume, or a bucket. */
export type BackupPlace =
  | { readonly path: string }
  | { readonly volume: string }
  | { readonly s3: { readonly endpoint: string; readonly bucket: string; readonly region: string } };

/** What a stack says of its backups. */
export interface BackupOptions {
  readonly everyHours: number;
  readonly keepDays: number;
  /** How often the newest run is restored into throw-away servers. 0: never. */
  readonly drillEveryHours: number;
  readonly to: BackupPlace;
}

/** `stack`: the prefix of the stack that made it, as `arkindex-dev`. `at`: a time stamp of a backup, or `latest`. */
export interface Restore {
  readonly from: BackupPlace;
  readonly stack: string;
  readonly at: string;
}

/** What a stack fixes before anything is made. Plain values. */
export interface Site {
  /** Prefix of everything that has a global name here: `arkindex-dev`. */
  readonly name: string;
  readonly hostname: string;
  /**
   * The edge's ports on the host, or on the swarm's nodes. Without `https` only http: TLS ends in front of the edge.
   */
  readonly ports: { readonly http: number; readonly https?: number };
  /** The https port of every public URL: browsers see it, and the edge listens on it for the stack's own containers. */
  readonly publicPort: number;
  readonly region: string;
  /** Other regions of the platform. Refused until a recipe carries them. */
  readonly peers: List<Peer>;
  /** Secrets that all regions have alike, by the name that a recipe asks for. */
  readonly shared?: Dict<Output<string>>;
  /** Data and the passwords that guard it refuse destroy and replacement. */
  readonly protect: boolean;
  /** The image for a key, or what is missing. */
  image(key: string): Image | Problem;
  readonly secrets: Dict<Output<string>>;
  /** What exists already and is only pointed at, by the need's name. */
  readonly existing: Dict<Existing>;
  readonly backup?: BackupOptions;
  /** Fill the stores, while they are still empty, from a backup. */
  readonly restore?: Restore;
  /** The operator's words for disks, by the slot: another text makes a new, empty disk; `gone` lets a disk go. */
  readonly disks: Dict<string>;
  /**
   * Who is to supply a need, by its name, in the operator's word. Default: what the topology has itself, if it fits.
   */
  readonly data: Dict<"managed" | "container">;
  /** The platform that the stack is; unset where a program uses services alone. */
  readonly system?: string;
}

/** A store's dump and the slot that it belongs to. */
export interface NamedDump extends Dump {
  readonly store: string;
  readonly tier: Tier;
  /** Labels of the nodes where the slot may run: the backup that copies its data runs there, too. */
  readonly nodes?: Dict<string>;
}

/** What a place has itself for a kind. It need not fit every ask. */
export interface ManagedKind<K extends Kind> {
  /** As an operator knows it: `Amazon RDS for PostgreSQL`. */
  readonly name: string;
  /** Why it does not fit this ask; undefined: it does. */
  unfit(ask: Ask<K>): string | undefined;
  readonly recipe: Recipe<K>;
}
export type Managed = { readonly [K in Kind]?: ManagedKind<K> };

/** A place as the dry run knows it: without any SDK, but with the same answers as for real. */
export interface Place {
  readonly site: Site;
  readonly capabilities: Capabilities;
  /** The components that supply each kind, with the recipe for containers. */
  readonly services: Services;
  /** What this topology has itself for a kind. It comes before containers, if it fits the ask. */
  readonly managed?: Managed;
}

/** A topology that is not made yet: a system checks itself on it, and then makes it as its own child. */
export interface OwnTopology extends Place {
  /** Finds what is wrong with its arguments and a plan together. Pure. */
  check(plan: Plan): List<Problem>;
  make(name: string, opts: ComponentResourceOptions): Topology;
}

/** Where in a program something is made: below which resource, and under which name. */
export interface At {
  readonly parent: Resource;
  readonly logicalName: string;
}

/** A place to run, for real. What its methods make is ready only when it is healthy, or done. */
export interface Topology extends Place {
  readonly ca: Output<string> | undefined;
  /** Every password so far: what a failing container's log must not show. */
  readonly passwords: Output<string>[];
  /** What an operator wants to know of this place: a stack's output `places`. */
  readonly outputs?: Dict<unknown>;
  /**
   * What runs, by each part's name here: a container, a service of the swarm or of the cloud, or the group or instance of
   * a machine. `edge` is what answers the public names, where it is ours.
   */
  readonly nodes: Dict<Resource>;
  /** The providers that a component of this topology hands to its children. */
  readonly options: ComponentResourceOptions;
  /**
   * Lets a plan in, before anything of it is registered. `owner`: the component's name.
   * @throws ConfigError with everything that this place cannot run, with names that another component has here, and for
   * a second system.
   */
  admit(owner: string, plan: Plan, what: "system" | "service"): void;
  /**
   * Called with the whole plan before a system's first thing: makes what comes first, as an edge whose names stores
   * need.
   */
  open(plan: Plan, at: At): void;
  /** Called after the last thing of a system: makes what needs all of them. */
  close(at: At): void;
  workload(name: string, workload: Workload, at: At): Ready;
  slot(name: string, slot: Slot, at: At): Ready;
  job(name: string, job: Job, at: At): Ready;
  /** Makes what the place has itself for a kind. The recipes of `managed` call it. */
  supply?<K extends Kind>(kind: K, name: string, ask: Ask<K>, at: At): Given<K>;
}

/** A system that is being made: a place to run for the services that it needs. */
export interface Within {
  readonly topology: Topology;
  logicalName(name: string): string;
  /** The platform for what is made below a service's component. */
  within(parent: ComponentResource): Platform;
}

/** `on`: where to run; the rest is what the kind asks. */
export type ServiceArgs<K extends Kind> = Ask<K> & { readonly on: Topology | Within };

/** What supplies a kind: a component, and the recipe that it follows. */
export interface ServiceClass<K extends Kind> {
  new (name: string, args: ServiceArgs<K>, opts?: ComponentResourceOptions): { readonly given: Given<K> };
  readonly recipe: Recipe<K>;
  /** Why a container of ours is not for this ask, and what would be. Default: it is for each. */
  unfit?(ask: Ask<K>): string | undefined;
}
export type Services = { readonly [K in Kind]?: ServiceClass<K> };
