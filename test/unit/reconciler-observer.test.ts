/** What the reconciler sees of a swarm, when it asks a store's cluster, and how it reads what a job has printed. */
import { describe, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { answersIn, jobOf } from "../../reconciler/ask.ts";
import { type Seen, usual } from "../../reconciler/judgement.ts";
import { Observer } from "../../reconciler/observe.ts";
import { type Store, storesOf } from "../../reconciler/stores/index.ts";
import type { StoreKind } from "../../reconciler/stores/store.ts";
import { planStack } from "../../components/deploy.ts";

const kind: StoreKind = {
  script: (hosts) => `echo ${hosts.join(" ")}`,
  login: ({ user, password }) => (password === "" ? "" : `${user}:${password}`),
  read: (answer, hosts) => {
    if (answer === "nonsense") throw new Error("no JSON of ours");
    return Object.fromEntries(
      hosts.slice(0, 2).map((host) => [host, { status: answer === host ? "down" : "well", danger: undefined }]),
    );
  },
};
const store = (name: string, ...numbers: number[]): Store => ({
  name,
  kind,
  members: numbers.map((number) => ({ name: `${name}-${String(number)}`, instead: { by: "disk" } })),
});

type State = readonly [state: string, secondsAgo: number, said?: string];
/** The swarm's clock is ahead of this machine's. */
const ahead = 3_600_000;
const at = (secondsAgo: number) => new Date(Date.now() + ahead - secondsAgo * 1000).toISOString();

/** A manager whose services have these tasks, the oldest first. */
function manager(services: Record<string, readonly State[]>): Docker {
  return {
    info: () => Promise.resolve({ SystemTime: at(0) }),
    listServices: () =>
      Promise.resolve(Object.keys(services).map((name) => ({ ID: `id-${name}`, Spec: { Name: name } }))),
    listTasks: () =>
      Promise.resolve(
        Object.entries(services).flatMap(([name, tasks]) =>
          tasks.map(([State, ago, Err = ""], index) => ({
            ID: `${name}-${String(index)}-${State}`,
            ServiceID: `id-${name}`,
            CreatedAt: at(ago),
            DesiredState: "running",
            Spec: {},
            Status: { State, Timestamp: at(ago), Err },
          })),
        ),
      ),
  } as unknown as Docker;
}

function observing(services: () => Record<string, readonly State[]>, answers: Record<string, unknown> = {}) {
  const asked: string[][] = [];
  const stores = [store("nats", 1, 2, 3), store("rabbit", 1, 2)];
  const observer = new Observer({
    engine: () => Promise.resolve(manager(services())),
    name: "shop",
    stores: () => Promise.resolve(stores),
    policy: usual,
    ask: (these) => {
      asked.push(these.map((each) => each.name));
      return Promise.resolve(
        new Map(these.flatMap((each) => (each.name in answers ? [[each, answers[each.name]]] : []))),
      );
    },
  });
  return { observer, asked };
}
const running = [["running", 5000]] as const;
const well = {
  "shop-nats-1": running,
  "shop-nats-2": running,
  "shop-nats-3": running,
  "shop-rabbit-1": running,
  "shop-rabbit-2": running,
  "shop-web": [["failed", 5]],
  "other-nats-1": [["failed", 5]],
} satisfies Record<string, readonly State[]>;
const named = (members: readonly Seen[], name: string) => members.find((each) => each.name === name);

describe("a swarm", () => {
  test("on which all members run: no cluster is asked", async () => {
    const { observer, asked } = observing(() => well);
    const { members } = await observer.observe();
    expect(members.map(({ name, status, ends }) => [name, status, ends])).toEqual(
      ["nats-1", "nats-2", "nats-3", "rabbit-1", "rabbit-2"].map((name) => [name, "well", []]),
    );
    expect(asked).toEqual([]);
  });

  test("on which one has ended lately: its store is asked, and no other", async () => {
    const tasks: readonly State[] = [
      ["failed", 700],
      ["failed", 60, "exit 1"],
      ["running", 50],
    ];
    const { observer, asked } = observing(() => ({ ...well, "shop-nats-2": tasks }), { nats: "nats-2" });
    const { members } = await observer.observe();
    expect(asked).toEqual([["nats"]]);
    expect(named(members, "nats-2")).toMatchObject({ status: "down", said: "exit 1", instead: { by: "disk" } });
    expect(named(members, "nats-2")?.ends).toHaveLength(2);
    expect(named(members, "nats-1")).toMatchObject({ status: "well" });
    // The answer does not know it.
    expect(named(members, "nats-3")).toMatchObject({ status: "unknown", danger: "its cluster does not know it" });
    expect(named(members, "rabbit-1")).toMatchObject({ status: "well" });
  });

  test("where one ended long ago and runs: nobody is asked", async () => {
    const tasks: readonly State[] = [
      ["failed", 700],
      ["running", 690],
    ];
    const { observer, asked } = observing(() => ({ ...well, "shop-nats-2": tasks }));
    await observer.observe();
    expect(asked).toEqual([]);
  });

  test("where no node takes one: it is lost since then", async () => {
    const { observer, asked } = observing(() => ({
      ...well,
      "shop-rabbit-2": [
        ["shutdown", 90],
        ["pending", 60],
      ],
    }));
    const { members, now } = await observer.observe();
    expect(asked).toEqual([["rabbit"]]);
    const { lostSince = 0, ...lost } = named(members, "rabbit-2") ?? {};
    expect(Math.round((now - lostSince) / 1000)).toBe(60);
    expect(lost).toMatchObject({ status: "unknown", danger: "no member of its cluster answers" });
  });

  test("whose answer cannot be read: nobody is replaced", async () => {
    const { observer } = observing(() => ({ ...well, "shop-nats-1": [["starting", 3]] }), { nats: "nonsense" });
    const { members } = await observer.observe();
    expect(named(members, "nats-1")).toMatchObject({
      status: "unknown",
      danger: "its cluster's answer cannot be read: no JSON of ours",
    });
  });

  test("that forgets tasks: their ends are remembered, each once", async () => {
    let tasks: readonly State[] = [];
    const { observer } = observing(() => ({ ...well, "shop-nats-2": tasks }), { nats: "nats-2" });
    for (const seconds of [50, 40, 30]) {
      tasks = [
        ["failed", seconds, `ended ${String(seconds)} s ago`],
        ["starting", 1],
      ];
      await observer.glance();
      await observer.glance();
    }
    // Of a fake task only its place and state make its id.
    tasks = [
      ["running", 1],
      ["failed", 20],
    ];
    const { members } = await observer.observe();
    expect(named(members, "nats-2")?.ends).toHaveLength(2);
  });
});

describe("the job that asks", () => {
  const args = {
    ...{ name: "shop", image: "toolbox:1", constraints: ["node.labels.a==b"], registries: ["r.example.com"] },
    login: (name: string) => ({ user: "app", password: name === "rabbit" ? "" : `secret of ${name}` }),
  };
  const stores = [store("nats", 1, 2), store("rabbit", 1)];
  const job = jobOf(args, stores, ["net"]);

  test("has each login in a secret file, and nowhere else", () => {
    expect(job.files).toEqual([{ path: "/run/reconciler/0", content: "app:secret of nats", secret: true }]);
    expect(JSON.stringify({ ...job, files: [] })).not.toContain("secret of");
    expect(job).toMatchObject({ name: "shop-reconciler", image: "toolbox:1", networks: ["net"], user: "65534:65534" });
    expect(job.swarm).toEqual({ constraints: ["node.labels.a==b"], registries: ["r.example.com"] });
  });

  test("asks each store's members, and one that does not answer keeps no other waiting", () => {
    const [, , script = ""] = job.entrypoint ?? [];
    expect(script).toContain("login=/run/reconciler/0\necho nats-1 nats-2\n");
    expect(script).toContain("login=/run/reconciler/1\necho rabbit-1\n");
    expect(script.match(/\(timeout 60 bash /g)).toHaveLength(2);
    expect(script.match(/&$/gm)).toHaveLength(2);
  });

  test("prints answers in parts, which are put together", () => {
    const [nats, rabbit] = stores;
    const text = Buffer.from(JSON.stringify({ a: "ä".repeat(20) })).toString("base64");
    const lines = ["a warning of bash", `0 ${text.slice(0, 10)}`, `0 ${text.slice(10)}`, "all have been asked"];
    expect([...answersIn(lines, stores)]).toEqual([[nats, { a: "ä".repeat(20) }]]);
    expect([...answersIn([`1 ${Buffer.from("[]").toString("base64")}`], stores)]).toEqual([[rabbit, []]]);
  });
});

describe("the stores of a plan", () => {
  const images = { rehearsal: "r/r:1", toolbox: "r/t:1", "arangodb-toolbox": "r/a:1" };
  const stores = (system: string, config: object, more: object = {}, retirable = {}) => {
    const raw = {
      system,
      topology: "swarm",
      hostname: "a.example.com",
      images,
      rehearsal: true,
      [system]: config,
      ...more,
    };
    const { whole, problems } = planStack(raw, "s");
    if (whole === undefined) throw new Error(JSON.stringify(problems));
    return storesOf({ plan: whole.plan, retirable, words: whole.site.disks });
  };
  const members = (of: readonly Store[]) =>
    Object.fromEntries(of.map(({ name, members }) => [name, members.map((each) => each.name)]));

  test("ArangoDB is one itself: numbers are retired, and agents are an operator's", () => {
    const [cluster, ...others] = stores(
      "arangodb",
      { coordinators: { count: 2 } },
      {},
      { dbserver: [], coordinator: [] },
    );
    expect(others).toEqual([]);
    expect(cluster?.members.map(({ name, instead }) => [name, instead.by])).toEqual([
      ...[1, 2, 3].map((n) => [`agent-${String(n)}`, "operator"]),
      ...[1, 2, 3].map((n) => [`dbserver-${String(n)}`, "number"]),
      ...[1, 2].map((n) => [`coordinator-${String(n)}`, "number"]),
    ]);
    expect(cluster?.members[4]?.instead).toEqual({ by: "number", role: "dbserver", number: 2 });
    expect(stores("arangodb", { mode: "single" })).toEqual([]);
  });

  test("a media platform has Cassandra, RabbitMQ beside it, and the search, in that order", () => {
    const more = { disks: { "elasticsearch-2": "today" }, copies: { redis: 1, objects: 1 } };
    const found = stores("media", { nodes: 3 }, more, { cassandra: [] });
    expect(members(found)).toEqual({
      cassandra: ["cassandra-1", "cassandra-2", "cassandra-3"],
      rabbit: ["rabbit-1", "rabbit-2", "rabbit-3"],
      elasticsearch: ["elasticsearch-1", "elasticsearch-2", "elasticsearch-3"],
    });
    const [cassandra, rabbit, search] = found;
    expect(cassandra?.members[1]).toEqual({
      name: "cassandra-2",
      instead: { by: "number", role: "cassandra", number: 2 },
    });
    expect(rabbit?.members[1]).toEqual({ name: "rabbit-2", instead: { by: "disk" }, beside: "cassandra-2" });
    expect(search?.members[0]?.instead).toEqual({ by: "disk" });
    // The word that stands in the config would be said again.
    expect(search?.members[1]?.instead).toEqual({
      by: "operator",
      remedy: "take disks.elasticsearch-2 out of the stack's config: its word has been done",
    });
  });

  test("stores of three copies, and what they bring with them", () => {
    const three = (role: string) => [1, 2, 3].map((n) => `${role}-${String(n)}`);
    const found = stores("arkindex", {}, { copies: 3 });
    expect(members(found)).toEqual(
      Object.fromEntries(["db", "db-etcd", "redis", "objects-garage", "solr"].map((role) => [role, three(role)])),
    );
    const etcd = found.find(({ name }) => name === "db-etcd");
    expect(etcd?.members[1]).toEqual({ name: "db-etcd-2", instead: { by: "disk" }, beside: "db-2" });
    expect(stores("arkindex", {}, { copies: 1 })).toEqual([]);
  });

  test("a store of one server is none: nobody stands in for it", () => {
    expect(stores("media", { nodes: 1 }, { copies: 1 })).toEqual([]);
  });
});
