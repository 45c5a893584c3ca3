/** Which of a swarm's managers the Docker provider is given. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, expect, test } from "@jest/globals";

import { firstManager } from "../../components/topologies/swarm/managers.ts";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** Answers each request after so many milliseconds. */
async function manager(after: number): Promise<string> {
  const server = createServer((_, response) => {
    setTimeout(() => response.end("OK"), after).unref();
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
