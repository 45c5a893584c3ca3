/** What can be told from a plan: its containers, its images, the names of replicas, and what the edge sends where. */
import { describe, expect, test } from "@jest/globals";

import type { Job, Slot, Workload } from "../../components/core/contracts.ts";
import { containers, imageKeys, type Plan, replicaNames, routesOf } from "../../components/core/plan.ts";

const health = { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 };
const ports = { web: { number: 80, protocol: "http" }, admin: { number: 81, protocol: "http" } } as const;
const app: Workload = { image: "app", tier: "app", cpu: 1, memoryMib: 64, replicas: 1, health, ports };
const disk = { path: "/data", gib: 1, backup: { rebuilt: "made anew" } };
const kept: Slot = { image: "kept", tier: "data", cpu: 1, memoryMib: 64, health, ports, disk };
const job: Job = { image: "job", tier: "data", cpu: 1, memoryMib: 64, seconds: 1, trigger: "1" };
const route = { host: "a.example.com", path: "/", port: "web" };

interface Parts {
  readonly workloads?: Record<string, Workload>;
  readonly slots?: Record<string, Slot>;
  readonly jobs?: Record<string, Job>;
}
const plan = ({ workloads = {}, slots = {}, jobs = {} }: Parts, images: string[] = []): Plan => ({
  needs: [],
  workloads: new Map(Object.entries(workloads)),
  slots: new Map(Object.entries(slots)),
  jobs: new Map(Object.entries(jobs)),
  ...{
    waits: new Map(),
    dumps: [],
    managed: new Map(),
    rotates: new Set(),
    secrets: new Set(),
    repeated: new Set(),
    images: new Set(images),
  },
  edge: { proxy: "nginx" },
});

test("its containers are all that runs, also when a slot goes, each by its name", () => {
  const names = (parts: Parts) => containers(plan(parts)).map(([name, { image }]) => `${name}: ${image}`);
  expect(names({})).toEqual([]);
  const slots = {
    "kv-1": { ...kept, leave: { ...job, image: "leave" } },
    "kv-2": { ...kept, left: { ...job, image: "left" } },
  };
  expect(names({ workloads: { api: app }, slots, jobs: { setup: job } })).toEqual([
    ...["api: app", "kv-1: kept", "kv-2: kept", "setup: job", "kv-1-leave: leave", "kv-2-left: left"],
  ]);
});

test("its images are those that run, each once, those that it starts itself, and what the topology runs for it", () => {
  const both = { workloads: { api: app, other: app }, jobs: { setup: job } };
  expect(imageKeys(plan(both), false)).toEqual(["app", "job"]);
  expect(imageKeys(plan(both), true)).toEqual(["app", "job", "nginx"]);
  expect(imageKeys(plan(both, ["apps/demo", "job"]), false)).toEqual(["app", "job", "apps/demo"]);
  // A disk is marked by a job of the toolbox.
  expect(imageKeys(plan({ slots: { "kv-1": kept } }), false)).toEqual(["kept"]);
  const marked = { ...kept, disk: { ...disk, marker: ".disk" } };
  expect(imageKeys(plan({ slots: { "kv-1": kept, "kv-2": marked } }), false)).toEqual(["kept", "toolbox"]);
});

test("replicas are numbered from 1, as many as there may be", () => {
  const of = (replicas: Workload["replicas"]) => replicaNames("api", { ...app, replicas });
  expect([of(1), of("each-node")]).toEqual([["api-1"], ["api-1"]]);
  expect([of(3), of({ min: 1, max: 3 })]).toEqual(Array(2).fill(["api-1", "api-2", "api-3"]));
});

describe("a route", () => {
  test("leads to a workload's replicas, or to a slot", () => {
    const web = { ...route, websocket: true };
    expect(
      routesOf(
        plan({
          workloads: { api: { ...app, replicas: 2, routes: [web] } },
          slots: { "kv-1": { ...kept, routes: [{ ...route, port: "admin" }] } },
        }),
      ),
    ).toEqual([
      { ...web, to: "api", target: ports.web, hosts: ["api-1", "api-2"], of: "replicas" },
      { ...route, port: "admin", to: "kv-1", target: ports.admin, hosts: ["kv-1"], of: "slots" },
    ]);
    expect(routesOf(plan({ workloads: { api: app }, slots: { "kv-1": kept } }))).toEqual([]);
  });

  test("of a pool leads to all of its slots, for each host and path", () => {
    const pooled = { ...route, pool: "kv" };
    const slots = Object.fromEntries(
      ["kv-1", "kv-2", "kv-3"].map((name) => [
        name,
        { ...kept, routes: [pooled, { ...pooled, path: "/a" }, { ...pooled, host: "b.example.com" }] },
      ]),
    );
    const found = routesOf(plan({ slots: { ...slots, other: { ...kept, routes: [route] } } }));
    expect(found.map(({ to, host, path, hosts }) => [to, host + path, hosts.join(" ")])).toEqual([
      ["kv", "a.example.com/", "kv-1 kv-2 kv-3"],
      ["kv", "a.example.com/a", "kv-1 kv-2 kv-3"],
      ["kv", "b.example.com/", "kv-1 kv-2 kv-3"],
      ["other", "a.example.com/", "other"],
    ]);
  });

  test("to a port that is not there has none: the check has said so", () => {
    for (const port of ["other", "constructor"])
      expect(routesOf(plan({ workloads: { api: { ...app, routes: [{ ...route, port }] } } }))[0]?.target).toEqual({
        ...{ number: 0, protocol: "http" },
      });
  });

  const checked = (ready: Workload["health"]["ready"], more: Partial<Workload> = {}) => {
    const probed = { routes: [route], health: { ...health, ready } };
    const both = [
      plan({ workloads: { api: { ...app, ...probed, ...more } } }),
      plan({ slots: { "kv-1": { ...kept, ...probed } } }),
    ];
    return both.map((each) => routesOf(each)[0]?.check);
  };
  test.each<[string, Workload["health"]["ready"], object | undefined]>([
    ["a page", { http: "admin", path: "/health" }, { path: "/health", port: 81 }],
    ["a page below 400", { http: "web", path: "/", below: 400 }, { path: "/", port: 80 }],
    ["a page that may answer otherwise", { http: "web", path: "/", below: 500 }, undefined],
    ["a page that has to answer better", { http: "web", path: "/", below: 300 }, undefined],
    ["a page at no port", { http: "other", path: "/" }, undefined],
    ["a port", { tcp: "web" }, undefined],
    ["a command", { command: ["true"] }, undefined],
  ])("has the health page that proxies understand: of %s", (_, ready, expected) => {
    expect(checked(ready)).toEqual([expected, expected]);
    for (const found of routesOf(
      plan({ workloads: { api: { ...app, routes: [route], health: { ...health, ready } } } }),
    ))
      expect("check" in found).toBe(expected !== undefined);
  });
});
