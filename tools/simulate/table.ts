/** What the typings say, read once for each version of an SDK and kept in the cache of built parts. */
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { cached } from "../setup/cache.ts";
import { repo } from "../setup/paths.ts";

import type { Cloud } from "./cloud.ts";
import type { Resource } from "./typings.ts";

export class Table {
  private readonly cloud: Cloud;
  private readonly folder: string;
  private readonly known = new Map<string, Promise<Resource | undefined>>();

  constructor(cloud: Cloud) {
    this.cloud = cloud;
    this.folder = join(repo, "node_modules/@pulumi", cloud.name);
  }

  /** The SDK's version, which is the provider's. */
  get version(): string {
    return (JSON.parse(readFileSync(join(this.folder, "package.json"), "utf8")) as { version: string }).version;
  }

  /** Undefined for what the SDK does not have. A run asks for dozens of resources out of thousands. */
  resource(token: string): Promise<Resource | undefined> {
    const found = this.known.get(token) ?? this.load(token);
    this.known.set(token, found);
    return found;
  }

  private async load(token: string): Promise<Resource | undefined> {
    const place = this.cloud.typings(token);
    if (!place) return undefined;
    const folder = await cached({
      name: `simulate-${this.cloud.name}-${token.replace(/^[^:]*:|\W/g, (part) => (part.length > 1 ? "" : "-"))}`,
      version: this.version,
      inputs: ["tools/simulate/typings.ts"],
      make: async (into) => {
        // The compiler takes as long to load as all else together.
        const { readResource } = await import("./typings.ts");
        await mkdir(into, { recursive: true });
        const read = readResource(this.folder, place.file, place.name) ?? null;
        await writeFile(join(into, "resource.json"), JSON.stringify(read));
      },
    });
    const text = await readFile(join(folder, "resource.json"), "utf8");
    return (JSON.parse(text) as Resource | null) ?? undefined;
  }
}
