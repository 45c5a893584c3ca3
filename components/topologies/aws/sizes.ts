/** The sizes that AWS sells, and the smallest that holds what is asked. Prices are in docs/aws.md. */

/** A task's sizes on Fargate, as ECS writes them: CPU units of a 1024th core, and MiB. */
export interface TaskSize {
  readonly cpu: string;
  readonly memory: string;
}

/** CPU units, and what memory goes with them: least, most and step in MiB (the ECS developer guide, task CPU and memory). */
const fargate: readonly (readonly [cpu: number, least: number, most: number, step: number])[] = [
  [256, 512, 2048, 512],
  [512, 1024, 4096, 1024],
  [1024, 2048, 8192, 1024],
  [2048, 4096, 16_384, 1024],
  [4096, 8192, 30_720, 1024],
  [8192, 16_384, 61_440, 4096],
  [16_384, 32_768, 122_880, 8192],
];

/** The smallest task with so many cores and so much memory; undefined: Fargate has none. */
export function taskSize(cores: number, memoryMib: number): TaskSize | undefined {
  for (const [cpu, least, most, step] of fargate) {
    if (cpu < cores * 1024 || memoryMib > most) continue;
    // 256 units are sold with 512 MiB, 1 and 2 GiB; 1.5 GiB is not for sale.
    const memory = Math.max(least, Math.ceil(memoryMib / step) * step);
    const sold = cpu === 256 && memory === 1536 ? 2048 : memory;
    return { cpu: String(cpu), memory: String(sold) };
  }
  return undefined;
}

/** Seconds. Fargate kills a task that takes longer to end. */
export const longestStop = 120;

type Class = readonly [name: string, cores: number, memoryMib: number];

/** What a machine's system, the engine and the agent need for themselves. */
const systemMib = 512;

const machines: readonly Class[] = [
  ["t3.small", 2, 2048],
  ["t3.medium", 2, 4096],
  ["t3.large", 2, 8192],
  ["t3.xlarge", 4, 16_384],
  ["m7i.2xlarge", 8, 32_768],
  ["m7i.4xlarge", 16, 65_536],
  ["m7i.8xlarge", 32, 131_072],
];
const databases: readonly Class[] = [
  ["db.t4g.micro", 2, 1024],
  ["db.t4g.small", 2, 2048],
  ["db.t4g.medium", 2, 4096],
  ["db.m7g.large", 2, 8192],
  ["db.m7g.xlarge", 4, 16_384],
  ["db.m7g.2xlarge", 8, 32_768],
  ["db.m7g.4xlarge", 16, 65_536],
];
/** Memory for data, which is less than the node's (the ElastiCache user guide, node types). */
const caches: readonly Class[] = [
  ["cache.t4g.micro", 2, 512],
  ["cache.t4g.small", 2, 1401],
  ["cache.t4g.medium", 2, 3164],
  ["cache.m7g.large", 2, 6533],
  ["cache.m7g.xlarge", 4, 13_230],
  ["cache.m7g.2xlarge", 8, 26_726],
];

/**
 * Nodes of Amazon OpenSearch Service, with the largest disk of type gp3 in GiB (its developer guide, EBS volume size
 * quotas). Half of the memory is heap.
 */
const searches: readonly (readonly [...Class, gib: number])[] = [
  ["t3.small.search", 2, 2048, 100],
  ["t3.medium.search", 2, 4096, 200],
  ["m6g.large.search", 2, 8192, 1024],
  ["m6g.xlarge.search", 4, 16_384, 2048],
  ["m6g.2xlarge.search", 8, 32_768, 3072],
  ["m6g.4xlarge.search", 16, 65_536, 6144],
];

/** The managers among a swarm's groups of machines, and in `classes`. */
export const managersGroup = "managers";

function smallest(classes: readonly Class[], cores: number, memoryMib: number): string | undefined {
  return classes.find(([, has, memory]) => has >= cores && memory >= memoryMib)?.[0];
}

/** The smallest machine for containers that need so much together. */
export function machineClass(cores: number, memoryMib: number): string | undefined {
  return smallest(machines, cores, memoryMib + systemMib);
}

export function databaseClass(memoryMib: number): string | undefined {
  return smallest(databases, 1, memoryMib);
}

/** A quarter is left for replication and for snapshots, as ElastiCache reserves it. */
export function cacheClass(memoryMib: number): string | undefined {
  return smallest(caches, 1, Math.ceil(memoryMib / 0.75));
}

/** The smallest node with so much heap (MiB) and disk (GiB). */
export function searchClass(heapMib: number, gib: number): string | undefined {
  return searches.find(([, , memory, largest]) => memory >= 2 * heapMib && largest >= gib)?.[0];
}
