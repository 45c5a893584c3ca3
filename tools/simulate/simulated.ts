/** A provider without a cloud: it refuses what the real one refuses, and remembers what it would have made. */
import { createHash } from "node:crypto";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { problems, snake, warnings } from "./check.ts";
import { difference, named } from "./diff.ts";
import { outputsOf, previewOf } from "./outputs.ts";
import { nameOf, textAt, typeOf, unknownValue } from "./wire.ts";

import type { Cloud, Config, Making } from "./cloud.ts";
import type { Difference } from "./diff.ts";
import type { Faults, Operation } from "./faults.ts";
import type { Table } from "./table.ts";
import type { Resource } from "./typings.ts";
import type { Bag } from "./wire.ts";
import type { World } from "./world.ts";

/** Something was made, and is not as it should be: the engine keeps it, and tries to mend it in the next run. */
export class HalfMade extends Error {
  readonly id: string;
  readonly outputs: Bag;

  constructor(message: string, id: string, outputs: Bag) {
    super(message);
    this.id = id;
    this.outputs = outputs;
  }
}

export class Simulated {
  private readonly cloud: Cloud;
  private readonly table: Table;
  private readonly world: World;
  private readonly faults: Faults;
  private readonly warn: (urn: string, message: string) => void;
  private config: Config | undefined;
  /** Who of this run's resources asks for which name. */
  private readonly asked = new Map<string, string>();

  /** `warn` tells the engine. */
  constructor(cloud: Cloud, table: Table, world: World, faults: Faults, warn: Simulated["warn"] = () => undefined) {
    this.cloud = cloud;
    this.table = table;
    this.world = world;
    this.faults = faults;
    this.warn = warn;
  }

  configure(given: Bag): void {
    this.config = this.cloud.config(given);
  }

  async check(urn: string, olds: Bag, news: Bag): Promise<{ inputs: Bag; failures: string[] }> {
    const token = typeOf(urn);
    const resource = await this.table.resource(token);
    if (!resource) return { inputs: news, failures: [`unrecognized resource type (Check): ${token}`] };
    const { inputs, problem } = named(this.cloud, urn, token, resource, olds, news, this.digits(urn, "name", 7));
    for (const warning of warnings(resource, news)) this.warn(urn, warning);
    const failures = [
      ...problems({ ...resource, keepsEmptyBlocks: this.cloud.keepsEmptyBlocks(token) }, nameOf(urn), inputs),
      ...this.cloud.problems(token, inputs),
      ...(problem === undefined ? [] : [problem]),
      ...this.nameProblems(urn, token, inputs),
    ];
    return { inputs, failures };
  }

  async diff(urn: string, oldInputs: Bag, oldOutputs: Bag, news: Bag): Promise<Difference> {
    const token = typeOf(urn);
    const found = difference(this.cloud, token, await this.resource(token), oldInputs, news);
    const moved = this.cloud.moved(oldOutputs, news, this.place());
    if (moved === undefined) return found;
    found.changes.set(moved, { kind: "update", replaces: true });
    return { ...found, replaces: [...new Set([...found.replaces, moved])] };
  }

  async create(urn: string, inputs: Bag, preview: boolean): Promise<{ id: string; outputs: Bag }> {
    const token = typeOf(urn);
    const resource = await this.resource(token);
    if (preview) return { id: "", outputs: previewOf(resource, inputs) };
    await this.before("create", urn);
    const claim = this.claim(token, inputs);
    this.refuseTaken(token, inputs, claim);
    const making = this.making(urn, token, inputs);
    const id = this.cloud.id(making);
    const outputs = outputsOf(resource, making, this.cloud.outputs(making, id));
    this.world.next(urn);
    this.remember(urn, token, id, claim, outputs);
    this.after("create", urn, id, outputs);
    return { id, outputs };
  }

