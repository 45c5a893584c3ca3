/** The engines of one stack: the host's, and those of further machines, for workloads that name one. */
import type { Container, Dict, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { networksOf } from "../containers.ts";

/** A further engine: its address, perhaps with the path of its socket on its own machine. */
export type Machine = string | { readonly host: string; readonly socket?: string | undefined };

export function hostOf(machine: Machine): string {
  return typeof machine === "string" ? machine : machine.host;
}

/** The path of the engine's socket on its own machine: the config's `socket`, else the path of a `unix://` address. */
export function socketOf(machine: Machine): string | undefined {
  const { host, socket } = typeof machine === "string" ? { host: machine, socket: undefined } : machine;
  return socket ?? (host.startsWith("unix://") ? host.slice("unix://".length) : undefined);
}

/** A network's name in the config: on a further machine it ends with that machine's name. */
export function networkName(network: string, machine = ""): string {
  return machine === "" ? network : `${network}-${machine}`;
}

/** The networks that a container joins, each as the config calls it. */
export function networksBy(container: Container): string[] {
  const { machine, networks = [] } = container;
  if (machine === undefined) return networksOf(container, "disk" in container);
  return ["app", ...networks].map((network) => networkName(network, machine));
}

/** The networks of one engine (`""`: the host's), each with its name in the config. */
export function networksOn(machine: string, planned: List<readonly [string, Container]>): Dict<string> {
  const tiers = machine === "" ? ["edge", "app", "data"] : ["app"];
  const joined = planned.flatMap(([, container]) =>
    (container.machine ?? "") === machine ? (container.networks ?? []) : [],
  );
  return Object.fromEntries([...tiers, ...joined].map((network) => [networkName(network, machine), network]));
}

/** Containers that are given the engine's socket, on an engine whose socket's path nobody has named. */
export function socketProblems(
  engine: Machine,
  machines: Dict<Machine>,
  planned: List<readonly [string, Container]>,
): Problem[] {
  return planned.flatMap(([name, { needs = [], machine }]): Problem[] => {
    const there = machine === undefined ? engine : Object.hasOwn(machines, machine) ? machines[machine] : undefined;
    if (!needs.includes("container-api") || there === undefined || socketOf(there) !== undefined) return [];
    const [key, where] =
      machine === undefined
        ? ["docker.socket", "docker.socket: /var/run/docker.sock"]
        : [`docker.machines.${machine}`, `{host: "${hostOf(there)}", socket: /var/run/docker.sock}`];
    return [
      {
        key,
        ...(machine === undefined ? {} : { value: hostOf(there) }),
        remedy: `${name} is given the engine's socket, and ${hostOf(there)} does not say where that machine has it: name its path there, as ${where}`,
      },
    ];
  });
}
