/** The package as another program has it: packed, outside the checkout, beside its dependencies and nothing else. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { containerIds, engine, localImages, sweep, untilHealthy } from "../support/arkindex.ts";
import { run } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

const name = "pack";
let folder: string;
let modules: string;
let packed: string;
let manifest: Manifest;
let stack: TestStack | undefined;

/** The machine's own Node, older than the one that npm brought to the checkout: an importing program has no other. */
const env = {
  PATH: (process.env.PATH ?? "")
    .split(":")
    .filter((place) => !place.includes("node_modules"))
    .join(":"),
};

const program = `import { Postgres, siteOf } from "platform-topologies";
import { DockerHost } from "platform-topologies/docker";

const images = ${JSON.stringify(localImages())};
const site = siteOf({ name: "${name}", hostname: "pack.example.com", images, protect: false });
const host = "unix:///var/run/docker.sock";
const on = new DockerHost("host", { site, host, address: "127.0.0.1", tls: { mode: "local" } });
const db = new Postgres("db", { on, databases: ["shop"], clientTls: "never", gib: 1 });
export const { password } = db.given;
`;

beforeAll(async () => {
  await sweep(name);
  folder = await mkdtemp(join(tmpdir(), `pack-${run}-`));
  modules = join(folder, "node_modules");
  packed = join(modules, "platform-topologies");
  await mkdir(packed, { recursive: true });
  await execa("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: repo });
  const [file = ""] = (await readdir(folder)).filter((each) => each.endsWith(".tgz"));
  await execa("tar", ["-xzf", join(folder, file), "-C", packed, "--strip-components=1"]);
  manifest = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as Manifest;
  const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
  const peers = Object.keys(peerDependencies).filter((each) => !peerDependenciesMeta[each]?.optional);
  for (const each of [...Object.keys(dependencies), ...peers]) {
    await mkdir(dirname(join(modules, each)), { recursive: true });
    await symlink(join(repo, "node_modules", each), join(modules, each));
  }
}, 240_000);

afterAll(async () => {
  await stack?.dispose();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

test("it holds what was built, and brings no cloud's SDK", async () => {
  expect((await readdir(packed)).sort()).toEqual(["README.md", "dist", "package.json"]);
  const wanted = Object.keys(manifest.dependencies);
  expect(wanted.filter((each) => /^@pulumi\/(?!docker$|random$)/.test(each))).toEqual([]);
});

const names = "[Postgres, siteOf, DockerHost, Swarm].map((each) => typeof each).join()";

test.each([
  [
    "a CommonJS program",
    "program.cjs",
    `const { Postgres, siteOf } = require("platform-topologies");
if (Object.keys(require.cache).some((file) => file.includes("@pulumi/docker"))) throw new Error("a provider's SDK");
const { DockerHost } = require("platform-topologies/docker");
const { Swarm } = require("platform-topologies/swarm");`,
  ],
  [
    "an ES module",
    "program.mjs",
    `import { Postgres, siteOf } from "platform-topologies";
import { DockerHost } from "platform-topologies/docker";
import { Swarm } from "platform-topologies/swarm";`,
  ],
])(
  "%s loads it, and nothing runs by that",
  async (_, file, source) => {
    await writeFile(join(folder, file), `${source}\nconsole.log(${names});\n`);
    const { all } = await execa("node", [file], { cwd: folder, env, all: true });
    expect(all).toBe("function,function,function,function");
  },
  60_000,
);

/** What is no error here has lost its type on the way. */
const typed = `${program}
import { Swarm } from "platform-topologies/swarm";
export const swarm = new Swarm("swarm", { site, managers: ["tcp://m1:2375"], tls: { mode: "local" } });
// @ts-expect-error -- a number
new Postgres("text", { on, databases: ["shop"], clientTls: "never", gib: "1" });
// @ts-expect-error -- no such mode
new DockerHost("mode", { site, host, address: "127.0.0.1", tls: { mode: "none" } });
// @ts-expect-error -- a list
new Swarm("list", { site, managers: "tcp://m1:2375", tls: { mode: "local" } });
`;

test.each([
  { moduleResolution: "node10", module: "commonjs", files: ["typed.ts"] },
  { moduleResolution: "node16", module: "node16", files: ["typed.cts", "typed.mts"] },
  { moduleResolution: "nodenext", module: "nodenext", files: ["typed.cts", "typed.mts"] },
])(
  "its types by $moduleResolution: $files",
  async ({ files, ...resolution }) => {
    const options = { ...resolution, noEmit: true, strict: true, target: "es2022", types: [], skipLibCheck: true };
    for (const file of files) await writeFile(join(folder, file), typed);
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
    const tsc = join(repo, "node_modules/typescript/bin/tsc");
    const { all } = await execa(process.execPath, [tsc, "-p", folder], { all: true, reject: false });
    expect(all).toBe("");
  },
  120_000,
);

test("a service of it comes up healthy, a second preview is empty, and nothing stays", async () => {
  const provider = join(packed, "dist/provider");
  stack = await TestStack.create({ program, modules, provider, env });
  succeeded(await stack.up());
  const ids = await containerIds(name);
  expect(Object.keys(ids)).toEqual(["db-1"]);
  await untilHealthy(Object.values(ids));
  expect((await stack.state()).resources.filter(({ type }) => type.endsWith(":Gate"))).toHaveLength(1);
  succeeded(await stack.preview(["--expect-no-changes"]));
  succeeded(await stack.destroy());
  const filters = { label: [`platform-topologies.name=${name}`] };
  expect(await containerIds(name)).toEqual({});
  expect((await engine.listVolumes({ filters })).Volumes).toEqual([]);
}, 240_000);
