/**
 * An ArangoDB cluster on a real swarm, its servers the stand-in where no registry answers: what fails comes back in its
 * place, moves, or is replaced under a new name by the reconciler. Prints how long each took.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { SwarmRetirements } from "../../components/topologies/swarm/retirements.ts";
import { type Reconciler, reconciler } from "../../reconciler/index.ts";
import { usual } from "../../reconciler/judgement.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { Arango, type ArangoOutputs, small } from "../support/arangodb.ts";
import { eventually } from "../support/arkindex.ts";
import { powerCut, tell } from "../support/failure.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Client, Load, placeOf, swarmConfig, swarmStack, tasksOf } from "../support/swarm-stack.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ name: "arango", network: "10.213.151", managers: 3, workers: 1 });
}, 180_000);
afterAll(async () => {
  await cluster.stop();
}, 120_000);

/** A stack and its clients. */
class Stack {
  readonly name: string;
  readonly pulumi: TestStack;
  /** Through m1's edge. */
  readonly arango: Arango;
  readonly #outputs: ArangoOutputs;
  readonly #clients: Client[] = [];

  private constructor(name: string, pulumi: TestStack, outputs: ArangoOutputs) {
    this.name = name;
    this.pulumi = pulumi;
    this.#outputs = outputs;
    this.arango = this.via("m1");
  }

  via(edge: string): Arango {
    const { url, ca, passwords } = this.#outputs;
    const client = new Client(cluster.address(edge), ca);
    this.#clients.push(client);
    return new Arango((path, options) => client.call(`${url}${path}`, options), passwords.cluster ?? "");
  }

  /** Asks for one path as root, ten times a second. */
  load(edge: string, path: string): Load {
    const { url, ca, passwords } = this.#outputs;
    const authorization = `Basic ${Buffer.from(`root:${passwords.cluster ?? ""}`).toString("base64")}`;
    return new Load(cluster.address(edge), ca, `${url}${path}`, { perSecond: 10, headers: { authorization } });
  }

  static async up(name: string, swarm: object = {}, config: object = {}): Promise<Stack> {
    const edge = { m1: { address: cluster.address("m1") } };
    const wanted = { cluster, name, system: "arangodb", swarm: { nodes: edge, ...swarm } };
    const pulumi = await swarmStack({ ...wanted, config: { arangodb: small, ...config } });
    const began = Date.now();
    succeeded(await pulumi.up());
    took("up", began);
    return new Stack(name, pulumi, (await pulumi.outputs()) as unknown as ArangoOutputs);
  }

  async down(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.pulumi.run(["state", "unprotect", "--all", "--yes"]);
    await this.pulumi.dispose();
  }

  placeOf(member: string) {
    return placeOf(cluster, this.name, member);
  }

  /** Ends its process, as a crash does; from inside, as nodes have process ids of their own. */
  async crash(member: string): Promise<void> {
    const { container } = await this.placeOf(member);
    const exec = await container.exec({ Cmd: ["sh", "-c", "kill -9 -1"] });
    await exec.start({ Detach: true });
  }

  /** Loses a member's disk: what is on it goes, and the process with it. */
  async loseDisk(member: string): Promise<void> {
    const { container } = await this.placeOf(member);
    const { Mounts } = (await container.inspect()) as unknown as {
      Mounts: { Destination: string; Source: string }[];
    };
    // The image has a volume of its own besides, and Docker lists them in any order.
    const disk = Mounts.find(({ Destination }) => Destination === "/var/lib/arangodb3")?.Source ?? "";
    for (const file of readdirSync(disk)) rmSync(join(disk, file), { recursive: true });
    await this.crash(member);
  }

  async until(member: string, status: string, seconds = 120): Promise<void> {
    await eventually(async () => {
      const found = (await this.arango.members())[member];
      return found?.endsWith(status) === true ? true : undefined;
    }, seconds);
  }
}

/** Seconds. */
function took(what: string, since: number): number {
  const seconds = Math.round((Date.now() - since) / 100) / 10;
  process.stdout.write(`arangodb: ${what}: ${String(seconds)} s\n`);
  return seconds;
}
const system = "arangodb";

const membersOf = (...dbservers: number[]) => [
  "agent-1",
  "agent-2",
  "agent-3",
  "coordinator-1",
  "coordinator-2",
  ...dbservers.map((each) => `dbserver-${String(each)}`),
];

