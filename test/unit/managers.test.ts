/** Which of a swarm's managers the Docker provider is given. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, describe, expect, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import { preflight } from "../../components/topologies/swarm/preflight.ts";
import { firstManager } from "../../components/topologies/swarm/managers.ts";
import { reach } from "../../ops/docker.ts";
import { onSwarm } from "../../ops/swarm.ts";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

const states = {
  manager: { LocalNodeState: "active", ControlAvailable: true },
  worker: { LocalNodeState: "active", ControlAvailable: false },
  alone: { LocalNodeState: "inactive", ControlAvailable: false },
};

/** Answers a ping after so many milliseconds, and then what it is; `waits`: that never, as without a leader. */
async function manager(after: number, is: keyof typeof states | "waits" = "manager"): Promise<string> {
  const server = createServer(({ url }, response) => {
    if (is === "waits" && url?.endsWith("/info")) return;
    const answer = url?.endsWith("/info") ? JSON.stringify({ ID: is, Swarm: states[is as "manager"] }) : "OK";
    setTimeout(() => response.end(answer), url?.endsWith("/info") ? 0 : after).unref();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}
const dead = "tcp://127.0.0.1:1";

test("the first that answers, though it takes a while and others are quicker", async () => {
  const [busy, quick] = [await manager(4000), await manager(0)];
  expect(await firstManager([busy, quick])).toBe(busy);
  expect(await firstManager([dead, quick, busy])).toBe(quick);
}, 15_000);

test("it does not wait for those behind it", async () => {
  const [quick, never] = [await manager(0), await manager(60_000)];
  const began = Date.now();
  expect(await firstManager([quick, never])).toBe(quick);
  expect(Date.now() - began).toBeLessThan(5000);
}, 15_000);

test("none answers: the first, whose error is then seen; all of a run is told the same", async () => {
  expect(await firstManager([dead, "tcp://127.0.0.1:2"])).toBe(dead);
  const late = await manager(0);
  expect(await firstManager([late, dead])).toBe(late);
  servers.at(-1)?.close();
  expect(await firstManager([late, dead])).toBe(late);
}, 15_000);

const site = siteOf({ name: "own", hostname: "own.example.com" });
describe("the first that answers is the first that answers as a manager", () => {
  const idOf = async (host: string): Promise<unknown> => ((await (await reach(host)).info()) as { ID: unknown }).ID;

  test("a demoted one and one outside at the head of the list are passed over, everywhere", async () => {
    const managers = [await manager(0, "worker"), await manager(0, "alone"), await manager(300)];
    expect(await firstManager(managers)).toBe(managers[2]);
    expect(await idOf(managers.join())).toBe("manager");
    expect(await onSwarm(managers.join(), async (docker) => ((await docker.info()) as { ID: unknown }).ID)).toBe(
      "manager",
    );
  }, 15_000);

  test("one that waits for a leader is still a manager", async () => {
    const waits = await manager(0, "waits");
    expect(await firstManager([waits, dead])).toBe(waits);
  }, 30_000);

  test("none is a manager: each is named with what it is, before anything is made and in ops", async () => {
    const [worker, alone] = [await manager(0, "worker"), await manager(0, "alone")];
    const each = [
      `Docker at ${worker} is a worker of the swarm: name a manager`,
      `Docker at ${alone} is in no swarm: run \`docker swarm init\` there, or name a manager`,
      `Docker at ${dead} refuses the connection: start the Docker engine there, or correct the address`,
    ];
    const managers = [worker, alone, dead];
    const problems = await preflight({ site, managers, nodes: {}, registries: [], images: [], planned: [], needs: [] });
    expect(problems.map(({ key, value, remedy }) => [key, value, remedy])).toEqual(
      managers.map((host, index) => ["swarm.managers", host, each[index]]),
    );
    await expect(reach(managers.join())).rejects.toThrow(`none of these answers as a manager: ${each.join("; ")}`);
  }, 30_000);
});
