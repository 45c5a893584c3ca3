import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  mergeOptions,
  output,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";
import * as random from "@pulumi/random";

import {
  Certificate,
  Finalizer,
  Job as OpsJob,
  NodeLabels,
  OpsProvider,
  roundLabel,
  ServiceEnd,
  ServiceGate,
} from "../../../ops/resources.ts";
import type { JobSwarm } from "../../../ops/resources.ts";
import { checkedPair } from "../../core/certificates.ts";
import type { Container, Dict, EdgeOptions, Job, List, Ready, Slot, Workload } from "../../core/contracts.ts";
import { refuse } from "../../core/errors.ts";
import { nodeLabels, problemsOf, registries } from "../../core/formats.ts";
import { type Image, imageOf } from "../../core/images.ts";
import { swarmText } from "../../core/syntax.ts";
import type { Capabilities, PlannedRoute, Services, Site, Topology } from "../../core/topology.ts";
import { containerServices } from "../../services/index.ts";
import { type EdgeTls, edgeProxy } from "../../edge/edge.ts";
import { acmeFolder } from "../../edge/traefik.ts";
import { networksOf, randomType } from "../containers.ts";
import { jobArgs, jobIgnores, type JobPlace, markerIgnores, markerJob } from "../job.ts";
import { identityFor } from "../identity.ts";
import type { Survey } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";
import { swarmCapabilities } from "./capabilities.ts";
import { backendsOf, edgeNodes, edgeShape } from "./edge.ts";
import { files } from "./files.ts";
import { pinned } from "./images.ts";
import { surveyOf } from "./look.ts";
import { firstManager } from "./managers.ts";
import { Networks } from "./networks.ts";
import { constraintsOf, onNode } from "./placement.ts";
import { type Disk, VolumeNodes } from "./volume-nodes.ts";
import { type Part, serviceSpec } from "./service.ts";
import { noSocket, socketOf } from "./sockets.ts";

export type { SwarmArgs } from "./args.ts";

/** What `#start` still has to know of a container. */
type Placed = Omit<Part, "name" | "container" | "image" | "ref" | "files" | "networks" | "update" | "owner">;

/** A Docker Swarm: overlay networks edge, app and data, services behind gates, slots pinned to their disks. */
export class Swarm extends ComponentResource implements Topology {
  readonly site: Site;
  readonly capabilities: Capabilities = swarmCapabilities;
  readonly services: Services = containerServices;
  readonly passwords: Output<string>[];
  readonly options: ComponentResourceOptions;
  readonly #args: SwarmArgs;
  /** All managers, for resources of `ops`, which take the first that answers. */
  readonly #host: string;
  readonly #docker: CustomResourceOptions;
  readonly #survey: Survey;
  readonly #owner: Output<string>;
  readonly #networks: Networks;
  readonly #volumeNodes: VolumeNodes;
  readonly #described: NodeLabels[];
  readonly #certificate: Certificate | undefined;
  readonly #refs = new Map<string, Output<string>>();
  /** The disks behind what is ready, by the slot: what was done once for them is done again for others. */
  readonly #disks = new Map<Resource, Dict<Output<string>>>();
  #edge: Ready = { ready: [] };

