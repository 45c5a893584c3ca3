/** Takes whole clusters away, whoever made them, and however far that got. */
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { removeBridge } from "./network.ts";
import { powerOff } from "./node.ts";
import { alive, end, pidIn } from "./process.ts";
import { all, folderOf, load } from "./record.ts";

import type { ClusterRecord } from "./record.ts";

/**
 * Removes processes, mounts, namespaces, cables, bridge, rules, cgroups, disks, record; nothing if there is no cluster.
 */
export async function remove(name: string): Promise<void> {
  const record = await load(name);
  if (record) await removeRecorded(record);
}

async function removeRecorded(record: ClusterRecord): Promise<void> {
  const folder = folderOf(record.name);
  await Promise.all(record.nodes.map((node) => powerOff(record, node)));
  for (const server of ["registry", "names"]) await end(await pidIn(join(folder, `${server}.pid`)));
  await removeBridge(record.network);
  for (const node of record.nodes) await rm(join(folder, node.name), { recursive: true, force: true, maxRetries: 50 });
  await rm(folder, { recursive: true, force: true }); // the record last: until then the removal can be repeated
}

/** Removes the clusters whose owner is dead. Returns their names. */
export async function sweep(): Promise<string[]> {
  const swept: string[] = [];
  for (const record of await all()) {
    if (record.owner === null || (await alive(record.owner))) continue;
    await removeRecorded(record);
    swept.push(record.name);
  }
  return swept;
}
