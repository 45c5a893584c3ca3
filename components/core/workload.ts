/**
 * What may run, and how what runs is reached. Nothing here knows a cloud or Docker.
 *
 * Plain values decide shape and names, so that a whole system can be checked before anything is made; `Input`s only
 * fill the leaves (passwords, addresses of managed services).
 */
import type { Input, Output, Resource } from "@pulumi/pulumi";

/** Values by their names, which are stable keys: another one more changes none of the rest. */
export type Dict<T> = Readonly<Record<string, T>>;
/** A list that nobody changes. */
export type List<T> = readonly T[];

/**
 * Networks, from the outside in. Nothing but the edge is published; data cannot reach out. `isolated`: none of them,
 * only those that the container joins by name.
 */
export type Tier = "edge" | "app" | "data" | "isolated";

/**
 * What a container needs of the machine that it runs on. A topology says which of these each of its runners has. A
 * system names the first two; the others follow from what it asks (`needsOf` in check.ts).
 */
export type Need =
  | "container-api" // the container engine's own API (root on that machine: name it in the docs)
  | "max-map-count" // vm.max_map_count of at least 262144 on the host
  | "exec-probe" // a health check that is a command inside the container
  | "any-status-probe" // a health check for which other answers than 200 to 399 count
  | "stop-first" // never two replicas of one workload at the same time
  | "tcp-in" // a port that is not HTTP
  | "short-names" // other workloads under one-label DNS names
  | "shared-memory" // more or less of /dev/shm than Docker's 64 MiB
  | "shared-folders" // a volume or a host folder that several containers mount
  | "file-folders" // several files in one folder
  | "own-machine" // a machine for each replica, as each commands its machine's engine
  | "gpu";

/** A port inside the container. */
export interface Port {
  /** The port inside the container, 1 to 65535. */
  readonly number: number;
  /** `http`: the edge may send requests there, and a probe may ask; `tcp`: anything else. */
  readonly protocol: "http" | "tcp";
}

/** A public path that the edge sends to this workload. The longest path of a host wins. */
export interface Route {
  /** The public name, as `Platform.hostname` or `publicHost` give it. */
  readonly host: string;
  /** The path and all below it, in whole segments: `/` is everything. */
  readonly path: string;
  /** A key of the workload's `ports`. */
  readonly port: string;
  /** Connections are upgraded and stay open. Default: false. */
  readonly websocket?: boolean;
  /** Largest request body that has to get through, in MiB, unbuffered. */
  readonly bodyMib?: number;
  /** How long one request may take; unset: 60. */
  readonly seconds?: number;
  /** A visitor stays with a replica, by a cookie of this name, for so many seconds. Default: any replica answers. */
  readonly sticky?: {
    /** The cookie's name. */
    readonly cookie: string;
    /** How long it lasts. */
    readonly seconds: number;
  };
  /** Slots that give the same route the same pool answer it together. */
  readonly pool?: string;
  /** Paths below it that the outside does not get (404), as `/metrics`. */
  readonly hidden?: List<string>;
  /** The beginning of the path that the workload does not see: `/api` of `/api/v4/files`. */
  readonly strip?: string;
}

/**
 * A file that the container finds at `path` at start. It lies in a folder of ours: cloud mounts hide an image's own.
 */
export interface File {
  /** Absolute. Folders that are missing are made. */
  readonly path: string;
  /** At most 24 KiB (the smallest limit of the secret stores that carry it). */
  readonly content: Input<string>;
  /** The content is a secret. Default: false. */
  readonly secret?: boolean;
  /** Octal. Default 0o444: the file is root's, and nobody but this container's processes can see it. */
  readonly mode?: number;
}

/** How to see that a container works. `http`: any answer below `below` (400 unless given) on a port of `ports`. */
export type Probe =
  | {
      /** A key of `ports`. */
      readonly http: string;
      /** The path that is asked for. */
      readonly path: string;
      /** The first status that is a failure. Default: 400. */
      readonly below?: number;
    }
  | {
      /** A key of `ports`: it works when it takes a connection. */
      readonly tcp: string;
    }
  | {
      /** Run inside the container, without a shell: it works when this ends with 0. */
      readonly command: List<string>;
    };

/** When a container works, and how long its start and its end may take. No default: the Docker provider's is to kill at once. */
export interface Health {
  /** What says that it works. */
  readonly ready: Probe;
  /** Where a proxy asks whether it may send requests: a status below 400 is a yes. Default: `ready`, if it asks the same. */
  readonly page?: {
    /** A key of `ports`. */
    readonly http: string;
    /** The path that is asked for. */
    readonly path: string;
  };
  /** How long the first success may take. */
  readonly startSeconds: number;
  /** The grace between SIGTERM and SIGKILL. */
  readonly stopSeconds: number;
}

