/**
 * ShinyProxy on three managers and two workers: users and their apps while ShinyProxy is killed and rolled, a worker is
 * drained, and each node in turn loses its power. Apps are on workers alone, whatever happens.
 */
import { rm } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually } from "../support/arkindex.ts";
import { lastWords, powerCut, tell } from "../support/failure.ts";
import { generatedSecrets } from "../support/secrets.ts";
import { Browser, panelRows } from "../support/shinyproxy.ts";
import { demoApp, demoApps, demoUsers, InfluxClient, User, Witness } from "../support/shinyproxy-swarm.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { type Load, pushed, swarmConfig, swarmStack, tasksOf } from "../support/swarm-stack.ts";

const name = "shiny-ha";
const system = "shinyproxy";
const managers = ["m1", "m2", "m3"];
const workers = ["w1", "w2"];
let cluster: Cluster;
let stack: TestStack;
let witness: Witness;
let influx: InfluxClient;
let outputs: { url: string; ca: string; passwords: Record<string, string>; places: { slots: Record<string, string> } };
let users: User[];

const wanted = (more: object = {}) => ({
  ...{ cluster, name, system },
  config: { shinyproxy: { memoryMib: 512, influxGib: 1, idleMinutes: 60, apps: { ...demoApps, ...more } } },
  swarm: {
    edge: { nodes: { edge: "yes" } },
    nodes: Object.fromEntries(
      ["m1", "m2"].map((node) => [node, { address: cluster.address(node), labels: { edge: "yes" } }]),
    ),
  },
});

beforeAll(async () => {
  cluster = await Cluster.start({ name, network: "10.213.164", managers: 3, workers: 2 });
  witness = new Witness(cluster, workers);
  stack = await swarmStack(wanted());
  const began = Date.now();
  succeeded(await stack.up());
  took("up", began);
  outputs = (await stack.outputs()) as typeof outputs;
  const { toolbox = "" } = await pushed(cluster);
  influx = new InfluxClient(cluster, toolbox, `${name}-data`, outputs.passwords.influx ?? "");
  users = Object.entries(demoUsers).map(([user, spec]) => new User({ cluster, name, ...outputs, user, spec }));
}, 900_000);

afterAll(async () => {
  witness.stop();
  await cluster.stop();
  await rm(stack.folder, { recursive: true, force: true });
}, 120_000);

let load: Load | undefined;
/** One at a time; that of a test which has failed is stopped after it. */
function loadOf(user: User | undefined, edge: string): Load {
  if (user === undefined) throw new Error("no such user");
  return (load = user.load(edge));
}
afterEach(() => load?.stop());

function took(what: string, since: number): void {
  process.stdout.write(`shinyproxy: ${what}: ${String(Math.round((Date.now() - since) / 100) / 10)} s\n`);
}

/** What runs on a node, but for its telemetry. */
async function partsOn(node: string): Promise<string[]> {
  const tasks = Object.entries(await tasksOf(cluster.manager(), name));
  return tasks.flatMap(([part, all]) => (all.includes(`running ${node}`) && part !== "telegraf-node" ? [part] : []));
}

async function leader(): Promise<string | undefined> {
  return (await cluster.view()).find(({ ManagerStatus }) => ManagerStatus?.Leader === true)?.Description.Hostname;
}

async function isDown(node: string): Promise<true | undefined> {
  const found = (await cluster.view()).find(({ Description }) => Description.Hostname === node);
  return found?.Status.State === "down" ? true : undefined;
}

/** Everybody still has the app, by the cookie of the first sign-in. */
async function allGoOn(edge: string): Promise<void> {
  try {
    for (const user of users) await eventually(() => user.sees(edge), 180);
  } catch (error) {
    process.stdout.write(`${JSON.stringify(await tasksOf(cluster.manager(), name))}\n`);
    process.stdout.write(await lastWords(cluster, name, "shinyproxy"));
    const servers = "getent ahostsv4 shinyproxy; cat /tmp/*.addresses";
    process.stdout.write(await lastWords(cluster, name, "edge", servers));
    throw error;
  }
}

