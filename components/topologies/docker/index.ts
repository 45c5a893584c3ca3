import type { ComponentResourceOptions, Resource } from "@pulumi/pulumi";
import { mergeOptions } from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";
import * as random from "@pulumi/random";

import { Gate, Volume } from "../../../ops/resources.ts";
import type { VolumeArgs } from "../../../ops/resources.ts";
import type { Container, Dict, Health, Job, List, Ready, Slot, Tier, Workload } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { own } from "../../core/formats.ts";
import { type Image, imageOf } from "../../core/images.ts";
import { parse } from "../../core/parse.ts";
import { type Plan, type PlannedRoute, replicaNames } from "../../core/plan.ts";
import { protection } from "../../core/site.ts";
import type { At, Capabilities, OwnTopology, Site } from "../../core/topology.ts";
import { containerServices } from "../../services/index.ts";
import { type Backends, publishedPorts } from "../../edge/proxy.ts";
import { acmeFolder } from "../../edge/traefik.ts";
import { Adopted } from "../adopted.ts";
import { part } from "../base.ts";
import { labels } from "../containers.ts";
import { EngineTopology, type JobRun } from "../engine-base.ts";
import type { NetworkChoices } from "../subnets.ts";
import type { Survey } from "../survey.ts";
import type { Tls } from "../tls.ts";
import { dockerCapabilities } from "./capabilities.ts";
import { checkDocker } from "./check.ts";
import { dockerArgs } from "./config.ts";
import { containerArgs, mounts } from "./container.ts";
import { Engine, surveyOf } from "./engine.ts";
import { hostOf, type Machine, networksOn, socketOf } from "./machines.ts";

/** Where the engine is, and what the stack on it may use. */
export interface DockerHostArgs extends NetworkChoices {
  /** The stack that is made here. */
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
  /** Who signs the edge's certificate. A change makes the edge anew. */
  readonly tls: Tls;
  /** Registries whose `docker login` credentials the engine needs. */
  readonly registries?: List<string>;
}

/** One Docker host: networks edge, app and data, an edge proxy, containers behind health gates. */
export class DockerHost extends EngineTopology {
  /** What it can do, without a question to anybody. */
  readonly capabilities: Capabilities = dockerCapabilities;
  readonly #args: DockerHostArgs;
  readonly #engine: Engine;
  readonly #machines: Dict<Engine>;

  /**
   * One that a system makes as its own child.
   * @throws ConfigError with everything in `args` that no engine takes.
   */
  static own(args: DockerHostArgs): OwnTopology {
    parse(dockerArgs, args);
    const { site } = args;
    return {
      ...{ site, capabilities: dockerCapabilities, services: containerServices },
      check: (plan) => checkDocker(args, site, plan).problems,
      make: (name, opts) => new DockerHost(name, args, opts),
    };
  }

