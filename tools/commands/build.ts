/**
 * `npm pack` starts it: makes `dist/`, what other programs import. CommonJS, which both kinds of programs load, and the
 * provider in one file: Node strips no types below node_modules, and a program has an SDK of its own.
 */
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import process from "node:process";

import * as esbuild from "esbuild";
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
  await chmod(join(dist, "command/main.js"), 0o755);
  await cp(join(repo, "policy/PulumiPolicy.yaml"), join(dist, "policy/PulumiPolicy.yaml"));
  const { version } = JSON.parse(await readFile(join(repo, "package.json"), "utf8")) as { version: string };
  await writeFile(join(dist, "policy/package.json"), JSON.stringify({ version, type: "commonjs", main: "index.js" }));
  await writeFile(join(dist, "lazy.js"), lazy);
  for (const folder of ["components", "ops"]) await loadLate(join(dist, folder));
}

const lazy = `"use strict";
/** What \`load\` returns, loaded when something of it is first asked for. */
module.exports = (name, load) => {
  let loaded;
  const now = () => {
    try {
      return load();
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND" || !error.message.includes(\`'\${name}\`)) throw error;
      const { RunError } = require("@pulumi/pulumi");
      throw new RunError(\`\${name} is not installed, and this program uses it: run \\\`npm install \${name}\\\`\`);
    }
  };
  return new Proxy({}, { get: (_, key) => (loaded ??= now())[key] });
};
`;

/** How the compiler writes an import of a provider's SDK. */
const sdk = /^const (\w+) = (.*require\("(@pulumi\/(?!pulumi[/"])[\w-]+)[^"]*"\).*);$/gm;

/**
 * Lets files below `folder` load a provider's SDK only when they use it. The root exports every topology, and Node reads
 * all exports of a CommonJS module for a program that imports one.
 */
async function loadLate(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const file = join(folder, name);
    if (!name.endsWith(".js")) continue;
    const text = await readFile(file, "utf8");
    const late = text.replace(sdk, 'const $1 = lazy("$3", () => $2);');
    if (late === text) continue;
    const path = relative(dirname(file), join(dist, "lazy.js")).replaceAll("\\", "/");
    await writeFile(file, late.replace(/^"use strict";\n/, `"use strict";\nconst lazy = require("${path}");\n`));
  }
}

/** The engine starts this file: its folder is named in Pulumi.yaml, installed, or on PATH by a link of npm's. */
const launcher = `#!/usr/bin/env node
require("./main.cjs");
`;

/** The same for Windows. */
const launcherCmd = `@node "%~dp0main.cjs" %*\r\n`;

/** The SDK wants a compiler, and npm's own tree, for functions alone that it would serialize: ours has none. */
const withoutCompiler: esbuild.Plugin = {
  name: "without-compiler",
  setup: (build) => {
    const left = /^typescript$|^@npmcli\/arborist$|\/typescript-shim(\.js)?$/;
    build.onResolve({ filter: left }, ({ path }) => ({ path, namespace: "left-out" }));
    build.onLoad({ filter: /./, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

async function provider(): Promise<void> {
  const folder = join(dist, "provider");
  await mkdir(folder, { recursive: true });
  await esbuild.build({
    entryPoints: [join(repo, "ops/main.ts")],
    outfile: join(folder, "main.cjs"),
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    keepNames: true, // messages show the names of errors
    legalComments: "none",
    logLevel: "error",
    external: ["*.node"], // ssh2 works without its native part
    plugins: [withoutCompiler],
    define: { "import.meta.url": "moduleUrl" },
    banner: { js: 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
  // What the plugin and the topologies read beside themselves.
  await cp(join(repo, "ops/schema.json"), join(folder, "schema.json"));
  const aws = join(repo, "components/topologies/aws");
  for (const file of (await readdir(aws)).filter((each) => each.endsWith(".py")))
    await cp(join(aws, file), join(folder, file));
  const name = (await readdir(join(repo, "ops"))).find((file) => file.startsWith("pulumi-resource-"));
  if (name === undefined) throw new Error("ops has no file that starts the provider");
  await writeFile(join(folder, name), launcher, { mode: 0o755 });
  await writeFile(join(folder, `${name}.cmd`), launcherCmd);
}
