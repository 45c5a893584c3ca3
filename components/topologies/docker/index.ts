import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  mergeOptions,
  output,
  type Output,
  type ProviderResource,
  type Resource,
} from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";
import * as random from "@pulumi/random";

import { Certificate, Finalizer, Gate, Job as OpsJob, OpsProvider, Volume } from "../../../ops/resources.ts";
import type { VolumeArgs } from "../../../ops/resources.ts";
import { checkedPair } from "../../core/certificates.ts";
import type {
  Container,
  Dict,
  EdgeOptions,
  Health,
  Job,
  List,
  Ready,
  Slot,
  Tier,
  Workload,
} from "../../core/contracts.ts";
import { refuse } from "../../core/errors.ts";
import { own, problemsOf, registries as registryNames } from "../../core/formats.ts";
import { type Image, imageOf } from "../../core/images.ts";
import { replicaNames } from "../../core/plan.ts";
import type { Capabilities, PlannedRoute, Services, Site, Topology } from "../../core/topology.ts";
import { containerServices } from "../../services/index.ts";
import { type EdgeTls, edgeProxy, publishedPorts } from "../../edge/edge.ts";
import { acmeFolder } from "../../edge/traefik.ts";
import { labels, randomType } from "../containers.ts";
import { jobArgs, jobIgnores } from "../job.ts";
import { identityFor } from "../identity.ts";
import type { Survey } from "../survey.ts";
import type { NetworkChoices } from "../subnets.ts";
import { dockerCapabilities } from "./capabilities.ts";
import { containerArgs, mounts } from "./container.ts";
import { Engine, surveyOf } from "./engine.ts";
import { hostOf, type Machine, socketOf, socketProblems } from "./machines.ts";