  /** @throws ConfigError for labels that no constraint takes, and a registry's name that no login has. */
  constructor(name: string, args: SwarmArgs, opts: ComponentResourceOptions = {}) {
    refuse([
      ...problemsOf(registries, "registries", args.registries ?? []),
      ...problemsOf(nodeLabels, "place", args.place ?? {}),
      ...problemsOf(nodeLabels, "edge.nodes", edgeNodes(args)),
    ]);
    const survey = surveyOf(args);
    // No inputs: they would be stored in the state. Nothing is made before the survey is.
    super("platform-topologies:index:Swarm", name, {}, mergeOptions(opts, { dependsOn: survey.settled }));
    this.site = args.site;
    this.#survey = survey;
    this.passwords = Object.values(args.site.secrets);
    this.#args = args;
    this.#host = args.managers.join(",");
    const first = mergeOptions(opts.dependsOn ? { dependsOn: opts.dependsOn } : {}, {
      parent: this,
      dependsOn: survey.settled,
    });
    const ops = this.getProvider("platform-topologies:index:StackIdentity") ?? new OpsProvider("ops", first); // a process each
    const identity = identityFor(this, "swarm", survey, { ...first, provider: ops });
    this.#owner = identity.id;
    const under = mergeOptions(first, { dependsOn: identity });
    const provider = new docker.Provider(
      "docker",
      // Credentials come from `docker login` on the machine that deploys: in the provider's own they would be plain state.
      {
        host: output(firstManager(args.managers)),
        registryAuth: (args.registries ?? []).map((address) => ({ address })),
      },
      under,
    );
    const passwords = this.getProvider(randomType) ?? new random.Provider("random", {}, under);
    this.options = { providers: { "platform-topologies": ops, random: passwords }, dependsOn: identity };
    this.#docker = mergeOptions(under, { provider });
    this.#described = Object.entries(args.nodes ?? {})
      .filter(([, { labels, availability }]) => labels !== undefined || availability !== undefined)
      .map(
        ([node, { labels = {}, availability }]) =>
          new NodeLabels(
            node,
            {
              ...{ host: this.#host, node, labels, ...(availability === undefined ? {} : { availability }) },
              round: survey.wants({ kind: "node", name: node, logical: node }),
            },
            { ...under, provider: ops },
          ),
      );
    const ofOps = { ...under, provider: ops };
    this.#networks = new Networks(args, this.#docker, ofOps, survey, this.#owner);
    const described = mergeOptions(ofOps, { dependsOn: this.#described });
    this.#volumeNodes = new VolumeNodes(this.#host, args, described, survey, this.#owner);
    if (args.tls.mode === "local" || args.tls.mode === "outside") {
      const { hostname } = args.site;
      const hostnames = [hostname, `*.${hostname}`];
      this.#certificate = new Certificate("edge", { hostnames }, { ...under, provider: ops });
      this.passwords.push(this.#certificate.key);
    }
    this.registerOutputs({});
  }

  get ca(): Output<string> | undefined {
    const { tls } = this.#args;
    return tls.mode === "own" && tls.ca !== undefined ? output(tls.ca) : this.#certificate?.caCert;
  }

  /** Where things are: the edge nodes' addresses as the config has them, and the node of each slot's disk. */
  get outputs(): { readonly nodes: Dict<string>; readonly slots: Dict<Output<string>> } {
    const nodes = Object.entries(this.#args.nodes ?? {}).flatMap(([node, { address }]) =>
      address === undefined ? [] : [[node, address] as const],
    );
    return { nodes: Object.fromEntries(nodes), slots: this.#volumeNodes.nodes };
  }

  edge(routes: List<PlannedRoute>, wish: EdgeOptions, parent: Resource, logicalName: string): Ready {
    const { site } = this;
    const workload = edgeProxy(wish, { site, routes, tls: this.#edgeTls(routes), backends: backendsOf(site) });
    const nodes = edgeNodes(this.#args);
    const disk =
      this.#args.tls.mode === "acme"
        ? this.#volumeNodes.disk("edge", {
            nodes,
            disk: { path: acmeFolder, gib: 1, backup: { rebuilt: "asked for again" } },
            spare: true,
          })
        : undefined;
    this.#edge = this.#start("edge", workload, parent, logicalName, {
      ...edgeShape(this.#args),
      aliases: ["edge", ...(workload.names ?? [])],
      constraints: disk?.constraints ?? constraintsOf(nodes),
      mounts: disk ? [disk.mount] : [],
    });
    return this.#edge;
  }

  workload(name: string, workload: Workload, parent: Resource, logicalName: string): Ready {
    const { replicas } = workload;
    return this.#start(name, workload, parent, logicalName, {
      replicas: typeof replicas === "object" ? replicas.max : replicas,
      aliases: [name, ...(workload.names ?? [])],
      constraints: this.#constraints(workload),
      mounts: this.#mounts(name, workload),
      endpointMode: this.#args.endpointMode ?? "vip",
      stopFirst: workload.update === "stop-first",
    });
  }

  slot(name: string, slot: Slot, parent: Resource, logicalName: string): Ready {
    const spare = slot.leave !== undefined || slot.left !== undefined;
    const disk = this.#volumeNodes.disk(name, { ...slot, spare });
    const before = [
      ...this.#mark(name, slot, disk, parent, logicalName),
      // Goes after the service, which depends on it.
      ...this.#finalizer(`${name}-left`, slot.left, parent, `${logicalName}-left`, this.#after(slot)),
    ];
    const placed: Placed = {
      replicas: 1,
      hostname: name,
      aliases: [name, ...(slot.names ?? [])],
      constraints: [...disk.constraints, ...onNode(slot.machine)],
      mounts: [...this.#mounts(name, slot), disk.mount],
      endpointMode: "dnsrr", // its name is its own address, which members of a cluster tell each other
      stopFirst: true,
    };
    const { alone = false } = slot;
    const started = this.#start(name, slot, parent, logicalName, placed, { isSlot: true, before, spare: !alone });
    if (alone) for (const gate of started.ready) this.#disks.set(gate, { [name]: disk.id });
    // Who comes after a member depends on its finalizer too: of two that go, the later one has gone before this one begins.
    const leave = this.#finalizer(`${name}-leave`, slot.leave, parent, `${logicalName}-leave`, started.ready);
    return { ready: [...started.ready, ...leave] };
  }

  job(name: string, job: Job, parent: Resource, logicalName: string): Ready {
    const args = jobArgs(this.site, this.#place, name, job, this.passwords);
    const after = this.#after(job);
    const disks = Object.assign({}, ...after.map((each) => this.#disks.get(each))) as Dict<Output<string>>;
    const made = new OpsJob(
      logicalName,
      { ...args, host: this.#host, trigger: job.trigger, disks, swarm: this.#onSwarm(this.#constraints(job)) },
      {
        parent,
        dependsOn: [...after, ...this.#described],
        ...jobIgnores(job),
      },
    );
    this.#disks.set(made, disks);
    return { ready: [made] };
  }

  /** The service and its gate: only the gate tells that it is ready. */
  #start(
    name: string,
    container: Part["container"],
    parent: Resource,
    logicalName: string,
    placed: Placed,
    { isSlot = false, before = [], spare = false }: { isSlot?: boolean; before?: List<Resource>; spare?: boolean } = {},
  ): Ready {
    const image = imageOf(this.site, container.image);
    const options = mergeOptions(this.#docker, { parent });
    const used = files(this.site, name, container, logicalName, this.#owner, options);
    const networks = networksOf(container, isSlot).map((network) => this.#networks.network(network));
    const { args, hash } = serviceSpec(this.site, {
      ...placed,
      name,
      container,
      image,
      ref: this.#place.image(image),
      owner: this.#owner,
      files: used,
      networks,
      update: this.#args.update ?? { parallelism: 1, delaySeconds: 0, monitorSeconds: 5 },
    });
    const wish = { kind: "service", name: `${this.site.name}-${name}`, logical: logicalName, spare } as const;
    const round = this.#survey.wants(wish);
    const dependsOn = [...this.#after(container), ...this.#described, ...before];
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
        // The manager fills it in from the registry.
        ignoreChanges: ["taskSpec.placement.platforms"],
        replaceOnChanges: ["mode.global"],
      }),
    );
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
        seconds: container.health.startSeconds + 300, // a node may have to pull the image first
        redact: [...this.passwords],
      },
      { parent, replacementTrigger: this.#survey.gate(wish) },
    );
    return { ready: [gate] };
  }

  /** Leaves the marker on a new disk. Not again: one that loses its data later has lost the marker too. */
  #mark(name: string, slot: Slot, disk: Disk, parent: Resource, logicalName: string): Resource[] {
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
        `${logicalName}-disk`,
        { ...args, host: this.#host, mounts: [mount], trigger: disk.id, swarm },
        { parent, dependsOn: this.#described, ...markerIgnores },
      ),
    ];
  }

  /** A job for when a member goes for good; when the whole stack goes, its network goes with it, and nothing runs. */
  #finalizer(
    name: string,
    job: Slot["leave"],
    parent: Resource,
    logicalName: string,
    dependsOn: List<Resource>,
  ): Resource[] {
    if (job === undefined) return [];
    const args = jobArgs(this.site, this.#place, name, job, this.passwords);
    const deletedWith = this.#networks.last;
    return [
      new Finalizer(
        logicalName,
        { host: this.#host, job: { ...args, swarm: this.#onSwarm(this.#constraints(job)) } },
        { parent, dependsOn: [...dependsOn], deletedWith },
      ),
    ];
  }

  get #place(): JobPlace {
    return { owner: this.#owner, ...this.#images };
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

  #after({ after = [], callsEdge, routes = [] }: Container): Resource[] {
    return [
      ...after.flatMap(({ ready }) => ready),
      ...(callsEdge === true || routes.length > 0 ? this.#edge.ready : []),
    ];
  }

  #mounts(name: string, container: Container): Part["mounts"] {
    refuse(noSocket(this.#args, [[name, container]]));
    return mounts(container, socketOf(this.#args));
  }

  #edgeTls(routes: List<PlannedRoute>): EdgeTls {
    const { tls } = this.#args;
    if (tls.mode === "acme")
      return { acme: { email: tls.email, ...(tls.caServer === undefined ? {} : { caServer: tls.caServer }) } };
    if (tls.mode === "own") return checkedPair(tls, [this.site.hostname, ...routes.map(({ host }) => host)]);
    if (this.#certificate === undefined) throw new Error("a local certificate is made with the swarm");
    const { cert, key } = this.#certificate;
    return tls.mode === "outside" ? { cert, key, trustedProxies: tls.trustedProxies } : { cert, key };
  }
}

/** Volumes and folders of the node that the task comes to, and its engine's socket where that is asked for. */
function mounts({ mounts: asked = [], needs = [], shmMib }: Container, socket: string | undefined): Part["mounts"] {
  return [
    ...asked.map((mount) => ({
      ...("folder" in mount
        ? { type: "bind", source: swarmText(mount.folder) }
        : { type: "volume", source: swarmText(mount.volume) }),
      target: swarmText(mount.path),
      ...(mount.readOnly === true ? { readOnly: true } : {}),
    })),
    // A bind of what is not there is refused: no node makes an empty folder of it.
    ...(needs.includes("container-api") && socket !== undefined
      ? [{ type: "bind", source: socket, target: "/var/run/docker.sock" }]
      : []),
    ...(shmMib === undefined ? [] : [sharedMemory(shmMib)]),
  ];
}

/** Without a mode, which the provider reads back without its sticky bit: the kernel's own, 1777, is what is wanted. */
function sharedMemory(mebibytes: number): Part["mounts"][number] {
  return { type: "tmpfs", target: "/dev/shm", tmpfsOptions: { sizeBytes: mebibytes * 1024 * 1024 } };
}
