/**
 * What a system may ask for, and what it gets back. Nothing here knows a cloud or Docker.
 *
 * Plain values decide shape and names, so that a whole system can be checked before anything is made; `Input`s only
 * fill the leaves (passwords, addresses of managed services).
 */
import type { Input, Output, Resource } from "@pulumi/pulumi";

export type Dict<T> = Readonly<Record<string, T>>;
export type List<T> = readonly T[];

/**
 * Networks, from the outside in. Nothing but the edge is published; data cannot reach out. `apart`: none of them, only
 * those that the container joins by name.
 */
export type Tier = "edge" | "app" | "data" | "apart";

/** What a workload needs beyond running: a topology says which of these it has, and where. */
export type Need =
  | "tcp-in" // a port that is not HTTP
  | "many-ports"
  | "exec-probe" // a health check that is a command inside the container
  | "short-names" // other workloads under one-label DNS names
  | "container-api" // the container engine's own API (root on that machine: name it in the docs)
  | "gpu"
  | "max-map-count" // vm.max_map_count of at least 262144 on the host
  | "fixed-ip"
  | "shared-folders"; // a volume or a host folder that several containers mount

/** A port inside the container. `tcp` needs the need `tcp-in` where it is more than a database's own port. */
export interface Port {
  readonly number: number;
  readonly protocol: "http" | "h2c" | "tcp";
}

/** A public path that the edge sends to this workload. The longest path of a host wins. */
export interface Route {
  readonly host: string;
  readonly path: string;
  /** A key of the workload's `ports`. */
  readonly port: string;
  readonly websocket?: boolean;
  /** Largest request body that has to get through, in MiB, unbuffered. */
  readonly bodyMiB?: number;
  /** How long one request may take; unset: 60. */
  readonly seconds?: number;
  readonly sticky?: { readonly cookie: string; readonly seconds: number };
  /** Slots that give the same route the same pool answer it together. */
  readonly pool?: string;
  /** Paths below it that the outside does not get (404), as `/metrics`. */
  readonly hidden?: List<string>;
  /** The beginning of the path that the workload does not see: `/api` of `/api/v4/files`. */
  readonly strip?: string;
}

/** A file that the container finds at `path` at start. It lies in a folder of ours: cloud mounts hide an image's own. */
export interface File {
  readonly path: string;
  /** At most 64 KiB (the smallest limit of the secret stores that carry it). */
  readonly content: Input<string>;
  readonly secret?: boolean;
  /** Octal. Default 0o444: the file is root's, and nobody but this container's processes can see it. */
  readonly mode?: number;
}

/** How to see that a container works. `http`: any answer below `below` (400 unless given) on a port of `ports`. */
export type Probe =
  | { readonly http: string; readonly path: string; readonly below?: number }
  | { readonly tcp: string }
  | { readonly command: List<string> };

/**
 * `startSeconds`: how long the first success may take. `stopSeconds`: the grace between SIGTERM and SIGKILL; it has no
 * default, because the Docker provider's is to kill at once.
 */
export interface Health {
  readonly ready: Probe;
  readonly startSeconds: number;
  readonly stopSeconds: number;
}

/** What `after` waits for: the resources that exist only once the thing is healthy, or done. */
export interface Ready {
  readonly ready: List<Resource>;
}

/** `volume`: by its full name, made if it is missing, never removed; `folder`: an absolute path on the host. */
export type Mount = ({ readonly volume: string } | { readonly folder: string }) & {
  readonly path: string;
  readonly readOnly?: boolean;
};

export interface Container {
  /** A key of the image lock file (`image-lock.ts`), or `<system>/<name>` for a system's own image without a row there. */
  readonly image: string;
  readonly tier: Tier;
  /** Cores. */
  readonly cpu: number;
  readonly memoryMiB: number;
  /**
   * Shared memory (/dev/shm) at most, in MiB; what is used of it counts as the container's memory. Default: Docker's 64.
   * A change replaces the container.
   */
  readonly shmMiB?: number;
  /** `uid[:gid]`, numbers. Unset: what the image says (private images only). */
  readonly user?: string;
  /** Replaces the image's entrypoint and command. Unset: the image's own. */
  readonly command?: List<string>;
  /** For the image's own entrypoint, in the place of its command. Without `command` only. */
  readonly args?: List<string>;
  readonly env?: Dict<Input<string>>;
  /** The variable in which a topology with nodes tells a replica its node's name; unset anywhere else. */
  readonly nodeName?: string;
  /** Only for images that cannot read files: the lock file lists them (`secrets: "env"`). */
  readonly secretEnv?: Dict<Output<string>>;
  readonly files?: List<File>;
  /**
   * Shell before the server at every start, in the same container with the same disk. Idempotent. Needs `command`. The
   * server is "$@" of the same shell: an `export` reaches it, and `set -- "$@" --flag` adds to its command.
   */
  readonly prepare?: string;
  readonly ports?: Dict<Port>;
  readonly needs?: List<Need>;
  readonly after?: List<Ready>;
  /** Further DNS names that the applications insist on. */
  readonly names?: List<string>;
  readonly routes?: List<Route>;
  /** It calls public names itself (the object store's): it joins the edge network too, and trusts the edge's CA. */
  readonly callsEdge?: boolean;
  /**
   * Further networks of the stack, each made when it is first named: where containers live that a system starts itself,
   * apart from everything else. Their full name is `<stack's prefix>-<name>`.
   */
  readonly joins?: List<string>;
  /** Folders that outlive the stack and are shared, as a backup's place. Needs `shared-folders`. */
  readonly mounts?: List<Mount>;
  /** A machine of the stack's config to run on; unset: where the topology likes. */
  readonly machine?: string;
  /** Environment for the rehearsal image alone, when it stands in for this one. */
  readonly rehearsal?: Dict<string>;
}

