/** ShinyProxy on a real swarm: managers run everything, workers users' apps and node telemetry, whatever is asked for. */
import { rm } from "node:fs/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually } from "../support/arkindex.ts";
import { appTasks, Browser } from "../support/shinyproxy.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { onNetwork, pushed, swarmStack, tasksOf } from "../support/swarm-stack.ts";

const name = "shiny-swarm";
let cluster: Cluster;
let stack: TestStack;
let images: Record<string, string>;
let outputs: { url: string; ca: string; passwords: Record<string, string> };

beforeAll(async () => {
  cluster = await Cluster.start({ name: "shinyswarm", managers: 1, workers: 2 });
  images = await pushed(cluster);
  const demo = { title: "Demo", image: "shiny-demo", memoryMib: 256, cpu: 0.5, groups: ["analysts"] };
  const shinyproxy = { memoryMib: 512, influxGib: 1, idleMinutes: 30, apps: { demo } };
  stack = await swarmStack({ cluster, name, system: "shinyproxy", config: { shinyproxy } });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as typeof outputs;
}, 600_000);

afterAll(async () => {
  await cluster.stop();
  await rm(stack.folder, { recursive: true, force: true });
}, 120_000);

const apps = () => appTasks(cluster.manager(), name);

/** Docker's API as ShinyProxy has it. */
async function viaRunner(method: string, path: string, body?: unknown): Promise<{ status: number; body: string }> {
  const { toolbox = "" } = images;
  const data = body === undefined ? "" : `-H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  const script = `curl -s -w '\\n%{http_code}' -X ${method} ${data} http://runner:2375${path}`;
  const { output } = await onNetwork(cluster.manager(), toolbox, `${name}-runner-api`, script);
  const lines = output.trim().split(/\r?\n/);
  return { status: Number(lines.at(-1)), body: lines.slice(0, -1).join("\n") };
}

test("managers run everything, workers node telemetry alone", async () => {
  const tasks = await tasksOf(cluster.manager(), name);
  const { "telegraf-node": telemetry, ...others } = tasks;
  expect(telemetry).toEqual(["running m1", "running w1", "running w2"]);
  expect(Object.keys(others).sort()).toEqual(
    ["edge", "grafana-1", "influx-1", "reader", "redis-1", "runner", "shinyproxy", "sign-in", "telegraf"].sort(),
  );
  expect(new Set(Object.values(others).flat())).toEqual(new Set(["running m1"]));
});

test("a second preview finds nothing", async () => {
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("a user's app runs on a worker and answers through the edge", async () => {
  const browser = new Browser(outputs.ca, cluster.address("m1"));
  const home = await browser.signIn(`${outputs.url}/`, "demo-analysts", outputs.passwords["sign-in"] ?? "");
  expect(home.body).toContain("groups: analysts");
  const frame = await eventually(
    async () => /src="([^"]+)"/.exec((await browser.open(`${outputs.url}/app/demo`)).body)?.[1],
    120,
  );
  const page = await eventually(async () => {
    const found = await browser.ask(outputs.url + frame);
    return found.status === 200 ? found : undefined;
  }, 120);
  expect(page.body).toContain("shiny.min.js");
  const [found] = Object.entries(await apps());
  expect(found?.[0]).toMatch(/^sp-service-/);
  expect(found?.[1]).toEqual([expect.stringMatching(/^running w\d$/)]);
}, 300_000);

test("a service that asks for managers lands on a worker, and stays there when it is changed", async () => {
  const spec = (constraint: string) => ({
    Name: "by-hand",
    TaskTemplate: {
      ContainerSpec: { Image: images["shiny-demo"], Command: ["sleep", "600"] },
      Placement: { Constraints: [constraint] },
    },
    Mode: { Replicated: { Replicas: 5 } },
  });
  const made = await viaRunner("POST", "/v1.41/services/create", spec("node.role==manager"));
  expect(made.status).toBe(201);
  const { ID } = z.object({ ID: z.string() }).parse(JSON.parse(made.body));
  const onWorker = async () => {
    const { "by-hand": tasks = [] } = await apps();
    return tasks.length === 1 && (tasks[0] ?? "").startsWith("running w") ? true : undefined;
  };
  await eventually(onWorker, 60);
  const service = z
    .object({ Version: z.object({ Index: z.number() }) })
    .parse(JSON.parse((await viaRunner("GET", `/services/${ID}`)).body));
  const changed = await viaRunner(
    "POST",
    `/services/${ID}/update?version=${String(service.Version.Index)}`,
    spec("node.hostname==m1"),
  );
  expect(changed.status).toBe(200);
  await eventually(onWorker, 60);
  const found = (await cluster.manager().getService(ID).inspect()) as {
    Spec: { TaskTemplate: { Placement: unknown }; Mode: unknown };
  };
  expect(found.Spec.TaskTemplate.Placement).toEqual({ Constraints: ["node.role==worker"] });
  expect(found.Spec.Mode).toEqual({ Replicated: { Replicas: 1 } });
}, 180_000);

test("through the runner nothing of the stack can be seen or changed, and no manager be won", async () => {
  const seen = z
    .array(z.object({ Spec: z.object({ Name: z.string() }) }))
    .parse(JSON.parse((await viaRunner("GET", "/services")).body));
  expect(seen.map(({ Spec }) => Spec.Name.replace(/^sp-service-.*/, "sp")).sort()).toEqual(["by-hand", "sp"]);
  expect((await viaRunner("DELETE", `/services/${name}-shinyproxy`)).status).toBe(404);
  expect((await viaRunner("GET", "/secrets")).status).toBe(403);
  expect((await viaRunner("GET", "/swarm")).body).not.toContain("SWMTKN");
  const bind = {
    ContainerSpec: {
      Image: images["shiny-demo"],
      Mounts: [{ Type: "bind", Source: "/var/run/docker.sock", Target: "/s" }],
    },
  };
  const refused = await viaRunner("POST", "/services/create", { Name: "x", TaskTemplate: bind });
  expect(refused).toMatchObject({
    status: 403,
    body: '{"message":"mount /var/run/docker.sock is not allowed: apps have no volumes"}',
  });
}, 120_000);

test("destroy, with apps running, leaves no service and no network", async () => {
  succeeded(await stack.destroy());
  const manager = cluster.manager();
  expect(await manager.listServices()).toEqual([]);
  const networks = await manager.listNetworks();
  expect(networks.map(({ Name }) => Name).filter((each) => each.startsWith(`${name}-`))).toEqual([]);
}, 240_000);
