import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Disk } from "./disk.ts";
import { Refused } from "./fatal.ts";

export type Document = Readonly<Record<string, unknown>> & { readonly _key: string };
/** A change of a document; `null`: it is removed. */
export interface Change {
  readonly key: string;
  readonly document: Document | null;
}
export type How = "insert" | "update" | "upsert" | "remove";

/** One copy of a shard: a log of changes in a file, replayed at the start. */
export class ShardFile {
  readonly documents = new Map<string, Document>();
  readonly #path: string;

  constructor(disk: Disk, id: string) {
    this.#path = join(disk.folder, `shard-${id}.jsonl`);
    if (!existsSync(this.#path)) return;
    const lines = readFileSync(this.#path, "utf8").split("\n");
    // Text after the last line's end is half a change, which no client was told of.
    for (const line of lines.slice(0, -1)) this.#remember(JSON.parse(line) as Change[]);
  }

  /** @throws Refused for an insert with a key that is there, or a change of one that is not. */
  check(changes: readonly Change[], how: How): void {
    for (const { key } of changes) {
      if (how === "insert" && this.documents.has(key))
        throw new Refused(409, 1210, `unique constraint violated: ${key}`);
      if ((how === "update" || how === "remove") && !this.documents.has(key))
        throw new Refused(404, 1202, `document not found: ${key}`);
    }
  }

  /** Applies changes, which are on the disk when this returns. */
  apply(changes: readonly Change[]): void {
    appendFileSync(this.#path, `${JSON.stringify(changes)}\n`);
    const file = openSync(this.#path, "r");
    fsyncSync(file);
    closeSync(file);
    this.#remember(changes);
  }

  replace(documents: readonly Document[]): void {
    rmSync(this.#path, { force: true });
    this.documents.clear();
    this.apply(documents.map((document) => ({ key: document._key, document })));
  }

  #remember(changes: readonly Change[]): void {
    for (const { key, document } of changes)
      if (document === null) this.documents.delete(key);
      else this.documents.set(key, document);
  }
}
