/**
 * `npm pack` starts it: makes `dist/`, what other programs import. CommonJS, which both kinds of programs load, and the
 * provider in one file: Node strips no types below node_modules, and a program has an SDK of its own.
 */
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { build } from "esbuild";
import { execa } from "execa";

import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";

const dist = join(repo, "dist");

export async function run(): Promise<number> {
  await rm(dist, { recursive: true, force: true });
  await Promise.all([components(), provider()]);
  return 0;
}

async function components(): Promise<void> {
  const tsc = join(repo, "node_modules/typescript/bin/tsc");
  const { failed } = await execa(process.execPath, [tsc, "-p", join(repo, "tsconfig.build.json")], {
    reject: false,
    stdout: 2, // npm prints the package's name there
    stderr: 2,
  });
  if (failed) throw new Problem("the components do not compile, for the reasons above");
  // What the components read beside themselves, as the agent of a machine in a cloud.
  const asIs = (file: string): boolean => !/\.c?ts$/.test(file);
  await cp(join(repo, "components"), join(dist, "components"), { recursive: true, filter: asIs });
  await writeFile(join(dist, "package.json"), JSON.stringify({ type: "commonjs" }));
}

const launcher = `#!/bin/sh
# The engine starts this file: Pulumi.yaml names its folder under plugins.providers.
exec node "$(dirname "$(readlink -f "$0")")/main.cjs" "$@"
`;

async function provider(): Promise<void> {
  const folder = join(dist, "provider");
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: [join(repo, "ops/main.ts")],
    outfile: join(folder, "main.cjs"),
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    keepNames: true, // messages show the names of errors
    legalComments: "none",
    logLevel: "error",
    // ssh2 works without its native part. AWS's SDK is for those who deploy there, and is found where they install it.
    external: ["*.node", "@aws-sdk/*"],
  });
  const name = (await readdir(join(repo, "ops"))).find((file) => file.startsWith("pulumi-resource-"));
  if (name === undefined) throw new Error("ops has no file that starts the provider");
  await writeFile(join(folder, name), launcher, { mode: 0o755 });
}
