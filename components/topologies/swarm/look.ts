/** Lists what a swarm has, for a survey. */
import { z } from "zod";

import { explain, ifThere, reach } from "../../../ops/docker.ts";
import { serviceShape, viewOf } from "../../../ops/service-gate.ts";
import { listNodes, listTasks, type Node, removeService, type Task } from "../../../ops/swarm.ts";
import type { Dict, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { Known } from "../../core/known.ts";
import { type Adopted, type Member, networkShape } from "../adopted.ts";
import { type Kind, marksOf, nameLabel, ownerOf, Survey, type There, type Thing } from "../survey.ts";
import type { NodeArgs, SwarmArgs } from "./args.ts";
import { volumeNodeThings } from "./volume-node-look.ts";
import { brokenOf } from "./service-look.ts";

/** The types of the resources that make each kind. */
export const types: Dict<Kind> = {
  "docker:index/service:Service": "service",
  "docker:index/network:Network": "network",
  "platform-topologies:index:NodeLabels": "node",
  "platform-topologies:index:VolumeNode": "volume node",
};

/** How long the tasks of a service that an interrupted run has left may take to stop. */
const endLimit = 30_000;

/** Looks at a swarm before anything is made on it. */
export function surveyOf(component: string, { site, managers, nodes = {} }: SwarmArgs, adopted: Adopted): Survey {
  const host = managers.join(",");
  return new Survey({
    component,
    name: site.name,
    words: site.disks,
    host: { key: "swarm.managers", value: host },
    types,
    look: (state) => lookAt(host, component, site.name, nodes, state, adopted),
    remove: (thing) => removeFrom(host, thing),
  });
}

/** What the swarm has, and what of the state it has lost. */
export async function lookAt(
  host: string,
  component: string,
  name: string,
  planned: Dict<NodeArgs>,
  state: List<Known>,
  adopted?: Adopted,
): Promise<There> {
  const owner = ownerOf(state, component);
  try {
    const engine = await reach(host);
    const [swarm, listed, networks, nodes, secrets, configs] = await Promise.all([
      engine.swarmInspect() as Promise<{ ID: string }>,
      engine.listServices(),
      engine.listNetworks(),
      listNodes(engine),
      engine.listSecrets(),
      engine.listConfigs(),
    ]);
    const services = z.array(listedShape).parse(listed);
    const known = services.filter(({ Spec }) => ofType(state, "service").some((each) => each.name === Spec.Name));
    const tasks = known.length === 0 ? [] : await listTasks(engine, ...known.map(({ ID }) => ID));
    return {
      engine: swarm.ID,
      places: [swarm.ID, ...nodes.map(({ ID }) => ID)],
      things: [
        ...services.map((service) =>
          known.includes(service)
            ? serviceThing(service, tasks, nodes, { nodes: asPlanned(nodes, planned), state })
            : { kind: "service" as const, name: service.Spec.Name, labels: service.Spec.Labels ?? {} },
        ),
        ...networks.map(({ Id, Name, Labels }): Thing => ({
          kind: "network",
          name: Name,
          id: Id,
          labels: Labels ?? {},
        })),
        ...volumeNodeThings(name, owner, state, nodes),
        ...nodeThings(component, state, nodes),
      ],
      problems: [
        ...missingFiles({ name, owner }, host, state, filesShape.parse([...secrets, ...configs])),
        ...((await adopted?.problems({
          driver: "overlay",
          networks: z.array(networkShape).parse(networks),
          members: (names) => Promise.resolve(membersOf(services, networks, names)),
        })) ?? []),
      ],
    };
  } catch (error) {
    throw explain(error, host);
  }
}

/** The services in some networks, and what each is called in all of its networks. A manager knows of no container's names. */
function membersOf(
  services: List<z.infer<typeof listedShape>>,
  networks: List<{ readonly Id: string; readonly Name: string }>,
  names: List<string>,
): Member[] {
  const nameOf = new Map(networks.map(({ Id, Name }) => [Id, Name]));
  return services
    .map(({ Spec }): Member => {
      const joined = [...(Spec.TaskTemplate?.Networks ?? []), ...(Spec.Networks ?? [])];
      const called = joined.map(
        ({ Target, Aliases }) => [nameOf.get(Target) ?? Target, [Spec.Name, ...(Aliases ?? [])]] as const,
      );
      return { what: `the service ${Spec.Name}`, stack: Spec.Labels?.[nameLabel], names: Object.fromEntries(called) };
    })
    .filter((member) => names.some((name) => Object.hasOwn(member.names, name)));
}

const filesShape = z.array(z.object({ Spec: z.object({ Name: z.string() }) }).transform(({ Spec }) => Spec.Name));

/**
 * Secrets and configs of this stack that are missing. They belong to a service that is missing, too: a swarm removes
 * none that is in use. The provider cannot replace a missing one.
 */
export function missingFiles(
  of: { readonly name: string; readonly owner: string | undefined },
  host: string,
  state: List<Known>,
  there: List<string>,
): Problem[] {
  const [first, ...more] = state
    .filter(({ type, outputs }) => {
      const { name, owner } = marksOf(outputs);
      return /:(Secret|ServiceConfig)$/.test(type) && name === of.name && owner === of.owner;
    })
    .map(({ outputs }) => String(outputs.name))
    .filter((each) => !there.includes(each))
    .sort();
  if (first === undefined) return [];
  const others = more.length > 0 ? ` and ${String(more.length)} more` : "";
  return [
    {
      key: "swarm.managers",
      value: host,
      remedy: `the secret or config ${first}${others} of this stack was removed from the swarm: \`pulumi refresh\` forgets what is missing, then \`pulumi up\` makes it again`,
    },
  ];
}

const attachedShape = z
  .array(z.looseObject({ Target: z.string().default(""), Aliases: z.array(z.string()).nullish() }))
  .nullish();
const listedShape = z.looseObject({
  ID: z.string(),
  Spec: z.looseObject({
    Name: z.string(),
    Labels: z.record(z.string(), z.string()).nullish(),
    Networks: attachedShape,
    TaskTemplate: z.looseObject({ Networks: attachedShape }).nullish(),
  }),
});

/** A service of this state, with the reason why it does not work. */
function serviceThing(
  service: z.infer<typeof listedShape>,
  all: List<Task>,
  nodes: List<Node>,
  planned: { readonly nodes: List<Node>; readonly state: List<Known> },
): Thing {
  const parsed = serviceShape.parse(service);
  const tasks = all.filter(({ ServiceID }) => ServiceID === service.ID);
  const view = viewOf(parsed, tasks, nodes);
  return {
    kind: "service",
    name: service.Spec.Name,
    id: service.ID,
    labels: service.Spec.Labels ?? {},
    ...(view.global ? {} : { scale: view.wanted }),
    broken: brokenOf(service.Spec.Name, view, {
      constraints: parsed.Spec.TaskTemplate.Placement?.Constraints ?? [],
      nodes,
      planned: planned.nodes,
      volumeNodes: ofType(planned.state, "volume node"),
    }),
  };
}

/** The nodes as this run's config leaves them. */
function asPlanned(nodes: List<Node>, planned: Dict<NodeArgs>): Node[] {
  return nodes.map((node) => {
    const { labels = {}, availability = node.Spec.Availability } = planned[node.Description.Hostname] ?? {};
    return { ...node, Spec: { ...node.Spec, Availability: availability, Labels: { ...node.Spec.Labels, ...labels } } };
  });
}

/** Nodes that somebody has changed since the state's last run. Another swarm of the program may have nodes of these names. */
export function nodeThings(component: string, state: List<Known>, nodes: List<Node>): Thing[] {
  const described = state.filter(({ urn, outputs }) => urn.endsWith(`::${component}-${String(outputs.node)}`));
  return ofType(described, "node").flatMap(({ node: name, labels, availability }): Thing[] => {
    if (typeof name !== "string") return [];
    const found = nodes.filter(({ Description }) => Description.Hostname === name);
    const node = found.find(({ Status }) => Status.State === "ready") ?? found[0];
    if (node === undefined) return [];
    const wanted = z.record(z.string(), z.string()).catch({}).parse(labels);
    const lost = Object.entries(wanted).filter(([key, value]) => node.Spec.Labels[key] !== value);
    const is = node.Spec.Availability;
    const why = [
      ...(lost.length > 0 ? [`has lost ${lost.map(([key, value]) => `${key}=${value}`).join(", ")}`] : []),
      ...(typeof availability === "string" && availability !== is ? [`is in ${is} instead of ${availability}`] : []),
    ];
    return [{ kind: "node", name, labels: {}, ...(why.length > 0 ? { down: why.join(", and ") } : {}) }];
  });
}

/** The outputs of all the state's resources that make this kind. */
function ofType(state: List<Known>, kind: Kind): Known["outputs"][] {
  return state.flatMap(({ type, outputs }) => (types[type] === kind ? [outputs] : []));
}

/** Removes what an interrupted run has left. */
export async function removeFrom(host: string, { kind, name }: Thing): Promise<void> {
  const engine = await reach(host);
  if (kind === "service") await removeService(engine, name, endLimit);
  if (kind === "network") await ifThere(engine.getNetwork(name).remove());
}