/**
 * What is there for the containers that a container starts through the engine (`container-api`), on a machine that the
 * place rents for it. A machine of the operator's has what it has: there only GPUs and a second replica are refused.
 */
export interface Room {
  /** Cores, beside the container's own. */
  readonly cpu: number;
  /** Memory in MiB, beside the container's own. */
  readonly memoryMib: number;
  /** The disk for their images and what they write. It goes with the machine. */
  readonly gib: number;
  /** 0: none. The container sees them, too. */
  readonly gpus: number;
  /** The least memory of each GPU. Default: any. */
  readonly gpuMib?: number;
}

/** What `after` waits for: the resources that exist only once the thing is healthy, or done. */
export interface Ready {
  /** They exist only once the thing works, or is done: for `dependsOn`. */
  readonly ready: List<Resource>;
}

/** `volume`: by its full name, made if it is missing, never removed; `folder`: an absolute path on the host. */
export type Mount = (
  | {
      /** The volume's full name on its engine. */
      readonly volume: string;
    }
  | {
      /** An absolute path on the host. */
      readonly folder: string;
    }
) & {
  /** Where the container has it. */
  readonly path: string;
  /** Default: false. */
  readonly readOnly?: boolean;
};

/** What runs: an image, what it may use, what it is given, how it is reached. A change replaces the container. */
export interface Container {
  /**
   * A key of the image lock file (`image-lock.ts`), or `<system>/<name>` for a system's own image without a row there.
   */
  readonly image: string;
  /** The networks that it joins, and so who reaches it. */
  readonly tier: Tier;
  /** Cores. */
  readonly cpu: number;
  /** The most memory that it may have, in MiB. */
  readonly memoryMib: number;
  /**
   * Shared memory (/dev/shm) at most, in MiB; what is used of it counts as the container's memory. Default: Docker's
   * 64. A change replaces the container.
   */
  readonly shmMib?: number;
  /** `uid[:gid]`, numbers. Unset: what the image says (private images only). */
  readonly user?: string;
  /** Replaces the image's entrypoint and command. Unset: the image's own. */
  readonly command?: List<string>;
  /** For the image's own entrypoint, in the place of its command. Without `command` only. */
  readonly args?: List<string>;
  /** Environment variables, in plain text: secrets belong in `files`. Default: none. */
  readonly env?: Dict<Input<string>>;
  /** The variable in which a topology with nodes tells a replica its node's name; unset anywhere else. */
  readonly nodeName?: string;
  /** Only for images that cannot read files: the lock file lists them (`secrets: "env"`). */
  readonly secretEnv?: Dict<Output<string>>;
  /** Files that it finds at its start. Default: none. */
  readonly files?: List<File>;
  /**
   * Shell before the server at every start, in the same container with the same disk. Idempotent. Needs `command`. The
   * server is "$@" of the same shell: an `export` reaches it, and `set -- "$@" --flag` adds to its command.
   */
  readonly prepare?: string;
  /** Its ports, by names that routes and probes use. None is published: the edge alone is. */
  readonly ports?: Dict<Port>;
  /** Keys of `ports` that the same slots of other regions call, by TLS. Refused until a topology opens them. */
  readonly linked?: List<string>;
  /** Needs that do not follow from the other properties. */
  readonly needs?: List<"container-api" | "max-map-count">;
  /** What is there for containers that it starts itself. Default: nothing of its own. */
  readonly room?: Room;
  /** What has to work, or be done, before it starts. Default: nothing. */
  readonly after?: List<Ready>;
  /** Further DNS names that the applications insist on. */
  readonly names?: List<string>;
  /** Its public paths. Default: nobody outside reaches it. */
  readonly routes?: List<Route>;
  /** It calls public names itself (the object store's): it joins the edge network too, and trusts the edge's CA. */
  readonly callsEdge?: boolean;
  /**
   * Further networks of the stack, each made when it is first named. Containers that a system starts itself live there,
   * apart from everything else. Their full name is `<stack's prefix>-<name>`.
   */
  readonly networks?: List<string>;
  /** Folders that outlive the stack and are shared, as a backup's place. */
  readonly mounts?: List<Mount>;
  /** A machine of the stack's config to run on; unset: where the topology likes. */
  readonly machine?: string;
  /** Environment for the rehearsal image alone, when it stands in for this one. */
  readonly rehearsal?: Dict<string>;
}

