/** What pictures call each kind, and the machines that a place rents. */
import type { Ask, Kind, Machines } from "../core/contracts.ts";
import type { PlannedNeed } from "../core/plan.ts";
import type { Capabilities } from "../core/topology.ts";
import { type Card, card } from "./model.ts";

export const nameOfKind: { readonly [K in Kind]: string } = {
  postgres: "PostgreSQL",
  redis: "Redis",
  objects: "object store, S3",
  solr: "Solr",
  elasticsearch: "Elasticsearch",
  nats: "NATS",
  amqp: "RabbitMQ",
  cql: "Cassandra",
  influx: "InfluxDB",
  oidc: "sign-in, OpenID",
  containers: "Docker's API, filtered",
  swarm: "Docker swarm",
};

/** Whether a filter of Docker's API starts the system's own containers, and where. */
export function startsOf({ kind, ask }: PlannedNeed, { engine }: Capabilities): string[] {
  if (kind !== "containers") return [];
  const asked = ask as Ask<"containers">;
  if (asked.may !== "run-apps") return [];
  return ["starts users' apps", ...(engine === "swarm" ? [`on ${asked.appsOn.replace(/^node\./, "")}`] : [])];
}

/** Managers, which the world may call, and each group of workers. */
export function machineCards({ managers, workers, ports }: Ask<"swarm">): Card[] {
  const made = (
    id: string,
    band: Card["band"],
    title: string,
    { count, cpu, memoryMib, gib }: Machines,
    more: string[],
  ) =>
    card(id, band, "managed", `${title} ×${String(count)}`, [
      `${String(cpu)} CPUs, ${String(memoryMib)} MiB, ${String(gib)} GiB`,
      ...more,
    ]);
  return [
    made("Managers", "edge", "managers", managers, [`the world may call ${ports.join(", ")}`]),
    ...Object.entries(workers).map(([group, machines]) =>
      made(`Workers-${group}`, "app", `workers: ${group}`, machines, [
        ...Object.entries(machines.labels).map(([key, value]) => `${key}=${value}`),
        machines.keeps ? "each keeps its name and disk" : "come and go with the number",
      ]),
    ),
  ];
}
