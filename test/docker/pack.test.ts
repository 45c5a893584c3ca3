/** The package, as it is packed, in programs of every kind, and what it brings beside its components. */
import { once } from "node:events";
import { access, constants, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { parse, stringify } from "yaml";

import { toolchain } from "../../tools/setup/toolchain.ts";
import { containerIds, engine, localImages, sweep, untilHealthy } from "../support/arkindex.ts";
import { newFolder } from "../support/folder.ts";
import { env, pack, type Pack } from "../support/pack.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "pack";
let made: Pack;
let stack: TestStack | undefined;

beforeAll(async () => {
  await sweep(name);
  made = await pack();
}, 600_000);

afterAll(async () => {
  await stack?.dispose();
  await made.remove();
}, 60_000);

test("it holds what was built, brings no cloud's SDK, and a linter of packages has nothing to say", async () => {
  const { packed, manifest } = made;
  expect((await readdir(packed)).sort()).toEqual(["README.md", "dist", "package.json"]);
  const wanted = Object.keys(manifest.dependencies);
  expect(wanted.filter((each) => /^@pulumi\/(?!docker$|random$)/.test(each))).toEqual([]);
  const publint = join(repo, "node_modules/publint/src/cli.js");
  const { all } = await execa(process.execPath, [publint, packed, "--strict"], { all: true, reject: false });
  expect(all).toContain("All good!");
});

/** Said by each program: what it has got, and whether a provider's SDK was loaded for it. */
const says = `
if (Swarm !== deep.Swarm || Postgres !== postgres.Postgres) throw new Error("two classes of one name");
const sdks = Object.keys(cache).filter((file) => /@pulumi.(?!pulumi\\b)|dockerode|ssh2|aws-sdk/.test(file));
console.log([Arkindex, AwsRegion, DockerHost].map((each) => typeof each).join(), sdks.length);`;

const required = `const { Arkindex, AwsRegion, DockerHost, Postgres, Swarm } = require("platform-topologies");
const deep = require("platform-topologies/swarm");
const postgres = require("platform-topologies/services/postgres");
const { cache } = require;${says}`;

const imported = `import { Arkindex, AwsRegion, DockerHost, Postgres, Swarm } from "platform-topologies";
import * as deep from "platform-topologies/swarm";
import * as postgres from "platform-topologies/services/postgres";
import { createRequire } from "node:module";
const { cache } = createRequire(import.meta.url);${says}`;

/** ts-node makes CommonJS of it. */
const compiled = imported
  .replace('import { createRequire } from "node:module";\n', "declare const require: NodeJS.Require;\n")
  .replace("createRequire(import.meta.url)", "require");

const tool = (file: string): string => join(repo, "node_modules", file);
const own = "node";
const newer = process.execPath;

test.each([
  ["a CommonJS program on the machine's own Node", "required.cjs", required, own, []],
  ["an ES module on the machine's own Node", "imported.mjs", imported, own, []],
  ["a CommonJS program on the checkout's Node", "required.cjs", required, newer, []],
  ["an ES module whose types Node strips", "stripped.mts", imported, newer, []],
  ["an ES module by tsx", "imported.mts", imported, own, ["--import", tool("tsx/dist/esm/index.mjs")]],
  ["CommonJS by tsx", "required.cts", required, own, ["--require", tool("tsx/dist/cjs/index.cjs")]],
  ["CommonJS by ts-node, types checked", "compiled.ts", compiled, own, ["--require", tool("ts-node/register")]],
] as const)(
  "%s: each name is there, no provider's SDK is loaded",
  async (_, file, source, node, args) => {
    const { folder } = made;
    const compilerOptions = { module: "commonjs", target: "es2022", skipLibCheck: true, types: ["node"] };
    const typeRoots = [tool("@types")];
    const options = { compilerOptions: { ...compilerOptions, typeRoots }, "ts-node": { compiler: tool("typescript") } };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(options));
    await writeFile(join(folder, file), source);
    const { all } = await execa(node, [...args, file], { cwd: folder, env, all: true, reject: false });
    expect(all).toBe("function,function,function 0");
  },
  120_000,
);

