/** How many servers keep a store's data: who says it, and whose word counts. */
import { describe, expect, test } from "@jest/globals";

import { planStack } from "../../components/deploy.ts";
import type { Site, TopologyName } from "../../components/core/topology.ts";
import { containerServices } from "../../components/services/index.ts";
import { type Name, names, plan, problems, site } from "../support/sketches.ts";

/** The disks of a system's stores, by their names. */
function disks(name: Name, over: Partial<Site> = {}, on: TopologyName = "swarm", config: object = {}): string[] {
  return [...plan(name, config, containerServices, site(over), on).slots.keys()];
}
const of = (all: string[], store: string): number => all.filter((name) => name.startsWith(`${store}-`)).length;

describe("where the config says nothing", () => {
  test.each<[TopologyName, protect: boolean, copies: 1 | 3]>([
    ["swarm", true, 3],
    ["swarm", false, 1],
    ["docker", true, 1],
    ["docker", false, 1],
    ["aws", true, 1],
  ])("on %s, protected %j, a store has %j, as if that were said", (on, protect, copies) => {
    if (on !== "aws") expect(of(disks("shinyproxy", { protect }, on), "redis")).toBe(copies);
    for (const name of names.filter((each) => on !== "aws" || each !== "shinyproxy"))
      expect([name, disks(name, { protect }, on)]).toEqual([name, disks(name, { protect, copies }, on)]);
  });

  test("Elasticsearch, NATS, ShinyProxy and Grafana follow", () => {
    const search = (name: Name, over: Partial<Site>, config = {}) =>
      of(disks(name, over, "swarm", config), "elasticsearch");
    expect([search("pyrus", {}), search("pyrus", { copies: 1 }), search("pyrus", {}, { elasticNodes: 1 })]).toEqual([
      3, 1, 1,
    ]);
    const nats = (over: Partial<Site>, config = {}) => {
      const { slots, workloads } = plan("pyrus", config, containerServices, site(over), "swarm");
      return [of([...slots.keys()], "nats"), workloads.get("web-api")?.env?.NATS_HA_REPLICAS];
    };
    expect([nats({}), nats({ copies: 1 }), nats({ copies: 1 }, { ha: true }), nats({}, { natsNodes: 1 })]).toEqual([
      [3, "3"],
      [1, "1"],
      [3, "3"],
      [1, "1"],
    ]);
    expect([search("media", {}), search("media", { protect: false }), search("media", {}, { searchNodes: 1 })]).toEqual(
      [3, 1, 1],
    );
    expect(of(disks("media", {}, "aws"), "elasticsearch")).toBe(3); // a cloud's slots are in several zones
    const replicas = (over: Partial<Site>) => {
      const { workloads, slots } = plan("shinyproxy", {}, containerServices, site(over), "swarm");
      return [workloads.get("shinyproxy")?.replicas, workloads.get("grafana")?.replicas, slots.has("grafana-1")];
    };
    expect(replicas({})).toEqual([2, 2, false]);
    expect(replicas({ copies: 1 })).toEqual([1, undefined, true]);
  });
});

describe("a number by the store's name", () => {
  test("is that store's, and the others have the default", () => {
    const all = disks("arkindex", { copies: { objects: 1 } });
    expect([of(all, "objects"), of(all, "redis"), of(all, "solr")]).toEqual([1, 3, 3]);
    expect(all).toContain("objects-1"); // the one server's disk
    const one = disks("arkindex", { copies: { redis: 3 }, protect: false });
    expect([of(one, "objects"), of(one, "redis"), of(one, "solr")]).toEqual([1, 3, 1]);
  });

  test("is refused for what has no copies, and where a topology makes none", () => {
    const said = (name: Name, copies: Site["copies"], on: TopologyName = "swarm") => {
      const at = site(copies === undefined ? {} : { copies });
      return problems(plan(name, {}, containerServices, at, on), on, at).filter((each) => each.includes("copies"));
    };
    expect(said("pyrus", { nats: 3, objects: 1 })).toEqual([
      "copies.nats = 3: only postgresql, logs, objects can have copies",
    ]);
    expect(said("arangodb", { db: 3 })).toEqual(["copies.db = 3: no store here has copies: leave it out"]);
    expect(said("arkindex", { redis: 3 }, "aws")).toEqual([
      expect.stringMatching(/^copies\.redis = 3: not built on aws/),
    ]);
    expect(said("arkindex", { redis: 1 }, "aws")).toEqual([]);
  });

  test("is a number that there is", () => {
    const found = (copies: unknown) =>
      planStack({ system: "arkindex", topology: "swarm", hostname: "a.example.com", copies }, "dev").problems.filter(
        ({ key }) => key.startsWith("copies"),
      );
    for (const wrong of [2, "3", { redis: 2 }, []])
      expect(found(wrong).map(({ remedy }) => remedy)).toEqual([
        expect.stringContaining("1, or 3, of which one may be lost"),
      ]);
    for (const right of [1, 3, {}, { redis: 1, objects: 3 }]) expect(found(right)).toEqual([]);
  });
});

describe("where nothing may run alone", () => {
  /** The parts of which there is one, beside jobs. */
  const alone = (name: Name, config: object = {}): string[] => {
    const { slots, workloads } = plan(name, config, containerServices, site(), "swarm");
    return [
      ...[...slots].flatMap(([part, slot]) => (slot.alone === true ? [part] : [])),
      ...[...workloads].flatMap(([part, { replicas }]) => (replicas === 1 ? [part] : [])),
    ];
  };
  const two = { path: "/a/", replicas: 2 };

  test("a media platform's stores are three of each", () => {
    expect(alone("media", { services: { assets: two, indexer: { replicas: 2 } } })).toEqual([]);
  });

  test("of Pyrus the scheduler alone is one, as two would do everything twice", () => {
    expect(alone("pyrus", { ha: true })).toEqual(["scheduler"]);
    const { slots, workloads } = plan("pyrus", { ha: true }, containerServices, site(), "swarm");
    const answers = (name: string) =>
      [...slots, ...workloads].flatMap(([part, { names: given = [] }]) => (given.includes(name) ? [part] : []));
    const each = (store: string) => [1, 2, 3].map((number) => `${store}-${String(number)}`);
    expect(["pyrus-elastic", "pyrus-nats"].map(answers)).toEqual([each("elasticsearch"), each("nats")]);
    expect(["pyrus-postgresql", "pyrus-logs-pgsql"].map(answers)).toEqual([["postgresql-proxy"], ["logs-proxy"]]);
  });

  test("of ShinyProxy InfluxDB is one, and what has nothing to keep: it starts elsewhere", () => {
    expect(alone("shinyproxy")).toEqual(["influx-1", "sign-in", "runner", "reader", "telegraf"]);
    expect(alone("arkindex")).toEqual([]);
  });

  test("a backup of three object stores runs where their nodes are, as that of one does", () => {
    const nodes = (copies: 1 | 3) => {
      const backup = { everyHours: 24, keepDays: 1, drillEveryHours: 0, to: { path: "/b" } };
      const at = site({ copies, backup });
      const config = { nodes: { objects: { disk: "fast" } } };
      return plan("pyrus", config, containerServices, at, "swarm").dumps.find(({ store }) => store === "objects-1")
        ?.nodes;
    };
    expect([nodes(1), nodes(3)]).toEqual([{ disk: "fast" }, { disk: "fast" }]);
  });
});
