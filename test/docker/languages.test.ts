/** Programs in Python and YAML: each deploys ArangoDB through the package's plugin, on the real engine. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { execa } from "execa";

import { generate } from "../../tools/commands/sdk.ts";
import { pythonHost, sdkgen, yamlHost } from "../../tools/setup/languages.ts";
import { pipPackage, pythonEnv } from "../../tools/setup/pip.ts";
import { toolchain } from "../../tools/setup/toolchain.ts";
import { Arango, type ArangoOutputs, small } from "../support/arangodb.ts";
import { cleanUp, containerIds, engine, localImages, sweep, untilHealthy } from "../support/arkindex.ts";
import { newFolder } from "../support/folder.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack, type TestStackArgs } from "../support/stack.ts";

interface Language {
  readonly name: string;
  readonly https: number;
  readonly containers: readonly string[];
  program(inputs: Inputs): Promise<Pick<TestStackArgs, "language" | "env">>;
  /** The same program with these inputs. */
  again(inputs: Inputs): Readonly<Record<string, string>>;
}
type Inputs = Readonly<Record<string, unknown>>;

const path = (host: string): string => `${host}:${dirname(process.execPath)}:${process.env.PATH ?? ""}`;

/** `memoryMib` is `memory_mib` in Python; what a user names stays as it is. */
function snake(value: unknown, named = false): unknown {
  if (Array.isArray(value)) return value.map((item) => snake(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [
      named ? key : key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snake(inner, ["images", "secrets", "disks"].includes(key)),
    ]),
  );
}

const python = (inputs: Inputs) => ({
  "__main__.py": `import json
import pulumi
from pulumi_platform_topologies import ArangoDb

inputs = json.loads(r"""${JSON.stringify(snake(inputs))}""")
db = ArangoDb("db", **inputs, opts=pulumi.ResourceOptions(protect=False))
for name in ["url", "ca", "passwords", "endpoints", "rehearsing"]:
    pulumi.export(name, getattr(db, name))
`,
});

const yaml = (inputs: Inputs) => ({
  "Main.yaml": JSON.stringify({
    resources: { db: { type: "platform-topologies:ArangoDb", properties: inputs } },
    outputs: Object.fromEntries(
      ["url", "ca", "passwords", "endpoints", "rehearsing"].map((name) => [name, `\${db.${name}}`]),
    ),
  }),
});

/** Minutes on a machine that never built them. */
beforeAll(async () => {
  for (const build of [sdkgen, pythonHost, yamlHost]) await build();
}, 40 * 60_000);

test("`pulumi package get-schema` and `package add` know the plugin, and a program in TypeScript previews by its SDK", async () => {
  const { pulumi, env } = await toolchain(() => undefined);
  const folder = newFolder("package-add");
  const plugin = join(repo, "ops/pulumi-resource-platform-topologies");
  const write = (file: string, value: object) => writeFile(join(folder, file), JSON.stringify(value));
  const plugins = { providers: [{ name: "platform-topologies", path: dirname(plugin) }] };
  await write("Pulumi.yaml", { name: "added", runtime: "nodejs", main: "index.js", plugins });
  await write("package.json", { name: "added", type: "commonjs" });
  const cli = async (...args: string[]): Promise<string> => {
    const backend = { PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "test" };
    const { stdout } = await execa(pulumi, args, { cwd: folder, env: { ...env, ...backend } });
    return stdout;
  };
  const schema = JSON.parse(await readFile(join(repo, "ops/schema.json"), "utf8")) as object;
  expect(JSON.parse(await cli("package", "get-schema", plugin))).toMatchObject(schema);
  await cli("package", "add", plugin);
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as unknown;
  expect(manifest).toMatchObject({ dependencies: { "platform-topologies-sdk": "file:sdks/platform-topologies" } });
  const inputs = { name: "added", hostname: "added.localhost", mode: "single", images: localImages() };
  const ports = { http: 15284, https: 15285 };
  await writeFile(
    join(folder, "index.js"),
    `const { ArangoDb } = require("platform-topologies-sdk");
exports.url = new ArangoDb("db", ${JSON.stringify({ ...inputs, docker: { address: "127.0.0.1", ports } })}).url;\n`,
  );
  await cli("stack", "init", "test");
  expect(await cli("preview", "--non-interactive")).toMatch(/url\s*: "https:\/\/added.localhost:15285"/);
}, 300_000);

