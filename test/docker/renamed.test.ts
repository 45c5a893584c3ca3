/** Components that an alias renames, on the real engine: what runs, and what holds data, stays as it is. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { cleanUp, containerIds, localImages, sweep } from "../support/arkindex.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const [alone, whole] = ["renamed-alone", "renamed-whole"];
interface Names {
  readonly host: string;
  readonly db: string;
  readonly cluster: string;
}
const first: Names = { host: "host", db: "db", cluster: "cluster" };
const second: Names = { host: "engine", db: "store", cluster: "graph" };

const program = ({ host, db, cluster }: Names, before?: Names): string => {
  const was = (name: string | undefined) => (name === undefined ? "{}" : `{ aliases: [{ name: "${name}" }] }`);
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Redis } from "${repo}/components/services/redis.ts";
import { ArangoDb } from "${repo}/components/systems/arangodb/arangodb.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const images = ${JSON.stringify(localImages())};
const engine = { host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } };
const site = (name, https) =>
  siteOf({ name, hostname: name + ".localhost", images, protect: false, ports: { http: https - 1, https } });
const on = new DockerHost("${host}", { ...engine, site: site("${alone}", 15291) }, ${was(before?.host)});
const asks = { clientTls: "never", clientAuth: true, keep: true, memoryMib: 16${before === undefined ? "" : `, called: "${before.db}"`} };
new Redis("${db}", { ...asks, on }, ${was(before?.db)});
const own = DockerHost.own({ ...engine, site: site("${whole}", 15293) });
export const nodes = Object.keys(new ArangoDb("${cluster}", { on: own, mode: "single" }, ${was(before?.cluster)}).nodes);
`;
};

let stack: TestStack;
beforeAll(async () => {
  for (const name of [alone, whole]) await sweep(name);
  stack = await TestStack.create({ program: program(first) });
  succeeded(await stack.up());
}, 400_000);
afterAll(async () => {
  await cleanUp(stack, alone);
  await sweep(whole);
}, 200_000);

test("the second run has nothing to do, under the new names and then again", async () => {
  const before = { ...(await containerIds(alone)), ...(await containerIds(whole)) };
  expect(Object.keys(before).sort()).toEqual(["db-1", "edge", "single-1"]);
  expect(await stack.outputs()).toEqual({ nodes: ["edge", "single-1"] });
  await stack.rewrite(program(second, first));
  succeeded(await stack.preview(["--expect-no-changes"]));
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect({ ...(await containerIds(alone)), ...(await containerIds(whole)) }).toEqual(before);
  const { resources } = await stack.state();
  expect(resources.filter(({ urn }) => /::(host|cluster)(-|$)/.test(urn))).toEqual([]);
}, 400_000);