test("every path leads to the root's own classes, and a topology says which SDK it misses", async () => {
  const { folder, manifest } = made;
  const program = `const { runtime } = require("@pulumi/pulumi");
const root = require("platform-topologies");
const deep = ${JSON.stringify(Object.keys(manifest.exports).filter((path) => path !== "./package.json"))};
const lost = new Set(Object.keys(root).filter((name) => typeof root[name] === "function"));
for (const path of deep.filter((each) => each !== ".")) {
  const names = Object.entries(require("platform-topologies" + path.slice(1)));
  for (const [name, value] of names) if (root[name] === value) lost.delete(name);
  if (!names.some(([name, value]) => root[name] === value)) console.log("nothing of the root in", path);
}
console.log([...lost].join());
runtime.setMocks({ newResource: ({ name, inputs }) => ({ id: name, state: inputs }), call: () => ({}) });
const site = root.siteOf({ name: "a", hostname: "a.example.com" });
const zones = ["eu-central-1a", "eu-central-1b"];
try {
  new root.AwsRegion("a", { site, account: "123456789012", region: "eu-central-1", zones, tls: { mode: "local" } });
} catch ({ message }) {
  console.log(message);
}`;
  await writeFile(join(folder, "deep.cjs"), program);
  const { stdout } = await execa("node", ["deep.cjs"], { cwd: folder, env });
  expect(stdout.split("\n")).toEqual([
    "ConfigError,Service,siteOf,SystemComponent",
    "@pulumi/aws is not installed, and this program uses it: run `npm install @pulumi/aws`",
  ]);
}, 60_000);

/** What is no error here has lost its type on the way. Of no cloud's SDK there is a type, either. */
const typed = `import { ArangoDb, AwsRegion, DockerHost, Postgres, siteOf, Swarm, type System } from "platform-topologies";
import { Swarm as Deep } from "platform-topologies/swarm";
import { Pyrus } from "platform-topologies/systems/pyrus";
import { Redis } from "platform-topologies/services/redis";

const site = siteOf({ name: "typed", hostname: "typed.example.com" });
const on = new DockerHost("host", { site, host: "unix:///run/d.sock", address: "127.0.0.1", tls: { mode: "local" } });
export const swarm: Deep = new Swarm("swarm", { site, managers: ["tcp://m1:2375"], tls: { mode: "local" } });
export const cache = new Redis("cache", { on, clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 });
// @ts-expect-error -- a number
new Postgres("text", { on, databases: ["shop"], clientTls: "never", gib: "1" });
// @ts-expect-error -- no such mode
new DockerHost("mode", { site, host: "unix:///run/d.sock", address: "127.0.0.1", tls: { mode: "none" } });
// @ts-expect-error -- a list
new Swarm("list", { site, managers: "tcp://m1:2375", tls: { mode: "local" } });
// @ts-expect-error -- a list
new AwsRegion("zones", { site, account: "123456789012", region: "eu-central-1", zones: "a", tls: { mode: "local" } });
// @ts-expect-error -- no such mode
new ArangoDb("mode", { on, mode: "triple" });
// @ts-expect-error -- a number
new Pyrus("replicas", { on, replicas: "2" });
// @ts-expect-error -- no such kind
export const wrong: System<object> = (platform) => void platform.need("mongo", "db", {});
`;

test.each([
  { moduleResolution: "node10", module: "commonjs", skipLibCheck: true, files: ["typed.ts"] },
  { moduleResolution: "node16", module: "node16", skipLibCheck: false, files: ["typed.cts", "typed.mts"] },
  { moduleResolution: "nodenext", module: "nodenext", skipLibCheck: false, files: ["typed.cts", "typed.mts"] },
  { moduleResolution: "bundler", module: "esnext", skipLibCheck: true, files: ["typed.ts"] },
])(
  "its types by $moduleResolution: $files",
  async ({ files, ...resolution }) => {
    const { folder } = made;
    const options = { ...resolution, noEmit: true, strict: true, target: "es2022", types: [] };
    for (const file of files) await writeFile(join(folder, file), typed);
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
    const tsc = tool("typescript/bin/tsc");
    const { all } = await execa(process.execPath, [tsc, "-p", folder], { all: true, reject: false });
    expect(all).toBe("");
  },
  240_000,
);