/** A line of a container's log that says whether it does its work. A topology that has alarms watches for it. */
export interface LogAlarm {
  /** Tells it from the container's other ones, as `missing`. */
  readonly key: string;
  /** Words that the line has, one after another. */
  readonly line: string;
  /** What is wrong when it rings, for the person who is woken. */
  readonly says: string;
  /**
   * The line comes so often while all is well: it rings when the line stays away for twice as long. Unset: it rings when
   * the line comes.
   */
  readonly everyHours?: number;
}

/** Scales: any number of equal replicas without a disk. */
export interface Workload extends Container {
  /** When it works: the deployment waits for that, and fails without it. */
  readonly health: Health;
  /** `each-node`: one on every node that `nodes` allows, new ones too. */
  readonly replicas:
    | number
    | {
        /** Never fewer. */
        readonly min: number;
        /** Never more. Refused where nothing scales by itself, as on engines. */
        readonly max: number;
      }
    | "each-node";
  /**
   * `stop-first`: the old replica ends before the new one starts, as two would do all twice. Unset: the topology
   * decides.
   */
  readonly update?: "stop-first";
  /** Node labels that a replica's node must carry (swarm, machines in a cloud). `role`: a swarm's own roles. */
  readonly nodes?: Dict<string>;
  /** Lines of its log that somebody has to be told of. Default: none. */
  readonly alarms?: List<LogAlarm>;
}

/**
 * How a store's data gets out and back in: bash in the backup container, with the variables that backup.ts names. The
 * scripts read what is known only later, as a managed server's address, from a file.
 */
export interface Dump {
  /** What the scripts read beside the variables. Default: none. */
  readonly files?: List<File>;
  /** A toolbox with the store's own tools; default `toolbox`. One for a whole stack. */
  readonly image?: string;
  /** Saves everything into the folder of the new run. */
  readonly dump: string;
  /** Checks that the new run has what a restore will need, as far as that costs little. */
  readonly check?: string;
  /** Must refuse a store that has data; compares what has come back with what was saved. */
  readonly restore: string;
  /**
   * Reads the newest run as a restore would, into `drillServer` if there is one, and compares it with what was saved.
   */
  readonly drill: string;
  /** An empty server of the same image, `<store>-drill`, for the drill to fill and to empty again. */
  readonly drillServer?: Workload;
  /** Follows the store's log for ever, into the folder `log`. Default: there is none, and runs are all that is saved. */
  readonly log?: string;
  /** As `restore`, but to any second that the log covers. It has `drillServer`, which it leaves empty. */
  readonly recover?: string;
  /** Removes what no run needs any more. The folders of old runs go by themselves. */
  readonly prune?: string;
}
/** A dump, or why there needs to be none. */
export type Backup =
  | Dump
  | {
      /** How the content comes back without a backup: a sentence for the operator. */
      readonly rebuilt: string;
    };

/** A workload with a disk and an identity: one replica, its own name, stopped before it is replaced. */
export interface Slot extends Container {
  /** When it works. The next member starts only then. */
  readonly health: Health;
  /** Its disk. It outlives the container, and in a protected stack refuses to go. */
  readonly disk: {
    /** Where the server has it. */
    readonly path: string;
    /** Its size in GiB, where the topology makes disks: a volume of Docker has none. It can only grow. */
    readonly gib: number;
    /** How its data get out and back in. */
    readonly backup: Backup;
    /**
     * A file that the topology leaves on a disk that it has just made, and never again. In `prepare` a member of a
     * cluster refuses to start on a disk with neither this file nor data: an emptied volume would replicate emptiness.
     * Unset: the platform leaves a file of its own, and its own first line of `prepare` refuses (needs `command`).
     */
    readonly marker?: string;
  };
  /** The only slot of its role: on another disk the store is a new one, and one-time jobs run again for it. */
  readonly alone?: boolean;
  /**
   * `parallel`: the members of a new role start at once, where the topology can, as those of a StatefulSet by its
   * `podManagementPolicy`. A change goes from one to the next all the same. Default: each waits for the one before it.
   */
  readonly start?: "parallel";
  /** The members of its role that start at once, by number, itself among them. The platform sets it. */
  readonly together?: List<string>;
  /** The slot whose machine this one shares, where the topology can (`capabilities.slots`). */
  readonly colocate?: string;
  /** 0, 1 or 2: its region's zone. The platform sets it; topologies without zones ignore it. */
  readonly zone?: number;
  /** Labels that its node must carry, as for a workload. */
  readonly nodes?: Dict<string>;
  /**
   * Runs before the slot is removed for good. Does not run on a replacement or on `destroy` of the stack. It also runs
   * if you remove `leave` from a slot that stays.
   */
  readonly leave?: Omit<Job, "trigger">;
  /** Runs after the slot is gone for good, so that a cluster forgets the member. */
  readonly left?: Omit<Job, "trigger">;
}

