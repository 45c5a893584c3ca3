/** What a stack takes of its nodes' memory. */
import type { Cluster } from "../../tools/swarm/cluster.ts";

/** MiB without page cache, by kind; and how many containers. */
export interface Memory {
  readonly stores: number;
  readonly applications: number;
  /** The edge's, and those in front of stores. */
  readonly proxies: number;
  readonly all: number;
  readonly containers: number;
  /** Each service's, all its containers together. */
  readonly services: Readonly<Record<string, number>>;
}

/** As the nodes' engines count it. What the engines take themselves is not in it. */
export async function memoryOf(cluster: Cluster, name: string): Promise<Memory> {
  const services: Record<string, number> = {};
  let containers = 0;
  for (const node of cluster.nodes) {
    const engine = cluster.dockerOf(node);
    for (const { Id, Labels } of await engine.listContainers()) {
      const service = Labels["com.docker.swarm.service.name"] ?? "";
      if (!service.startsWith(`${name}-`)) continue;
      const { memory_stats: memory } = await engine.getContainer(Id).stats({ stream: false });
      const { inactive_file: cold = 0, active_file: warm = 0 } = memory.stats as {
        inactive_file?: number;
        active_file?: number;
      };
      const of = service.slice(name.length + 1);
      services[of] = (services[of] ?? 0) + (memory.usage - cold - warm) / 1024 / 1024;
      containers++;
    }
  }
  const sum = (kind: string): number =>
    Math.round(Object.entries(services).reduce((all, [each, mib]) => all + (kindOf(each) === kind ? mib : 0), 0));
  const kinds = { stores: sum("stores"), applications: sum("applications"), proxies: sum("proxies") };
  return {
    ...{ ...kinds, all: kinds.stores + kinds.applications + kinds.proxies, containers },
    services: Object.fromEntries(Object.entries(services).map(([each, mib]) => [each, Math.round(mib)])),
  };
}

function kindOf(service: string): string {
  if (service === "edge" || service.endsWith("-proxy")) return "proxies";
  return /-\d+$/.test(service) ? "stores" : "applications";
}
