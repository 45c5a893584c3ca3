/** Compares the volume nodes in the swarm's node labels with those of the state. Plain values in and out. */
import { z } from "zod";

import { foreignVolumeNode, volumeNodeLabel, volumeNodeOwnerLabel } from "../../../ops/volume-node-choice.ts";
import type { Node } from "../../../ops/swarm.ts";
import type { List } from "../../core/contracts.ts";
import type { Known } from "../../core/known.ts";
import { diskLabel, ownerLabel, type Thing } from "../survey.ts";

/** A volume node as the state has it. */
export const knownVolumeNode = z.object({
  name: z.string(),
  node: z.string(),
  nodeId: z.string(),
  value: z.string(),
  spread: z.string(),
  generation: z.string().optional(),
  owner: z.string().optional(),
});
export type KnownVolumeNode = z.infer<typeof knownVolumeNode>;

/**
 * The volume nodes of the stack of this name, but for those whose node has left the swarm: their services report that.
 */
export function volumeNodeThings(
  prefix: string,
  owner: string | undefined,
  state: List<Known>,
  nodes: List<Node>,
): Thing[] {
  const begin = `${volumeNodeLabel}${prefix}.`;
  const known = new Map(
    state.flatMap(({ type, outputs }) => {
      const volumeNode =
        type === "platform-topologies:index:VolumeNode" ? knownVolumeNode.safeParse(outputs).data : undefined;
      const ours = volumeNode?.name.startsWith(`${prefix}.`) === true && volumeNode.owner === owner;
      return ours ? [[volumeNode.name, volumeNode] as const] : [];
    }),
  );
  const labelled = nodes.flatMap(({ Spec }) => Object.keys(Spec.Labels).filter((key) => key.startsWith(begin)));
  const names = new Set([...known.keys(), ...labelled.map((key) => key.slice(volumeNodeLabel.length))]);
  return [...names].flatMap((name) => thingOf(name, known.get(name), owner, nodes));
}

function thingOf(
  name: string,
  known: KnownVolumeNode | undefined,
  owner: string | undefined,
  nodes: List<Node>,
): Thing[] {
  const label = volumeNodeLabel + name;
  const holders = nodes.filter(({ Spec }) => Spec.Labels[label] !== undefined);
  const thing = (disk: string, more: Partial<Thing> = {}): Thing[] => [
    {
      kind: "volume node",
      name,
      labels: { [diskLabel]: disk, ...(owner === undefined ? {} : { [ownerLabel]: owner }) },
      ...more,
    },
  ];
  const [first] = holders;
  if (known === undefined) {
    const foreign = holders.find(
      ({ Spec }) => owner === undefined || Spec.Labels[volumeNodeOwnerLabel + name] !== owner,
    );
    return thing("", foreign === undefined ? {} : { refused: foreignVolumeNode(name, foreign) });
  }
  const { value, nodeId, node } = known;
  const own = holders.filter(({ Spec }) => Spec.Labels[label] === value);
  // A node that is down may be an old entry of the same machine, which has joined again.
  const ready = own.filter(({ Status }) => Status.State === "ready");
  if (ready.length > 1) return thing(value, { refused: several(name, value, ready) });
  if (own.length > 0) return thing(value);
  if (first !== undefined) return thing("", { refused: foreignVolumeNode(name, first) });
  if (!nodes.some(({ ID }) => ID === nodeId)) return [];
  return thing(value, { down: `has lost its label on the node ${node === "" ? nodeId : node}` });
}

function several(name: string, value: string, nodes: List<Node>): string {
  const hostnames = nodes.map(({ Description }) => Description.Hostname).join(" and ");
  const label = volumeNodeLabel + name;
  return (
    `the nodes ${hostnames} have the label ${label}=${value}: leave it on the one with the volume ` +
    `${volumeOf(name, value)}, and take it from the others: \`docker node update --label-rm ${label} <node>\``
  );
}

/** The name of the disk of a volume node: `shop-db-1-<id>` of `shop.db-1`. */
export function volumeOf(volumeNode: string, value: string): string {
  return `${volumeNode.replace(".", "-")}-${value}`;
}
