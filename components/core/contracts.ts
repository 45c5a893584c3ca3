/** What a system may ask for, kind by kind, and what it gets back. */
import type { Input, Output } from "@pulumi/pulumi";

import type {
  Certificate,
  Copies,
  CopyCount,
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
  /** Which of the three its client is. */
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
  /** The most cores that one container may have. */
  readonly cpu: number;
  /** Shared memory (/dev/shm) by the image's reference, in MiB. Default: Docker's 64. */
  readonly shmMib: Dict<number>;
  /** Names of volumes that such a container may mount. */
  readonly volumes: List<string>;
}

/** Machines of one sort, each a node of a swarm. */
export interface Machines {
  /** How many. */
  readonly count: number;
  /** Cores of each. */
  readonly cpu: number;
  /** Memory of each, in MiB. */
  readonly memoryMib: number;
  /** The disk for images, volumes and the engine's own. */
  readonly gib: number;
}

/** A kind is a protocol, not a category. Each is a row: what is asked, what is given. */
export interface Kinds {
  /** PostgreSQL. */
  postgres: {
    /** A server with databases and the role that owns them. */
    ask: StoreOptions &
      Copies &
      Speaks & {
        /** Their names. One that is taken out stays in the server. */
        readonly databases: List<string>;
        /** Made in each database. Default: none. */
        readonly extensions?: List<string>;
        /** Of the server, as in postgresql.conf. A change restarts it. Default: its own. */
        readonly settings?: Dict<string>;
        /** Output plugins of logical replication that the image brings, as wal2json. */
        readonly outputPlugins?: List<string>;
        /** The role that owns the databases. Default: `app`, no superuser. */
        readonly owner?: {
          /** The role's name, and the login's. */
          readonly name: string;
          /** A managed PostgreSQL has none: then a container serves the ask. */
          readonly superuser: boolean;
        };
        /** The server's memory in MiB. Default: 1024. */
        readonly memoryMib?: number;
        /** Its disk in GiB. */
        readonly gib: number;
      };
    /** Where it answers, and the owner's login. */
    give: Store &
      Login & {
        /** Of the server's administrator, by `<name>-admin`: for operators, among the outputs. */
        readonly passwords?: Dict<Output<string>>;
      };
  };
  /** Redis, or Valkey. */
  redis: {
    /** A server. */
    ask: StoreOptions &
      Copies &
      Speaks & {
        /** The client signs in: there is a password. */
        readonly clientAuth: boolean;
        /** The application has no word for a port: it expects 6379. */
        readonly fixedPort?: true;
        /** What is written outlives a restart. Else it is a cache, which throws out the oldest. */
        readonly keep: boolean;
        /** The most data, in MiB. */
        readonly memoryMib: number;
      };
    /** Where it answers; a login if `clientAuth`. */
    give: Store & Partial<Login>;
  };
  /** An object store. */
  objects: {
    /** Buckets. */
    ask: Pick<StoreOptions, "nodeLabels"> &
      Copies & {
        /** What the client can speak, the best first. */
        readonly apis: List<"s3" | "azure-blob">;
        /** By their names. One that is taken out stays in the store. */
        readonly buckets: Dict<{
          /** The origin whose pages may call it, as `https://app.example.com`. Default: none. */
          readonly cors?: string;
          /** The regions that hold a copy. Default: none. */
          readonly mirror?: List<Peer>;
        }>;
        /** The application knows its buckets by these very names: a prefix, or names of the whole world, are not for it. */
        readonly fixedNames?: true;
        /** Browsers read and write it: it gets a public name at the edge. */
        readonly browser: boolean;
        /** The disk in GiB, where it is a store of ours. */
        readonly gib: number;
      };
    /** How it is reached, and its keys. */
    give: {
      /** What it speaks. */
      readonly api: "s3" | "azure-blob";
      /** One URL for browsers and for containers, which set `callsEdge` for it. */
      readonly url: string;
      /** For containers alone: the store itself, not through the edge. Without TLS if it is a store of the stack. */
      readonly internal: Store;
      /** The region that signatures name. */
      readonly region: string;
      /** The access key: a secret. */
      readonly key: Output<string>;
      /** The secret key. */
      readonly secret: Output<string>;
      /** What guards its servers' own API, by their role, where there are several: for operators, among the outputs. */
      readonly passwords?: Dict<Output<string>>;
      /** The real name of a bucket that was asked for. */
      bucket(name: string): string;
    };
  };
  /** Solr in cloud mode. */
  solr: {
    /** A server with collections. */
    ask: StoreOptions &
      Copies & {
        /** Their names. One that is taken out stays in the server. */
        readonly collections: List<string>;
        /** Its disk in GiB. */
        readonly gib: number;
        /** Its heap in MiB; the container gets twice as much. */
        readonly memoryMib: number;
      };
    /** Where it answers. */
    give: Store;
  };
  /** A search store. */
  elasticsearch: {
    /** A cluster. */
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
        /** The disk of each node, in GiB. */
        readonly gib: number;
      };
    /** Where it answers, and a login. */
    give: Store & Login;
  };
  /** NATS with JetStream. */
  nats: {
    /** A cluster. */
    ask: StoreOptions &
      Partial<Speaks> & {
        /** 1 or 3: two cannot outvote a lost one. */
        readonly nodes: number;
        /** JetStream's file store on each node. */
        readonly jetstreamGib: number;
        /** Of each node; half of it is JetStream's memory store. Default: 512. */
        readonly memoryMib?: number;
        /** The largest message. Default: the server's own, 1 MiB. */
        readonly maxPayloadBytes?: number;
      };
    /** Where it answers, and a login. */
    give: Store & Login;
  };
  /** RabbitMQ. */
  amqp: {
    /** A cluster. */
    ask: StoreOptions & {
      /** How many. */
      readonly nodes: number;
      /** Slots of another store: each node runs on the machine of one of them. */
      readonly colocate: List<string>;
      /** The regions whose exchanges it follows. Refused until regions are carried. */
      readonly federate: List<Peer>;
      /** Durable topic exchanges. */
      readonly exchanges: List<string>;
      /** Of each node; unset: the recipe's own. */
      readonly memoryMib?: number;
    };
    /** Where it answers, and a login. */
    give: Store & Login;
  };
  /** Cassandra. */
  cql: {
    /** A cluster. */
    ask: StoreOptions & {
      /** How many. */
      readonly nodes: number;
      /** Their names. One that is taken out stays. */
      readonly keyspaces: List<string>;
      /** The regions that share the cluster. Refused until regions are carried. */
      readonly peers: List<Peer>;
      /** The disk of each node, in GiB. */
      readonly gib: number;
      /** Of each node; unset: the recipe's own. Half of the memory is heap. */
      readonly cpu?: number;
      /** Memory of each node, in MiB; unset: the recipe's own. */
      readonly memoryMib?: number;
      /** Numbers of nodes that are gone for good. */
      readonly retired?: List<number>;
    };
    /** Where it answers, and a login. */
    give: Store & Login;
  };
  /** InfluxDB 1.x. */
  influx: {
    /** A server with databases. */
    ask: StoreOptions & {
      /** By their names. */
      readonly databases: Dict<{
        /** How long, in days or weeks (`90d`, `12w`). */
        readonly keep: string;
        /** False: too much and too fleeting to back up. Default: true. */
        readonly dump?: boolean;
      }>;
      /** Its disk in GiB. */
      readonly gib: number;
      /** Default: 1024. */
      readonly memoryMib?: number;
    };
    /** Where it answers, and a login. */
    give: Store & Login;
  };
  /** An OpenID provider. */
  oidc: {
    /** A client for one application. */
    ask: Pick<StoreOptions, "nodeLabels"> & {
      /** Where a signed-in user is sent back. */
      readonly callback: string;
      /** Groups that the application tells its users apart by. */
      readonly groups: List<string>;
    };
    /** What the application has to know of it. */
    give: {
      /** The issuer's URL. */
      readonly issuer: Input<string>;
      /** Spelt out: not every application reads them from the issuer. */
      readonly urls: {
        /** Where a browser signs in. */
        readonly auth: Input<string>;
        /** Where a code becomes a token. */
        readonly token: Input<string>;
        /** The keys that sign tokens. */
        readonly keys: Input<string>;
        /** Where a browser signs out. */
        readonly logout: Input<string>;
      };
      /** The claim that lists a user's groups. */
      readonly groupsClaim: string;
      /** The client's id. */
      readonly clientId: Input<string>;
      /** The client's secret. */
      readonly clientSecret: Output<string>;
      /** The password of the stand-in's demo users. */
      readonly password?: Output<string>;
    };
  };
  /** A Docker swarm on rented machines. */
  swarm: {
    /** A Docker swarm of machines that the place rents: another stack is deployed on it. */
    ask: {
      /** 1, 3, 5 or 7: an even number bears no more losses than the odd one below it. */
      readonly managers: Machines;
      /**
       * Groups of workers, by the group's name, which is their nodes' label `group`.
       */
      readonly workers: Dict<
        Machines & {
          /** Further labels of the nodes. */
          readonly labels: Dict<string>;
          /**
           * Each is a machine with a name and a disk that stay, for volumes. Else they come and go, and what is on them goes
           * with them.
           */
          readonly keeps: boolean;
        }
      >;
      /** TCP ports of the managers that the world may call. */
      readonly ports: List<number>;
      /** Public keys that may log in to the machines, as `ssh-ed25519 AAAA…`. */
      readonly keys: List<string>;
    };
    /** How another stack is deployed on it. */
    give: {
      /** The managers' engines, as `ssh://ec2-user@i-0123`. */
      readonly managers: List<Output<string>>;
      /** Names of the nodes that keep theirs. */
      readonly nodes: List<string>;
      /** What the public names lead to. */
      readonly address: Input<string>;
    };
  };
  /** A container engine. */
  containers: {
    /**
     * Docker's API, filtered. `read`: sees everything but secrets. `run-apps`: starts such apps, and sees only them.
     */
    ask:
      | {
          /** It sees. */
          readonly may: "read";
        }
      | ({
          /** It starts apps, and sees them alone. */
          readonly may: "run-apps";
        } & Apps);
    /** How the API is reached, and where what it starts lives. */
    give: {
      /** Whose API it is. */
      readonly engine: Engine;
      /** Where it answers. */
      readonly url: string;
      /** The networks that the client has to join to reach the API, and its apps. */
      readonly networks: List<string>;
      /** The full name of the apps' network. */
      readonly network: string;
    };
  };
}
/** The name of a kind. */
export type Kind = keyof Kinds;
/** What is asked of a kind. */
export type Ask<K extends Kind> = Kinds[K]["ask"];
/** What a kind gives back, once it works. */
export type Given<K extends Kind> = Kinds[K]["give"] & Ready;

