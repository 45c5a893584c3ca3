/** Finds who holds a port of the edge, as far as a manager can tell. */
import type Docker from "dockerode";
import { z } from "zod";

import { eligible } from "../../../ops/placement.ts";
import { listTasks, type Node } from "../../../ops/swarm.ts";
import type { Problem } from "../../core/errors.ts";
import type { Site } from "../../core/topology.ts";
import { conflict, held, type Listener, published } from "../docker/ports.ts";
import type { SwarmArgs } from "./args.ts";
import { edgeNodes } from "./edge.ts";
import { constraintsOf } from "./placement.ts";

const serviceShape = z.object({
  ID: z.string(),
  Spec: z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() }),
  Endpoint: z
    .object({
      Ports: z
        .array(
          z.object({
            Protocol: z.string().default("tcp"),
            PublishedPort: z.number().default(0),
            PublishMode: z.string().default("ingress"),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
type Service = z.infer<typeof serviceShape>;

export interface Edge extends Pick<SwarmArgs, "edge" | "nodes" | "publish"> {
  readonly site: Site;
  /** The manager that is asked. */
  readonly host: string;
}

/** Ports that another service has, or, on the asked manager, another container or program. */
export async function portProblems(engine: Docker, there: readonly Node[], edge: Edge): Promise<Problem[]> {
  const { site, publish = "host" } = edge;
  const services = z.array(serviceShape).parse(await engine.listServices());
  const others = services.filter(({ Spec }) => Spec.Name !== `${site.name}-edge`);
  const nodes = publish === "ingress" ? there : there.filter((node) => carries(node, edge));
  const problems: Problem[] = [];
  for (const [key, port] of Object.entries(site.ports)) {
    const who =
      (await service(engine, others, nodes, port, publish)) ?? (await onManager(engine, services, nodes, port, edge));
    if (who !== undefined) problems.push({ key: `swarm.ports.${key}`, value: port, remedy: who });
  }
  return problems;
}

/** Whether a node, with the labels that the config gives it, is a node of the edge. */
function carries(node: Node, edge: Edge): boolean {
  return eligible(asTold(node, edge.nodes), constraintsOf(edgeNodes(edge)));
}

/** A node with the labels and the availability that the config gives it. */
export function asTold(node: Node, told: SwarmArgs["nodes"] = {}): Node {
  const { labels = {}, availability = node.Spec.Availability } = told[node.Description.Hostname] ?? {};
  const Labels = { ...node.Spec.Labels, ...labels };
  return { ...node, Spec: { ...node.Spec, Labels, Availability: availability } };
}

async function service(
  engine: Docker,
  others: readonly Service[],
  nodes: readonly Node[],
  port: number,
  publish: string,
): Promise<string | undefined> {
  for (const { ID, Spec, Endpoint } of others) {
    const modes = (Endpoint?.Ports ?? [])
      .filter(({ Protocol, PublishedPort }) => Protocol === "tcp" && PublishedPort === port)
      .map(({ PublishMode }) => PublishMode);
    if (modes.length === 0) continue;
    const remedy = "remove it or choose another port";
    // The swarm's own balancer has its ports on every node.
    if (publish === "ingress" || modes.includes("ingress"))
      return `the service ${Spec.Name} has it on every node; ${remedy}`;
    const tasks = await listTasks(engine, ID);
    const shared = nodes.filter((node) =>
      tasks.some(({ NodeID, DesiredState }) => NodeID === node.ID && DesiredState === "running"),
    );
    if (shared.length > 0)
      return `the service ${Spec.Name} has it on ${shared.map(({ Description }) => Description.Hostname).join(", ")}; ${remedy}`;
  }
  return undefined;
}

/** Ports on the asked manager: it knows neither containers nor programs of the other nodes. */
async function onManager(
  engine: Docker,
  services: readonly Service[],
  nodes: readonly Node[],
  port: number,
  { host }: Edge,
): Promise<string | undefined> {
  const { Swarm } = z.object({ Swarm: z.object({ NodeID: z.string() }) }).parse(await engine.info());
  const node = nodes.find(({ ID }) => ID === Swarm.NodeID);
  if (node === undefined) return undefined;
  const wanted = { address: "0.0.0.0", port };
  const containers = await engine.listContainers();
  const alone = containers.filter(({ Labels }) => Labels["com.docker.swarm.service.id"] === undefined);
  const holder = alone.find((container) => published(container).some((each) => conflict(each, wanted)));
  const on = `on ${node.Description.Hostname}`;
  if (holder !== undefined)
    return `the container ${holder.Names[0]?.slice(1) ?? ""} has it ${on}; stop it or choose another port`;
  const known = [...containers.flatMap(published), ...services.flatMap(balanced)];
  if (!host.startsWith("unix:") || !(await held(wanted, known))) return undefined;
  return `another program listens there ${on}; stop it or choose another port`;
}

/** Ports of ingress: the engine itself listens there on every node. */
function balanced({ Endpoint }: Service): Listener[] {
  return (Endpoint?.Ports ?? [])
    .filter(({ PublishMode }) => PublishMode === "ingress")
    .flatMap(({ PublishedPort }) => ["::", "0.0.0.0"].map((address) => ({ address, port: PublishedPort })));
}
