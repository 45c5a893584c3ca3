import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  type Output,
  type Resource,
} from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";
import * as random from "@pulumi/random";

import { Certificate, Farewell, Gate, Job as OpsJob, OpsProvider } from "../../../ops/resources.ts";
import type {
  Container,
  Dict,
  EdgeWish,
  Health,
  Job,
  List,
  Ready,
  Slot,
  Tier,
  Workload,
} from "../../core/contracts.ts";
import { refuse } from "../../core/errors.ts";
import { type Image, imageOf } from "../../core/images.ts";
import { replicaNames } from "../../core/plan.ts";
import type { Capabilities, PlannedRoute, Services, Site, Topology } from "../../core/topology.ts";
import { containerServices } from "../../services/index.ts";
import { type EdgeTls, edgeProxy } from "../../services/edge.ts";
import { acmeFolder } from "../../services/traefik.ts";
import { labels, randomType } from "../containers.ts";
import { jobArgs, jobIgnores, markerIgnores, markerJob } from "../job.ts";
import type { NetworkChoices } from "../subnets.ts";
import { dockerCapabilities } from "./capabilities.ts";
import { containerArgs, mounts } from "./container.ts";
import { Engine } from "./engine.ts";
import { hostOf, type Machine, socketOf, socketProblems } from "./machines.ts";

/** Who signs the edge's certificate: a local authority of this stack's own, the caller's files, or ACME. */
export type DockerTls =
  | { readonly mode: "local" }
  | { readonly mode: "own"; readonly cert: Input<string>; readonly key: Input<string>; readonly ca?: Input<string> }
  | { readonly mode: "acme"; readonly email: string; readonly caServer?: string | undefined };

export interface DockerHostArgs extends NetworkChoices {
  readonly site: Site;
  /** The engine's address: `unix://…`, `tcp://…` or `ssh://user@host`. */
  readonly host: string;
  /** Further engines, for workloads that name a machine. */
  readonly machines?: Dict<Machine>;
  /**
   * The engine's socket on its own machine, for containers that are given it. Default: the path of `host`, when that is
   * `unix://…`. A change replaces those containers.
   */
  readonly socket?: string | undefined;
  /** The host's address to publish the edge on. `0.0.0.0`: all of them. */
  readonly address: string;
  readonly tls: DockerTls;
  /** Registries whose `docker login` credentials the engine needs. */
  readonly registries?: List<string>;
}

/** One Docker host: networks edge, app and data, an edge proxy, containers behind health gates. */
export class DockerHost extends ComponentResource implements Topology {
  readonly site: Site;
  readonly capabilities: Capabilities = dockerCapabilities;
  readonly services: Services = containerServices;
  readonly passwords: Output<string>[];
  readonly options: ComponentResourceOptions;
  readonly #args: DockerHostArgs;
  readonly #engine: Engine;
  readonly #machines: Dict<Engine>;
  readonly #certificate: Certificate | undefined;
  #edge: Ready = { ready: [] };