test("an SDK for Go is generated, and is Go", async () => {
  const folder = newFolder("go-sdk");
  await generate("go", folder);
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".go"));
  expect(files.map((file) => basename(file))).toEqual(
    expect.arrayContaining(["arangoDb.go", "arkindex.go", "pyrus.go"]),
  );
  // Only its form: the SDK that it imports takes minutes to compile.
  const { stdout, stderr } = await execa("gofmt", ["-l", ...files], { cwd: folder, reject: false });
  expect(stdout + stderr).toBe("");
}, 120_000);

const languages: readonly Language[] = [
  {
    name: "python",
    https: 15281,
    containers: ["agent-1", "agent-2", "agent-3", "coordinator-1", "coordinator-2", "dbserver-1", "dbserver-2", "edge"],
    again: python,
    program: async (inputs) => {
      const [host, sdk] = await Promise.all([pythonHost(), pipPackage("pulumi", "3.259.0", () => undefined)]);
      const generated = newFolder("python-sdk");
      await generate("python", generated);
      const installed = newFolder("python-packages");
      const pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--target",
        installed,
      ];
      await execa("python3", [...pip, generated]);
      const { PYTHONPATH = "", ...env } = pythonEnv(sdk);
      return {
        env: { PATH: path(host), PYTHONPATH: `${installed}:${PYTHONPATH}`, ...env },
        language: { yaml: { runtime: "python", main: "." }, files: python(inputs) },
      };
    },
  },
  {
    name: "yaml",
    https: 15283,
    containers: ["edge", "single-1"],
    again: yaml,
    program: async (inputs) => ({
      env: { PATH: path(await yamlHost()) },
      language: { yaml: { runtime: "yaml", main: "." }, files: yaml(inputs) },
    }),
  },
];

describe.each(languages)("a program in $name", (its) => {
  const { name: language, https, containers } = its;
  const name = `in-${language}`;
  const inputs = {
    ...{ name, hostname: `${name}.localhost`, protect: false, images: localImages() },
    docker: { address: "127.0.0.1", ports: { http: https - 1, https } },
    ...(language === "yaml"
      ? { mode: "single" }
      : { ...small, dbservers: { ...small.dbservers, count: 2 }, replicationFactor: 2 }),
  };
  let stack: TestStack;
  let said: string;

  beforeAll(async () => {
    await sweep(name);
    stack = await TestStack.create({ program: "", ...(await its.program(inputs)) });
  }, 900_000);
  afterAll(async () => {
    await cleanUp(stack, name);
  }, 300_000);

  const rewrite = async (more: Inputs): Promise<void> => {
    await stack.write(its.again({ ...inputs, ...more }));
  };

  test("everything that is wrong is said at once, in the program's own words, and nothing is made", async () => {
    await rewrite({ mode: "triple", docker: { address: "eth0" }, secrets: { strange: "do-not-show" } });
    for (const { code, output } of [await stack.preview(), await stack.up()]) {
      expect(code).not.toBe(0);
      expect(output).toContain("nothing was changed");
      expect(output).toContain('mode = "triple"');
      expect(output).toContain('docker.address = "eth0"');
      expect(output).not.toContain("arangodb.");
      expect(output).not.toContain("do-not-show");
    }
    expect((await stack.state()).resources.filter(({ type }) => /docker:|platform-topologies:/.test(type))).toEqual([]);
    await rewrite({});
  }, 120_000);

  test("it comes up, the second preview is empty, and a client gets in with the password of the outputs", async () => {
    // The preview before it, and then the update, each ask the plugin for the whole system.
    said = succeeded(await stack.run(["up", "--yes"]));
    const ids = await containerIds(name);
    expect(Object.keys(ids).sort()).toEqual([...containers]);
    await untilHealthy(Object.values(ids));
    succeeded(await stack.preview(["--expect-no-changes"]));
    const outputs = (await stack.outputs()) as unknown as ArangoOutputs;
    expect(await Arango.through(outputs).ask("GET", "/_api/version")).toMatchObject({ server: "arango" });
  }, 600_000);

  test("one component holds all of it, and no secret is anywhere in plain text", async () => {
    const { resources } = await stack.state();
    const roots = resources.filter(({ urn, type }) => !urn.includes("$") && !type.startsWith("pulumi:"));
    expect(roots.map(({ type }) => type)).toEqual(["platform-topologies:index:ArangoDb"]);
    const secrets = await generatedSecrets(stack);
    expect(leaks(JSON.stringify(await stack.state()) + said, secrets)).toEqual([]);
  }, 120_000);

  test("it goes, and leaves nothing", async () => {
    succeeded(await stack.destroy());
    const filters = { label: [`platform-topologies.name=${name}`] };
    expect(await containerIds(name)).toEqual({});
    expect((await engine.listVolumes({ filters })).Volumes).toEqual([]);
    expect(await engine.listNetworks({ filters })).toEqual([]);
  }, 300_000);
});
