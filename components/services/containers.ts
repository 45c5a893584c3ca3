import type { ComponentResourceOptions } from "@pulumi/pulumi";

import type { Ask, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";

const policyPath = "/run/docker-proxy/policy.json";
const port = 2375;
/** The network of the containers that a system starts itself. */
const apps = "apps";

/**
 * Docker's API for one client, through a proxy of ours (docker-proxy/). The proxy lets pass what its policy names, and
 * rewrites what is made. It holds the engine's socket, so it is root on its machine, and on a manager root of the
 * swarm. It shares a network with its client alone, so that no other workload can even ask.
 */
export const containers: Recipe<"containers"> = (p, name, ask) => {
  const network = `${p.name}-${apps}`;
  const engine = p.engine ?? "docker"; // a topology without an engine refuses this kind
  const made = p.run(name, {
    image: "docker-proxy",
    tier: "isolated",
    networks: [`${name}-api`],
    cpu: 0.5,
    memoryMib: 192,
    user: "0:0", // the socket's owner, without any capability
    needs: ["container-api"],
    files: [{ path: policyPath, content: JSON.stringify(policy(ask, engine, p.name, network)) }],
    command: ["docker-proxy", policyPath],
    ports: { api: { number: port, protocol: "http" } },
    health: { ready: { command: ["docker-proxy", "health"] }, startSeconds: 60, stopSeconds: 10 },
    replicas: 1,
    nodes: { role: "manager" }, // only managers answer for services
  });
  return {
    engine,
    url: `http://${made.host}:${String(port)}`,
    networks: [`${name}-api`, ...(ask.may === "run-apps" ? [apps] : [])],
    network,
    ready: made.ready,
  };
};

/** The policy, as docker-proxy/policy.ts reads it. */
function policy(ask: Ask<"containers">, engine: string, stack: string, network: string): object {
  if (ask.may === "read") return { may: ask.may };
  const { may, appsOn, images, memoryMib, cpu, shmMib, volumes } = ask;
  return { may, engine, stack, network, images, constraints: [appsOn], memoryMib, cpu, shmMib, volumes };
}

/** Docker's API, filtered. */
export class ContainerApi extends Service<"containers"> {
  /** How containers supply it. */
  static readonly recipe = containers;

  constructor(name: string, args: ServiceArgs<"containers">, opts?: ComponentResourceOptions) {
    super("ContainerApi", "containers", containers, name, args, opts);
  }
}
