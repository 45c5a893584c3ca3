/** The sizes that AWS sells, and the smallest that holds what is asked. Prices are in docs/aws.md. */
import type { Container, Room } from "../../core/contracts.ts";

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
export const systemMib = 512;

const machines: readonly Class[] = [
  ["t3.small", 2, 2048],
  ["t3.medium", 2, 4096],
  ["t3.large", 2, 8192],
  ["t3.xlarge", 4, 16_384],
  ["m7i.2xlarge", 8, 32_768],
  ["m7i.4xlarge", 16, 65_536],
  ["m7i.8xlarge", 32, 131_072],
];
/** NVIDIA's, the cheapest first, as DescribeInstanceTypes has them. A region, or a zone of it, may not have each. */
const gpuMachines: readonly (readonly [...Class, gpus: number, gpuMib: number])[] = [
  ["g4dn.xlarge", 4, 16_384, 1, 16_384],
  ["g4dn.2xlarge", 8, 32_768, 1, 16_384],
  ["g6.xlarge", 4, 16_384, 1, 22_888],
  ["g6.2xlarge", 8, 32_768, 1, 22_888],
  ["g4dn.4xlarge", 16, 65_536, 1, 16_384],
  ["g6.4xlarge", 16, 65_536, 1, 22_888],
  ["g6e.xlarge", 4, 32_768, 1, 45_776],
  ["g6.8xlarge", 32, 131_072, 1, 22_888],
  ["g6e.2xlarge", 8, 65_536, 1, 45_776],
  ["g6e.4xlarge", 16, 131_072, 1, 45_776],
  ["g4dn.12xlarge", 48, 196_608, 4, 16_384],
  ["g6e.8xlarge", 32, 262_144, 1, 45_776],
  ["g6.12xlarge", 48, 196_608, 4, 22_888],
  ["g6e.12xlarge", 48, 393_216, 4, 45_776],
  ["g6.48xlarge", 192, 786_432, 8, 22_888],
  ["g6e.48xlarge", 192, 1_572_864, 8, 45_776],
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
/** What RDS supports of PostgreSQL. */
export const postgresVersions = ["15", "16", "17", "18"] as const;

/** What our toolbox's pg_dump takes at most (tools/images/toolbox), and what a drill restores into: postgis' own. */
export const postgresVersion = "15";

/** The disk of a database, in GiB. */
export function databaseGib(asked: number): number {
  return Math.max(20, asked);
}

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
export function machineClass(
  cores: number,
  memoryMib: number,
  { gpus = 0, gpuMib = 0 }: Partial<Room> = {},
): string | undefined {
  if (gpus === 0) return smallest(machines, cores, memoryMib + systemMib);
  const enough = gpuMachines.filter(([, , , has, each]) => has >= gpus && each >= gpuMib);
  return smallest(
    enough.map(([name, has, memory]) => [name, has, memory]),
    cores,
    memoryMib + systemMib,
  );
}

/** What a machine has to hold. */
export type Sized = Pick<Container, "cpu" | "memoryMib" | "room">;

/** The smallest machine for a container and what it starts. */
export function ownClass({ cpu, memoryMib, room }: Sized): string | undefined {
  return machineClass(cpu + (room?.cpu ?? 0), memoryMib + (room?.memoryMib ?? 0), room);
}

/** Whether a size has GPUs of NVIDIA's beside a processor of the images' kind: G4ad has another maker's, G5g another processor. */
export function hasGpus(size: string): boolean {
  return /^(gr?[4-9]|p[3-9])/.test(size) && !/^(g4ad|g5g)\./.test(size);
}

/** The memory of a machine that the operator names; undefined where its name does not tell. */
export function machineMib(name: string): number | undefined {
  const tiny = /\.(nano|micro)$/.exec(name)?.[1];
  if (tiny !== undefined) return tiny === "nano" ? 512 : 1024;
  return [...machines, ...gpuMachines].find(([known]) => known === name)?.[2];
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