describe("disks on nodes", () => {
  let stack: Stack;
  let watcher: Reconciler;
  const said: string[] = [];
  const watch = (limit: number) =>
    reconciler({
      config: async () =>
        Object.fromEntries(
          Object.entries(
            await swarmConfig({ cluster, name: stack.name, system: "arangodb", config: { arangodb: small } }),
          ).map(([key, value]) => [key.replace("platform-topologies:", ""), value]),
        ),
      stack: "test",
      pulumi: (args) => stack.pulumi.run(args),
      say: (line) => {
        said.push(line);
        process.stdout.write(`reconciler: ${line}\n`);
      },
      policy: usual,
      limits: { everySeconds: limit },
    });

  beforeAll(async () => {
    stack = await Stack.up("arango-a", {}, { protect: true }); // as where it matters: what is retired goes none the less
    watcher = await watch(3600);
  }, 900_000);
  afterAll(async () => {
    await stack.down();
  }, 300_000);

  test("every member runs, DB servers on nodes of their own; a second preview is empty", async () => {
    const tasks = await tasksOf(cluster.manager(), stack.name);
    expect(Object.keys(tasks).sort()).toEqual([...membersOf(1, 2, 3), "edge"].sort());
    expect(
      new Set(
        membersOf(1, 2, 3)
          .slice(5)
          .map((member) => tasks[member]?.[0]),
      ).size,
    ).toBe(3);
    expect(Object.keys(await stack.arango.members())).toEqual(membersOf(1, 2, 3));
    succeeded(await stack.pulumi.preview(["--expect-no-changes"]));
    await stack.arango.fill("shop", "orders", 100);
    expect(await watcher.once()).toBe(true);
  }, 120_000);

  test.each(["m1", "m2", "m3", "w1"])(
    "%s loses its power: the others serve, and no document is lost",
    async (node) => {
      const edge = node === "m1" ? "m2" : "m1";
      const arango = stack.via(edge);
      if (node === "m1") await arango.fill("cuts", "orders", 100);
      const here = Object.entries(await tasksOf(cluster.manager(), stack.name)).flatMap(([member, tasks]) =>
        member !== "edge" && tasks.includes(`running ${node}`) ? [member] : [],
      );
      const before = await arango.count("cuts", "orders");
      const more = 20;
      const failure = await powerCut({
        ...{ cluster, system, name: stack.name, node, what: here.length === 0 ? "no member" : here.join(", ") },
        load: () => stack.load(edge, "/_db/cuts/_api/document/orders/d1"),
        waits: here,
        whileOff: async () => {
          const began = Date.now();
          for (let number = 0; number < more; number++) {
            const document = { _key: `${node}-${String(number)}`, number };
            // A write that was not answered may have been done.
            const done = [200, 201, 202, 409];
            await eventually(() => arango.ask("POST", "/_db/cuts/_api/document/orders", document, done), 60);
          }
          took(`${String(more)} documents written while ${node} is off`, began);
        },
        rowsLost: async () => {
          await arango.allInSync("cuts", 120);
          return before + more - (await arango.count("cuts", "orders"));
        },
      });
      expect(failure.rows).toBe(0);
      for (const member of here) await stack.until(member, "GOOD");
    },
    600_000,
  );

  test("a process that ends is started again in its place, with its data", async () => {
    const before = await stack.placeOf("dbserver-1");
    const began = Date.now();
    await stack.crash("dbserver-1");
    const after = await eventually(async () => {
      const place = await stack.placeOf("dbserver-1");
      return place.container.id === before.container.id ? undefined : place;
    }, 60);
    expect(after.node).toBe(before.node);
    await stack.until("dbserver-1", "GOOD");
    await stack.arango.allInSync("shop", 120);
    const back = took("a dead process is back and in sync", began);
    const rows = 100 - (await stack.arango.count("shop", "orders"));
    tell({ system, killed: "dbserver-1's process", back, rows });
    expect(rows).toBe(0);
    // It may look twice at a member that has just ended; it retires none.
    await eventually(async () => ((await watcher.once()) ? true : undefined), 60);
    expect(Object.keys(await stack.arango.members())).toEqual(membersOf(1, 2, 3));
  }, 180_000);

  test("a lost disk: the member refuses to start empty, is retired, and another takes its place", async () => {
    const began = Date.now();
    await stack.loseDisk("dbserver-2");
    await eventually(async () => {
      await watcher.glance();
      return (await stack.arango.members())["dbserver-2"]?.endsWith("FAILED") ? true : undefined;
    }, 60);
    let looks = 0;
    await eventually(async () => {
      looks++;
      await watcher.glance();
      return (await watcher.once()) ? true : undefined;
    }, 480);
    const elsewhere = took(`a lost disk is another member's (${String(looks)} looks)`, began);
    expect(said.join("\n")).toContain("dbserver-2: retired, because its process has ended");
    expect(Object.keys(await stack.arango.members())).toEqual(membersOf(1, 3, 4));
    await stack.arango.allInSync("shop", 120);
    const back = took("and in sync", began);
    const rows = 100 - (await stack.arango.count("shop", "orders"));
    tell({ system, killed: "dbserver-2's disk: a new member takes its place", elsewhere, back, rows });
    expect(rows).toBe(0);
  }, 600_000);

  test("every up knows of it: nothing is left to do, and the history says what was done", async () => {
    succeeded(await stack.pulumi.preview(["--expect-no-changes"]));
    const retirements = new SwarmRetirements([cluster.host("m1")], stack.name);
    const latest = await retirements.latest();
    expect(latest).toMatchObject({
      number: 2, // begun, done
      retirements: { retired: { dbserver: [2] }, history: [{ member: "dbserver-2", outcome: "done" }] },
    });
    expect(await retirements.add(latest)).toBe(false); // the name is there: whoever is late loses
  }, 60_000);

  test("another one within the hour waits, and is retired where the limit lets it", async () => {
    const before = said.length;
    await stack.loseDisk("dbserver-3");
    const waiting = await eventually(async () => {
      await watcher.glance();
      await watcher.once();
      const line = said.slice(before).find((each) => each.includes("one replacement in 3600 s"));
      if (line !== undefined) return line;
      const { "dbserver-3": tasks } = await tasksOf(cluster.manager(), stack.name);
      throw new Error(JSON.stringify([tasks, await stack.arango.members(), said.slice(before)]));
    }, 240);
    expect(waiting).toMatch(/^dbserver-3: waits another \d+ s \(one replacement in 3600 s, the last was dbserver-2\)$/);
    expect(Object.keys(await stack.arango.members())).toEqual(membersOf(1, 3, 4));
    const patient = await watch(0);
    await eventually(async () => {
      await patient.glance();
      return (await patient.once()) ? true : undefined;
    }, 480);
    expect(Object.keys(await stack.arango.members())).toEqual(membersOf(1, 4, 5));
    expect(await stack.arango.count("shop", "orders")).toBe(100);
  }, 900_000);
});