/** Scales: any number of equal replicas without a disk. */
export interface Workload extends Container {
  readonly health: Health;
  /** `each-node`: one on every node that `nodes` allows, new ones too. */
  readonly replicas: number | { readonly min: number; readonly max: number } | "each-node";
  /** `stop-first`: the old replica has ended before the new one starts, where two would do everything twice. Unset: as the topology likes. */
  readonly update?: "stop-first";
  /** Node labels that a replica's node must carry (swarm, machines in a cloud). `role`: a swarm's own roles. */
  readonly nodes?: Dict<string>;
}

/** How a store's data gets out and back in: bash in the backup container, with the variables that backup.ts names. */
export interface Dump {
  readonly files?: List<File>;
  /** A toolbox with the store's own tools; default `toolbox`. One for a whole stack. */
  readonly image?: string;
  readonly dump: string;
  /** What a restore will need of the run that has just been made, as far as that costs little to ask. */
  readonly check?: string;
  /** Must refuse a store that has data; compares what has come back with what was saved. */
  readonly restore: string;
  /** The newest run as a restore would read it, compared with what was saved: into `drillServer`, where there is one. */
  readonly drill: string;
  /** An empty server of the same image, `<store>-drill`, for the drill to fill and to empty again. */
  readonly drillServer?: Workload;
  /** What no run needs any more, beside the folders of the runs themselves. */
  readonly prune?: string;
}
/** `rebuilt`: how the content comes back without a backup, for the operator to read. */
export type Backup = Dump | { readonly rebuilt: string };

/** A workload with a disk and an identity: one replica, its own name, stopped before it is replaced. */
export interface Slot extends Container {
  readonly health: Health;
  readonly disk: {
    readonly path: string;
    readonly gib: number;
    readonly backup: Backup;
    /**
     * A file that the topology leaves on a disk that it has just made, and never again: a member of a cluster refuses
     * in `prepare` to start on a disk with neither this nor data, for an emptied volume would replicate emptiness. Unset:
     * there is one all the same, and the platform's own first line of `prepare` refuses without it (needs `command`).
     */
    readonly marker?: string;
  };
  /** The only slot of its role: another disk means another store, for which all that was done once is done again. */
  readonly alone?: boolean;
  /** Slots that name the same seat share a machine. */
  readonly seat?: string;
  /** Labels that its node must carry, as for a workload. */
  readonly nodes?: Dict<string>;
  /**
   * What runs before this member goes for good. Not at a replacement, not when the whole stack is destroyed; but also when a
   * slot that stays has no `leave` any more.
   */
  readonly leave?: Omit<Job, "once">;
  /** What runs after it has gone for good: a cluster's books forget it. */
  readonly left?: Omit<Job, "once">;
}

/** Runs to its end once, and again when `once`, the image or the command changes. A failure stops the deployment. */
export interface Job extends Container {
  readonly once: Input<string>;
  /** Part of the first installation: a changed image or command does not run it again, only a changed `once`. */
  readonly installs?: true;
  readonly seconds: number;
  /** Labels that its node must carry, as for a workload. */
  readonly nodes?: Dict<string>;
}

/** `tls`: it speaks nothing else. `ca` is there, too, when only this CA vouches for its certificate. */
export interface Endpoint {
  readonly host: Input<string>;
  readonly port: number;
  readonly tls?: boolean;
  readonly ca?: Output<string>;
}
export interface Login {
  readonly user: string;
  readonly password: Output<string>;
}

export interface Certificate {
  readonly ca: Output<string>;
  readonly cert: Output<string>;
  readonly key: Output<string>;
}

