import type { Capabilities } from "../../core/topology.ts";
import { balancerEdge, cloud, machine } from "../clouds.ts";
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
    machine,
  ],
  ...cloud,
  edge: balancerEdge(4000), // the application load balancer's longest idle time-out
};