  /** @throws ConfigError with everything in `args` that no engine takes. */
  constructor(name: string, args: DockerHostArgs, opts: ComponentResourceOptions = {}) {
    const { site, tls, host, registries = [] } = args;
    parse(dockerArgs, args);
    const adoptedOn = (key: string) => new Adopted("docker.networks", site.name, args, networksOn(key, []));
    const adopted = adoptedOn("");
    const survey = surveyOf(name, site, "", host, registries, adopted);
    const machines = Object.entries(args.machines ?? {}).map(([key, at]) => {
      const its = adoptedOn(key);
      return { key, at, adopted: its, look: surveyOf(name, site, key, hostOf(at), registries, its) };
    });
    const further = Object.fromEntries(machines.map(({ key, look }) => [key, look]));
    super(name, { type: "DockerHost", topology: "docker", site, tls, survey, further }, opts);
    this.#args = args;
    const engine = (key: string, machine: Machine, tiers: List<Tier>, look: Survey, its: Adopted) =>
      new Engine({
        ...{ name, site, key, registries, tiers, ops: this.ops, survey: look, owner: this.owner, choices: args },
        adopted: its,
        ...{ host: hostOf(machine), socket: socketOf(machine) },
        options: mergeOptions(this.under, { dependsOn: look.settled }),
      });
    this.#engine = engine("", args, ["edge", "app", "data"], survey, adopted);
    this.#machines = Object.fromEntries(
      machines.map(({ key, at, look, adopted }) => [key, engine(key, at, ["app"], look, adopted)]),
    );
    this.registerOutputs({});
  }

  protected check(plan: Plan): List<Problem> {
    return checkDocker(this.#args, this.site, plan).problems;
  }

  protected get last(): Resource | undefined {
    return this.#engine.last ?? this.identity;
  }

  protected backends({ hosts }: PlannedRoute): Backends {
    const full = this.#engine.adopted.of("edge") !== undefined;
    return { hosts: full ? hosts.map((host) => `${this.site.name}-${host}`) : hosts, watch: false };
  }

  protected edge(proxy: Workload, at: At): Ready {
    const { tls, address } = this.#args;
    const args = this.#container("edge", proxy, imageOf(this.site, proxy.image), {
      networks: ["edge"],
      aliases: ["edge", ...(proxy.names ?? [])],
    });
    // The disk may go: Traefik asks for the certificates again.
    const disk = tls.mode === "acme" ? this.#volume("edge", at, { spare: true }) : undefined;
    return this.#start("edge", proxy, at, this.#engine, {
      ...args,
      ...(disk ? { volumes: [{ volumeName: disk.name, containerPath: acmeFolder }] } : {}),
      ports: publishedPorts(this.site).map(({ inside, published }) => ({
        internal: inside,
        external: published,
        ip: address,
      })),
    });
  }

  /** Runs equal replicas without a disk. */
  workload(name: string, workload: Workload, { parent, logicalName }: At): Ready {
    const engine = this.#on(workload);
    const networks = engine.networksOf(workload, false);
    const ready: Resource[] = [];
    for (const replica of replicaNames(name, workload)) {
      const at = { parent, logicalName: logicalName + replica.slice(name.length) };
      const aliases = [name, replica, ...(workload.names ?? [])];
      const args = this.#container(replica, workload, imageOf(this.site, workload.image), { networks, aliases });
      // Each replica waits for the one before: a change takes one replica at a time out of service.
      ready.push(...this.#start(replica, workload, at, engine, args, ready).ready);
    }
    return { ready };
  }

  /** Runs one process with a disk and a name of its own. */
  slot(name: string, slot: Slot, at: At): Ready {
    const { disk, leave, left } = slot;
    const volume = this.#volume(name, at, {
      spare: leave !== undefined || left !== undefined,
      ...(disk.marker === undefined
        ? {}
        : {
            marker: { image: this.#engine.image(imageOf(this.site, slot.image)), path: disk.path, file: disk.marker },
          }),
    });
    // The finalizer is deleted, and so runs, after the container, which depends on it.
    const before = this.finalizer(`${name}-left`, left, part(at, "left"), this.after(slot));
    const args = this.#container(name, slot, imageOf(this.site, slot.image), {
      networks: this.#engine.networksOf(slot, true),
      aliases: [name, ...(slot.names ?? [])],
    });
    const volumes = [...mounts(slot), { volumeName: volume.name, containerPath: disk.path }];
    const started = this.#start(name, slot, at, this.#engine, { ...args, volumes }, before);
    this.onDisk(started.ready, slot, { [name]: volume.disk });
    // The next member depends on this finalizer, too. If both go, the next member is gone before this one begins.
    const finalizer = this.finalizer(`${name}-leave`, leave, part(at, "leave"), started.ready);
    return { ready: [...started.ready, ...finalizer] };
  }

  protected jobRun(job: Omit<Job, "trigger">): JobRun {
    const engine = this.#on(job);
    return { place: engine, host: engine.host, after: [] };
  }

  #on({ machine }: Container): Engine {
    return (machine === undefined ? undefined : own(this.#machines, machine)) ?? this.#engine;
  }

  #container(
    name: string,
    container: Container & { readonly health: Health },
    image: Image,
    joins: { networks: List<string>; aliases: List<string> },
  ) {
    const args = containerArgs(this.site, this.#on(container), name, container, image, joins);
    const { socket } = this.#on(container);
    if (!container.needs?.includes("container-api") || socket === undefined) return args;
    // The engine refuses a bind mount without a source. For a volume it would make the source, an empty folder.
    return { ...args, mounts: [{ type: "bind", source: socket, target: "/var/run/docker.sock" }] };
  }

  /**
   * A volume. The state has its id before it is made: so a later run knows the volume of an interrupted run for its
   * own.
   */
  #volume(name: string, { parent, logicalName: logical }: At, more: Pick<VolumeArgs, "spare" | "marker">): Volume {
    const { survey, host, owner } = this.#engine;
    const full = `${this.site.name}-${name}`;
    const kept = protection(this.site.protect && !Object.hasOwn(this.site.disks, name));
    const word = survey.word(name);
    survey.wants({ kind: "volume", name: full, logical });
    const disk = new random.RandomId(
      `${logical}-disk`,
      { byteLength: 4, keepers: { word } },
      { parent, ...kept, provider: this.random },
    );
    const marks = labels(this.site, name, owner).map(({ label, value }) => [label, value] as const);
    return new Volume(
      logical,
      { host, name: full, disk: disk.hex, word, labels: Object.fromEntries(marks), ...more },
      { parent, ...kept, deleteBeforeReplace: true },
    );
  }

  /** The container and its gate. Only the gate says that the container is ready. */
  #start(
    name: string,
    { health, ...container }: Container & { readonly health: Health },
    { parent, logicalName }: At,
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
        dependsOn: [...this.after(container), ...earlier],
        // The provider would change its state alone, not the container (kreuzwerker#988; of mounts a changed source).
        replaceOnChanges: ["healthcheck", "mounts"],
        deleteBeforeReplace: true,
        replacementTrigger: engine.survey.wants(wish),
      }),
    );
    this.nodes[name] = made;
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
