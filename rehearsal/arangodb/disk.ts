import { randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

import { Fatal } from "./fatal.ts";

/** A member's data directory, with the files of the real one that say whose it is: SERVER, ENGINE, UUID, VERSION-1. */
export class Disk {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  has(name: string): boolean {
    return existsSync(join(this.folder, name));
  }
  read(name: string): string | undefined {
    return this.has(name) ? readFileSync(join(this.folder, name), "utf8") : undefined;
  }
  json(name: string): unknown {
    const text = this.read(name);
    return text === undefined ? undefined : JSON.parse(text);
  }
  /** Writes a file whole or not at all; it is on the disk when this returns. */
  write(name: string, text: string): void {
    const path = join(this.folder, name);
    const file = openSync(`${path}.new`, "w");
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.new`, path);
  }
}

export interface Identity {
  readonly prefix: "AGNT" | "PRMR" | "CRDN" | "SNGL";
  /** The value of `--agency.disaster-recovery-id`. */
  readonly fixed?: string | undefined;
  /** `--cluster.require-persisted-id`. */
  readonly mustExist: boolean;
  /** As 3.12.4. */
  readonly version: string;
  /** `--database.auto-upgrade`. */
  readonly upgrade: boolean;
}

/**
 * Opens a data directory, or makes it. Returns the member's id. @throws Fatal if the real server would not start
 * either.
 */
export function identify(disk: Disk, { prefix, fixed, mustExist, version, upgrade }: Identity): string {
  if (mustExist && !disk.has("UUID"))
    throw new Fatal("required persisted UUID file 'UUID' not found: --cluster.require-persisted-id is set");
  const id = fixed ?? disk.read("UUID")?.trim() ?? `${prefix}-${randomUUID()}`;
  const now = numeric(version);
  const had = (disk.json("VERSION-1") as { version: number } | undefined)?.version ?? now;
  if (had > now) throw new Fatal(`the data is of version ${String(had)}, newer than this server's ${String(now)}`);
  if (had < now && !upgrade)
    throw new Fatal(`the data is of version ${String(had)} and needs an upgrade: start with --database.auto-upgrade`);
  if (!disk.has("ENGINE")) disk.write("ENGINE", "rocksdb");
  if (!disk.has("SERVER")) disk.write("SERVER", JSON.stringify({ serverId: id }));
  if (!disk.has("UUID")) disk.write("UUID", id);
  disk.write("VERSION-1", JSON.stringify({ version: now, tasks: {} }));
  return id;
}

/** The number of a version: 3.12.4 is 31204. */
function numeric(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return major * 10000 + minor * 100 + patch;
}