  async update(id: string, urn: string, olds: Bag, news: Bag, preview: boolean): Promise<Bag> {
    const token = typeOf(urn);
    const resource = await this.resource(token);
    const counted = this.cloud.counted(token);
    if (preview) return { ...this.updated(resource, urn, id, olds, news), ...same(counted, unknownValue) };
    await this.before("update", urn);
    const thing = this.world.thing(token, keyOf(id, olds));
    if (!thing) throw new Error(`updating ${token} (${id}): couldn't find resource`);
    const next = Object.fromEntries(counted.map((key) => [key, Number(olds[key] ?? 0) + 1]));
    const outputs = { ...this.updated(resource, urn, id, olds, news), ...next };
    if (keyOf(id, outputs) !== thing.key) this.world.remove(thing);
    const claim = this.claim(token, news);
    if (claim !== undefined && !thing.claims.includes(claim)) this.refuseTaken(token, news, claim);
    for (const old of thing.claims) if (old !== claim) this.world.free(old);
    this.remember(urn, token, id, claim, outputs);
    this.after("update", urn, id, outputs);
    return outputs;
  }

  async delete(id: string, urn: string, state: Bag): Promise<void> {
    const token = typeOf(urn);
    await this.before("delete", urn);
    if (this.cloud.stays(token, state)) return;
    const kept = this.cloud.keeps(token, state, this.faults.filled(urn), this.world);
    if (kept !== undefined) throw new Error(kept);
    const key = keyOf(id, state);
    for (const claim of this.world.thing(token, key)?.claims ?? [])
      this.world.free(claim, this.cloud.reservedDays(token, state));
    this.world.remove({ token, key });
    this.cloud.gone(token, id, this.world);
    this.after("delete", urn, id, state);
  }

  /** Undefined if it is gone. Throws for what no run has made: a look-up. */
  read(id: string, urn: string, state: Bag): Bag | undefined {
    if (Object.keys(state).length === 0)
      throw new Error(
        `${typeOf(urn)} ${id} cannot be looked up: the simulated ${this.cloud.name} has only what its stack made`,
      );
    return this.world.thing(typeOf(urn), keyOf(id, state)) ? state : undefined;
  }

  invoke(token: string): never {
    throw new Error(`${token}: no look-ups in a preview: give the value in the stack's config`);
  }

  private async resource(token: string): Promise<Resource> {
    const resource = await this.table.resource(token);
    if (!resource) throw new Error(`unrecognized resource type: ${token}`);
    return resource;
  }

  private place(): Config {
    if (!this.config) throw new Error("the provider is not configured");
    return this.config;
  }

  private updated(resource: Resource, urn: string, id: string, olds: Bag, news: Bag): Bag {
    const token = typeOf(urn);
    const n = Number(this.world.thing(token, keyOf(id, olds))?.facts.incarnation ?? 1);
    const making = { ...this.making(urn, token, news, n), round: () => Number(olds.revision ?? 1) };
    const outputs = outputsOf(resource, making, this.cloud.outputs(making, id));
    return { ...outputs, ...Object.fromEntries(this.cloud.counted(token).map((key) => [key, olds[key]])) };
  }

  private making(urn: string, token: string, inputs: Bag, incarnation?: number): Making {
    const digits: Making["digits"] = (of, length) => this.digits(urn, of, length, incarnation);
    return {
      urn,
      token,
      inputs: { ...inputs, ...this.prefixed(token, inputs, digits) },
      config: this.place(),
      digits,
      round: (family) => this.world.next(`round ${family}`),
    };
  }

  /** The name that follows from a prefix: the provider makes up the rest. */
  private prefixed(token: string, inputs: Bag, digits: Making["digits"]): Bag {
    const { property, longest } = this.cloud.nameOf(token) ?? { property: "name", longest: 255 };
    const prefix = textAt(inputs, `${property}Prefix`);
    if (prefix === undefined || inputs[property] !== undefined) return {};
    return { [property]: prefix + digits("name", Math.min(26, longest - prefix.length)) };
  }

