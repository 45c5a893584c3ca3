/** The reconciler's retirements as configs of a swarm, by a server that answers as a manager does. */
import { afterEach, expect, test } from "@jest/globals";

import type { Retirements } from "../../components/core/retirements.ts";
import { SwarmRetirements } from "../../components/topologies/swarm/retirements.ts";
import { swarm } from "../../components/topologies/swarm/entry.ts";
import { type FakeEngine, fakeEngine } from "../support/fake-engine.ts";

interface Config {
  readonly ID: string;
  readonly Spec?: { readonly Name?: string; readonly Data?: string; readonly Labels?: object };
}

let engine: FakeEngine;
afterEach(() => {
  engine.close();
});

/** A manager that keeps configs. It may find more than a filter asks for. */
async function manager(configs: Config[], refusal?: { readonly status: number; readonly body: object }) {
  engine = await fakeEngine({
    "GET /_ping": "OK",
    "GET /info": { Swarm: { LocalNodeState: "active", ControlAvailable: true } },
    "GET /configs": (query: string) => {
      const { name } = JSON.parse(new URLSearchParams(query).get("filters") ?? "{}") as { name?: string[] };
      return configs.filter(({ Spec }) => name?.some((each) => (Spec?.Name ?? "").includes(each)));
    },
    "POST /configs/create": (_: string, body: string) => {
      if (refusal !== undefined) return refusal;
      const Spec = JSON.parse(body) as NonNullable<Config["Spec"]>;
      if (configs.some((each) => each.Spec?.Name === Spec.Name))
        return { status: 409, body: { message: "name conflicts" } };
      configs.push({ ID: `id-${String(Spec.Name)}`, Spec });
      return { status: 201, body: { ID: "new" } };
    },
    ...Object.fromEntries(
      configs.map(({ ID }) => [
        `DELETE /configs/${ID}`,
        () => {
          configs.splice(
            configs.findIndex((each) => each.ID === ID),
            1,
          );
          return { status: 204, body: "" };
        },
      ]),
    ),
  });
  return new SwarmRetirements(managers(), "db");
}
/** The first of which does not answer. */
const managers = (): string[] => ["tcp://127.0.0.1:1", engine.host];
const retired = (...dbserver: number[]): Retirements => ({ retired: { dbserver }, history: [] });
const config = (Name: string, what: Retirements): Config => ({
  ID: `id-${Name}`,
  Spec: { Name, Data: Buffer.from(JSON.stringify(what)).toString("base64") },
});

test("nothing is retired before the first version", async () => {
  const others = [
    config("db-retired-x", retired(1)),
    config("other-db-retired-7", retired(1)),
    { ID: "empty", Spec: {} },
    { ID: "none" },
  ];
  expect(await (await manager([])).latest()).toEqual({ number: 0, retirements: { retired: {}, history: [] } });
  engine.close();
  // A number is the end of the name, and nothing else.
  expect(await (await manager(others)).latest()).toMatchObject({ number: 0 });
});

test("the highest number counts, in whatever order the swarm lists them", async () => {
  const versions = [2, 10, 9].map((number) => config(`db-retired-${String(number)}`, retired(number)));
  expect(await (await manager(versions)).latest()).toEqual({ number: 10, retirements: retired(10) });
});

test("a version is a config of its own, with the stack's name; five are kept", async () => {
  const configs = [1, 10, 2, 9, 3].map((number) => config(`db-retired-${String(number)}`, retired(number)));
  const store = await manager(configs);
  expect(await store.add({ number: 11, retirements: retired(1, 2) })).toBe(true);
  expect(configs.map(({ Spec }) => Spec?.Name)).toEqual([
    "db-retired-10",
    "db-retired-2",
    "db-retired-9",
    "db-retired-3",
    "db-retired-11",
  ]);
  expect(configs.at(-1)?.Spec?.Labels).toEqual({
    "platform-topologies.name": "db",
    "platform-topologies.retirements": "retired",
  });
  expect(await store.latest()).toEqual({ number: 11, retirements: retired(1, 2) });
});

test("who comes second with a number is told, and removes nothing", async () => {
  const configs = [1, 2, 3, 4, 5, 6].map((number) => config(`db-retired-${String(number)}`, retired(number)));
  const store = await manager(configs);
  expect(await store.add({ number: 6, retirements: retired() })).toBe(false);
  expect(configs).toHaveLength(6);
});

test("another refusal is an error", async () => {
  const store = await manager([], { status: 503, body: { message: "the swarm has no leader" } });
  await expect(store.add({ number: 1, retirements: retired() })).rejects.toThrow("the swarm has no leader");
});

test("a stack's own are on the managers of its config", async () => {
  await manager([config("db-retired-3", retired(3)), config("other-retired-4", retired(4))]);
  const store = swarm.retirements?.(swarm.config.parse({ managers: managers() }), "db");
  expect(await store?.latest()).toEqual({ number: 3, retirements: retired(3) });
});