describe("disks that every node reaches", () => {
  let stack: Stack;

  beforeAll(async () => {
    const name = "arango-b";
    for (const member of [...membersOf(1, 2, 3)])
      mkdirSync(join(cluster.shared, `${name}-${member}`), { recursive: true });
    const options = { type: "none", o: "bind", device: `${cluster.shared}/{volume}` };
    stack = await Stack.up(name, { volumes: { driver: "local", options } });
    await stack.arango.fill("shop", "orders", 100);
  }, 900_000);
  afterAll(async () => {
    for (const node of cluster.nodes) if (!(await cluster.isOn(node))) await cluster.start(node);
    await stack.down();
  }, 300_000);

  test("a dead node's members move, and have their data", async () => {
    const all = await Promise.all([1, 2, 3].map((each) => stack.placeOf(`dbserver-${String(each)}`)));
    const index = all.findIndex(({ node }) => node !== "m1"); // whose edge is asked
    const [member, node] = [`dbserver-${String(index + 1)}`, all[index]?.node ?? ""];
    const edgesBefore = (await tasksOf(cluster.manager(), stack.name)).edge?.length;
    const began = Date.now();
    await cluster.kill(node);
    const place = await eventually(async () => {
      const found = await stack.placeOf(member);
      return found.node === node ? undefined : found;
    }, 180);
    expect(place.node).not.toBe(node);
    const elsewhere = took(`${member} runs elsewhere`, began);
    await stack.until(member, "GOOD", 180);
    await stack.arango.allInSync("shop", 180);
    const back = took("a dead node's members have moved and are in sync", began);
    const rows = 100 - (await stack.arango.count("shop", "orders"));
    tell({ system, killed: `${node}: ${member}, on a disk that every node reaches`, elsewhere, back, rows });
    expect(rows).toBe(0);
    await cluster.start(node);
    // An edge runs on each node, on this one as soon as its engine is up.
    await eventually(async () => {
      const { edge = [] } = await tasksOf(cluster.manager(), stack.name);
      return edge.filter((task) => task.startsWith("running ")).length === edgesBefore ? true : undefined;
    }, 120);
    succeeded(await stack.pulumi.preview(["--expect-no-changes"]));
  }, 600_000);
});