  /** Hexadecimal digits for the next incarnation of the resource, or for the one that is given. */
  private digits(urn: string, of: string, length: number, incarnation = this.world.count(urn) + 1): string {
    const hash = createHash("sha256").update(`${urn} ${String(incarnation)} ${of}`);
    return hash.digest("hex").slice(0, length);
  }

  private claim(token: string, inputs: Bag): string | undefined {
    return this.cloud.nameOf(token)?.claim?.(inputs, this.place());
  }

  private refuseTaken(token: string, inputs: Bag, claim: string | undefined): void {
    const name = this.cloud.nameOf(token);
    const holder = claim === undefined ? undefined : this.world.holder(claim);
    if (holder !== undefined && name?.taken) throw new Error(name.taken(textAt(inputs, name.property) ?? "", holder));
  }

  private nameProblems(urn: string, token: string, inputs: Bag): string[] {
    const rule = this.cloud.nameOf(token);
    const name = rule ? textAt(inputs, rule.property) : undefined;
    if (!rule || name === undefined) return [];
    const found: string[] = [];
    const at = `Examine values at '${nameOf(urn)}.${rule.property}'.`;
    if (rule.longest > 0 && name.length > rule.longest)
      found.push(
        `expected length of ${snake(rule.property)} to be in the range (1 - ${String(rule.longest)}), got ${name}. ${at}`,
      );
    const claim = this.config ? this.claim(token, inputs) : undefined;
    const other = claim === undefined ? undefined : this.asked.get(claim);
    if (other !== undefined && other !== urn)
      found.push(
        `${rule.taken?.(name, "held") ?? `the name ${name} is taken`}: ${nameOf(other)} asks for it, too. ${at}`,
      );
    if (claim !== undefined) this.asked.set(claim, other ?? urn);
    return found;
  }

  private remember(urn: string, token: string, id: string, claim: string | undefined, outputs: Bag): void {
    const facts = this.cloud.facts(token, outputs) ?? {};
    const key = keyOf(id, outputs);
    const incarnation = this.world.thing(token, key)?.facts.incarnation ?? this.world.count(urn);
    this.world.put({
      token,
      urn,
      id,
      key,
      claims: claim === undefined ? [] : [claim],
      facts: { ...facts, incarnation },
    });
    if (claim !== undefined) this.world.take(claim, id);
    this.cloud.made(token, id, outputs, this.world);
  }

  private async before(operation: Operation, urn: string): Promise<void> {
    const wait = this.faults.milliseconds(operation, urn);
    if (wait > 0) await sleep(wait);
    const doing = `${operation.replace(/e$/, "ing")} ${typeOf(urn)} (${nameOf(urn)})`;
    if (this.faults.throttles(operation, urn))
      throw new Error(`${doing}: api error ThrottlingException: Rate exceeded`);
    if (this.faults.fails(operation, urn)) throw new Error(`${doing}: refused, as SIMULATE_FAIL asks for it`);
  }

  private after(operation: Operation, urn: string, id: string, outputs: Bag): void {
    if (this.faults.dies(operation, urn)) process.exit(1);
    const doing = `${operation.replace(/e$/, "ing")} ${typeOf(urn)} (${id})`;
    if (this.faults.loses(operation, urn)) throw new Error(`${doing}: request send failed: connection reset by peer`);
    if (!this.faults.timesOut(operation, urn)) return;
    const late = `waiting for ${typeOf(urn)} (${id}) ${operation}: timeout while waiting for state to become 'available'`;
    if (operation === "delete") throw new Error(late);
    throw new HalfMade(late, id, outputs);
  }
}

function same(keys: readonly string[], value: unknown): Bag {
  return Object.fromEntries(keys.map((key) => [key, value]));
}

function keyOf(id: string, outputs: Bag): string {
  return `${id} ${textAt(outputs, "arn") ?? ""}`;
}
