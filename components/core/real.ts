import { type Output, type Resource, secret } from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { Certificate as MadeCertificate } from "../../ops/resources.ts";
import type { Ask, Certificate, Given, Job, Kind, List, Login, Ready, Slot, Store, Workload } from "./contracts.ts";
import { own } from "./formats.ts";
import { BasePlatform } from "./platform.ts";
import type { NamedDump, Topology } from "./topology.ts";

/** A need that was met, or a store that the system is itself. */
export interface Supplied {
  readonly name: string;
  readonly given: Given<Kind> | (Store & Login & Ready);
}

/** The platform that makes things: each becomes a child of `parent`, named after it. */
export class RealPlatform extends BasePlatform {
  static readonly #byParent = new WeakMap<Resource, RealPlatform>();
  readonly #on: Topology;
  readonly #parent: Resource;
  /** Logical names begin with this, so that two systems in one program do not collide. */
  readonly #prefix: string;
  /** What was needed, and how to reach it. */
  readonly supplied: Supplied[] = [];

  constructor(on: Topology, parent: Resource, prefix = "", dumps: NamedDump[] = []) {
    super(on.site, dumps);
    this.#on = on;
    this.#parent = parent;
    this.#prefix = prefix;
    RealPlatform.#byParent.set(parent, this);
  }

  /** The platform whose things are children of `parent`, if it is one of ours. */
  static of(parent: Resource | undefined): RealPlatform | undefined {
    return parent === undefined ? undefined : RealPlatform.#byParent.get(parent);
  }

  /** For a service inside this platform: the same names and dumps, another parent. */
  within(parent: Resource): RealPlatform {
    return new RealPlatform(this.#on, parent, this.#prefix, this.dumps);
  }

  get ca(): Output<string> | undefined {
    return this.#on.ca;
  }

  logicalName(name: string): string {
    return `${this.#prefix}${name}`;
  }
  /** The name inside this platform of a resource that `logicalName` named. */
  shortName(logical: string): string {
    return logical.slice(this.#prefix.length);
  }

  secret(name: string): Output<string> {
    const { result } = new random.RandomPassword(
      this.logicalName(name),
      { length: 32, special: false },
      { parent: this.#parent, protect: this.#on.site.protect },
    );
    this.#on.passwords.push(result);
    return result;
  }

  certificate(name: string, hostnames: List<string>): Certificate {
    const { caCert, cert, key } = new MadeCertificate(
      this.logicalName(name),
      { hostnames: [...hostnames] },
      { parent: this.#parent },
    );
    this.#on.passwords.push(key);
    return { ca: caCert, cert, key };
  }

  configured(name: string): Output<string> {
    return own(this.#on.site.secrets, name) ?? secret("");
  }

  /** The plan has said it, before the first thing was made. */
  edge(): void {
    // nothing is left to do
  }

  protected offer(name: string, given: Store & Login & Ready): void {
    this.supplied.push({ name, given });
  }

  protected adopt<K extends Kind>(_: K, name: string, given: Given<K>): Given<K> {
    this.supplied.push({ name, given });
    return given;
  }

  protected supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const Supplier = this.#on.services[kind];
    if (Supplier === undefined) throw new Error(`${kind}: not checked before it was made`);
    const { given } = new Supplier(this.logicalName(name), { ...ask, on: this.#on }, { parent: this.#parent });
    this.supplied.push({ name, given });
    return given;
  }

  protected makeWorkload(name: string, workload: Workload): List<Resource> {
    return this.#on.workload(name, workload, this.#parent, this.logicalName(name)).ready;
  }

  protected makeSlot(name: string, slot: Slot): List<Resource> {
    return this.#on.slot(name, slot, this.#parent, this.logicalName(name)).ready;
  }

  job(name: string, job: Job): Ready {
    return this.#on.job(name, job, this.#parent, this.logicalName(name));
  }
}
