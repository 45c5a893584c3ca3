/** Why a service does not work, and what to do about it: from what the managers know. Plain values in and out. */
import { eligible } from "../../../ops/placement.ts";
import { generationLabel, seatLabel, seatOwnerLabel, spreadLabel } from "../../../ops/seat-choice.ts";
import { lastFailed, running, type ServiceView, unplacedReason } from "../../../ops/service-verdict.ts";
import type { Node } from "../../../ops/swarm.ts";
import type { Dict, List } from "../../core/contracts.ts";
import type { Known } from "../../core/known.ts";
import type { Broken } from "../survey.ts";
import { type KnownSeat, knownSeat, volumeOf } from "./seat-look.ts";

export interface Around {
  readonly constraints: List<string>;
  readonly nodes: List<Node>;
  /** The nodes as this run's config leaves them. */
  readonly planned: List<Node>;
  /** The outputs of the state's seats. */
  readonly seats: List<Known["outputs"]>;
}

/** Undefined while it works, or is on its way: what starts for the first time, or is being updated. */
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

/** Of the node that it is bound to. */
function nodesWhy({ constraints, nodes, seats }: Around): Broken {
  const seat = seatOf(constraints, seats);
  const bound = nodes.find((node) => eligible(wellOf(node), constraints));
  if (bound !== undefined) return nodeWhy(bound, seat, nodes);
  if (seat === undefined) {
    const asked = constraints.join(", ");
    return { why: `no node of the swarm has ${asked}`, remedy: "give one these labels, or ask for others" };
  }
  const { name, node, nodeId } = seat;
  if (nodes.some(({ ID }) => ID === nodeId)) return { why: `the node ${node} has lost its label`, fate: "mended" };
  const why = `its node ${node} has left the swarm`;
  const labels = {
    [seatLabel + name]: seat.value,
    [spreadLabel + name]: seat.spread,
    ...(seat.generation === undefined ? {} : { [generationLabel + name]: seat.generation }),
    ...(seat.owner === undefined ? {} : { [seatOwnerLabel + name]: seat.owner }),
  };
  const twin = nodes.find(({ Description, Status }) => Description.Hostname === node && Status.State === "ready");
  return { why, remedy: twin === undefined ? otherDisk(seat) : moved(seat, labels, twin) };
}

function nodeWhy({ ID, Description, Spec, Status }: Node, seat: KnownSeat | undefined, nodes: List<Node>): Broken {
  const { Hostname } = Description;
  if (Status.State === "ready") {
    const word = Spec.Availability === "drain" ? "drained" : "paused";
    return {
      why: `its node ${Hostname} is ${word}`,
      remedy: `\`docker node update --availability active ${Hostname}\``,
    };
  }
  const twin = nodes.find(
    (other) => other.ID !== ID && other.Description.Hostname === Hostname && other.Status.State === "ready",
  );
  const why = `its node ${Hostname} is ${Status.State}`;
  if (seat === undefined) return { why, remedy: "bring it back, or give another node its labels" };
  if (twin === undefined) return { why, remedy: otherDisk(seat) };
  const own = [seatLabel, spreadLabel, generationLabel, seatOwnerLabel].map((prefix) => prefix + seat.name);
  const labels = Object.fromEntries(Object.entries(Spec.Labels).filter(([key]) => own.includes(key)));
  return {
    why: `${why}, and has joined the swarm again as ${twin.ID}`,
    remedy: `${moved(seat, labels, twin)}, then \`docker node rm ${ID}\``,
  };
}

function otherDisk(seat: KnownSeat): string {
  const slot = slotOf(seat);
  return `bring it back; or, for a new, empty disk elsewhere, which \`restore\` can fill, say disks: { ${slot}: <today> }`;
}

function moved(seat: KnownSeat, labels: Dict<string>, { ID }: Node): string {
  const adds = Object.entries(labels).map(([key, value]) => `--label-add ${key}=${value}`);
  return (
    `look there for the volume ${volumeOf(seat.name, seat.value)}; if it is there, \`docker node update ` +
    `${adds.join(" ")} ${ID}\`, else say disks: { ${slotOf(seat)}: <today> } for a new, empty one`
  );
}

const slotOf = ({ name }: KnownSeat): string => name.slice(name.indexOf(".") + 1);

/** As it is when nothing is wrong with it. */
function wellOf(node: Node): Node {
  return { ...node, Status: { State: "ready" }, Spec: { ...node.Spec, Availability: "active" } };
}

function seatOf(constraints: List<string>, seats: Around["seats"]): KnownSeat | undefined {
  const known = seats.flatMap((outputs) => knownSeat.safeParse(outputs).data ?? []);
  return known.find(({ name, value }) => constraints.includes(`node.labels.${seatLabel}${name}==${value}`));
}