/** Runs to its end once, and again when `trigger`, the image or the command changes. A failure stops the deployment. */
export interface Job extends Container {
  /** Another value runs it again. */
  readonly trigger: Input<string>;
  /** Part of the first installation: a changed image or command does not run it again, only a changed `trigger`. */
  readonly onlyOnTrigger?: true;
  /** It is done for each member that it waits for: another disk of one of several runs it again, too. */
  readonly eachDisk?: true;
  /** How long it may take. Longer is a failure. */
  readonly seconds: number;
  /** Labels that its node must carry, as for a workload. */
  readonly nodes?: Dict<string>;
}

/** Where a server answers. */
export interface Endpoint {
  /** A DNS name, or an address. */
  readonly host: Input<string>;
  /** The TCP port. */
  readonly port: number;
  /** The server speaks TLS alone. Default: it speaks plain text. */
  readonly tls?: boolean;
  /** The authority to trust, PEM. Unset: a public one signed. */
  readonly ca?: Output<string>;
}
/** Who a client is to a store. */
export interface Login {
  /** The name. */
  readonly user: string;
  /** A secret. */
  readonly password: Output<string>;
}

/** A certificate of an authority of its own. */
export interface Certificate {
  /** The authority, PEM: for whoever checks the certificate. */
  readonly ca: Output<string>;
  /** The certificate, PEM. */
  readonly cert: Output<string>;
  /** Its key, PEM: a secret. */
  readonly key: Output<string>;
}

/** Something that runs, as others reach it. */
export interface Running extends Ready {
  /** The DNS name inside the stack: a pure function of names, known before anything is made. */
  readonly host: string;
  /** Where a port answers, by its key in `ports`. Throws for a key that is not there. */
  port(name: string): Endpoint;
}

/**
 * `count` slots, numbered from 1. Member n+1 starts when member n is healthy. If both leave, member n+1 is gone before
 * member n begins. A retired number is never used again: the next free number takes its place.
 */
export interface Members {
  /** How many: 0 or more. */
  readonly count: number;
  /** Numbers that are never used again. Default: none. */
  readonly retired?: List<number>;
}
/** One of a role, as its slot is written for it. */
export interface Member {
  /** Its short name, as `db-1`. */
  readonly name: string;
  /** From 1 on; it is its own for life. */
  readonly number: number;
  /** Where the others reach it. */
  readonly host: string;
  /** 0, 1 or 2: spread over a region's zones. */
  readonly zone: number;
}

/** Another region of the same platform. Refused until a recipe carries it: docs/contracts.md says what is missing. */
export interface Peer {
  /** The region's name. */
  readonly region: string;
  /** It was founded before this one: what spans regions starts there. */
  readonly home: boolean;
  /** `routed`: one private network; `published-tls`: by TLS, over the internet. */
  readonly reach: "routed" | "published-tls";
  /** The address of one of its slots, as seen from here. */
  address(slot: string): string;
  /** The URL of a store with a public name there: `https://<name>.<region>.<hostname>`. */
  publicUrl(name: string): string;
}

/** `members`: the slots of ours that carry the store. Empty if it is managed or the company's own. */
export type Store = Endpoint & {
  /** Their names. */
  readonly members: List<string>;
};

/** What the ask of a store may add. It counts only if containers of ours supply the store. */
export interface StoreOptions {
  /** Further DNS names that the applications insist on; with several members each of them answers. */
  readonly names?: List<string>;
  /** Key of the image that the application brings for this store. */
  readonly image?: string;
  /** Labels that the nodes of its slots must carry. */
  readonly nodeLabels?: Dict<string>;
}

/** How many servers keep a store's data. */
export type CopyCount = 1 | 3;

/** What the ask of a store with one writer may add. It counts only if containers of ours supply the store. */
export interface Copies {
  /**
   * Servers that each keep all data, each on a node of its own: of three, one may be lost, and another takes over. Default:
   * `Platform.copies`. From 1 to 3 the data stay, but for an object store, where it is refused (docs/ha.md); back from 3
   * to 1 they do only if the first server leads.
   */
  readonly copies?: CopyCount;
}

/** What starts containers on the machines that a stack runs on. */
export type Engine = "docker" | "swarm";

/** What a system wants of the proxy at the edge. */
export interface EdgeOptions {
  /** Default: `traefik`, which brings ACME. `nginx`: unbuffered uploads of any size, as some vendors test with. */
  readonly proxy: "traefik" | "nginx";
}
