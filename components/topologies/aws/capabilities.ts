import { runnerFor } from "../../core/check.ts";
import type { Container, Health } from "../../core/contracts.ts";
import type { Capabilities } from "../../core/topology.ts";
import { balancerEdge, cloud, machine } from "../clouds.ts";
import { proxyEdge } from "../engines.ts";
import type { AwsConfig } from "./config.ts";
import { longestStop } from "./sizes.ts";

/** Fargate, then EC2. ECS stops a task first where a service has a minimum of 0 and a maximum of 100 percent. */
export const awsCapabilities: Capabilities = {
  name: "aws",
  runners: [
    {
      name: "serverless",
      can: new Set(["exec-probe", "any-status-probe", "stop-first", "tcp-in", "short-names", "file-folders"]),
      limits: { bodyMib: Infinity, seconds: Infinity },
      stopSeconds: longestStop,
    },
    { ...machine, can: new Set([...machine.can, "gpu"]) },
  ],
  ...cloud,
  // The application load balancer's longest idle time-out.
  edge: balancerEdge(4000, "our own proxy, which has no such end (aws: {edge: proxy})"),
};

/** The same with the edge that the config chooses. */
export function awsWith({ edge }: Pick<AwsConfig, "edge">): Capabilities {
  return edge === "proxy" ? { ...awsCapabilities, edge: proxyEdge } : awsCapabilities;
}

/** Whether it gets a machine of its own: it has a disk, or needs what Fargate has not. */
export function onMachine(container: Container & { readonly health?: Health }): boolean {
  // Fargate has names of one label, so it does not count what else is in the plan.
  const alone = { workloads: new Map(), slots: new Map() };
  return "disk" in container || runnerFor(container, alone, awsCapabilities)?.name === "machine";
}
