/** A gate of members that start at once, before an engine that has some of them. */
import { afterEach, expect, test } from "@jest/globals";

import { serviceGate } from "../../ops/service-gate.ts";
import { type FakeEngine, fakeEngine } from "../support/fake-engine.ts";

let engine: FakeEngine | undefined;
afterEach(() => {
  engine?.close();
});

type State = "running" | "starting";

/** The gate of `kv-2` of three, where these services are there. Which of them it has looked at, and how it ended. */
async function gate(there: Readonly<Record<string, State>>, seconds = 1) {
  const env = (name: string): string[] => [`PLATFORM_TOPOLOGIES_SPEC=spec of ${name}`];
  const service = (name: string) => ({
    ID: `id-${name}`,
    Version: { Index: 1 },
    Spec: {
      Name: name,
      TaskTemplate: { ContainerSpec: { Env: env(name), Healthcheck: { Test: ["CMD", "true"] } } },
      Mode: { Replicated: { Replicas: 1 } },
    },
  });
  const task = (name: string, State: string) => ({
    ...{ ID: `task-${name}`, ServiceID: `id-${name}`, NodeID: "n1", Slot: 1, CreatedAt: "2026-01-01T00:00:00Z" },
    ...{ DesiredState: "running", Status: { State, Message: "", Err: "" } },
    Spec: { ContainerSpec: { Env: env(name) } },
  });
  const node = {
    ...{
      ID: "n1",
      Version: { Index: 1 },
      Status: { State: "ready" },
      Spec: { Labels: {}, Role: "manager", Availability: "active" },
    },
    Description: { Hostname: "m1", Platform: { OS: "linux", Architecture: "x86_64" }, Engine: { Labels: {} } },
  };
  const looked = new Set<string>();
  engine = await fakeEngine({
    "GET /_ping": "OK",
    "GET /info": { Swarm: { LocalNodeState: "active", ControlAvailable: true } },
    "GET /nodes": [node],
    "GET /tasks": (query: string) => {
      const asked = Object.keys(there).filter((name) => decodeURIComponent(query).includes(`"id-${name}"`));
      for (const name of asked) looked.add(name);
      return asked.map((name) => task(name, there[name] ?? ""));
    },
    "GET /tasks/task-kv-1/logs": "",
    "GET /tasks/task-kv-2/logs": "",
    ...Object.fromEntries(
      Object.keys(there).flatMap((name) =>
        [name, `id-${name}`].map((key) => [`GET /services/${key}`, service(name)] as const),
      ),
    ),
  });
  const plain = {
    ...{ host: engine.host, service: "id-kv-2", spec: "spec of kv-2", name: "kv-2", replicas: 1, seconds },
    together: ["kv-1", "kv-2", "kv-3"],
  };
  const ended = await serviceGate.create({ plain, secrets: [] } as never).then(
    () => "passed",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  return { ended, looked: [...looked].sort() };
}

test("the next one is not there: it waits for nobody, whatever they do", async () => {
  expect(await gate({ "kv-1": "starting", "kv-2": "starting" })).toEqual({ ended: "passed", looked: [] });
});

test("the next one is there: it is a change, and those before it and itself have to be healthy", async () => {
  expect(await gate({ "kv-1": "running", "kv-2": "running", "kv-3": "starting" })).toEqual({
    ended: "passed",
    looked: ["kv-1", "kv-2"],
  });
});

test.each(["kv-1", "kv-2"])("%s does not become healthy: that one is named", async (name) => {
  const there = { "kv-1": "running", "kv-2": "running", "kv-3": "running", [name]: "starting" } as const;
  expect((await gate(there)).ended).toMatch(new RegExp(`^${name} did not become healthy: .* after 1 s`));
});

test("one before it is gone: that is said", async () => {
  expect((await gate({ "kv-2": "running", "kv-3": "running" })).ended).toContain("kv-1");
});
