/**
 * What the simulated cloud remembers of a stack: a JSON file for each thing, so that the provider's processes and the
 * API server share it without a lock, and a process that dies leaves whole files. Never a secret.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { codeOf } from "../setup/problem.ts";

import type { Bag } from "./wire.ts";

/** A thing that was made and not deleted. */
export interface Thing {
  token: string;
  urn: string;
  id: string;
  /** Tells it from all others of its type: an id alone may be a name that the next one has, too. */
  key: string;
  /** The names that it holds. */
  claims: string[];
  facts: Bag;
}

interface Claim {
  claim: string;
  /** The id of its holder; undefined when that is gone and the name is not free yet. */
  id?: string;
  /** Milliseconds since 1970. */
  until?: number;
}

export class World {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  things(token: string): Thing[] {
    return this.all("things")
      .map((thing) => thing as Thing)
      .filter((thing) => thing.token === token);
  }

  thing(token: string, key: string): Thing | undefined {
    return this.read("things", `${token} ${key}`) as Thing | undefined;
  }

  put(thing: Thing): void {
    this.write("things", `${thing.token} ${thing.key}`, thing);
  }

  remove({ token, key }: Pick<Thing, "token" | "key">): void {
    this.forget("things", `${token} ${key}`);
  }

  /** "held" by a thing, or "reserved" by one that is gone; undefined if it is free. */
  holder(claim: string): "held" | "reserved" | undefined {
    const found = this.read("names", claim) as Claim | undefined;
    if (!found) return undefined;
    if (found.id !== undefined) return "held";
    return (found.until ?? 0) > Date.now() ? "reserved" : undefined;
  }

  take(claim: string, id: string): void {
    this.write("names", claim, { claim, id });
  }

  /** Frees a name; after some days, if the cloud reserves it. */
  free(claim: string, days = 0): void {
    if (days === 0) this.forget("names", claim);
    else this.write("names", claim, { claim, until: Date.now() + days * 86_400_000 });
  }

  count(of: string): number {
    return (this.read("counts", of) as { count: number } | undefined)?.count ?? 0;
  }

  /** Counts up, and returns the new number. */
  next(of: string): number {
    const count = this.count(of) + 1;
    this.write("counts", of, { of, count });
    return count;
  }

  /** Anything that an API server keeps, by kind and key. */
  note(kind: string, key: string): Bag | undefined {
    return this.read(kind, key) as Bag | undefined;
  }

  notes(kind: string): Bag[] {
    return this.all(kind) as Bag[];
  }

  keep(kind: string, key: string, value: Bag): void {
    this.write(kind, key, value);
  }

  drop(kind: string, key: string): void {
    this.forget(kind, key);
  }

  private all(kind: string): unknown[] {
    let names: string[];
    try {
      names = readdirSync(join(this.folder, kind));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    }
    return names.sort().flatMap((name) => {
      const value = name.endsWith(".json") ? parse(join(this.folder, kind, name)) : undefined;
      return value === undefined ? [] : [value];
    });
  }

  private read(kind: string, key: string): unknown {
    return parse(this.path(kind, key));
  }

  private write(kind: string, key: string, value: unknown): void {
    const path = this.path(kind, key);
    mkdirSync(join(this.folder, kind), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.${String(process.pid)}`, JSON.stringify(value));
    renameSync(`${path}.${String(process.pid)}`, path);
  }

  private forget(kind: string, key: string): void {
    rmSync(this.path(kind, key), { force: true });
  }

  private path(kind: string, key: string): string {
    return join(this.folder, kind, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