/** Who signs the edge's certificate: a local authority of this stack's own, the caller's files, ACME, or who ends TLS in front. */
export type DockerTls =
  | { readonly mode: "local" }
  | { readonly mode: "own"; readonly cert: Input<string>; readonly key: Input<string>; readonly ca?: Input<string> }
  | { readonly mode: "acme"; readonly email: string; readonly caServer?: string | undefined }
  | { readonly mode: "outside"; readonly trustedProxies: List<string> };

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
  readonly #random: ProviderResource;
  readonly #certificate: Certificate | undefined;
  /** The disks behind what is ready, by the slot: what was done once for them is done again for others. */
  readonly #disks = new Map<Resource, Dict<Output<string>>>();
  #edge: Ready = { ready: [] };

  /** @throws ConfigError for a registry's name that no login has. */
  constructor(name: string, args: DockerHostArgs, opts: ComponentResourceOptions = {}) {
    const { site, host, registries = [] } = args;
    refuse(problemsOf(registryNames, "registries", registries));
    const survey = surveyOf(site, "", host, registries);
    const machines = Object.entries(args.machines ?? {}).map(([key, at]) => ({
      key,
      at,
      look: surveyOf(site, key, hostOf(at), registries),
    }));
    // No inputs: they would be stored in the state. Nothing is made before the survey is.
    super("platform-topologies:index:DockerHost", name, {}, mergeOptions(opts, { dependsOn: survey.settled }));
    this.site = site;
    this.passwords = Object.values(site.secrets);
    this.#args = args;
    const first = mergeOptions(opts.dependsOn ? { dependsOn: opts.dependsOn } : {}, {
      parent: this,
      dependsOn: survey.settled,
    });
    const ops = this.getProvider("platform-topologies:index:StackIdentity") ?? new OpsProvider("ops", first); // a process each
    const further = Object.fromEntries(machines.map(({ key, look }) => [key, look]));
    const identity = identityFor(this, "docker", survey, { ...first, provider: ops }, further);
    const under = mergeOptions(first, { dependsOn: identity });
    this.#random = this.getProvider(randomType) ?? new random.Provider("random", {}, under);
    const engine = (key: string, machine: Machine, tiers: List<Tier>, look: Survey) =>
      new Engine({
        ...{ site, key, registries, tiers, ops, survey: look, owner: identity.id, choices: args },
        ...{ host: hostOf(machine), socket: socketOf(machine) },
        options: mergeOptions(under, { dependsOn: look.settled }),
      });
    this.#engine = engine("", args, ["edge", "app", "data"], survey);
    this.#machines = Object.fromEntries(machines.map(({ key, at, look }) => [key, engine(key, at, ["app"], look)]));
    this.options = { providers: { "platform-topologies": ops, random: this.#random }, dependsOn: identity };
    if (args.tls.mode === "local" || args.tls.mode === "outside") {
      const hostnames = [site.hostname, `*.${site.hostname}`];
      this.#certificate = new Certificate("edge", { hostnames }, { ...under, provider: ops });
      this.passwords.push(this.#certificate.key);
    }
    this.registerOutputs({});
  }

  get ca(): Output<string> | undefined {
    const { tls } = this.#args;
    return tls.mode === "own" && tls.ca !== undefined ? output(tls.ca) : this.#certificate?.caCert;
  }

  edge(routes: List<PlannedRoute>, wish: EdgeOptions, parent: Resource, logicalName: string): Ready {
    const { tls, address } = this.#args;
    const workload = edgeProxy(wish, {
      site: this.site,
      routes,
      tls: this.#edgeTls(routes),
      backends: ({ hosts }) => ({ hosts, watch: false }),
    });
    const args = this.#container("edge", workload, imageOf(this.site, workload.image), {
      networks: ["edge"],
      aliases: ["edge", ...(workload.names ?? [])],
    });
    // Certificates are asked for again.
    const disk = tls.mode === "acme" ? this.#volume("edge", logicalName, parent, { spare: true }) : undefined;
    this.#edge = this.#start("edge", workload, logicalName, parent, this.#engine, {
      ...args,
      ...(disk ? { volumes: [{ volumeName: disk.name, containerPath: acmeFolder }] } : {}),
      ports: publishedPorts(this.site).map(({ inside, published }) => ({
        internal: inside,
        external: published,
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
    const { disk, leave, left, alone = false } = slot;
    const volume = this.#volume(name, logicalName, parent, {
      spare: leave !== undefined || left !== undefined,
      ...(disk.marker === undefined
        ? {}
        : {
            marker: { image: this.#engine.image(imageOf(this.site, slot.image)), path: disk.path, file: disk.marker },
          }),
    });
    // Goes after the container, which depends on it.
    const before = this.#finalizer(`${name}-left`, left, parent, `${logicalName}-left`, this.#after(slot));
    const args = this.#container(name, slot, imageOf(this.site, slot.image), {
      networks: this.#engine.networksOf(slot, true),
      aliases: [name, ...(slot.names ?? [])],
    });
    const volumes = [...mounts(slot), { volumeName: volume.name, containerPath: disk.path }];
    const started = this.#start(name, slot, logicalName, parent, this.#engine, { ...args, volumes }, before);
    if (alone) for (const gate of started.ready) this.#disks.set(gate, { [name]: volume.disk });
    // Who comes after a member depends on its finalizer too: of two that go, the later one has gone before this one begins.
    const finalizer = this.#finalizer(`${name}-leave`, leave, parent, `${logicalName}-leave`, started.ready);
    return { ready: [...started.ready, ...finalizer] };
  }

  job(name: string, job: Job, parent: Resource, logicalName: string): Ready {
    const engine = this.#on(job);
    const after = this.#after(job);
    const disks = Object.assign({}, ...after.map((each) => this.#disks.get(each))) as Dict<Output<string>>;
    const made = new OpsJob(
      logicalName,
      { host: engine.host, trigger: job.trigger, disks, ...jobArgs(this.site, engine, name, job, this.passwords) },
      { parent, dependsOn: after, ...jobIgnores(job) },
    );
    this.#disks.set(made, disks);
    return { ready: [made] };
  }

  #edgeTls(routes: List<PlannedRoute>): EdgeTls {
    const { tls } = this.#args;
    if (tls.mode === "acme")
      return { acme: { email: tls.email, ...(tls.caServer === undefined ? {} : { caServer: tls.caServer }) } };
    if (tls.mode === "own") return checkedPair(tls, [this.site.hostname, ...routes.map(({ host }) => host)]);
    if (this.#certificate === undefined) throw new Error("a local certificate is made with the host");
    const { cert, key } = this.#certificate;
    return tls.mode === "outside" ? { cert, key, trustedProxies: tls.trustedProxies } : { cert, key };
  }

  #on({ machine }: Container): Engine {
    return (machine === undefined ? undefined : own(this.#machines, machine)) ?? this.#engine;
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

  /** A job for when a member goes for good; when the whole stack goes, its network goes with it, and nothing runs. */
  #finalizer(
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
      new Finalizer(
        logicalName,
        { host: this.#engine.host, job: args },
        { parent, dependsOn: [...dependsOn], ...(deletedWith ? { deletedWith } : {}) },
      ),
    ];
  }

  /** A volume, and before it, in the state, the id by which it is known: what an interrupted run has made is its own. */
  #volume(name: string, logical: string, parent: Resource, more: Pick<VolumeArgs, "spare" | "marker">): Volume {
    const { survey, host, owner } = this.#engine;
    const full = `${this.site.name}-${name}`;
    const protect = this.site.protect && !Object.hasOwn(this.site.disks, name);
    const word = survey.word(name);
    survey.wants({ kind: "volume", name: full, logical });
    const disk = new random.RandomId(
      `${logical}-disk`,
      { byteLength: 4, keepers: { word } },
      { parent, protect, provider: this.#random },
    );
    const marks = labels(this.site, name, owner).map(({ label, value }) => [label, value] as const);
    return new Volume(
      logical,
      { host, name: full, disk: disk.hex, word, labels: Object.fromEntries(marks), ...more },
      { parent, protect, deleteBeforeReplace: true },
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
    const full = `${this.site.name}-${name}`;
    const wish = { kind: "container", name: full, logical: logicalName } as const;
    const made = new docker.Container(
      logicalName,
      args,
      engine.under(parent, {
        dependsOn: [...this.#after(container), ...earlier],
        // The provider changes its state and leaves the container as it is (kreuzwerker#988; of mounts a changed source).
        replaceOnChanges: ["healthcheck", "mounts"],
        deleteBeforeReplace: true,
        replacementTrigger: engine.survey.wants(wish),
      }),
    );
    engine.survey.complain(wish, made.id);
    const gate = new Gate(
      logicalName,
      {
        host: engine.host,
        container: made.id,
        name: full,
        seconds: health.startSeconds + 30,
        redact: [...this.passwords],
      },
      { parent, replacementTrigger: engine.survey.gate(wish) },
    );
    return { ready: [gate] };
  }
}
