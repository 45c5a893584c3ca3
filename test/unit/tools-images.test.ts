/** Which images a command makes: those that what comes next runs, and no more. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { keysFor } from "../../tools/commands/test.ts";
import { allKeys, isOf, planFor, settled } from "../../tools/images/index.ts";
import { wanted } from "../../tools/images/wanted.ts";
import { configOf } from "../../tools/setup/config.ts";
import { repo } from "../../tools/setup/paths.ts";
import { certificate } from "../support/certificates.ts";

const dev = await configOf(join(repo, "Pulumi.dev.yaml"));

test("npm start makes what the dev stack runs, stand-ins and the edge too", () => {
  expect(wanted(dev, "dev")).toEqual(["postgis", "redis", "minio", "toolbox", "traefik", "solr", "rehearsal"]);
});

test("what the config names itself is not made", () => {
  const images = { solr: "own/solr:1", "arkindex/backend": "own/backend:1", "arkindex/cantaloupe": "own/iiif:1" };
  const keys = wanted({ ...dev, images }, "dev");
  expect(keys).toEqual(["postgis", "redis", "minio", "toolbox", "traefik"]);
});

test.each([
  ["Pulumi keeps a value that was set by hand as text", { localImages: "true" }, 7],
  ["this machine's images are not used", { localImages: false }, 0],
  ["a mirror comes before them", { mirror: "mirror.example.com/hub" }, 0],
  ["Pulumi tells a mistake before anybody waits for images", { topology: "dokcer" }, 0],
])("%s: %j makes %i", (_why, changed, count) => {
  expect(wanted({ ...dev, ...changed }, "dev")).toHaveLength(count);
});

test("what is encrypted is no mistake, though it cannot be read", async () => {
  const name = "arkindex.localhost";
  const { pem: cert } = await certificate({ name, hostnames: [name, `*.${name}`] });
  const docker = { ...(dev.docker as object), tls: { mode: "own", cert } };
  const own = { docker, secrets: { tlsKey: "encrypted" } };
  expect(wanted({ ...dev, ...own }, "dev")).toHaveLength(7);
});

test.each(readdirSync(join(repo, "stacks")).map((file) => file.replace(".yaml", "")))(
  "stacks/%s.yaml: what it runs is made, unless it comes from the swarm's registry",
  async (stack) => {
    const keys = wanted(await configOf(join(repo, `stacks/${stack}.yaml`)), stack);
    expect(keys.length > 0).toBe(stack.endsWith("-docker"));
    expect(keys.length).toBeLessThan(allKeys.length);
  },
);

test("nothing wanted is never a question to the engine or a registry", async () => {
  expect(await settled([])).toBe(true);
});

test("a list tells on which kind of machine it was made: no image has the same tag on both", async () => {
  const tags = async (online: boolean): Promise<Record<string, string>> =>
    Object.fromEntries((await planFor(online)).map(({ key, tag }) => [key, tag]));
  const [pulled, here] = [await tags(true), await tags(false)];
  expect(Object.entries(pulled).filter(([key, tag]) => here[key] === tag)).toEqual([]);
  const some = { toolbox: here.toolbox ?? "" };
  expect([isOf(some, here), isOf(some, pulled)]).toEqual([true, false]);
  for (const list of [{ ...some, redis: "of another recipe" }, {}])
    expect([isOf(list, here), isOf(list, pulled)]).toEqual([false, false]);
});

test.each([
  [["test/unit/tools.test.ts"], 0],
  [["./test/unit", join(repo, "test/inventory")], 0],
  [["test/unit/tools.test.ts", "test/docker/arkindex.test.ts"], allKeys.length],
  [["arkindex"], allKeys.length],
  [["test/unit", "-t", "a name"], allKeys.length],
])("npm test %j makes %i images", (args, count) => {
  expect(keysFor(args)).toHaveLength(count);
});
