import { type ComponentResource, type Output, type Resource, secret } from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { Certificate as MadeCertificate } from "../../ops/resources.ts";
import type { Ask, Certificate, Given, Job, Kind, List, Login, Ready, Slot, Store, Workload } from "./contracts.ts";
import { own } from "./formats.ts";
import { BasePlatform } from "./platform.ts";
import { protection } from "./site.ts";
import { supplierOf } from "./supply.ts";
import type { At, NamedDump, Topology, Within } from "./topology.ts";

/** A need that was met, or a store that the system is itself. */
export interface Supplied {
  readonly name: string;
  readonly given: Given<Kind> | (Store & Login & Ready);
}

/**
 * 32 letters and digits. `protect`: it stays with the data that it guards. `special`: one of these at least, for a store
 * that insists. `word`: the operator's, for another password. Another value of either makes another one.
 */
export function newPassword(
  logicalName: string,
  parent: Resource,
  protect: boolean,
  { special = "", word }: { readonly special?: string; readonly word?: string | undefined } = {},
): Output<string> {
  // Azure's stores want three classes of characters; one in 280 passwords would have no digit by chance.
  const classes = { minLower: 1, minUpper: 1, minNumeric: 1 };
  const form =
    special === ""
      ? { length: 32, special: false, ...classes }
      : { length: 32, overrideSpecial: special, minSpecial: 1, ...classes };
  return new random.RandomPassword(
    logicalName,
    { ...form, ...(word === undefined ? {} : { keepers: { word } }) },
    { parent, ...protection(protect && word === undefined) },
  ).result;
}

/** A store's password; none where it has none. */
export function passwordOf(given: Supplied["given"]): Output<string>[] {
  if ("internal" in given) return [given.secret];
  return "password" in given ? [given.password] : [];
}

/** The platform that makes things: each becomes a child of `parent`, named after it. */
export class RealPlatform extends BasePlatform implements Within {
  readonly topology: Topology;
  readonly #parent: Resource;
  readonly #prefix: string;
  /** What was needed, and how to reach it. */
  readonly supplied: Supplied[] = [];

  /** `prefix`: logical names begin with it, so that two systems in one program do not collide. */
  constructor(on: Topology, parent: Resource, prefix = "", dumps: NamedDump[] = []) {
    super(on, dumps);
    this.topology = on;
    this.#parent = parent;
    this.#prefix = prefix;
  }

  within(parent: ComponentResource): RealPlatform {
    return new RealPlatform(this.topology, parent, this.#prefix, this.dumps);
  }

  get ca(): Output<string> | undefined {
    return this.topology.ca;
  }

  logicalName(name: string): string {
    return `${this.#prefix}${name}`;
  }

  #at(name: string): At {
    return { parent: this.#parent, logicalName: this.logicalName(name) };
  }

  secret(name: string, rotates?: string): Output<string> {
    const { protect, rotate } = this.topology.site;
    const word = rotates === undefined ? undefined : own(rotate, rotates);
    const result = newPassword(this.logicalName(name), this.#parent, protect, { word });
    this.topology.passwords.push(result);
    return result;
  }

  certificate(name: string, hostnames: List<string>): Certificate {
    const { caCert, cert, key } = new MadeCertificate(
      this.logicalName(name),
      { hostnames: [...hostnames], members: true },
      { parent: this.#parent },
    );
    this.topology.passwords.push(key);
    return { ca: caCert, cert, key };
  }

  configured(name: string): Output<string> {
    return own(this.topology.site.secrets, name) ?? secret("");
  }

  /** Does nothing: the topology has opened with the plan, and the plan knows what the edge is to be. */
  edge(): void {
    // nothing is left to do
  }

  protected offer(name: string, given: Store & Login & Ready): void {
    this.supplied.push({ name, given });
  }

  protected supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const { by, recipe } = supplierOf(this.topology, kind, name, ask);
    const Component = this.topology.services[kind];
    if (recipe === undefined || Component === undefined) throw new Error(`${kind}: not checked before it was made`);
    const given =
      by === "existing"
        ? recipe(this, name, ask) // nothing is made, so there is no component
        : new Component(name, { ...ask, on: this }, { parent: this.#parent }).given;
    this.supplied.push({ name, given });
    return given;
  }

  managed<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const given = this.topology.supply?.(kind, name, ask, this.#at(name));
    if (given === undefined) throw new Error(`${this.topology.capabilities.name} has no ${kind} of its own`);
    this.topology.passwords.push(...passwordOf(given)); // as those that we make, for no log to show
    return given;
  }

  protected makeWorkload(name: string, workload: Workload): List<Resource> {
    return this.topology.workload(name, workload, this.#at(name)).ready;
  }

  protected makeSlot(name: string, slot: Slot): List<Resource> {
    return this.topology.slot(name, slot, this.#at(name)).ready;
  }

  job(name: string, job: Job): Ready {
    return this.topology.job(name, job, this.#at(name));
  }
}
