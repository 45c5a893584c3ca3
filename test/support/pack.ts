/** The package as another program has it: packed, outside the checkout, beside its dependencies and nothing else. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

import { execa } from "execa";
import { cached, type Recipe } from "../../tools/setup/cache.ts";
import { run } from "./run.ts";
import { repo } from "./stack.ts";

export interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

export interface Pack {
  /** A program's folder. */
  readonly folder: string;
  /** Its `node_modules`. */
  readonly modules: string;
  /** The package there. */
  readonly packed: string;
  readonly manifest: Manifest;
  remove(): Promise<void>;
}

/** The machine's own Node, older than the one that npm brought to the checkout: an importing program has no other. */
export const env = {
  PATH: (process.env.PATH ?? "")
    .split(":")
    .filter((place) => !place.includes("node_modules"))
    .join(":"),
};

/** `more`: packages that the program has besides what the package brings. */
export async function pack(more: readonly string[] = []): Promise<Pack> {
  const folder = await mkdtemp(join(tmpdir(), `pack-${run}-`));
  const modules = join(folder, "node_modules");
  const packed = join(modules, "platform-topologies");
  await mkdir(packed, { recursive: true });
  await execa("tar", ["-xzf", await archive(), "-C", packed, "--strip-components=1"]);
  const manifest = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as Manifest;
  const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
  const peers = Object.keys(peerDependencies).filter((each) => !peerDependenciesMeta[each]?.optional);
  for (const each of [...Object.keys(dependencies), ...peers, ...more]) {
    await mkdir(dirname(join(modules, each)), { recursive: true });
    await symlink(join(repo, "node_modules", each), join(modules, each));
  }
  return { folder, modules, packed, manifest, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** One for all test files of a run, and for the next run of the same checkout. */
const recipe: Recipe = {
  name: "package",
  version: "packed",
  inputs: [
    ...["command", "comment", "components", "ops", "policy", "reconciler", "tools"],
    ...["README.md", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"],
  ],
  make: async (into) => {
    await execa("npm", ["pack", "--silent", "--pack-destination", into], { cwd: repo });
  },
};

async function archive(): Promise<string> {
  const files = await cached(recipe);
  const [file = ""] = await readdir(files);
  return join(files, file);
}
