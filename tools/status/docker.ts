/** Asks the Docker hosts of a stack for its containers, networks and volumes. */
import { z } from "zod";

import type { Dict, List } from "../../components/core/contracts.ts";
import { nameLabel } from "../../components/topologies/survey.ts";
import { connect, explain, ifThere, ping } from "../../ops/docker.ts";
import { thingsOf } from "./docker-judge.ts";
import { patience, within } from "./limit.ts";
import { identitiesOf, type State } from "./state.ts";

const text = z
  .string()
  .nullish()
  .transform((found) => found ?? "");

const inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  RestartCount: z.number().default(0),
  State: z.object({
    Status: z.string(),
    StartedAt: text,
    FinishedAt: text,
    ExitCode: z.number().default(0),
    OOMKilled: z.boolean().default(false),
    Error: text,
    Health: z
      .object({
        Status: z.string(),
        FailingStreak: z.number().default(0),
        Log: z.array(z.object({ Start: z.string(), Output: text })).nullish(),
      })
      .nullish(),
  }),
  Config: z.object({
    Labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((found): Dict<string> => found ?? {}),
    Healthcheck: z.object({ Interval: z.number().optional() }).nullish(),
  }),
});
export type Container = z.infer<typeof inspected>;

/** What an engine has that may be the stack's. */
export interface Host {
  /** As the state has it. */
  readonly host: string;
  /** Why it cannot be asked; the rest is empty then. */
  readonly failed?: string;
  /** The name that its machine gives itself. */
  readonly machine: string;
  readonly containers: List<Container>;
  readonly networks: List<string>;
  readonly volumes: List<string>;
}

/** Asks each engine on which the state has something. */
export async function askHosts(state: State): Promise<List<Host>> {
  const things = thingsOf(state);
  const known = new Set(things.map(({ called }) => called));
  const names = identitiesOf(state).map(({ name }) => name);
  return Promise.all(
    [...new Set(things.map(({ host }) => host))].map(async (host): Promise<Host> => {
      const { told, failed } = await within(patience, `Docker at ${host}`, (signal) =>
        look(host, signal, (name, labels) => known.has(name) || names.includes(labels[nameLabel] ?? "")),
      );
      return told ?? { host, failed, machine: "", containers: [], networks: [], volumes: [] };
    }),
  );
}

async function look(
  host: string,
  abortSignal: AbortSignal,
  isOurs: (name: string, labels: Dict<string>) => boolean,
): Promise<Host> {
  const ask = { abortSignal };
  try {
    await ping(host, 10_000); // what does not answer would keep this process waiting
    const engine = await connect(host);
    const [info, containers, networks, volumes] = await Promise.all([
      engine.info() as Promise<{ Name: string }>,
      engine.listContainers({ all: true, ...ask }),
      engine.listNetworks(ask),
      engine.listVolumes(ask) as Promise<{ Volumes: { Name: string }[] | null }>,
    ]);
    const ours = containers.filter(({ Names, Labels }) => isOurs(Names[0]?.slice(1) ?? "", Labels));
    // One that goes meanwhile is gone.
    const looks = await Promise.all(ours.map(({ Id }) => ifThere(engine.getContainer(Id).inspect(ask))));
    return {
      ...{ host, machine: info.Name },
      containers: looks.flatMap((each) => (each === undefined ? [] : [inspected.parse(each)])),
      networks: networks.map(({ Name }) => Name),
      volumes: (volumes.Volumes ?? []).map(({ Name }) => Name),
    };
  } catch (error) {
    throw explain(error, host);
  }
}
