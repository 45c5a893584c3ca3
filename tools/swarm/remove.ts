/** Takes clusters away whole, whoever made them and however far that got. */
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { removeBridge } from "./network.ts";
import { powerOff } from "./node.ts";
import { alive, end, pidIn } from "./process.ts";
import { all, folderOf, load } from "./record.ts";

import type { ClusterRecord } from "./record.ts";

/** Processes, mounts, namespaces, cables, bridge, rules, cgroups, disks, record. Of a cluster that is not there: nothing. */
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
  await rm(folder, { recursive: true, force: true }); // the record last: until here, this can be done again
}

/** Removes the clusters whose owner is dead. Gives their names. */
export async function sweep(): Promise<string[]> {
  const swept: string[] = [];
  for (const record of await all()) {
    if (record.owner === null || (await alive(record.owner))) continue;
    await removeRecorded(record);
    swept.push(record.name);
  }
  return swept;
}
