/** Asks the managers of a stack's swarm. */
import { z } from "zod";

import type { Dict, List } from "../../components/core/contracts.ts";
import { nameLabel } from "../../components/topologies/survey.ts";
import { addresses, explain, pingManager, reach } from "../../ops/docker.ts";
import { serviceShape } from "../../ops/service-gate.ts";
import { listNodes, listTasks, type Node, type Task } from "../../ops/swarm.ts";
import { within } from "./limit.ts";
import { dockerServices, enginesOf, identitiesOf, ofType, type State } from "./state.ts";

/** Seconds; `reach` alone may take thirteen while a leader is elected. */
const patience = 30;

const listed = z.looseObject({
  ID: z.string(),
  Spec: z.looseObject({
    Name: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    TaskTemplate: z.looseObject({
      ContainerSpec: z.looseObject({ Image: z.string(), Env: z.array(z.string()).nullish() }),
    }),
  }),
});
const named = z.array(z.object({ Spec: z.object({ Name: z.string() }) }).transform(({ Spec }) => Spec.Name));

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly labels: Dict<string>;
  readonly image: string;
  /** Hours between two backups, if it makes them. */
  readonly everyHours: number | undefined;
  readonly spec: z.infer<typeof serviceShape>;
}

/** What a swarm has that may be the stack's. */
export interface SwarmSeen {
  /** Its managers, as the state has them: `tcp://a:2375,tcp://b:2375`. */
  readonly host: string;
  /** Why it cannot be asked; the rest is empty then. */
  readonly failed?: string;
  readonly services: List<Service>;
  readonly tasks: List<Task>;
  readonly nodes: List<Node>;
  readonly networks: List<string>;
  /** Names of secrets and configs. */
  readonly files: List<string>;
}

/** The managers of each service of the state: its gate has them all, the provider only the first that answered. */
export function managersOf(state: State): ReadonlyMap<unknown, string> {
  const engines = enginesOf(state);
  const gates = new Map(
    ofType(state, "platform-topologies:index:ServiceGate").map(({ outputs }) => [outputs.service, outputs.host]),
  );
  return new Map(
    ofType(state, dockerServices).flatMap(({ urn, id, provider = "" }) => {
      const host = gates.get(id) ?? engines.get(provider);
      return typeof host === "string" ? [[urn, host] as const] : [];
    }),
  );
}

export async function askSwarms(state: State): Promise<List<SwarmSeen>> {
  const names = identitiesOf(state).map(({ name }) => name);
  const known = new Set(ofType(state, dockerServices).map(({ outputs }) => outputs.name));
  const hosts = [...new Set(managersOf(state).values())];
  return Promise.all(
    hosts.map(async (host): Promise<SwarmSeen> => {
      const { told, failed } = await within(patience, `the swarm at ${host}`, () =>
        look(host, (name, label) => known.has(name) || names.includes(label)),
      );
      return told ?? { host, failed, services: [], tasks: [], nodes: [], networks: [], files: [] };
    }),
  );
}

async function look(host: string, isOurs: (name: string, label: string) => boolean): Promise<SwarmSeen> {
  try {
    // One alone is not asked by `reach`, and a request to what does not answer would keep this process waiting.
    if (addresses(host).length < 2) await pingManager(host, 10_000);
    const engine = await reach(host);
    const [all, networks, nodes, secrets, configs] = await Promise.all([
      engine.listServices(),
      engine.listNetworks(),
      listNodes(engine),
      engine.listSecrets(),
      engine.listConfigs(),
    ]);
    const services = z
      .array(listed)
      .parse(all)
      .filter(({ Spec }) => isOurs(Spec.Name, Spec.Labels?.[nameLabel] ?? ""));
    return {
      host,
      services: services.map((each) => ({
        id: each.ID,
        name: each.Spec.Name,
        labels: each.Spec.Labels ?? {},
        image: each.Spec.TaskTemplate.ContainerSpec.Image,
        everyHours: hoursIn(each.Spec.TaskTemplate.ContainerSpec.Env ?? []),
        spec: serviceShape.parse(each),
      })),
      tasks: services.length === 0 ? [] : await listTasks(engine, ...services.map(({ ID }) => ID)),
      nodes,
      networks: networks.map(({ Name }) => Name),
      files: named.parse([...secrets, ...configs]),
    };
  } catch (error) {
    throw explain(error, host);
  }
}

/** What `components/core/backup.ts` gives its container. */
function hoursIn(env: List<string>): number | undefined {
  const found = env.find((pair) => pair.startsWith("EVERY_HOURS="));
  return found === undefined ? undefined : Number(found.slice("EVERY_HOURS=".length));
}
