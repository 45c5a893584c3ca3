/**
 * Clocks of the day that run off: those of a node's servers, as all nodes here have this machine's own. A library that
 * is loaded before the libc's tells them another time. Programs that ask the kernel themselves, as etcd, keep the right one.
 */
import { join } from "node:path";
import process from "node:process";

import { expect } from "@jest/globals";
import type Docker from "dockerode";

import type { Cluster } from "../../tools/swarm/cluster.ts";
import { search } from "./copies.ts";
import { laidOver } from "./laid-over.ts";
import { repo } from "./stack.ts";
import type { Fault } from "./store-faults.ts";
import { servers, type StoreName, Stores } from "./stores-swarm.ts";
import { answered, placeOf } from "./swarm-stack.ts";

const library = "/usr/lib/clock.so";
const file = "/tmp/clock";

/** These images with that library, which is compiled in ours of PostgreSQL: that one is made of Debian. */
export async function withClock(images: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const entries: [string, string][] = [];
  // One after another: the first one compiles the library for all.
  for (const [key, ref] of Object.entries(images)) {
    const builder = images["postgres-ha"] ?? "";
    const folder = join(repo, "test/support/clock");
    entries.push([key, await laidOver(ref, "clock", folder, { IMAGE: ref, BUILDER: builder })]);
  }
  return Object.fromEntries(entries);
}

const dateOf = (url: string): string => `date -d "$(curl -sI -m 5 '${url}' | sed -n 's/^[Dd]ate: *//p')" +%s`;
/** What time it is, in seconds, as each server says it. */
const asked: Readonly<Record<StoreName, (n: number) => string>> = {
  db: () => "PAGER=cat psql -U postgres -XAtc 'SELECT extract(epoch FROM now())::bigint'",
  redis: (n) => `REDISCLI_AUTH="$(cat /run/redis/password)" redis-cli -p ${String(6379 + n)} time | head -n 1`,
  solr: () => dateOf("http://127.0.0.1:8983/solr/"),
  search: () =>
    `${search("_nodes/_local/stats/os?filter_path=nodes.*.timestamp")} | grep -o '[0-9]\\{13\\}' | head -n 1 | cut -c1-10`,
  // It answers no date but one that it keeps while it was later: its own process has the library, as `date` has.
  objects: () =>
    `at=$(grep -lx garage /proc/[0-9]*/comm | head -n 1); grep -q ${library} "\${at%comm}maps" && date +%s`,
};

/** A node's clock is set, by mistake, and a minute later it is set right. */
export function clockFaults(nodes: readonly string[]): Fault[] {
  return nodes.flatMap((node) =>
    [600, -600].map((seconds): Fault => ({
      ...{ what: `${node}'s clock ten minutes ${seconds > 0 ? "ahead" : "behind"}`, node, seconds: 60 },
      harm: async (stores) => {
        const heal = () => set(stores.cluster, node, 0);
        await set(stores.cluster, node, seconds);
        await new Promise((resolve) => setTimeout(resolve, 500)); // the library looks ten times a second
        await tells(stores, node, seconds).catch(async (error: unknown) => {
          await heal();
          throw error;
        });
        return heal;
      },
    })),
  );
}

async function set(cluster: Cluster, node: string, seconds: number): Promise<void> {
  const engine = cluster.dockerOf(node);
  const has = async ({ Id }: Docker.ContainerInfo): Promise<boolean> =>
    (await engine.getContainer(Id).inspect()).Config.Env.includes(`LD_PRELOAD=${library}`);
  const all = await engine.listContainers();
  const wrong = (await Promise.all(all.map(async (each) => ((await has(each)) ? [each.Id] : [])))).flat();
  // Whole or not at all: a reader sees no half of a number.
  const script = `printf %s ${String(seconds)} >${file}.new && mv ${file}.new ${file}`;
  await Promise.all(wrong.map((id) => answered(engine.getContainer(id), script)));
}

/** Each store's server on the node tells the wrong time: else nothing would be tried. */
async function tells(stores: Stores, node: string, seconds: number): Promise<void> {
  for (const store of Stores.chosen)
    for (const n of [1, 2, 3]) {
      const place = await placeOf(stores.cluster, stores.name, servers[store].slot(n));
      if (place.node !== node) continue;
      const said = await answered(place.container, asked[store](n));
      const off = Math.round(Number(said) - Date.now() / 1000);
      process.stdout.write(`${servers[store].slot(n)}: ${String(off)} s off\n`);
      expect(Math.abs(off - seconds)).toBeLessThan(30);
    }
}
