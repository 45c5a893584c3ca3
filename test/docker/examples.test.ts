/** The programs in `examples` on the packed package, each as it stands: on this machine's engine, or as far as its plan. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, inContainer, localImages, sweep } from "../support/arkindex.ts";
import { env, pack, type Pack } from "../support/pack.ts";
import { runLabels } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

let made: Pack;
const stacks: TestStack[] = [];
const names = ["ex-cache", "ex-jobs", "ex-inside"];
/** A network of the operator's. */
const theirs = "ex-inside-company";

beforeAll(async () => {
  for (const name of names) await sweep(name);
  made = await pack();
}, 600_000);

afterAll(async () => {
  try {
    for (const stack of stacks) await stack.dispose();
    await made.remove();
  } finally {
    for (const name of names) await sweep(name);
    for (const { Id } of await engine.listNetworks({ filters: { name: [theirs] } }))
      await engine.getNetwork(Id).remove();
  }
}, 240_000);

/** `own`: keys without the project's prefix, which is the example's name. */
async function example(name: string, own: Readonly<Record<string, unknown>>): Promise<TestStack> {
  const all = { images: localImages(), ...own };
  const config = Object.fromEntries(Object.entries(all).map(([key, value]) => [`${name}:${key}`, value]));
  const disabled = { "pulumi:disable-default-providers": ["*"], ...config };
  const stack = await TestStack.example({ example: name, modules: made.modules, env, config: disabled });
  stacks.push(stack);
  return stack;
}

interface Planned {
  readonly op: string;
  readonly urn: string;
  readonly newState?: { readonly type: string; readonly inputs?: Readonly<Record<string, unknown>> };
}

/** What a preview would make: each resource's inputs by `Type name`. */
async function planned(stack: TestStack): Promise<Map<string, Readonly<Record<string, unknown>>>> {
  const output = succeeded(await stack.preview(["--json"]));
  const { steps } = JSON.parse(output.slice(output.indexOf("{"))) as { readonly steps: readonly Planned[] };
  return new Map(
    steps.map(({ urn, newState }) => {
      const type = newState?.type.split(":").at(-1) ?? "";
      return [`${type} ${urn.split("::").at(-1) ?? ""}`, newState?.inputs ?? {}];
    }),
  );
}

test("a test runs each of them", async () => {
  const folders = (await readdir(join(repo, "examples"), { withFileTypes: true })).filter((each) => each.isDirectory());
  const [here, simulated, packed] = [
    ["custom-recipe", "custom-system", "existing-database", "own-network", "transform", "two-platforms"],
    ["aws"], // test/engine/examples.test.ts
    ["one-service"], // pack.test.ts
  ];
  expect(folders.map(({ name }) => name).sort()).toEqual([...here, ...simulated, ...packed].sort());
});

test("a custom recipe is what runs: a Redis without a disk", async () => {
  const stack = await example("custom-recipe", { name: "ex-cache" });
  succeeded(await stack.up());
  const ids = await containerIds("ex-cache");
  expect(Object.keys(ids)).toEqual(["cache-1"]);
  const { Mounts, HostConfig } = await engine.getContainer(ids["cache-1"] ?? "").inspect();
  expect([Mounts, HostConfig.Memory]).toEqual([[], 128 * 1024 * 1024]);
  const saves = await inContainer({ container: ids["cache-1"] ?? "" }, "redis-cli config get save");
  expect(saves).toEqual({ status: 0, body: "save\n\n" });
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("a transform of one component changes one property of one container", async () => {
  const stack = await example("transform", { name: "ex-jobs" });
  succeeded(await stack.up());
  const ids = await containerIds("ex-jobs");
  const { HostConfig, Mounts } = await engine.getContainer(ids["jobs-1"] ?? "").inspect();
  expect([HostConfig.Memory, Mounts.map(({ Name }) => Name)]).toEqual([300 * 1024 * 1024, ["ex-jobs-jobs-1"]]);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 300_000);

test("a custom system has its database, its route and its certificate", async () => {
  const plan = await planned(await example("custom-system", { name: "ex-wiki", http: 8980, https: 8943 }));
  for (const each of ["Wiki wiki", "Postgres wiki-db", "Volume wiki-db-1", "Certificate host-edge", "Gate wiki-wiki-1"])
    expect([...plan.keys()]).toContain(each);
  expect(plan.get("Container wiki-wiki-1")).toMatchObject({ image: expect.anything(), memory: 512 });
  expect(JSON.stringify(plan.get("Container wiki-edge"))).toContain("8943");
}, 300_000);

test("beside a database that is there already no other is made, and the password stays a secret", async () => {
  const stack = await example("existing-database", { name: "ex-ark", rehearsal: true });
  succeeded(await stack.run(["config", "set", "--secret", "existing-database:dbPassword", "hush-of-the-database"]));
  const plan = await planned(stack);
  const all = [...plan.keys()];
  expect(all.filter((each) => each.startsWith("Volume ")).sort()).toEqual(
    ["objects", "redis", "solr"].map((store) => `Volume arkindex-${store}-1`),
  );
  expect(all.filter((each) => /-db\b/.test(each))).toEqual([]);
  expect(all).toContain("Gate arkindex-backend-1");
  expect(JSON.stringify([...plan])).not.toContain("hush-of-the-database");
}, 300_000);

test("a platform is inside a network of one's own, which outlives it", async () => {
  await engine.createNetwork({ Name: theirs, Labels: runLabels });
  const stack = await example("own-network", { name: "ex-inside", network: theirs, http: 8986, https: 8949 });
  succeeded(await stack.up());
  expect(await stack.outputs()).toMatchObject({ url: "https://graph.example.com:8949", parts: ["edge", "single-1"] });
  const ids = await containerIds("ex-inside");
  const { NetworkSettings } = await engine.getContainer(ids["single-1"] ?? "").inspect();
  expect(Object.keys(NetworkSettings.Networks)).toContain(theirs);
  succeeded(await stack.preview(["--expect-no-changes"]));
  succeeded(await stack.destroy());
  expect((await engine.listNetworks({ filters: { name: [theirs] } })).map(({ Name }) => Name)).toEqual([theirs]);
}, 300_000);

test("two platforms in one program have nothing in common", async () => {
  const plan = await planned(await example("two-platforms", { name: "ex-graph" }));
  const keys = [...plan.keys()];
  const of = (which: string) =>
    keys.filter((each) => each.includes(` ex-graph-${which}`)).map((each) => each.replace(` ex-graph-${which}`, " it"));
  expect(of("one").sort()).toEqual(of("two").sort());
  expect(of("one").length).toBeGreaterThan(15);
  const volumes = [...plan].filter(([each]) => each.startsWith("Volume ")).map(([, { name }]) => name);
  expect(volumes.sort()).toEqual(["ex-graph-one-single-1", "ex-graph-two-single-1"]);
}, 300_000);
