/** One service alone, imported into a program of somebody's own: what README shows, on the real engine. */
import { readFileSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, inContainer, killProcess, localImage, localImages, sweep } from "../support/arkindex.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "pg-alone";
let stack: TestStack;

const subnets = { edge: "10.231.1.0/24", app: "10.231.2.0/24", data: "10.231.3.0/24" };

/** README's example as it stands, but for where the components are, its name, this machine's images, and its networks. */
function example(): string {
  const [, code = ""] =
    /## Import a component[\s\S]*?```ts\n([\s\S]*?)```/.exec(readFileSync(`${repo}/README.md`, "utf8")) ?? [];
  expect(code).toContain("new Postgres");
  return code
    .replaceAll('"./components/', `"${repo}/components/`)
    .replace('tls: { mode: "local" },', `tls: { mode: "local" }, subnets: ${JSON.stringify(subnets)}, mtu: 1400,`)
    .replace('name: "shop",', `name: "${name}", images: ${JSON.stringify(localImages())}, protect: false,`);
}

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: example(), config: { "pulumi:disable-default-providers": ["*"] } });
}, 60_000);

afterAll(async () => {
  await stack.dispose();
}, 60_000);

test("it comes up, and a second preview is empty", async () => {
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(Object.keys(await containerIds(name))).toEqual(["db-1"]);
}, 120_000);

test("its outputs are enough to use it", async () => {
  const { host, password } = (await stack.outputs()) as { host: string; password: string };
  const script = `PGPASSWORD='${password}' psql -At -h ${host} -U app shop -c 'create table t (x int); insert into t values (7); select x from t'`;
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  expect({ status, body: body.trim().split("\n").at(-1) }).toEqual({ status: 0, body: "7" });
}, 30_000);

test("its networks have the ranges and the MTU that were chosen", async () => {
  const ranges = await Promise.all(
    Object.keys(subnets).map(async (network) => {
      const { IPAM, Options } = (await engine.getNetwork(`${name}-${network}`).inspect()) as {
        IPAM: { Config: { Subnet: string }[] };
        Options: Record<string, string>;
      };
      return [network, IPAM.Config[0]?.Subnet, Options["com.docker.network.driver.mtu"]];
    }),
  );
  expect(ranges).toEqual(Object.entries(subnets).map(([network, range]) => [network, range, "1400"]));
});

test("six joins at once find room for what their workers share", async () => {
  const { password } = (await stack.outputs()) as { password: string };
  // Docker's own 64 MiB hold two of them.
  const script = `export PGPASSWORD='${password}' PGHOST=db-1 PGUSER=app PGDATABASE=shop
psql -qc 'create table a as select generate_series(1, 1500000) as t' -c 'create table b as table a' -c 'analyze a' -c 'analyze b'
for i in 1 2 3 4 5 6; do psql -Atqc 'select count(*) from a join b using (t)' & done; wait
psql -Atqc "set work_mem = '64MB'" -c 'select count(*) from a join b using (t)'
psql -qc 'drop table a, b'`;
  const { body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  expect(body.trim().split("\n")).toEqual(Array.from({ length: 7 }, () => "1500000"));
}, 90_000);

test("a process killed in the middle of its work comes back with its rows", async () => {
  const ids = await containerIds(name);
  const container = engine.getContainer(ids["db-1"] ?? "");
  await killProcess(container);
  const { password } = (await stack.outputs()) as { password: string };
  const script = `for i in $(seq 60); do PGPASSWORD='${password}' psql -At -h db-1 -U app shop -c 'select x from t' && exit 0; sleep 1; done; exit 1`;
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: `${name}-data` }, script);
  expect(status).toBe(0);
  expect(body).toContain("7");
}, 90_000);

test("a transform of the caller's reaches the container inside", async () => {
  const transform = `import * as pulumi from "@pulumi/pulumi";
pulumi.runtime.registerResourceTransform(({ type, props, opts }) =>
  type === "docker:index/container:Container" ? { props: { ...props, memory: 700, memorySwap: 700 }, opts } : undefined);
`;
  // A provider of the caller's joins the topology's own: without those of `random` and `ops` nothing could be made.
  const more = `import * as docker from "@pulumi/docker";
const mine = new docker.Provider("mine", { host: "unix:///var/run/docker.sock" });
`;
  const options = "gib: 10 }, { providers: { docker: mine } });";
  await stack.rewrite(transform + example().replace("const on", `${more}const on`).replace("gib: 10 });", options));
  succeeded(await stack.up());
  const ids = await containerIds(name);
  const { HostConfig } = await engine.getContainer(ids["db-1"] ?? "").inspect();
  expect(HostConfig.Memory).toBe(700 * 1024 * 1024);
}, 120_000);

test("a service that its topology cannot run alone is refused before anything is made", async () => {
  const before = await stack.state();
  await stack.rewrite(
    example()
      .replace(/import \{ Postgres \}.*/, `import { ObjectStore } from "${repo}/components/services/objects.ts";`)
      .replace(
        /const db = .*/,
        'const db = new ObjectStore("objects", { on, apis: ["s3"], buckets: {}, browser: true, gib: 1 });',
      )
      .replace("export const { host, password } = db.given;", ""),
  );
  const { code, output } = await stack.preview();
  expect(code).not.toBe(0);
  expect(output).toContain("objects-1: its public name needs an edge: use it inside a system");
  expect(await stack.state()).toEqual(before);
  await stack.rewrite(example());
}, 60_000);
