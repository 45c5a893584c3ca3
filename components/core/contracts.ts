/** What a system may ask for, kind by kind, and what it gets back. */
import type { Input, Output } from "@pulumi/pulumi";

import type {
  Certificate,
  Dict,
  Dump,
  EdgeOptions,
  Engine,
  Job,
  List,
  Login,
  Member,
  Members,
  Peer,
  Ready,
  Running,
  Slot,
  Store,
  StoreOptions,
  Workload,
} from "./workload.ts";

export type * from "./workload.ts";

/**
 * How the application speaks TLS to its store. `verifies`: it is told the authority, and refuses another. `if-asked`:
 * it speaks TLS where the server wants it, and takes any certificate (libpq's default). `never`: nobody knows how to
 * switch its TLS on, so a store that takes TLS alone cannot serve it. Inside a stack the data network carries plain
 * text.
 */
export interface Speaks {
  readonly clientTls: "verifies" | "if-asked" | "never";
}

/** What a client of a search store can speak: Elasticsearch's official ones refuse OpenSearch. */
export type SearchProtocol = "elasticsearch7" | "elasticsearch8" | "opensearch2";

/** The limits of containers that a system starts itself: its requests to the engine are rewritten to fit them. */
export interface Apps {
  /** A swarm's placement constraint, as `node.role==worker`. */
  readonly appsOn: string;
  /** References of the images that may run. */
  readonly images: List<string>;
  /** The most memory that one container may have. */
  readonly memoryMib: number;
  readonly cpu: number;
  /** Shared memory (/dev/shm) by the image's reference, in MiB. Default: Docker's 64. */
  readonly shmMib: Dict<number>;
  /** Names of volumes that such a container may mount. */
  readonly volumes: List<string>;
}

/** Machines of one sort, each a node of a swarm. */
export interface Machines {
  readonly count: number;
  readonly cpu: number;
  readonly memoryMib: number;
  /** The disk for images, volumes and the engine's own. */
  readonly gib: number;
}

/** A kind is a protocol, not a category. Each is a row: what is asked, what is given. */
export interface Kinds {
  postgres: {
    ask: StoreOptions &
      Speaks & {
        readonly databases: List<string>;
        readonly extensions?: List<string>;
        readonly settings?: Dict<string>;
        /** Output plugins of logical replication that the image brings, as wal2json. */
        readonly outputPlugins?: List<string>;
        /** The role that owns the databases. Default: `app`, no superuser. */
        readonly owner?: { readonly name: string; readonly superuser: boolean };
        readonly memoryMib?: number;
        readonly gib: number;
      };
    give: Store & Login;
  };
  redis: {
    ask: StoreOptions &
      Speaks & {
        readonly clientAuth: boolean;
        /** The application has no word for a port: it expects 6379. */
        readonly fixedPort?: true;
        readonly keep: boolean;
        readonly memoryMib: number;
      };
    give: Store & Partial<Login>;
  };
  objects: {
    ask: Pick<StoreOptions, "nodeLabels"> & {
      readonly apis: List<"s3" | "azure-blob">;
      /** `mirror`: the regions that hold a copy. */
      readonly buckets: Dict<{ readonly cors?: string; readonly mirror?: List<Peer> }>;
      /** The application knows its buckets by these very names: a prefix, or names of the whole world, are not for it. */
      readonly fixedNames?: true;
      /** Browsers read and write it: it gets a public name at the edge. */
      readonly browser: boolean;
      readonly gib: number;
    };
    give: {
      readonly api: "s3" | "azure-blob";
      /** One URL for browsers and for containers, which set `callsEdge` for it. */
      readonly url: string;
      /** For containers alone: the store itself, not through the edge. Without TLS if it is a store of the stack. */
      readonly internal: Store;
      readonly region: string;
      readonly key: Output<string>;
      readonly secret: Output<string>;
      bucket(name: string): string;
    };
  };
  solr: {
    ask: StoreOptions & { readonly collections: List<string>; readonly gib: number; readonly memoryMib: number };
    give: Store;
  };
  elasticsearch: {
    ask: StoreOptions &
      Partial<Speaks> & {
        /** What its clients can speak, the best first: a container of ours speaks the first that is Elasticsearch. */
        readonly speaks: List<SearchProtocol>;
        /** What the server must bring. */
        readonly plugins?: List<string>;
        /** 1 or 3: two cannot outvote a lost one. */
        readonly nodes: number;
        /** Of each node; its container gets twice as much. Default: 1024. */
        readonly heapMib?: number;
        readonly gib: number;
      };
    give: Store & Login;
  };
  nats: {
    ask: StoreOptions &
      Partial<Speaks> & {
        /** 1 or 3: two cannot outvote a lost one. */
        readonly nodes: number;
        /** JetStream's file store on each node. */
        readonly jetstreamGib: number;
        /** Of each node; half of it is JetStream's memory store. Default: 512. */
        readonly memoryMib?: number;
        readonly maxPayloadBytes?: number;
      };
    give: Store & Login;
  };
  amqp: {
    ask: StoreOptions & {
      readonly nodes: number;
      /** Slots of another store: each node runs on the machine of one of them. */
      readonly colocate: List<string>;
      readonly federate: List<Peer>;
      /** Durable topic exchanges. */
      readonly exchanges: List<string>;
      /** Of each node; unset: the recipe's own. */
      readonly memoryMib?: number;
    };
    give: Store & Login;
  };
  cql: {
    ask: StoreOptions & {
      readonly nodes: number;
      readonly keyspaces: List<string>;
      readonly peers: List<Peer>;
      readonly gib: number;
      /** Of each node; unset: the recipe's own. Half of the memory is heap. */
      readonly cpu?: number;
      readonly memoryMib?: number;
      /** Numbers of nodes that are gone for good. */
      readonly retired?: List<number>;
    };
    give: Store & Login;
  };
  influx: {
    ask: StoreOptions & {
      /** `keep`: how long, in days or weeks (`90d`, `12w`). `dump: false`: too much and too fleeting to back up. */
      readonly databases: Dict<{ readonly keep: string; readonly dump?: boolean }>;
      readonly gib: number;
      /** Default: 1024. */
      readonly memoryMib?: number;
    };
    give: Store & Login;
  };
  oidc: {
    ask: Pick<StoreOptions, "nodeLabels"> & { readonly callback: string; readonly groups: List<string> };
    give: {
      readonly issuer: Input<string>;
      /** Spelt out: not every application reads them from the issuer. */
      readonly urls: { readonly [U in "auth" | "token" | "keys" | "logout"]: Input<string> };
      /** The claim that lists a user's groups. */
      readonly groupsClaim: string;
      readonly clientId: Input<string>;
      readonly clientSecret: Output<string>;
      /** The password of the stand-in's demo users. */
      readonly password?: Output<string>;
    };
  };
  swarm: {
    /** A Docker swarm of machines that the place rents: another stack is deployed on it. */
    ask: {
      /** 1, 3, 5 or 7: an even number bears no more losses than the odd one below it. */
      readonly managers: Machines;
      /**
       * Groups of workers. `labels`: of the nodes, beside `group`, which is the group's name. `keeps`: each is a machine
       * with a name and a disk that stay, for volumes; else they come and go, and what is on them goes with them.
       */
      readonly workers: Dict<Machines & { readonly labels: Dict<string>; readonly keeps: boolean }>;
      /** TCP ports of the managers that the world may call. */
      readonly ports: List<number>;
      /** Public keys that may log in to the machines, as `ssh-ed25519 AAAA…`. */
      readonly keys: List<string>;
    };
    give: {
      /** The managers' engines, as `ssh://ec2-user@i-0123`. */
      readonly managers: List<Output<string>>;
      /** Names of the nodes that keep theirs. */
      readonly nodes: List<string>;
      /** What the public names lead to. */
      readonly address: Input<string>;
    };
  };
  containers: {
    /**
     * Docker's API, filtered. `read`: sees everything but secrets. `run-apps`: starts such apps, and sees only them.
     */
    ask: { readonly may: "read" } | ({ readonly may: "run-apps" } & Apps);
    give: {
      readonly engine: Engine;
      readonly url: string;
      /** The networks that the client has to join to reach the API, and its apps. */
      readonly networks: List<string>;
      /** The full name of the apps' network. */
      readonly network: string;
    };
  };
}
export type Kind = keyof Kinds;
export type Ask<K extends Kind> = Kinds[K]["ask"];
export type Given<K extends Kind> = Kinds[K]["give"] & Ready;