test("managers run everything, workers node telemetry alone; a second preview finds nothing", async () => {
  const { "telegraf-node": telemetry, edge, ...others } = await tasksOf(cluster.manager(), name);
  expect(telemetry).toEqual([...managers, ...workers].map((node) => `running ${node}`));
  expect(edge).toEqual(["running m1", "running m2"]);
  expect(Object.keys(others).sort()).toEqual(
    ["grafana-1", "influx-1", "reader", "redis-1", "runner", "shinyproxy", "sign-in", "telegraf"].sort(),
  );
  for (const [part, tasks] of Object.entries(others))
    expect([part, tasks]).toEqual([part, [expect.stringMatching(/^running m\d$/)]]);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("users at once, each with an app: all on workers", async () => {
  await Promise.all(users.map((user, index) => user.begin(index % 2 === 0 ? "m1" : "m2")));
  const places = await Promise.all(users.map((user) => user.place()));
  expect(new Set(places)).toEqual(new Set(workers));
  expect(new Set(users.map(({ app }) => app)).size).toBe(users.length);
}, 300_000);

test("Grafana shows users, apps and nodes; what Telegraf measures is there once, and kept as long as asked", async () => {
  const grafana = outputs.url.replace("//", "//grafana.");
  const viewer = new Browser(outputs.ca, cluster.address("m2"));
  const login = { user: "admin", password: (await generatedSecrets(stack))["grafana-password"] };
  expect((await viewer.ask(`${grafana}/login`, { method: "POST", body: JSON.stringify(login) })).status).toBe(200);
  await eventually(async () => {
    const rows = await panelRows(viewer, grafana);
    const empty = Object.keys(rows).filter((title) => rows[title] === 0);
    if (empty.length > 0) throw new Error(`no data in ${empty.join(", ")}`);
    return true;
  }, 90);
  const hosts = await influx.query("telegraf", 'SHOW TAG VALUES FROM "system" WITH KEY = "host"');
  expect(hosts.map(([, host]) => host).sort()).toEqual([...managers, ...workers]);
  // Every 15 s: two that measure would not be seen in InfluxDB, where the same time is the same point.
  expect((await tasksOf(cluster.manager(), name)).telegraf).toHaveLength(1);
  const each = `SELECT count("tasks_running") FROM "docker_swarm" WHERE "service_name" =~ /^${name}-/ AND time > now() - 60s GROUP BY "service_name"`;
  await eventually(async () => {
    const counts = (await influx.query("telegraf", each)).map(([, count]) => Number(count));
    if (counts.length !== 10 || !counts.every((count) => count >= 3 && count <= 5)) throw new Error(counts.join(", "));
    return true;
  }, 90);
  const kept = async (database: string) =>
    (await influx.query(database, `SHOW RETENTION POLICIES ON "${database}"`))
      .filter(([, , , , isDefault]) => isDefault === true)
      .map(([policy, duration]) => [policy, duration]);
  expect(await kept("shinyproxy")).toEqual([["keep", "8760h0m0s"]]);
  expect(await kept("telegraf")).toEqual([["keep", "720h0m0s"]]);
}, 240_000);

test("ShinyProxy's process is killed: sessions and apps are still there", async () => {
  const [node = ""] =
    (await tasksOf(cluster.manager(), name)).shinyproxy?.map((task) => task.split(" ")[1] ?? "") ?? [];
  const engine = cluster.dockerOf(node);
  const filters = { label: [`com.docker.swarm.service.name=${name}-shinyproxy`], status: ["running"] };
  const [found] = await engine.listContainers({ filters });
  if (found === undefined) throw new Error("no ShinyProxy runs");
  const load = loadOf(users[0], "m1");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const began = Date.now();
  await engine.getContainer(found.Id).kill();
  await eventually(async () => {
    const [task] = (await tasksOf(cluster.manager(), name)).shinyproxy ?? [];
    return task?.startsWith("running") === true && Date.now() - began > 1000 ? true : undefined;
  }, 120);
  await eventually(() => users[0]?.sees("m1") ?? Promise.resolve(undefined), 60);
  const back = Math.round((Date.now() - began) / 100) / 10;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const { sent, lost, slowest } = await load.stop();
  tell({ system, killed: "ShinyProxy's process, of one replica", sent, lost: lost.length, slowest, back });
  expect(lost.length).toBeLessThan((back + 3) * 10);
  await allGoOn("m2");
}, 240_000);

test("another app rolls ShinyProxy without a lost request or session", async () => {
  await stack.configure(await swarmConfig(wanted({ more: demoApp() })));
  const load = loadOf(users[1], "m1");
  const began = Date.now();
  succeeded(await stack.up());
  took("another app", began);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const { sent, lost, slowest } = await load.stop();
  process.stdout.write(
    `shinyproxy: rolled: ${String(lost.length)} of ${String(sent)} lost, slowest ${String(slowest)} ms\n`,
  );
  expect(lost).toEqual([]);
  await allGoOn("m2");
  expect((await users[0]?.browser.ask(`${outputs.url}/`))?.body).toContain("/app/more");
}, 300_000);

/** Users whose worker is gone: told so once, then given a new app on the other one, without a new sign-in. */
async function beginAgain(gone: readonly User[], edge: string, from: string): Promise<void> {
  for (const user of gone) {
    const began = Date.now();
    expect(await user.beginAgain(edge)).toMatchObject({ status: 503, body: expect.stringContaining("app_crashed") });
    took(`the app of a user whose worker is gone (${from}) began again`, began);
    expect(await user.place()).toBe(workers.find((node) => node !== from));
  }
}

test("a drained worker's users begin again on the other one", async () => {
  const set = (availability: string) =>
    execa("docker", ["--host", cluster.host("m2"), "node", "update", "--availability", availability, "w1"]);
  const places = await Promise.all(users.map((user) => user.place()));
  const gone = users.filter((_, index) => places[index] === "w1");
  expect(gone).not.toEqual([]);
  await set("drain");
  try {
    await beginAgain(gone, "m1", "w1");
    await allGoOn("m1");
  } finally {
    await set("active");
  }
  await eventually(() => gone[0]?.close("m1") ?? Promise.resolve(undefined), 60);
  await gone[0]?.open("m1");
  expect(await gone[0]?.place()).toBe("w1");
}, 300_000);

/** After a worker's loss every app is on the other one: one user begins again, on the emptier. */
async function oneElsewhere(node: string): Promise<void> {
  const places = await Promise.all(users.map((user) => user.place()));
  const [user] = users;
  if (user === undefined || places.some((place) => place !== node)) return;
  await eventually(() => user.close("m1"), 60);
  await user.open("m1");
}

test.each([...managers, ...workers])(
  "%s loses its power",
  async (node) => {
    const edge = node === "m1" ? "m2" : "m1";
    const here = await partsOn(node);
    const slots = here.filter((part) => outputs.places.slots[part] === node);
    const redis = slots.includes("redis-1");
    const led = await leader();
    await oneElsewhere(node);
    const places = await Promise.all(users.map((user) => user.place()));
    const gone = users.filter((_, index) => places[index] === node);
    const [steady, other] = users.filter((user) => !gone.includes(user));
    if (steady === undefined || (other === undefined && managers.includes(node))) throw new Error("no user is left");
    await influx.write(node, 100);
    const began = Date.now();
    const failure = await powerCut({
      ...{ cluster, system, name, node, what: here.length === 0 ? "users' apps" : here.join(", ") },
      load: () => loadOf(steady, edge),
      // Those that need what only this node has are not healthy without it.
      waits: [...slots, ...(redis ? ["shinyproxy"] : []), ...(slots.includes("influx-1") ? ["grafana-1"] : [])],
      whileOff: async () => {
        const now = await eventually(leader, 60);
        expect(now).not.toBe(node);
        if (node === led) process.stdout.write(`shinyproxy: ${node} led the swarm, now ${now} does\n`);
        if (workers.includes(node)) await eventually(() => isDown(node), 60);
        await beginAgain(gone, edge, node);
        if (redis || other === undefined || !managers.includes(node)) return;
        const asked = Date.now();
        await eventually(() => other.close(edge), 60);
        await other.open(edge);
        took(`a new app while ${node} is off`, asked);
        expect(workers).toContain(await other.place());
      },
      rowsLost: () => influx.lost(),
    });
    expect(failure.rows).toBe(0);
    await allGoOn(edge);
    const lost = load?.tally.lost ?? [];
    const lastLost = Math.max(0, ...lost.map((line) => Number(line.split(":")[0])));
    if (!here.includes("shinyproxy") && !redis) expect(lost).toEqual([]);
    // The one ShinyProxy is away until another manager has it; the one Redis until its node is back.
    else if (!redis) expect(lastLost).toBeLessThan(3000 + ((failure.elsewhere ?? 0) + 5) * 1000);
    if (slots.includes("influx-1")) {
      // Whole half minutes only; the end moves on with the clock, as all may be over before the first.
      const span = `time > ${String(began)}ms AND time < now() - 15s GROUP BY time(30s) fill(0)`;
      const measured = `SELECT count("load1") FROM "system" WHERE "host" = 'w2' AND ${span}`;
      // What was measured meanwhile was kept, and sent when InfluxDB was back.
      await eventually(async () => {
        const counts = (await influx.query("telegraf", measured)).slice(1, -1).map(([, count]) => Number(count));
        if (counts.length === 0 || counts.includes(0)) throw new Error(`a gap: ${counts.join(", ")}`);
        return true;
      }, 120);
    }
  },
  600_000,
);

test("after all of it: nothing to do, and no worker has run anything else", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(witness.looks).toBeGreaterThan(100);
  for (const node of workers) expect([...witness.seen(node)].sort()).toEqual(["an app", `${name}-telegraf-node`]);
}, 120_000);