describe("the commands", () => {
  const command = (args: readonly string[], over: Readonly<Record<string, string>> = {}) =>
    execa("node", [join(made.packed, made.manifest.bin["platform-topologies"] ?? ""), ...args], {
      cwd: made.folder,
      env: { ...env, ...over },
      all: true,
      reject: false,
    });

  test("npm can link what `bin` names, and Windows has a file of its own", async () => {
    const files = Object.values(made.manifest.bin).map((file) => join(made.packed, file));
    expect(files).toHaveLength(2);
    for (const file of files) await access(file, constants.X_OK);
    await stat(join(made.packed, "dist/provider/pulumi-resource-platform-topologies.cmd"));
  });

  test("a wrong word, and a missing CLI, are a sentence", async () => {
    expect((await command(["--help"])).exitCode).toBe(0);
    const wrong = await command(["instal-plugin"]);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.all).toMatch(/^error: .*\n[^]*install-plugin/);
    expect((await command(["preview-comment", "--help"])).all).toContain("--github OWNER/NAME");
    const nodeAlone = newFolder("node");
    await symlink((await execa("which", ["node"], { env })).stdout, join(nodeAlone, "node"));
    const alone = await command(["install-plugin"], { PATH: nodeAlone });
    expect(alone.exitCode).toBe(2);
    expect(alone.all).toMatch(/^error: pulumi cannot be started \(.*\): install the Pulumi CLI/);
  });

  test("install-plugin makes the provider known to the engine, whatever a program's Pulumi.yaml says", async () => {
    const { pulumi, env: tools } = await toolchain();
    const home = newFolder("pulumi-home");
    const PATH = `${join(pulumi, "..")}:${tools.PATH ?? ""}`;
    const { exitCode, all } = await command(["install-plugin"], { ...tools, PATH, PULUMI_HOME: home });
    expect([exitCode, all]).toEqual([0, expect.anything()]);
    const place = join(home, "plugins/resource-platform-topologies-v0.1.0/pulumi-resource-platform-topologies");
    await access(place, constants.X_OK);
    // Its first line is the port of its server: it starts far from the package, on the machine's own Node.
    const provider = execa(place, ["127.0.0.1:1"], { env, cwd: home });
    const [first] = (await once(provider.stdout, "data")) as [Buffer];
    provider.kill();
    await provider.catch(() => undefined);
    expect(String(first)).toMatch(/^\d+\n$/);
  }, 60_000);
});

test("a service of it comes up healthy, a second preview is empty, and nothing stays", async () => {
  const { modules } = made;
  const config = { "one-service:name": name, "one-service:images": localImages() };
  const bin = newFolder("bin");
  const PATH = `${bin}:${env.PATH}`;
  stack = await TestStack.example({ example: "one-service", modules, env: { ...env, PATH }, config });
  succeeded(await stack.up());
  const ids = await containerIds(name);
  expect(Object.keys(ids)).toEqual(["db-1"]);
  await untilHealthy(Object.values(ids));
  expect((await stack.state()).resources.filter(({ type }) => type.endsWith(":Gate"))).toHaveLength(1);
  succeeded(await stack.preview(["--expect-no-changes"]));
  // Without a word in Pulumi.yaml the provider is on PATH, where npx and npm's scripts have what `bin` names.
  const { plugins, ...rest } = parse(await readFile(join(stack.folder, "Pulumi.yaml"), "utf8")) as { plugins: object };
  await stack.write({ "Pulumi.yaml": stringify(rest) });
  const missing = await stack.preview();
  expect(missing.code).not.toBe(0);
  expect(missing.output).toMatch(
    /platform-topologies.*(no resource plugin|could not find|not found)|(no resource plugin|could not find|not found).*platform-topologies/is,
  );
  const provider = "pulumi-resource-platform-topologies";
  await symlink(join(made.packed, made.manifest.bin[provider] ?? ""), join(bin, provider));
  succeeded(await stack.preview(["--expect-no-changes"]));
  await stack.write({ "Pulumi.yaml": stringify({ ...rest, plugins }) });
  succeeded(await stack.destroy());
  const filters = { label: [`platform-topologies.name=${name}`] };
  expect(await containerIds(name)).toEqual({});
  expect((await engine.listVolumes({ filters })).Volumes).toEqual([]);
}, 240_000);
