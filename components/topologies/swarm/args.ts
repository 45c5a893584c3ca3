import type { Dict, List } from "../../core/contracts.ts";
import type { Site } from "../../core/topology.ts";
import type { NetworkChoices } from "../subnets.ts";
import type { Tls } from "../tls.ts";

/** A node of the swarm, by its hostname. Its other labels and settings stay as they are. */
export interface NodeArgs {
  /** Set on the node, and taken off again with the stack. Default: none. */
  readonly labels?: Dict<string> | undefined;
  /** Whether the node takes tasks. Default: left as it is. */
  readonly availability?: "active" | "pause" | "drain" | undefined;
  /** The address at which clients reach it, for the stack's outputs. */
  readonly address?: string | undefined;
}

/** How a changed service rolls. */
export interface UpdateArgs {
  /** How many replicas change at a time. Default 1. */
  readonly parallelism: number;
  /** Pause between them. Default 0. */
  readonly delaySeconds: number;
  /** For so long after its start a replica's failure turns the update back. Default 5. */
  readonly monitorSeconds: number;
}

/** Where the swarm is, and what the stack on it may use. */
export interface SwarmArgs extends NetworkChoices {
  /** The stack that is made here. */
  readonly site: Site;
  /** Managers, as `tcp://…`, `unix://…` or `ssh://…`: the first that answers as a manager is used. */
  readonly managers: List<string>;
  /**
   * The path of the engine's socket on each node, for containers that are given it. Default: that of a manager which is
   * named as `unix://…`. A change rolls those services.
   */
  readonly socket?: string | undefined;
  /** What is said of nodes, by their hostnames. Default: nothing; all of them are used. */
  readonly nodes?: Dict<NodeArgs>;
  /** Labels of the nodes for containers that name no labels; `role` is `manager` or `worker`. Default: any node. */
  readonly place?: Dict<string>;
  /**
   * The nodes that clients call. Default: the managers. A change replaces the edge's service where it has a volume
   * node.
   */
  readonly edge?: {
    /** Labels that such a node carries; `role` is `manager` or `worker`. */
    readonly nodes: Dict<string>;
    /**
     * An address that one of them has, and another takes over when that one is lost, as `192.0.2.10/24`: a free one of a
     * network that all of them are in, by one cable (layer 2). Default: none; clients call the nodes' own.
     */
    readonly address?: string | undefined;
  };
  /**
   * `host`: each edge node answers on its own address, and sees the caller's. `ingress`: every node of the swarm
   * answers and passes the request on. Default `host`.
   */
  readonly publish?: "host" | "ingress";
  /** `vip`: one address for all replicas; `dnsrr`: one for each (for kernels without IPVS). Default `vip`. */
  readonly endpointMode?: "vip" | "dnsrr";
  /** IPsec between the nodes. Default true. A change replaces every network and so every service. */
  readonly encrypted?: boolean;
  /**
   * A volume driver that reaches a slot's data from every node. `{volume}` in an option is the volume's name. Unset:
   * volumes are local, and each slot stays on the node that has its volume.
   */
  readonly volumes?:
    | {
        /** Its name: it is installed on each node. */
        readonly driver: string;
        /** What it is told of each volume. */
        readonly options: Dict<string>;
      }
    | undefined;
  /** How a changed service rolls. Default: one replica after another. */
  readonly update?: UpdateArgs;
  /** Who signs the edge's certificate. A change rolls the edge. */
  readonly tls: Tls;
  /** Registries whose `docker login` credentials, on the machine that deploys, the nodes need. */
  readonly registries?: List<string>;
  /** Turns an image's reference into one with a digest. Default: a manager asks the registry. */
  readonly pin?: (ref: string) => Promise<string>;
}
