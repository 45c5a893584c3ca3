import {
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  mergeOptions,
  output,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";

import { Job as OpsJob, NodeLabels, roundLabel, ServiceEnd, ServiceGate } from "../../../ops/resources.ts";
import type { JobSwarm } from "../../../ops/resources.ts";
import type { Container, Dict, Job, List, Ready, Slot, Workload } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { type Image, imageOf } from "../../core/images.ts";
import { parse } from "../../core/parse.ts";
import type { Plan, PlannedRoute } from "../../core/plan.ts";
import { swarmText } from "../../core/syntax.ts";
import type { At, Capabilities, OwnTopology } from "../../core/topology.ts";
import { containerServices } from "../../services/index.ts";
import type { Backends } from "../../edge/proxy.ts";
import { acmeFolder } from "../../edge/traefik.ts";
import { Adopted } from "../adopted.ts";
import { part } from "../base.ts";
import { networksOf } from "../containers.ts";
import { EngineTopology, type JobRun } from "../engine-base.ts";
import { jobArgs, type JobPlace, markerIgnores, markerJob } from "../job.ts";
import type { Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { swarmCapabilities } from "./capabilities.ts";
import { checkSwarm, ownImages, tiers } from "./check.ts";
import { swarmArgs } from "./config.ts";
import { backendsOf, edgeNodes, edgeShape } from "./edge.ts";
import { files } from "./files.ts";
import { pinned } from "./images.ts";
import { surveyOf } from "./look.ts";
import { firstManager } from "./managers.ts";
import { Networks } from "./networks.ts";
import { constraintsOf, onNode } from "./placement.ts";
import { type Part, serviceSpec, sysctlPath } from "./service.ts";
import { edgeAddress, rights } from "./virtual-address.ts";
import { socketOf } from "./sockets.ts";
import { type Disk, VolumeNodes } from "./volume-nodes.ts";

export type { SwarmArgs } from "./args.ts";

/** What `#start` needs to know about a container beyond its definition. */
type Placed = Omit<Part, "name" | "container" | "image" | "ref" | "files" | "networks" | "update" | "owner">;

interface Started {
  readonly isSlot?: boolean;
  readonly before?: List<Resource>;
  /** It may be away while others of its kind are there. */
  readonly spare?: boolean;
  readonly together?: Slot["together"];
}

/** A Docker Swarm: overlay networks edge, app and data, services behind gates, slots pinned to their disks. */
export class Swarm extends EngineTopology {
  /** What it can do, without a question to anybody. */
  readonly capabilities: Capabilities = swarmCapabilities;
  /** Keys of images that it runs beside a system's parts and the edge: what moves the edge's address. */
  readonly images: List<string>;
  readonly #args: SwarmArgs;
  /** All managers. Our provider's resources take the first that answers. */
  readonly #host: string;
  readonly #docker: CustomResourceOptions;
  readonly #survey: Survey;
  readonly #networks: Networks;
  readonly #adopted: Adopted;
  readonly #volumeNodes: VolumeNodes;
  readonly #described: NodeLabels[];
  readonly #refs = new Map<string, Output<string>>();

  /**
   * One that a system makes as its own child.
   * @throws ConfigError with everything in `args` that no swarm takes.
   */
  static own(args: SwarmArgs): OwnTopology {
    parse(swarmArgs, args);
    const { site } = args;
    return {
      ...{ site, capabilities: swarmCapabilities, services: containerServices, images: ownImages(args) },
      check: (plan) => checkSwarm(args, site, plan).problems,
      make: (name, opts) => new Swarm(name, args, opts),
    };
  }

  /** @throws ConfigError with everything in `args` that no swarm takes. */
  constructor(name: string, args: SwarmArgs, opts: ComponentResourceOptions = {}) {
    const { site, tls } = args;
    parse(swarmArgs, args);
    const own = Object.fromEntries(tiers.map((tier) => [tier, tier]));
    const adopted = new Adopted("swarm.networks", site.name, args, own);
    const survey = surveyOf(name, args, adopted);
    super(name, { type: "Swarm", topology: "swarm", site, tls, survey }, opts);
    this.#survey = survey;
    this.#adopted = adopted;
    this.#args = args;
    this.images = ownImages(args);
    this.#host = args.managers.join(",");
    const provider = new docker.Provider(
      `${name}-engine`,
      // `docker login` on the machine that deploys has the credentials. As arguments they would be plain text in the
      // state.
      {
        host: output(firstManager(args.managers)),
        registryAuth: (args.registries ?? []).map((address) => ({ address })),
      },
      this.under,
    );
    this.#docker = mergeOptions(this.under, { provider });
    const ofOps = { ...this.under, provider: this.ops };
    this.#described = Object.entries(args.nodes ?? {})
      .filter(([, { labels, availability }]) => labels !== undefined || availability !== undefined)
      .map(([node, { labels = {}, availability }]) => {
        const logical = `${name}-${node}`;
        return new NodeLabels(
          logical,
          {
            ...{ host: this.#host, node, labels, ...(availability === undefined ? {} : { availability }) },
            round: survey.wants({ kind: "node", name: node, logical }),
          },
          ofOps,
        );
      });
    this.#networks = new Networks(name, args, this.#docker, ofOps, survey, this.owner, adopted);
    const described = mergeOptions(ofOps, { dependsOn: this.#described });
    this.#volumeNodes = new VolumeNodes(name, this.#host, args, described, survey, this.owner);
    this.registerOutputs({});
  }

  /** Where things are: the edge's address, the nodes' as the config has them, and the node of each slot's disk. */
  get outputs(): {
    /** What the public names lead to, where one address moves between the edge nodes. */
    readonly address?: string;
    /** The edge nodes' addresses, by hostname. */
    readonly nodes: Dict<string>;
    /** The node of each slot's disk, by the slot. */
    readonly slots: Dict<Output<string>>;
  } {
    const nodes = Object.entries(this.#args.nodes ?? {}).flatMap(([node, { address }]) =>
      address === undefined ? [] : [[node, address] as const],
    );
    const { address } = this.#args.edge ?? {};
    return {
      ...(address === undefined ? {} : { address: address.replace(/\/.*/, "") }),
      nodes: Object.fromEntries(nodes),
      slots: this.#volumeNodes.nodes,
    };
  }

  protected check(plan: Plan): List<Problem> {
    return checkSwarm(this.#args, this.site, plan).problems;
  }

  protected get last(): Resource | undefined {
    return this.#networks.last ?? this.identity;
  }

  protected backends(route: PlannedRoute): Backends {
    return backendsOf(this.site, this.#adopted.of("edge") !== undefined)(route);
  }

  protected edge(proxy: Workload, at: At): Ready {
    const nodes = edgeNodes(this.#args);
    const disk =
      this.#args.tls.mode === "acme"
        ? this.#volumeNodes.disk("edge", {
            nodes,
            disk: { path: acmeFolder, gib: 1, backup: { rebuilt: "asked for again" } },
            spare: true,
          })
        : undefined;
    const edge = this.#start("edge", proxy, at, {
      ...edgeShape(this.#args),
      // In a network of the operator's its own name is the service's.
      aliases: [this.#adopted.of("edge") === undefined ? "edge" : `${this.site.name}-edge`, ...(proxy.names ?? [])],
      constraints: disk?.constraints ?? constraintsOf(nodes),
      mounts: disk ? [disk.mount] : [],
    });
    const { address } = this.#args.edge ?? {};
    if (address === undefined) return edge;
    const name = "edge-address";
    const moved = this.#start(name, { ...edgeAddress(this.site, address), after: [edge] }, part(at, "address"), {
      ...{ replicas: "each-node", aliases: [name], endpointMode: "dnsrr", stopFirst: true, mounts: [] },
      constraints: constraintsOf(nodes),
      onNode: rights,
    });
    return { ready: [...edge.ready, ...moved.ready] };
  }

  /** Runs equal replicas without a disk. */
  workload(name: string, workload: Workload, at: At): Ready {
    const { replicas } = workload;
    return this.#start(name, workload, at, {
      replicas: typeof replicas === "object" ? replicas.max : replicas,
      aliases: [name, ...(workload.names ?? [])],
      constraints: this.#constraints(workload),
      mounts: this.#mounts(workload),
      endpointMode: this.#args.endpointMode ?? "vip",
      stopFirst: workload.update === "stop-first",
    });
  }

  /** Runs one process with a disk and a name of its own. */
  slot(name: string, slot: Slot, at: At): Ready {
    const spare = slot.leave !== undefined || slot.left !== undefined;
    const disk = this.#volumeNodes.disk(name, { ...slot, spare });
    const before = [
      ...this.#mark(name, slot, disk, part(at, "disk")),
      // The finalizer is deleted, and so runs, after the service, which depends on it.
      ...this.finalizer(`${name}-left`, slot.left, part(at, "left"), this.after(slot)),
    ];
    const placed: Placed = {
      replicas: 1,
      hostname: name,
      aliases: [name, ...(slot.names ?? [])],
      constraints: [...disk.constraints, ...onNode(slot.machine)],
      mounts: [...this.#mounts(slot), disk.mount],
      endpointMode: "dnsrr", // its name leads to the task's own address, which members of a cluster tell each other
      stopFirst: true,
    };
    const { alone = false, together } = slot;
    const started = this.#start(name, slot, at, placed, { isSlot: true, before, spare: !alone, together });
    this.onDisk(started.ready, slot, { [name]: disk.id });
    // The next member depends on this finalizer, too. If both go, the next member is gone before this one begins.
    const leave = this.finalizer(`${name}-leave`, slot.leave, part(at, "leave"), started.ready);
    return { ready: [...started.ready, ...leave] };
  }

  protected jobRun(job: Omit<Job, "trigger">): JobRun {
    const swarm = this.#onSwarm(this.#constraints(job));
    return { place: this.#place, host: this.#host, swarm, after: this.#described };
  }

  /** The service and its gate. Only the gate says that the service is ready. */
  #start(
    name: string,
    container: Part["container"],
    { parent, logicalName }: At,
    placed: Placed,
    { isSlot = false, before = [], spare = false, together }: Started = {},
  ): Ready {
    const image = imageOf(this.site, container.image);
    const options = mergeOptions(this.#docker, { parent });
    const used = files(this.site, name, container, logicalName, this.owner, options);
    const networks = placed.onNode
      ? [{ id: "host", aliases: [] }]
      : networksOf(container, isSlot).map((network) => ({
          id: this.#networks.network(network).id,
          aliases: this.#adopted.aliases(network, placed.aliases),
        }));
    const { args, hash } = serviceSpec(this.site, {
      ...placed,
      name,
      container,
      image,
      ref: this.#place.image(image),
      owner: this.owner,
      files: used,
      networks,
      update: this.#args.update ?? { parallelism: 1, delaySeconds: 0, monitorSeconds: 5 },
    });
    const wish = { kind: "service", name: `${this.site.name}-${name}`, logical: logicalName, spare } as const;
    const round = this.#survey.wants(wish);
    const dependsOn = [...this.after(container), ...this.#described, ...before];
    const end = new ServiceEnd(
      logicalName,
      {
        ...{ host: this.#host, service: wish.name, round, seconds: container.health.stopSeconds + 15 },
        uses: [...used.ids, ...networks.map(({ id }) => id), ...placed.constraints], // a volume node, too
      },
      { parent, dependsOn },
    );
    const made = new docker.Service(
      logicalName,
      { ...args, labels: output(args.labels).apply((all = []) => [...all, { label: roundLabel, value: round }]) },
      mergeOptions(options, {
        replacementTrigger: round,
        deletedWith: end,
        dependsOn: [...dependsOn, end],
        // The manager fills the platforms in from the registry.
        // The node's own network has an id that the manager fills in as well.
        ignoreChanges: [
          "taskSpec.placement.platforms",
          sysctlPath,
          ...(placed.onNode ? ["taskSpec.networksAdvanceds"] : []),
        ],
        replaceOnChanges: ["mode.global"],
      }),
    );
    this.nodes[name] = made;
    this.#survey.complain(wish, made.id, hash);
    const { replicas } = placed;
    const gate = new ServiceGate(
      logicalName,
      {
        host: this.#host,
        service: made.id,
        spec: hash,
        name: wish.name,
        ...(replicas === "each-node" ? {} : { replicas }),
        ...(together === undefined ? {} : { together: together.map((each) => `${this.site.name}-${each}`) }),
        seconds: container.health.startSeconds + 300, // a node may have to pull the image first
        redact: [...this.passwords],
      },
      { parent, replacementTrigger: this.#survey.gate(wish) },
    );
    return { ready: [gate] };
  }

  /** Leaves the marker on a new disk, once: a disk that loses its data later has lost the marker, too. */
  #mark(name: string, slot: Slot, disk: Disk, { parent, logicalName }: At): Resource[] {
    const { marker, path } = slot.disk;
    if (marker === undefined) return [];
    const args = jobArgs(this.site, this.#place, `${name}-disk`, markerJob(slot, marker, disk.id), this.passwords);
    const { driverName, driverOptions, labels } = disk;
    const mount = {
      source: disk.volume,
      path,
      labels,
      ...(driverName === undefined ? {} : { driver: driverName }),
      ...(driverOptions === undefined ? {} : { driverOptions }),
    };
    const swarm = this.#onSwarm(disk.constraints);
    return [
      new OpsJob(
        logicalName,
        { ...args, host: this.#host, mounts: [mount], trigger: disk.id, swarm },
        { parent, dependsOn: this.#described, ...markerIgnores },
      ),
    ];
  }

  get #place(): JobPlace {
    return { owner: this.owner, ...this.#images };
  }

  readonly #images: Omit<JobPlace, "owner"> = {
    image: ({ ref }: Image): Input<string> => {
      const known = this.#refs.get(ref);
      if (known !== undefined) return known;
      const { pin = (each: string) => pinned(this.#host, each, this.#args.registries ?? []) } = this.#args;
      const found = output(pin(ref));
      this.#refs.set(ref, found);
      return found;
    },
    network: (name) => this.#networks.network(name),
    networksOf,
  };

  #onSwarm(constraints: List<Input<string>>): JobSwarm {
    const { registries = [] } = this.#args;
    return { constraints, ...(registries.length > 0 ? { registries } : {}) };
  }

  #constraints({ machine, nodes = this.#args.place ?? {} }: Pick<Workload, "machine" | "nodes">): string[] {
    return [...constraintsOf(nodes), ...onNode(machine)];
  }

  #mounts(container: Container): Part["mounts"] {
    return mounts(container, socketOf(this.#args));
  }
}

/** Volumes and folders of the node that gets the task, and its engine's socket if the container needs that. */
function mounts({ mounts: asked = [], needs = [], shmMib }: Container, socket: string | undefined): Part["mounts"] {
  return [
    ...asked.map((mount) => ({
      ...("folder" in mount
        ? { type: "bind", source: swarmText(mount.folder) }
        : { type: "volume", source: swarmText(mount.volume) }),
      target: swarmText(mount.path),
      ...(mount.readOnly === true ? { readOnly: true } : {}),
    })),
    // A node refuses a bind mount without a source: none makes an empty folder in its place.
    ...(needs.includes("container-api") && socket !== undefined
      ? [{ type: "bind", source: socket, target: "/var/run/docker.sock" }]
      : []),
    ...(shmMib === undefined ? [] : [sharedMemory(shmMib)]),
  ];
}

/**
 * The mount names no mode: the provider reads one back without its sticky bit, and the kernel's own, 1777, is right.
 */
function sharedMemory(mebibytes: number): Part["mounts"][number] {
  return { type: "tmpfs", target: "/dev/shm", tmpfsOptions: { sizeBytes: mebibytes * 1024 * 1024 } };
}