export interface Running extends Ready {
  /** The DNS name inside the stack: a pure function of names, known before anything is made. */
  readonly host: string;
  port(name: string): Endpoint;
}

/** `count` slots, numbered from 1. A retired number is never used again: the next free one appears instead. */
export interface Members {
  readonly count: number;
  readonly retired?: List<number>;
  /** `one-by-one`: member n+1 starts when member n is healthy; of two that leave, it has gone before n begins. */
  readonly order: "one-by-one" | "together";
}
export interface Member {
  readonly name: string;
  readonly number: number;
  readonly host: string;
  /** 0, 1 or 2: spread over a region's zones. */
  readonly zone: number;
}

/** Another region of the same platform. */
export interface Peer {
  readonly region: string;
  readonly reach: "routed" | "published-tls";
  address(slot: string): string;
}

/** Where slots of ours carry a store, `members` names them; empty when it is managed or the company's own. */
export type Store = Endpoint & { readonly members: List<string> };

/** What the ask of a store may add, for where containers of ours supply it. */
export interface Wishes {
  /** Further DNS names that the applications insist on; with several members each of them answers. */
  readonly names?: List<string>;
  /** Key of the image that the application brings for this store. */
  readonly image?: string;
  /** Labels that the nodes of its slots must carry. */
  readonly nodeLabels?: Dict<string>;
}

/**
 * Whether the application is known to speak TLS to its store. A managed store that is reached by TLS only is not the one
 * for an application that cannot; inside a stack the data network carries plain text.
 */
export interface Speaks {
  readonly clientTls: boolean;
}

/** What starts containers on the machines that a stack runs on. */
export type Engine = "docker" | "swarm";

/** The containers that a system starts itself. Whatever it asks the engine for is rewritten to fit this. */
export interface Apps {
  /** A swarm's placement constraint, as `node.role==worker`. */
  readonly appsOn: string;
  /** References of the images that may run. */
  readonly images: List<string>;
  /** The most that one may have. */
  readonly memoryMiB: number;
  readonly cpu: number;
  /** Shared memory (/dev/shm) by the image's reference, in MiB. Default: Docker's 64. */
  readonly shmMiB: Dict<number>;
  /** Names of volumes that one may mount. */
  readonly volumes: List<string>;
}

/** A kind is a protocol, not a category. Each is a row: what is asked, what is given. */
export interface Kinds {
  postgres: {
    ask: Wishes &
      Speaks & {
        readonly databases: List<string>;
        readonly extensions?: List<string>;
        readonly settings?: Dict<string>;
        /** Output plugins of logical replication that the image brings, as wal2json. */
        readonly outputPlugins?: List<string>;
        /** The role that owns the databases. Default: `app`, no superuser. */
        readonly owner?: { readonly name: string; readonly superuser: boolean };
        readonly memoryMiB?: number;
        readonly gib: number;
      };
    give: Store & Login;
  };
  redis: {
    ask: Wishes &
      Speaks & {
        readonly clientAuth: boolean;
        readonly keep: boolean;
        readonly memoryMiB: number;
      };
    give: Store & Partial<Login>;
  };
  objects: {
    ask: Pick<Wishes, "nodeLabels"> & {
      readonly apis: List<"s3" | "azure-blob">;
      /** `mirror`: the regions that hold a copy. */
      readonly buckets: Dict<{ readonly cors?: string; readonly mirror?: List<Peer> }>;
      /** Browsers read and write it: it gets a public name at the edge. */
      readonly browser: boolean;
      readonly gib: number;
    };
    give: {
      readonly api: "s3" | "azure-blob";
      /** One URL for browsers and containers (those set `callsEdge`). */
      readonly url: string;
      /** For containers alone: past the edge, and without TLS where it is a store of the stack. */
      readonly internal: Store;
      readonly region: string;
      readonly key: Output<string>;
      readonly secret: Output<string>;
      bucket(name: string): string;
    };
  };
  solr: {
    ask: Wishes & { readonly collections: List<string>; readonly gib: number; readonly memoryMiB: number };
    give: Store;
  };
  elasticsearch: {
    ask: Wishes & {
      readonly major: 7 | 8;
      /** What the image must bring. */
      readonly plugins?: List<string>;
      /** 1 or 3: two cannot outvote a lost one. */
      readonly nodes: number;
      /** Of each node; its container gets twice as much. Default: 1024. */
      readonly heapMiB?: number;
      readonly gib: number;
    };
    give: Store & Login;
  };
  nats: {
    ask: Wishes & {
      /** 1 or 3: two cannot outvote a lost one. */
      readonly nodes: number;
      /** JetStream's file store on each node. */
      readonly jetstreamGib: number;
      /** Of each node; half of it is JetStream's memory store. Default: 512. */
      readonly memoryMiB?: number;
      readonly maxPayloadBytes?: number;
    };
    give: Store & Login;
  };
  amqp: {
    ask: Wishes & {
      readonly nodes: number;
      /** Slots of another store whose machines these share. */
      readonly beside: List<string>;
      readonly federate: List<Peer>;
      /** Durable topic exchanges. */
      readonly exchanges: List<string>;
      /** Of each node; unset: the recipe's own. */
      readonly memoryMiB?: number;
    };
    give: Store & Login;
  };
  cql: {
    ask: Wishes & {
      readonly nodes: number;
      readonly keyspaces: List<string>;
      readonly peers: List<Peer>;
      readonly gib: number;
      /** Of each node; unset: the recipe's own. Half of the memory is heap. */
      readonly cpu?: number;
      readonly memoryMiB?: number;
      /** Numbers of nodes that are gone for good. */
      readonly retired?: List<number>;
    };
    give: Store & Login;
  };
  influx: {
    ask: Wishes & {
      /** `keep`: how long, in days or weeks (`90d`, `12w`). `dump: false`: too much and too fleeting to back up. */
      readonly databases: Dict<{ readonly keep: string; readonly dump?: boolean }>;
      readonly gib: number;
      /** Default: 1024. */
      readonly memoryMiB?: number;
    };
    give: Store & Login;
  };
  oidc: {
    ask: Pick<Wishes, "nodeLabels"> & { readonly callback: string; readonly groups: List<string> };
    give: {
      readonly issuer: Input<string>;
      /** Spelt out: not every application reads them from the issuer. */
      readonly urls: { readonly [U in "auth" | "token" | "keys" | "logout"]: Input<string> };
      /** The claim that lists a user's groups. */
      readonly groupsClaim: string;
      readonly clientId: Input<string>;
      readonly clientSecret: Output<string>;
      /** Of the stand-in's demo users. */
      readonly password?: Output<string>;
    };
  };
  containers: {
    /** Docker's API, filtered. `read`: looks at everything but secrets. `run-apps`: starts these, and sees only them. */
    ask: { readonly may: "read" } | ({ readonly may: "run-apps" } & Apps);
    give: {
      readonly engine: Engine;
      readonly url: string;
      /** The networks that the client has to join to reach the API, and its apps. */
      readonly joins: List<string>;
      /** The full name of the apps' network. */
      readonly network: string;
    };
  };
}
export type Kind = keyof Kinds;
export type Ask<K extends Kind> = Kinds[K]["ask"];
export type Given<K extends Kind> = Kinds[K]["give"] & Ready;

