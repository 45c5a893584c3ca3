/** The dry run: a system asks for everything, and nothing is made. */
import { output, type Output, type Resource, secret } from "@pulumi/pulumi";

import { backup } from "./backup.ts";
import type {
  Ask,
  Certificate,
  Container,
  EdgeOptions,
  Given,
  Job,
  Kind,
  List,
  Ready,
  Slot,
  System,
  Workload,
} from "./contracts.ts";
import { own } from "./formats.ts";
import { imageRow } from "./images.ts";
import { recorded } from "./kinds.ts";
import type { Plan } from "./plan.ts";
import { BasePlatform } from "./platform.ts";
import { supplierOf } from "./supply.ts";
import type { Place } from "./topology.ts";

/** Runs a system without making anything: nothing is registered, no provider is loaded. */
export function planOf<C>(system: System<C>, config: C, place: Place): Plan {
  return dryRun((recorder) => {
    system(recorder, config);
    backup(recorder, place.site);
  }, place);
}

/** The same of a part alone, which has no backup. */
export function dryRun(run: (platform: BasePlatform) => void, place: Place): Plan {
  const recorder = new Recorder(place);
  run(recorder);
  return recorder.plan;
}

/** `edge` is set when the system asks for it. */
type Draft = Omit<Plan, "edge"> & { edge: EdgeOptions };

class Recorder extends BasePlatform {
  readonly plan: Draft = {
    needs: [],
    workloads: new Map(),
    slots: new Map(),
    jobs: new Map(),
    waits: new Map(),
    dumps: this.dumps,
    managed: new Map(),
    rotates: new Set(),
    secrets: new Set(),
    repeated: new Set(),
    images: new Set(),
    edge: { proxy: "traefik" },
  };
  readonly ca: Output<string> = output("");
  readonly #place: Place;
  /** What is ready, in the place of resources, and whose it is. */
  readonly #names = new Map<Resource, string>();

  constructor(place: Place) {
    super(place);
    this.#place = place;
    for (const key of place.images ?? []) this.plan.images.add(key);
  }

  secret(_: string, rotates?: string): Output<string> {
    if (rotates !== undefined) this.plan.rotates.add(rotates);
    return secret("");
  }

  certificate(): Certificate {
    return { ca: output(""), cert: output(""), key: secret("") };
  }

  configured(name: string): Output<string> {
    this.plan.secrets.add(name);
    return own(this.#place.site.secrets, name) ?? secret("");
  }

  override image(name: string): string {
    if (imageRow(name) !== undefined) this.plan.images.add(name);
    return super.image(name);
  }

  edge(wish: EdgeOptions): void {
    this.plan.edge = wish;
  }

  protected offer(): void {
    // a dry run has no outputs
  }

  protected supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const { recipe, by, because } = supplierOf(this.#place, kind, name, ask);
    const parts: string[] = [];
    this.plan.needs.push({ kind, name, ask, by, because, parts });
    const before = this.plan.waits.size;
    const given = recipe ? recipe(this, name, ask) : recorded(kind, name);
    parts.push(...[...this.plan.waits.keys()].slice(before));
    return { ...given, ready: [...given.ready, this.#done(name)] };
  }

  managed<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    this.plan.managed.set(name, { kind, ask });
    const given = recorded(kind, name);
    return "members" in given ? { ...given, members: [] } : given;
  }

  protected makeWorkload(name: string, workload: Workload): List<Resource> {
    return this.#record(this.plan.workloads, name, workload);
  }
  protected makeSlot(name: string, slot: Slot): List<Resource> {
    return this.#record(this.plan.slots, name, slot);
  }
  job(name: string, job: Job): Ready {
    return { ready: this.#record(this.plan.jobs, name, job) };
  }
  #record<T extends Container>(into: Map<string, T>, name: string, value: T): List<Resource> {
    const { workloads, slots, jobs, repeated, waits } = this.plan;
    if (workloads.has(name) || slots.has(name) || jobs.has(name)) repeated.add(name);
    into.set(name, value);
    const awaited = (value.after ?? []).flatMap(({ ready }) => ready.map((done) => this.#names.get(done) ?? ""));
    waits.set(
      name,
      [...new Set(awaited)].filter((other) => other !== ""),
    );
    return [this.#done(name)];
  }

  /** Nothing is made: what stands for a resource is told apart by its name. */
  #done(name: string): Resource {
    const nothing: object = {};
    this.#names.set(nothing as Resource, name);
    return nothing as Resource;
  }
}
