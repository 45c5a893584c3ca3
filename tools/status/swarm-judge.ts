/** Compares a stack's state with its swarm. Plain values in and out. */
import { z } from "zod";

import type { List } from "../../components/core/contracts.ts";
import { marksOf, ownerLabel } from "../../components/topologies/survey.ts";
import { missingFiles, nodeThings } from "../../components/topologies/swarm/look.ts";
import { brokenOf } from "../../components/topologies/swarm/service-look.ts";
import { volumeNodeThings } from "../../components/topologies/swarm/volume-node-look.ts";
import { describeWait, running, type ServiceView } from "../../ops/service-verdict.ts";
import { viewOf } from "../../ops/service-gate.ts";
import { type Around, type Finding, hour, type Part, type Seen } from "./model.ts";
import {
  cli,
  dockerServices,
  identitiesOf,
  nameOf,
  ofType,
  type Resource,
  type State,
  strangerTo,
  time,
} from "./state.ts";
import { managersOf, type Service, type SwarmSeen } from "./swarm.ts";

export function judgeSwarms(state: State, swarms: List<SwarmSeen>, around: Around): Seen {
  const managers = managersOf(state);
  const parts = ofType(state, dockerServices).flatMap((resource): Part[] => {
    const swarm = swarms.find(({ host }) => host === managers.get(resource.urn));
    const { name } = resource.outputs;
    return swarm === undefined || typeof name !== "string" ? [] : [partOf(state, resource, name, swarm, around)];
  });
  return { parts, findings: swarms.flatMap((swarm) => findingsOf(state, swarm, around)) };
}