/** What a system wants of the proxy at the edge. */
export interface EdgeWish {
  /** Default: `traefik`, which brings ACME. `nginx`: unbuffered uploads of any size, as some vendors test with. */
  readonly proxy: "traefik" | "nginx";
}

/** What a system or a recipe sees. The same function runs twice: first on paper, to be checked, then for real. */
export interface Platform {
  /** Prefix of everything with a global name in this stack. */
  readonly name: string;
  /** The public name, and the address that a browser opens (with its port, when that is not 443). */
  readonly hostname: string;
  readonly url: string;
  /** The address of `<name>.<hostname>`. */
  publicUrl(name: string): string;
  readonly region: string;
  readonly peers: List<Peer>;
  readonly engine: Engine;
  /** The reference of an image that the system starts itself: of a key of image-lock.ts, or the reference as it is. */
  image(name: string): string;
  /** What callers of the edge must trust; undefined when a public authority signed its certificate. */
  readonly ca: Output<string> | undefined;
  /** A generated password of 32 letters and digits, kept in state, protected with the data that it guards. */
  secret(name: string): Output<string>;
  /** A secret that the operator sets in the stack's config: `secrets: { <name>: … }`. */
  configured(name: string): Output<string>;
  /** The reference of an image as this stack runs it: for a job's `once` that follows its version. */
  reference(image: string): string;
  /** A certificate of an authority of its own, PEM, for ten years: for members of a store among themselves, both ways. */
  certificate(name: string, hostnames: List<string>): Certificate;
  edge(wish: EdgeWish): void;
  need<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  /** A store that the system itself is: in outputs, backup and restore as a need is. Ready when its data are back. */
  store(name: string, given: Store & Login & Ready, dump: Dump): Ready;
  run(name: string, workload: Workload): Running;
  job(name: string, job: Job): Ready;
  slots(role: string, members: Members, each: (member: Member) => Slot): List<Running>;
}

/** A platform, once, in terms of the contracts. It must be a pure function of its config: it is called twice. */
export type System<C> = (platform: Platform, config: C) => void;

/** A container recipe for a kind, written against "run a workload" alone. */
export type Recipe<K extends Kind> = (platform: Platform, name: string, ask: Ask<K>) => Given<K>;
