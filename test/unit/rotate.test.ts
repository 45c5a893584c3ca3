/** Another password for a store's clients: which stores can have one, and what says so. */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import { planStack } from "../../components/deploy.ts";
import type { Site, TopologyName } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { newFolder } from "../support/folder.ts";
import { readyConfig } from "../support/ready.ts";
import { type Name, names, plan, problems, site } from "../support/sketches.ts";
import { toldRecipe } from "../support/told.ts";

const rotates = (name: Name, over: Partial<Site> = {}, on: TopologyName = "swarm"): string[] =>
  [...plan(name, {}, containerServices, site(over), on).rotates].sort();
const said = (name: Name, words: Readonly<Record<string, string>>, on: TopologyName = "swarm"): string[] => {
  const at = site({ rotate: words });
  return problems(plan(name, {}, containerServices, at, on), on, at).filter((each) => each.startsWith("rotate"));
};

test("stores whose clients can be told, with one copy and with three", () => {
  expect(rotates("arangodb")).toEqual(["cluster"]);
  expect(rotates("arkindex")).toEqual(["db", "objects"]);
  expect(rotates("pyrus")).toEqual(["elasticsearch", "logs", "nats", "objects", "postgresql"]);
  expect(rotates("shinyproxy")).toEqual(["grafana-db", "influx", "redis"]);
  expect(rotates("media")).toEqual(["cassandra", "elasticsearch", "objects", "rabbit", "redis"]);
  for (const name of names) if (name !== "shinyproxy") expect(rotates(name, { copies: 1 })).toEqual(rotates(name));
});

test("a word for what has no such password is refused, with those that have one", () => {
  expect(said("arkindex", { db: "2026-03-01" })).toEqual([]);
  expect(said("arkindex", { solr: "2026-03-01" })).toEqual([
    'rotate.solr = "2026-03-01": only db, objects can get another password in place: docs/guide.md, chapter 3',
  ]);
  expect(said("arangodb", { root: "now" })).toEqual([
    expect.stringMatching(/^rotate\.root = "now": only cluster can get another password in place/),
  ]);
});

test("a word is a text that is not empty", () => {
  const found = (rotate: unknown) =>
    planStack({ system: "arkindex", topology: "swarm", hostname: "a.example.com", rotate }, "dev").problems.filter(
      ({ key }) => key.startsWith("rotate"),
    );
  for (const wrong of ["db", { db: "" }, { db: 3 }, ["db"]]) expect(found(wrong)).toHaveLength(1);
  expect(found({ db: "2026-03-01" })).toEqual([]);
});

test("what a cloud supplies without a password of ours is refused, its PostgreSQL not", () => {
  const config = readyConfig("stacks/arkindex-aws.yaml");
  const found = (rotate: object) =>
    planStack({ ...config, rotate }, "dev").problems.filter(({ key }) => key.startsWith("rotate"));
  expect(found({ db: "now" })).toEqual([]);
  expect(found({ objects: "now" }).map(({ remedy }) => remedy)).toEqual([expect.stringMatching(/^only db can/)]);
});

/** What a server is told at its first start, or its members tell each other, must not change with the clients' password. */
describe("a server that keeps its passwords is not given the clients'", () => {
  const asks = {
    postgres: { databases: ["shop"], clientTls: "never", gib: 4 },
    influx: { databases: { usage: { keep: "7d" } }, gib: 1 },
  } as const;
  test.each([
    ["postgres", 1, "word-of-store-owner-password"],
    ["postgres", 3, "word-of-store-owner-password"],
    ["influx", 1, "word-of-store-password"],
  ] as const)("%s, %j", async (kind, copies, password) => {
    const { parts, given } = await toldRecipe(kind, { ...asks[kind], copies });
    expect(given).toMatchObject({ password });
    const holders = [...parts].filter(([, part]) => JSON.stringify({ ...part, disk: undefined }).includes(password));
    expect(holders.map(([name]) => name)).toEqual(["store-setup"]);
  });
});

// The first node tells all others, whose files have the old password until it is their turn. A swarm would kill them.
test.each([
  [200, 0],
  [401, 0],
  [503, 1],
])("a RabbitMQ whose server answers its probe with %i ends it with %i", async (answer, ended) => {
  const server = createServer((_, response) => response.writeHead(answer).end()).listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const ask = { nodes: 3, colocate: [], federate: [], exchanges: [] };
    const { parts } = await toldRecipe("amqp", ask, "swarm");
    const folder = newFolder("probe");
    writeFileSync(join(folder, "password"), "old");
    const ready = parts.get("store-1")?.health?.ready;
    const script = ready !== undefined && "command" in ready ? (ready.command.at(-1) ?? "") : "";
    const asked = script
      .replaceAll("/run/rabbitmq/", `${folder}/`)
      .replaceAll("/15672", `/${String((server.address() as AddressInfo).port)}`);
    expect(asked).not.toBe(script);
    expect(await execa("bash", ["-c", asked], { reject: false })).toMatchObject({ exitCode: ended });
  } finally {
    server.close();
  }
});