function partOf(state: State, resource: Resource, name: string, swarm: SwarmSeen, around: Around): Part {
  const own = { name, kind: "service" } as const;
  if (swarm.failed !== undefined) return { ...own, condition: "unknown", where: [], why: "its swarm cannot be asked" };
  const found = swarm.services.find((each) => each.name === name);
  const up = `\`npm run pulumi -- up --stack ${around.stack}\``;
  if (found === undefined)
    return { ...own, condition: "unwell", where: [], why: "is not on its swarm", look: `${up} makes it again` };
  const tasks = swarm.tasks.filter(({ ServiceID }) => ServiceID === found.id);
  const view = viewOf(found.spec, tasks, swarm.nodes);
  const hostname = new Map(swarm.nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const going = tasks.filter(({ DesiredState, Status }) => DesiredState === "running" && Status.State === "running");
  const runs = view.spec === undefined ? going.length : running(view, view.spec);
  const rehearses = around.rehearsing.includes(found.image.replace(/@.*/, ""));
  const described = {
    ...own,
    image: found.image,
    ...(rehearses ? { rehearses } : {}),
    ...(view.wanted === 1 && !view.global ? {} : { replicas: { running: runs, wanted: view.wanted } }),
    where: [...new Set(going.map(({ NodeID }) => hostname.get(NodeID) ?? NodeID))].sort(),
    since: latest(going.map(({ Status }) => Status.Timestamp)),
  };
  const first = swarm.host.split(",")[0] ?? swarm.host;
  const log = `\`${cli(first)} service ps --no-trunc ${name}\`, then \`${cli(first)} service logs --tail 50 ${name}\``;
  if (marksOf(resource.outputs).owner !== found.labels[ownerLabel])
    return { ...described, condition: "unwell", why: "belongs to another state", look: `${up} says what to do` };
  const constraints = found.spec.Spec.TaskTemplate.Placement?.Constraints ?? [];
  const volumeNodes = ofType(state, "platform-topologies:index:VolumeNode").map(({ outputs }) => outputs);
  const broken = brokenOf(name, view, { constraints, nodes: swarm.nodes, planned: swarm.nodes, volumeNodes });
  if (broken !== undefined) {
    const failed = tasks.filter(({ Status }) => ["failed", "rejected", "pending"].includes(Status.State));
    const since = latest(failed.map(({ Status }) => Status.Timestamp));
    return { ...described, since, condition: "unwell", why: around.quote(broken.why), look: broken.remedy ?? log };
  }
  const fell = tasks.filter(
    ({ Status }) => Status.State === "failed" && around.now.getTime() - Date.parse(Status.Timestamp ?? "") < hour,
  ).length;
  const judged = notWhole(resource, found, view, runs, { log, up, quote: around.quote });
  if (judged.condition !== "well" || fell === 0) return { ...described, ...judged };
  return { ...described, condition: "care", why: `${String(fell)} of its tasks failed in the last hour`, look: log };
}

/** A service in which nothing has failed: is it as the state has it? */
function notWhole(
  resource: Resource,
  { id }: Service,
  view: ServiceView,
  runs: number,
  { log, up, quote }: { readonly log: string; readonly up: string; readonly quote: Around["quote"] },
): Pick<Part, "condition" | "why" | "look"> {
  const asked = replicated.safeParse(resource.outputs.mode).data?.replicated.replicas;
  const rolled = view.update?.state.startsWith("rollback") === true || view.update?.state === "paused";
  if (runs < view.wanted)
    return { condition: runs === 0 ? "unwell" : "care", why: quote(describeWait(view, view.spec ?? "")), look: log };
  if (rolled)
    return { condition: "care", why: `its update is ${view.update.state}: ${quote(view.update.message)}`, look: log };
  if (asked !== undefined && !view.global && asked !== view.wanted)
    return {
      condition: view.wanted === 0 ? "unwell" : "care",
      why: `was scaled by hand to ${String(view.wanted)}`,
      look: `${up} scales it back to ${String(asked)}`,
    };
  if (id !== resource.id)
    return { condition: "care", why: "is another one than the state's", look: `${up} puts it right` };
  return { condition: "well" };
}

const replicated = z.object({ replicated: z.object({ replicas: z.number() }) });

/** What is wrong with the swarm itself, and what is there that the state does not know. */
function findingsOf(state: State, swarm: SwarmSeen, { stack }: Around): Finding[] {
  const { host, failed, services, nodes, networks, files } = swarm;
  const first = cli(host.split(",")[0] ?? host);
  if (failed !== undefined)
    return [{ condition: "unknown", what: "the swarm", why: failed, look: `\`${first} node ls\`` }];
  const up = `\`npm run pulumi -- up --stack ${stack}\``;
  const known = ofType(state, dockerServices).map(({ outputs }) => outputs.name);
  const jobs = ofType(state, "platform-topologies:index:Job").map(({ outputs }) => outputs.name);
  const components = ofType(state, "platform-topologies:index:StackIdentity").map(({ urn }) =>
    nameOf(urn).replace(/-identity$/, ""),
  );
  return [
    ...nodes.flatMap(({ Description, Status, Spec }): Finding[] => {
      if (Status.State === "ready") return [];
      const what = `node ${Description.Hostname}`;
      return [{ condition: "care", what, why: `${Spec.Role}, is ${Status.State}`, look: `\`${first} node ls\`` }];
    }),
    ...components.flatMap((component) =>
      nodeThings(component, state.resources, nodes).flatMap(({ name, down }): Finding[] =>
        down === undefined ? [] : [{ condition: "care", what: `node ${name}`, why: down, look: `${up} puts it back` }],
      ),
    ),
    ...identitiesOf(state).flatMap(({ name, owner }): Finding[] => [
      ...volumeNodeThings(name, owner, state.resources, nodes).flatMap(({ name: volume, down, refused }): Finding[] => {
        const what = `disk ${volume}`;
        if (refused !== undefined) return [{ condition: "unwell", what, why: refused }];
        return down === undefined ? [] : [{ condition: "unwell", what, why: down, look: `${up} puts it back` }];
      }),
      ...missingFiles({ name, owner }, host, state.resources, files).map(({ remedy }): Finding => ({
        condition: "unwell",
        what: "secrets and configs",
        why: remedy,
      })),
    ]),
    ...ofType(state, "docker:index/network:Network").flatMap(({ provider, outputs: { name } }): Finding[] => {
      const ours = ofType(state, dockerServices).some((each) => each.provider === provider);
      if (!ours || typeof name !== "string" || networks.includes(name)) return [];
      return [
        { condition: "unwell", what: `network ${name}`, why: "is not on its swarm", look: `${up} makes it again` },
      ];
    }),
    ...services.flatMap(({ name, labels }): Finding[] => {
      if (known.includes(name) || jobs.includes(name)) return [];
      const why = strangerTo(state, labels[ownerLabel], "swarm");
      return [{ condition: "care", what: name, why, look: `\`${first} service inspect --pretty ${name}\`` }];
    }),
  ];
}

function latest(times: List<string | undefined>): string | undefined {
  return times
    .flatMap((each) => time(each) ?? [])
    .sort()
    .at(-1);
}
