/** Tells from what the managers know why a service does not work, and what to do. Plain values in and out. */
import { eligible } from "../../../ops/placement.ts";
import {
  generationLabel,
  volumeNodeLabel,
  volumeNodeOwnerLabel,
  spreadLabel,
} from "../../../ops/volume-node-choice.ts";
import { lastFailed, running, type ServiceView, unplacedReason } from "../../../ops/service-verdict.ts";
import type { Node } from "../../../ops/swarm.ts";
import type { Dict, List } from "../../core/contracts.ts";
import type { Known } from "../../core/known.ts";
import type { Broken } from "../survey.ts";
import { type KnownVolumeNode, knownVolumeNode, volumeOf } from "./volume-node-look.ts";

export interface Around {
  readonly constraints: List<string>;
  readonly nodes: List<Node>;
  /** The nodes as this run's config leaves them. */
  readonly planned: List<Node>;
  /** The outputs of the state's volume nodes. */
  readonly volumeNodes: List<Known["outputs"]>;
}

/** Why a service does not work. Undefined while it works, starts for the first time, or is being updated. */
export function brokenOf(name: string, view: ServiceView, around: Around): Broken | undefined {
  const { spec } = view;
  if (spec === undefined) return undefined;
  const unplaced = unplacedReason(view, spec);
  if (unplaced !== undefined) {
    const { constraints, nodes, planned } = around;
    const fit = (list: List<Node>): boolean => list.some((node) => eligible(node, constraints));
    const fate = !fit(nodes) && fit(planned) ? "mended" : "stays";
    return { fate, ...(fit(nodes) ? full(unplaced) : nodesWhy(around)), spec };
  }
  if (running(view, spec) >= view.wanted || view.update?.state === "updating") return undefined;
  const last = lastFailed(view, spec);
  return last && { why: `${last.title} fails: ${last.error}`, spec };
}

function full(unplaced: string): Broken {
  return { why: `no node can take it (${unplaced})`, remedy: "add a node, make room on one, or ask for less" };
}

/** Why the node does not work to which a service is bound. */
function nodesWhy({ constraints, nodes, volumeNodes }: Around): Broken {
  const volumeNode = volumeNodeOf(constraints, volumeNodes);
  const bound = nodes.find((node) => eligible(wellOf(node), constraints));
  if (bound !== undefined) return nodeWhy(bound, volumeNode, nodes);
  if (volumeNode === undefined) {
    const asked = constraints.join(", ");
    return { why: `no node of the swarm has ${asked}`, remedy: "give one these labels, or ask for others" };
  }
  const { name, node, nodeId } = volumeNode;
  if (nodes.some(({ ID }) => ID === nodeId)) return { why: `the node ${node} has lost its label`, fate: "mended" };
  const why = `its node ${node} has left the swarm`;
  const labels = {
    [volumeNodeLabel + name]: volumeNode.value,
    [spreadLabel + name]: volumeNode.spread,
    ...(volumeNode.generation === undefined ? {} : { [generationLabel + name]: volumeNode.generation }),
    ...(volumeNode.owner === undefined ? {} : { [volumeNodeOwnerLabel + name]: volumeNode.owner }),
  };
  const twin = nodes.find(({ Description, Status }) => Description.Hostname === node && Status.State === "ready");
  return { why, remedy: twin === undefined ? otherDisk(volumeNode) : moved(volumeNode, labels, twin) };
}

function nodeWhy(
  { ID, Description, Spec, Status }: Node,
  volumeNode: KnownVolumeNode | undefined,
  nodes: List<Node>,
): Broken {
  const { Hostname } = Description;
  if (Status.State === "ready") {
    const word = Spec.Availability === "drain" ? "drained" : "paused";
    return {
      why: `its node ${Hostname} is ${word}`,
      remedy: `\`docker node update --availability active ${Hostname}\``,
    };
  }
  const twin = nodes.find(
    (other) => other.Description.Hostname === Hostname && other.Status.State === "ready", // so it is another
  );
  const why = `its node ${Hostname} is ${Status.State}`;
  if (volumeNode === undefined) return { why, remedy: "bring it back, or give another node its labels" };
  if (twin === undefined) return { why, remedy: otherDisk(volumeNode) };
  const own = [volumeNodeLabel, spreadLabel, generationLabel, volumeNodeOwnerLabel].map(
    (prefix) => prefix + volumeNode.name,
  );
  const labels = Object.fromEntries(Object.entries(Spec.Labels).filter(([key]) => own.includes(key)));
  return {
    why: `${why}, and has joined the swarm again as ${twin.ID}`,
    remedy: `${moved(volumeNode, labels, twin)}, then \`docker node rm ${ID}\``,
  };
}

function otherDisk(volumeNode: KnownVolumeNode): string {
  const slot = slotOf(volumeNode);
  return `bring it back; or, for a new, empty disk elsewhere, which \`restore\` can fill, say disks: { ${slot}: <today> }`;
}

function moved(volumeNode: KnownVolumeNode, labels: Dict<string>, { ID }: Node): string {
  const adds = Object.entries(labels).map(([key, value]) => `--label-add ${key}=${value}`);
  return (
    `look there for the volume ${volumeOf(volumeNode.name, volumeNode.value)}; if it is there, \`docker node update ` +
    `${adds.join(" ")} ${ID}\`, else say disks: { ${slotOf(volumeNode)}: <today> } for a new, empty one`
  );
}

const slotOf = ({ name }: KnownVolumeNode): string => name.slice(name.indexOf(".") + 1);

/** The node as it would be if nothing were wrong with it. */
function wellOf(node: Node): Node {
  return { ...node, Status: { State: "ready" }, Spec: { ...node.Spec, Availability: "active" } };
}

function volumeNodeOf(constraints: List<string>, volumeNodes: Around["volumeNodes"]): KnownVolumeNode | undefined {
  const known = volumeNodes.flatMap((outputs) => knownVolumeNode.safeParse(outputs).data ?? []);
  return known.find(({ name, value }) => constraints.includes(`node.labels.${volumeNodeLabel}${name}==${value}`));
}
