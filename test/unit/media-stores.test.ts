/** What Cassandra's and RabbitMQ's recipes tell their servers. */
import { createHash } from "node:crypto";

import { describe, expect, test } from "@jest/globals";

import { definitionsOf, passwordHash } from "../../components/services/rabbitmq.ts";
import { mediaConfig } from "../../components/systems/media.ts";
import { peer, plan } from "../support/sketches.ts";

const slot = (name: string, over: object = {}) => {
  const found = plan("media", over).slots.get(name);
  if (found === undefined) throw new Error(`no slot ${name}`);
  return found;
};
const file = (name: string, path: string, over: object = {}): string => {
  const content = slot(name, over).files?.find((each) => each.path.endsWith(path))?.content;
  return typeof content === "string" ? content : "";
};

describe("Cassandra", () => {
  test("no member but the first is its own seed, and the fourth changes no other", () => {
    const seeds = (name: string) => /seeds: "?([^"\n]*)/.exec(file(name, "cassandra.yaml"))?.[1];
    expect(["cassandra-1", "cassandra-2", "cassandra-3"].map(seeds)).toEqual([
      "cassandra-1,cassandra-2,cassandra-3",
      "cassandra-1,cassandra-3",
      "cassandra-1,cassandra-2",
    ]);
    const yaml = (nodes: number) =>
      file("cassandra-2", "cassandra.yaml", { nodes }) + JSON.stringify(slot("cassandra-2", { nodes }).env);
    expect(yaml(4)).toBe(yaml(3));
    expect(/seeds: "?([^"\n]*)/.exec(file("cassandra-4", "cassandra.yaml", { nodes: 4 }))?.[1]).toBe(
      "cassandra-1,cassandra-2,cassandra-3",
    );
  });

  test("each member has half of its memory as heap", () => {
    expect(slot("cassandra-1", { cassandraMemoryMib: 1024 }).env?.MAX_HEAP_SIZE).toBe("512M");
  });

  test("a retired number is replaced by a new one; only one member carries the dump", () => {
    const { slots } = plan("media", { retired: [1] });
    const members = [...slots.keys()].filter((name) => name.startsWith("cassandra"));
    expect(members).toEqual(["cassandra-2", "cassandra-3", "cassandra-4"]);
    expect(members.filter((name) => "dump" in (slots.get(name)?.disk.backup ?? {}))).toEqual(["cassandra-2"]);
  });

  test("who is lost is struck off between those that stay and the one in its place", () => {
    const lost = (retired: number[], nodes = 3) => {
      const { jobs, waits } = plan("media", { retired, nodes });
      return [...jobs.keys()].flatMap((name) =>
        name.startsWith("cassandra-lost-")
          ? [[name, waits.get(name), [...waits].find(([, after]) => after.includes(name))?.[0]]]
          : [],
      );
    };
    expect(lost([])).toEqual([]);
    expect(lost([2])).toEqual([["cassandra-lost-2", ["cassandra-1", "cassandra-3"], "cassandra-4"]]);
    expect(lost([1])).toEqual([["cassandra-lost-1", ["cassandra-2", "cassandra-3"], "cassandra-4"]]);
    expect(lost([3, 2])).toEqual([
      ["cassandra-lost-3", ["cassandra-1"], "cassandra-4"],
      ["cassandra-lost-2", ["cassandra-1", "cassandra-4"], "cassandra-5"],
    ]);
    // A number that nobody had leaves no gap; of more than there are members the first are long forgotten.
    expect(lost([9])).toEqual([]);
    expect(lost([1, 2, 3, 4]).map(([name]) => name)).toEqual(["cassandra-lost-3", "cassandra-lost-4"]);
    const job = plan("media", { retired: [2] }).jobs.get("cassandra-lost-2");
    expect([job?.trigger, job?.onlyOnTrigger]).toEqual(["1", true]); // it is done once
  });

  test("a fourth node changes no service's file, repairs nothing, and no member", () => {
    const without = (nodes: number) => {
      const { slots, workloads, jobs } = plan("media", { nodes });
      const members = [...slots].filter(([name]) => name !== "cassandra-4");
      return JSON.stringify([members, [...workloads], jobs.get("cassandra-repair")?.trigger], (key, value: unknown) =>
        key === "after" || key === "beside" ? undefined : value,
      );
    };
    expect(without(4)).toBe(without(3));
    expect(plan("media", { nodes: 4 }).jobs.get("cassandra-repair")?.onlyOnTrigger).toBe(true);
  });

  test("fewer nodes than copies are refused by the set-up, before it says anything", () => {
    const command = plan("media", { nodes: 1 }).jobs.get("cassandra-setup")?.command?.at(-1) ?? "";
    expect(command).toContain("nodes = 1: too few for the copies of $crowded");
    expect(command.indexOf("too few")).toBeLessThan(command.indexOf("ALTER ROLE"));
  });

  test("copies of the roles are raised last: until the repair, a node may find no administrator", () => {
    const command = plan("media").jobs.get("cassandra-setup")?.command?.at(-1) ?? "";
    const roles = command.indexOf('["system_auth"] as $names');
    for (const said of ["ALTER ROLE", "CREATE ROLE", "GRANT ALL", '"system_traces"']) {
      expect(command).toContain(said);
      expect(roles).toBeGreaterThan(command.lastIndexOf(said));
    }
  });

  test("a node alone needs no repair", () => {
    expect([...plan("media", { nodes: 1 }).jobs.keys()]).toEqual(expect.not.arrayContaining(["cassandra-repair"]));
    expect([...plan("media").jobs.keys()]).toEqual(expect.arrayContaining(["cassandra-setup", "cassandra-repair"]));
  });
});

