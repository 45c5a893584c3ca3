import type { ComponentResourceOptions, Output, Resource } from "@pulumi/pulumi";

import type {
  Dict,
  Dump,
  EdgeOptions,
  Engine,
  Job,
  Kind,
  List,
  Need,
  Peer,
  Port,
  Ready,
  Route,
  Slot,
  Tier,
  Workload,
} from "./contracts.ts";
import type { Problem } from "./errors.ts";
import type { Existing } from "./existing.ts";
import type { Image } from "./images.ts";
import type { ServiceClass } from "./service.ts";

export const topologyNames = ["docker", "swarm", "aws", "gcp", "azure"] as const;
export type TopologyName = (typeof topologyNames)[number];

/** A way to run a workload, and what it can. The first runner that covers a workload takes it. */
export interface Runner {
  readonly name: "container" | "serverless" | "machine";
  readonly can: ReadonlySet<Need>;
  /** Largest request body, and longest request, that reach a workload here. */
  readonly limits: { readonly bodyMib: number; readonly seconds: number };
}

/** What a topology can do, as plain values: enough to check a system without loading any provider's SDK. */
export interface Capabilities {
  readonly name: TopologyName;
  readonly runners: List<Runner>;
  /** What it does for a slot beyond running it. `leave`: before and after it goes. */
  readonly slots: ReadonlySet<"marker" | "leave">;
  /** It has nodes, and can run one replica on each. */
  readonly eachNode: boolean;
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
  /** The edge's ports on the host, or on the swarm's nodes. Without `https` none but http: TLS ends in front of the edge. */
  readonly ports: { readonly http: number; readonly https?: number };
  /** The https port of every public URL: browsers see it, and the edge listens on it for the stack's own containers. */
  readonly publicPort: number;
  readonly region: string;
  readonly peers: List<Peer>;
  /** What systems that start containers themselves talk to. Default: `docker`. */
  readonly engine?: Engine;
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
  /** The operator's words for disks, by the slot: another text makes a new, empty disk; `gone` lets one go. */
  readonly disks: Dict<string>;
  /** The platform that the stack is; unset where a program uses services alone. */
  readonly system?: string;
}

/** A route together with what answers it: a workload, or the slots of a pool. */
export interface PlannedRoute extends Route {
  /** The workload, the slot, or the pool. */
  readonly to: string;
  readonly target: Port;
  /** A page that answers below 400 while the server is well. */
  readonly check?: { readonly path: string; readonly port: number };
  /** Replicas by name, as a topology without a balancer of its own runs them; slots by theirs. */
  readonly hosts: List<string>;
  /** `replicas`: of one workload, known to a swarm by one name. */
  readonly of: "replicas" | "slots";
}

/** A store's dump and the slot that it belongs to. */
export interface NamedDump extends Dump {
  readonly store: string;
  readonly tier: Tier;
  /** Where the slot may be, and so what copies its data. */
  readonly nodes?: Dict<string>;
}

/**
 * A place to run. `services` is the table of what supplies a kind here: container recipes, and over them what this
 * topology knows better. The other four make things; each result is ready only when it is healthy, or done.
 */
export interface Topology {
  readonly site: Site;
  readonly capabilities: Capabilities;
  readonly services: Services;
  readonly ca: Output<string> | undefined;
  /** Every password so far: what a failing container's log must not show. */
  readonly passwords: Output<string>[];
  /** What an operator wants to know of this place: a stack's output `places`. */
  readonly outputs?: Dict<unknown>;
  /** The providers that a component of this topology hands to its children. */
  readonly options: ComponentResourceOptions;
  edge(routes: List<PlannedRoute>, wish: EdgeOptions, parent: Resource, logicalName: string): Ready;
  workload(name: string, workload: Workload, parent: Resource, logicalName: string): Ready;
  slot(name: string, slot: Slot, parent: Resource, logicalName: string): Ready;
  job(name: string, job: Job, parent: Resource, logicalName: string): Ready;
}
export type Services = { readonly [K in Kind]?: ServiceClass<K> };