/** What a system or a recipe sees. The same function runs twice: first as a dry run, to be checked, then for real. */
export interface Platform {
  /** Prefix of everything with a global name in this stack. */
  readonly name: string;
  /** The public name. */
  readonly hostname: string;
  /** The address that a browser opens, with its port, when that is not 443. */
  readonly url: string;
  /** `<name>.<hostname>`; with several regions `<name>.<region>.<hostname>`, as each region has its own. */
  publicHost(name: string): string;
  /** The address of that name, as a browser opens it. */
  publicUrl(name: string): string;
  /** This region's name; empty with one region. */
  readonly region: string;
  /** The other regions. None until regions are carried. */
  readonly peers: List<Peer>;
  /** Of each store that can have several and asks for no number itself: how many servers keep its data. */
  readonly copies: CopyCount;
  /** A backup saves the stores of a system here: what keeps a log may keep it for that. */
  readonly backedUp: boolean;
  /** The engine on which a system may start containers itself; undefined: there is none here. */
  readonly engine: Engine | undefined;
  /** Where a part of this name answers inside the stack: a pure function of names, known before anything is made. */
  address(name: string): string;
  /** The reference of an image that the system starts itself: of a key of image-lock.ts, or the reference as it is. */
  image(name: string): string;
  /** What callers of the edge must trust; undefined when a public authority signed its certificate. */
  readonly ca: Output<string> | undefined;
  /**
   * A generated password of 32 letters and digits, kept in state, protected with the data that it guards. `rotates`: the
   * stack's `rotate: { <this name>: <word> }` makes another one, which the recipe brings to a server with data.
   */
  secret(name: string, rotates?: string): Output<string>;
  /** The same, but one for all regions, made in the home region: for a cluster that spans the regions. */
  shared(name: string, rotates?: string): Output<string>;
  /** A secret that the operator sets in the stack's config: `secrets: { <name>: … }`. */
  configured(name: string): Output<string>;
  /** The reference of an image as this stack runs it: a job's `trigger` may follow its version. */
  reference(image: string): string;
  /**
   * A certificate from an authority of its own, PEM, for ten years: a store's members show it to each other, both ways.
   */
  certificate(name: string, hostnames: List<string>): Certificate;
  /** Says what the system wants of the proxy at the edge. Default: Traefik. */
  edge(wish: EdgeOptions): void;
  /** A store, or another service. Whoever supplies it here, the answer has the same form. */
  need<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  /**
   * What the place supplies itself for a kind, as RDS or Cloud SQL: an endpoint and a login, without databases in it.
   * For a place's own recipes: a system says `need`.
   */
  managed<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  /** How the data of a store without a slot get out and back in. `nodes`: labels of its nodes, where its dumps are, too. */
  dump(store: string, dump: Dump, nodes?: Dict<string>): void;
  /**
   * A store that the system itself is. Outputs, backup and restore treat it as a need. Ready when its data are back.
   */
  store(name: string, given: Store & Login & Ready, dump: Dump): Ready;
  /** Runs equal replicas without a disk. `name`: short, and its own in the system. */
  run(name: string, workload: Workload): Running;
  /** Runs once to its end, and again for another trigger. */
  job(name: string, job: Job): Ready;
  /**
   * Runs numbered members, each with a disk and a name of its own, one after another. `before`: those that come before
   * the member.
   */
  slots(role: string, members: Members, each: (member: Member, before: List<Running>) => Slot): List<Running>;
}

/** A platform, once, in terms of the contracts. It must be a pure function of its config: it is called twice. */
export type System<C> = (platform: Platform, config: C) => void;

/** How a kind is supplied, written against the platform alone. */
export type Recipe<K extends Kind> = (platform: Platform, name: string, ask: Ask<K>) => Given<K>;