describe("RabbitMQ", () => {
  test("its nodes have Cassandra's volume nodes", () => {
    expect([1, 2, 3].map((n) => slot(`rabbit-${String(n)}`).colocate)).toEqual([
      "cassandra-1",
      "cassandra-2",
      "cassandra-3",
    ]);
  });

  test("a retired Cassandra takes the node beside it along; the others stay where they are", () => {
    const { slots } = plan("media", { retired: [2] });
    const beside = [...slots]
      .filter(([name]) => name.startsWith("rabbit"))
      .map(([name, { colocate }]) => [name, colocate]);
    expect(beside).toEqual([1, 3, 4].map((n) => [`rabbit-${String(n)}`, `cassandra-${String(n)}`]));
  });

  test("a finalizer is never withdrawn from a member that stays", () => {
    for (const rabbitNodes of [1, 3]) {
      const { leave, left } = slot("rabbit-1", { rabbitNodes });
      expect(leave?.command?.at(-1)).toContain("for other in rabbit-2 rabbit-3;");
      expect(left?.command?.at(-1)).toContain("forget_cluster_node rabbit@rabbit-1");
    }
  });

  test("a password's hash is salt and SHA-256, the same in every run", () => {
    const bytes = Buffer.from(passwordHash("test12"), "base64");
    const salted = createHash("sha256").update(bytes.subarray(0, 4)).update("test12").digest();
    expect(bytes.subarray(4)).toEqual(salted);
    expect(passwordHash("test12")).toBe(passwordHash("test12"));
    expect(passwordHash("test13").slice(0, 5)).not.toBe(passwordHash("test12").slice(0, 5));
  });

  test("without a peer there is no federation user, with one an upstream for it, over TLS where it is public", () => {
    const alone = definitionsOf("rabbit", { federate: [], exchanges: ["index"] }, "own", "");
    expect(alone).toMatchObject({
      parameters: [],
      policies: [],
      exchanges: [{ name: "index", type: "topic", durable: true }],
    });
    expect(alone.users.map(({ name }) => name)).toEqual(["app"]);
    const { users, parameters, policies } = definitionsOf(
      "rabbit",
      { federate: [peer], exchanges: ["index"] },
      "own",
      "a/b",
    );
    expect(users.map(({ name }) => name)).toEqual(["app", "federation"]);
    expect(parameters[0]?.value.uri[0]).toBe("amqps://federation:a%2Fb@rabbit-1.us.example.com:5671");
    expect(parameters[0]?.value["max-hops"]).toBe(1);
    expect(policies).toMatchObject([{ pattern: "^(index)$", "apply-to": "exchanges" }]);
  });
});

test.each([
  [{ nodes: 2 }, "nodes", "1 for a pilot, or 3 and more: of two neither may fail"],
  [{ nodes: 1, rabbitNodes: 3 }, "rabbitNodes", "at most nodes, which is 1: each is beside one of Cassandra's"],
  [{ rabbitNodes: 2 }, "rabbitNodes", "1, 3 or 5: a majority goes on"],
  [{ services: {} }, "services", "name one at least"],
  [{ services: { redis: {} } }, "services", '"redis" is the name of a store or a job'],
])("%j is refused at %s", (config, key, message) => {
  const { error } = mediaConfig.safeParse(config);
  expect(error?.issues.map((issue) => [issue.path.join("."), issue.message])).toContainEqual([key, message]);
});
