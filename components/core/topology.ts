import type { ComponentResource, ComponentResourceOptions, Output, Resource } from "@pulumi/pulumi";

import type {
  Ask,
  CopyCount,
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

/** Every topology that there is a name for: gcp and azure are to come. */
export const topologyNames = ["docker", "swarm", "aws", "gcp", "azure"] as const;
/** The name of a topology. */
export type TopologyName = (typeof topologyNames)[number];

/** Largest request body, and longest request, that get through. */
export interface Limits {
  /** The largest request body, in MiB. */
  readonly bodyMib: number;
  /** How long one request may take. */
  readonly seconds: number;
}

/** A way to run a workload, and what it can. The first runner that covers a workload takes it. */
export interface Runner {
  /** `serverless`: no machine of the stack's own; `machine`: one for each container. */
  readonly name: "container" | "serverless" | "machine";
  /** The needs that it covers. */
  readonly can: ReadonlySet<Need>;
  /** Of requests to what it runs. */
  readonly limits: Limits;
  /** The longest grace between SIGTERM and SIGKILL. Default: any. */
  readonly stopSeconds?: number;
}

/** What a topology can do, as plain values: enough to check a system without loading any provider's SDK. */
export interface Capabilities {
  /** Whose capabilities they are. */
  readonly name: TopologyName;
  /** The first that covers a workload takes it. */
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
  readonly edge: {
    /** Whose it is: ours, or the cloud's. */
    readonly by: "proxy" | "balancer";
    /** The other choice, in a sentence. Default: there is none. */
    readonly instead?: string;
  } & Limits;
  /** Replicas may follow the load (`{ min, max }`). */
  readonly autoscales: boolean;
  /** Kinds that cannot be had here at all, with the reason and what to choose instead. */
  readonly refuses: Partial<Readonly<Record<Kind, string>>>;
  /** How many servers may keep a store's data here. The first is a protected stack's default. */
  readonly copies: readonly [CopyCount, ...CopyCount[]];
  /** Longest name of a workload here, the stack's prefix included. */
  readonly nameLength: number;
}

/** Where a stack's backups go: a folder of the Docker host, a volume, or a bucket. */
export type BackupPlace =
  | {
      /** An absolute path on the Docker host. */
      readonly path: string;
    }
  | {
      /** The volume's full name. It is made if it is missing, and never removed. */
      readonly volume: string;
    }
  | {
      /** A bucket that is there. Its keys are `secrets.backupKey` and `secrets.backupSecret`. */
      readonly s3: {
        /** The store's URL. */
        readonly endpoint: string;
        /** The bucket's name. */
        readonly bucket: string;
        /** The region that signatures name. */
        readonly region: string;
      };
    };

/** What a stack says of its backups. */
export interface BackupOptions {
  /** Hours between two runs. */
  readonly everyHours: number;
  /** Days that a run is kept. The newest stays whatever its age. */
  readonly keepDays: number;
  /** How often the newest run is restored into throw-away servers. 0: never. */
  readonly drillEveryHours: number;
  /** Where the dumps go. */
  readonly to: BackupPlace;
}

/** A backup that fills the stores, while they are still empty. */
export interface Restore {
  /** Where the backup lies. */
  readonly from: BackupPlace;
  /** The prefix of the stack that made it, as `arkindex-dev`. */
  readonly stack: string;
  /** A time stamp of a backup, or `latest`. */
  readonly at: string;
  /** A time to the second, as `2026-01-31T04:05:06Z`: what keeps a log comes back as it was then. Default: as of `at`. */
  readonly until?: string | undefined;
}

/** What a stack fixes before anything is made. Plain values. */
export interface Site {
  /** Prefix of everything that has a global name here: `arkindex-dev`. */
  readonly name: string;
  /** The public DNS name. */
  readonly hostname: string;
  /**
   * The edge's ports on the host, or on the swarm's nodes. Without `https` only http: TLS ends in front of the edge.
   */
  readonly ports: {
    /** Of plain http, which leads to https where there is one. */
    readonly http: number;
    /** Unset: TLS ends in front of the edge. */
    readonly https?: number;
  };
  /** The https port of every public URL: browsers see it, and the edge listens on it for the stack's own containers. */
  readonly publicPort: number;
  /** This region's name; empty with one region. */
  readonly region: string;
  /** Other regions of the platform. Refused until a recipe carries them. */
  readonly peers: List<Peer>;
  /** Secrets that all regions have alike, by the name that a recipe asks for. */
  readonly shared?: Dict<Output<string>>;
  /** Data and the passwords that guard it refuse destroy and replacement. */
  readonly protect: boolean;
  /**
   * How many servers keep the data of each store that can have several: of all, or by the store's name. Default: 1,
   * protected what the topology says.
   */
  readonly copies?: CopyCount | Dict<CopyCount>;
  /** The image for a key, or what is missing. */
  image(key: string): Image | Problem;
  /** What systems ask the operator for, by name: secrets. */
  readonly secrets: Dict<Output<string>>;
  /** What exists already and is only pointed at, by the need's name. */
  readonly existing: Dict<Existing>;
  /** Unset: no backup is made. */
  readonly backup?: BackupOptions;
  /** Fill the stores, while they are still empty, from a backup. */
  readonly restore?: Restore;
  /** The operator's words for disks, by the slot: another text makes a new, empty disk; `gone` lets a disk go. */
  readonly disks: Dict<string>;
  /** The operator's words for passwords of clients, by the store: another text makes another password. */
  readonly rotate: Dict<string>;
  /**
   * Who is to supply a need, by its name, in the operator's word. Default: what the topology has itself, if it fits.
   */
  readonly data: Dict<"managed" | "container">;
  /** The platform that the stack is; unset where a program uses services alone. */
  readonly system?: string;
}

/** A store's dump and the slot that it belongs to. */
export interface NamedDump extends Dump {
  /** The store's name. */
  readonly store: string;
  /** The network in which it is reached. */
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
  /** Asks the place for it (`managed`), and sets it up. */
  readonly recipe: Recipe<K>;
}
/** What a place has itself, by the kind. */
export type Managed = { readonly [K in Kind]?: ManagedKind<K> };

/** A place as the dry run knows it: without any SDK, but with the same answers as for real. */
export interface Place {
  /** The stack that is made here. */
  readonly site: Site;
  /** What it can do. */
  readonly capabilities: Capabilities;
  /** How containers supply each kind, and for whom they are not. */
  readonly services: ContainerServices;
  /** What this topology has itself for a kind. It comes before containers, if it fits the ask. */
  readonly managed?: Managed;
  /** Keys of images that it runs beside a system's parts and the edge. Default: none. */
  readonly images?: List<string>;
}

/** A topology that is not made yet: a system checks itself on it, and then makes it as its own child. */
export interface OwnTopology extends Place {
  /** Finds what is wrong with its arguments and a plan together. Pure. */
  check(plan: Plan): List<Problem>;
  /** Makes it. `opts`: its parent, and what it waits for. */
  make(name: string, opts: ComponentResourceOptions): Topology;
}

/** Where in a program something is made: below which resource, and under which name. */
export interface At {
  /** The component that it belongs to. */
  readonly parent: Resource;
  /** Its name in the state, which begins with its parent's. */
  readonly logicalName: string;
}

/** A place to run, for real. What its methods make is ready only when it is healthy, or done. */
export interface Topology extends Place {
  /** The components that supply each kind in containers. */
  readonly services: Services;
  /** What callers of the edge must trust, PEM; undefined: a public authority signed. */
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
   * Lets a plan in, before anything of it is registered. `owner`: the component's name; `former`: those that it had before.
   * @throws ConfigError with everything that this place cannot run, with names that another component has here, and for
   * a second system.
   */
  admit(owner: string, plan: Plan, what: "system" | "service", former?: List<string>): void;
  /**
   * Called with the whole plan before a system's first thing: makes what comes first, as an edge whose names stores
   * need.
   */
  open(plan: Plan, at: At): void;
  /** Called after the last thing of a system: makes what needs all of them. */
  close(at: At): void;
  /** Runs equal replicas without a disk. */
  workload(name: string, workload: Workload, at: At): Ready;
  /** Runs one process with a disk and a name of its own. */
  slot(name: string, slot: Slot, at: At): Ready;
  /** Runs something once, to its end. */
  job(name: string, job: Job, at: At): Ready;
  /** Makes what the place has itself for a kind. The recipes of `managed` call it. */
  supply?<K extends Kind>(kind: K, name: string, ask: Ask<K>, at: At): Given<K>;
}

/** A system that is being made: a place to run for the services that it needs. */
export interface Within {
  /** Where the system runs. */
  readonly topology: Topology;
  /** The name in the state for a part of the system. */
  logicalName(name: string): string;
  /** The platform for what is made below a service's component. */
  within(parent: ComponentResource): Platform;
}

/** `on`: where to run; the rest is what the kind asks. */
export type ServiceArgs<K extends Kind> = Ask<K> & {
  /** Where it runs. A change moves no data: it is a new service there. */
  readonly on: Topology | Within;
  /**
   * The name of its parts, on the engine too. Default: the component's own. A component that an alias renames says its
   * old name here: another one replaces its parts.
   */
  readonly called?: string;
};

/** A component that supplies a kind. */
export interface Supplying<K extends Kind> {
  /** How to reach it. */
  readonly given: Given<K>;
}

/** What supplies a kind: a component, and the recipe that it follows. */
export interface ServiceClass<K extends Kind> {
  new (name: string, args: ServiceArgs<K>, opts?: ComponentResourceOptions): Supplying<K>;
  /** How containers supply it. */
  readonly recipe: Recipe<K>;
  /** Why a container of ours is not for this ask, and what would be. Default: it is for each. */
  unfit?(ask: Ask<K>): string | undefined;
}
/** Of a component that supplies a kind, what is asked before it is made. */
export type ContainerService<K extends Kind> = Pick<ServiceClass<K>, "recipe" | "unfit">;
/** The same for each kind. */
export type ContainerServices = { readonly [K in Kind]?: ContainerService<K> };
/** What supplies each kind where a topology has nothing itself. */
export type Services = { readonly [K in Kind]?: ServiceClass<K> };