  constructor(name: string, args: DockerHostArgs, opts: ComponentResourceOptions = {}) {
    // No inputs: they would be stored in the state.
    super("platform-topologies:index:DockerHost", name, {}, opts);
    this.site = args.site;
    this.passwords = Object.values(args.site.secrets);
    this.#args = args;
    const under = { parent: this, ...(opts.dependsOn ? { dependsOn: opts.dependsOn } : {}) };
    const ops = this.getProvider("ops:index:Stamp") ?? new OpsProvider("ops", under); // a process each
    const passwords = this.getProvider(randomType) ?? new random.Provider("random", {}, under);
    const engine = (key: string, machine: Machine, tiers: List<Tier>) =>
      new Engine(args.site, key, hostOf(machine), args.registries ?? [], tiers, under, ops, {
        ...args,
        socket: socketOf(machine),
      });
    this.#engine = engine("", args, ["edge", "app", "data"]);
    this.#machines = Object.fromEntries(
      Object.entries(args.machines ?? {}).map(([key, machine]) => [key, engine(key, machine, ["app"])]),
    );
    this.options = { providers: { ops, random: passwords } };
    if (args.tls.mode === "local") {
      const { hostname } = args.site;
      this.#certificate = new Certificate(
        "edge",
        { hostnames: [hostname, `*.${hostname}`] },
        { ...under, provider: ops },
      );
      this.passwords.push(this.#certificate.key);
    }
    this.registerOutputs({});
  }

  get ca(): Output<string> | undefined {
    return this.#certificate?.caCert;
  }

  edge(routes: List<PlannedRoute>, wish: EdgeWish, parent: Resource, logicalName: string): Ready {
    const { tls, address } = this.#args;
    const workload = edgeProxy(wish, {
      site: this.site,
      routes,
      tls: this.#edgeTls(),
      backends: ({ hosts }) => ({ hosts, watch: false }),
    });
    const args = this.#container("edge", workload, imageOf(this.site, workload.image), {
      networks: ["edge"],
      aliases: ["edge", ...(workload.names ?? [])],
    });
    const disk = tls.mode === "acme" ? this.#volume("edge", logicalName, parent) : undefined;
    this.#edge = this.#start("edge", workload, logicalName, parent, this.#engine, {
      ...args,
      ...(disk ? { volumes: [{ volumeName: disk.name, containerPath: acmeFolder }] } : {}),
      ports: Object.values(workload.ports ?? {}).map(({ number }) => ({
        internal: number,
        external: number,
        ip: address,
      })),
    });
    return this.#edge;
  }

  workload(name: string, workload: Workload, parent: Resource, logicalName: string): Ready {
    const engine = this.#on(workload);
    const networks = engine.networksOf(workload, false);
    const ready: Resource[] = [];
    for (const replica of replicaNames(name, workload)) {
      const index = replica.slice(name.length);
      const aliases = [name, replica, ...(workload.names ?? [])];
      const args = this.#container(replica, workload, imageOf(this.site, workload.image), { networks, aliases });
      // One after another: a change takes one replica at a time out of service.
      ready.push(...this.#start(replica, workload, logicalName + index, parent, engine, args, ready).ready);
    }
    return { ready };
  }

  slot(name: string, slot: Slot, parent: Resource, logicalName: string): Ready {
    const volume = this.#volume(name, logicalName, parent);
    const before = [
      ...this.#mark(name, slot, volume, parent, logicalName),
      // Goes after the container, which depends on it.
      ...this.#farewell(`${name}-left`, slot.left, parent, `${logicalName}-left`, this.#after(slot)),
    ];
    const args = this.#container(name, slot, imageOf(this.site, slot.image), {
      networks: this.#engine.networksOf(slot, true),
      aliases: [name, ...(slot.names ?? [])],
    });
    const volumes = [...mounts(slot), { volumeName: volume.name, containerPath: slot.disk.path }];
    const started = this.#start(name, slot, logicalName, parent, this.#engine, { ...args, volumes }, before);
    // Who comes after a member depends on its farewell too: of two that go, the later one has gone before this one begins.
    const leave = this.#farewell(`${name}-leave`, slot.leave, parent, `${logicalName}-leave`, started.ready);
    return { ready: [...started.ready, ...leave] };
  }

  job(name: string, job: Job, parent: Resource, logicalName: string): Ready {
    const engine = this.#on(job);
    const made = new OpsJob(
      logicalName,
      { host: engine.host, once: job.once, ...jobArgs(this.site, engine, name, job, this.passwords) },
      {
        parent,
        dependsOn: this.#after(job),
        ...jobIgnores(job),
      },
    );
    return { ready: [made] };
  }

  #edgeTls(): EdgeTls {
    const { tls } = this.#args;
    if (tls.mode === "acme")
      return { acme: { email: tls.email, ...(tls.caServer === undefined ? {} : { caServer: tls.caServer }) } };
    if (tls.mode === "own") return { cert: tls.cert, key: tls.key };
    if (this.#certificate === undefined) throw new Error("a local certificate is made with the host");
    return { cert: this.#certificate.cert, key: this.#certificate.key };
  }

  #on({ machine }: Container): Engine {
    return (machine === undefined ? undefined : this.#machines[machine]) ?? this.#engine;
  }

  #after({ after = [], callsEdge, routes = [] }: Container): Resource[] {
    return [
      ...after.flatMap(({ ready }) => ready),
      ...(callsEdge === true || routes.length > 0 ? this.#edge.ready : []),
    ];
  }

  #container(
    name: string,
    container: Container & { readonly health: Health },
    image: Image,
    joins: { networks: List<string>; aliases: List<string> },
  ) {
    const args = containerArgs(this.site, this.#on(container), name, container, image, joins);
    refuse(socketProblems(this.#args, this.#args.machines ?? {}, [[name, container]]));
    const { socket } = this.#on(container);
    if (!container.needs?.includes("container-api") || socket === undefined) return args;
    // Of this kind one that is not there is refused: a volume's source would be made, as an empty folder.
    return { ...args, mounts: [{ type: "bind", source: socket, target: "/var/run/docker.sock" }] };
  }

  /** Leaves the marker on a new volume. Not again: one that loses its data later has lost the marker too. */
  #mark(name: string, slot: Slot, volume: docker.Volume, parent: Resource, logicalName: string): Resource[] {
    const { disk } = slot;
    if (disk.marker === undefined) return [];
    const args = jobArgs(this.site, this.#engine, `${name}-disk`, markerJob(slot, disk.marker), this.passwords);
    return [
      new OpsJob(
        `${logicalName}-disk`,
        { ...args, host: this.#engine.host, mounts: [{ source: volume.name, path: disk.path }], once: "1" },
        { parent, ...markerIgnores },
      ),
    ];
  }

  /** A job for when a member goes for good; when the whole stack goes, its network goes with it, and nothing runs. */
  #farewell(
    name: string,
    job: Slot["leave"],
    parent: Resource,
    logicalName: string,
    dependsOn: List<Resource>,
  ): Resource[] {
    if (job === undefined) return [];
    const args = jobArgs(this.site, this.#engine, name, job, this.passwords);
    const deletedWith = this.#engine.last;
    return [
      new Farewell(
        logicalName,
        { host: this.#engine.host, job: args },
        { parent, dependsOn: [...dependsOn], ...(deletedWith ? { deletedWith } : {}) },
      ),
    ];
  }

  #volume(name: string, logicalName: string, parent: Resource): docker.Volume {
    return new docker.Volume(
      logicalName,
      { name: `${this.site.name}-${name}`, labels: labels(this.site, name) },
      this.#engine.under(parent, { protect: this.site.protect }),
    );
  }

  /** The container and its gate: only the gate tells that it is ready. */
  #start(
    name: string,
    { health, ...container }: Container & { readonly health: Health },
    logicalName: string,
    parent: Resource,
    engine: Engine,
    args: docker.ContainerArgs,
    earlier: List<Resource> = [],
  ): Ready {
    const made = new docker.Container(
      logicalName,
      args,
      engine.under(parent, {
        dependsOn: [...this.#after(container), ...earlier],
        // The provider changes its state and leaves the container as it is (kreuzwerker#988; of mounts a changed source).
        replaceOnChanges: ["healthcheck", "mounts"],
        deleteBeforeReplace: true,
      }),
    );
    const gate = new Gate(
      logicalName,
      {
        host: engine.host,
        container: made.id,
        name: `${this.site.name}-${name}`,
        seconds: health.startSeconds + 30,
        redact: [...this.passwords],
      },
      { parent },
    );
    return { ready: [gate] };
  }
}