/** What a system or a recipe sees. The same function runs twice: first as a dry run, to be checked, then for real. */
export interface Platform {
  /** Prefix of everything with a global name in this stack. */
  readonly name: string;
  /** The public name, and the address that a browser opens (with its port, when that is not 443). */
  readonly hostname: string;
  readonly url: string;
  /** `<name>.<hostname>`; with several regions `<name>.<region>.<hostname>`, as each region has its own. */
  publicHost(name: string): string;
  /** The address of that name, as a browser opens it. */
  publicUrl(name: string): string;
  readonly region: string;
  readonly peers: List<Peer>;
  /** The engine on which a system may start containers itself; undefined: there is none here. */
  readonly engine: Engine | undefined;
  /** Where a part of this name answers inside the stack: a pure function of names, known before anything is made. */
  address(name: string): string;
  /** The reference of an image that the system starts itself: of a key of image-lock.ts, or the reference as it is. */
  image(name: string): string;
  /** What callers of the edge must trust; undefined when a public authority signed its certificate. */
  readonly ca: Output<string> | undefined;
  /** A generated password of 32 letters and digits, kept in state, protected with the data that it guards. */
  secret(name: string): Output<string>;
  /** The same, but one for all regions, made in the home region: for a cluster that spans the regions. */
  shared(name: string): Output<string>;
  /** A secret that the operator sets in the stack's config: `secrets: { <name>: … }`. */
  configured(name: string): Output<string>;
  /** The reference of an image as this stack runs it: a job's `trigger` may follow its version. */
  reference(image: string): string;
  /**
   * A certificate from an authority of its own, PEM, for ten years: a store's members show it to each other, both ways.
   */
  certificate(name: string, hostnames: List<string>): Certificate;
  edge(wish: EdgeOptions): void;
  need<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  /**
   * What the place supplies itself for a kind, as RDS or Cloud SQL: an endpoint and a login, without databases in it.
   * For a place's own recipes: a system says `need`.
   */
  managed<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  /** How the data of a store without a slot get out and back in. */
  dump(store: string, dump: Dump): void;
  /**
   * A store that the system itself is. Outputs, backup and restore treat it as a need. Ready when its data are back.
   */
  store(name: string, given: Store & Login & Ready, dump: Dump): Ready;
  run(name: string, workload: Workload): Running;
  job(name: string, job: Job): Ready;
  slots(role: string, members: Members, each: (member: Member) => Slot): List<Running>;
}

/** A platform, once, in terms of the contracts. It must be a pure function of its config: it is called twice. */
export type System<C> = (platform: Platform, config: C) => void;

/** How a kind is supplied, written against the platform alone. */
export type Recipe<K extends Kind> = (platform: Platform, name: string, ask: Ask<K>) => Given<K>;
