import { randomBytes } from "node:crypto";

import type Docker from "dockerode";
import { z } from "zod";

import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import {
  choose,
  constraints,
  describeConstraints,
  foreignVolumeNode,
  generationLabel,
  volumeNodeLabel,
  volumeNodeOwnerLabel,
  spreadLabel,
} from "./volume-node-choice.ts";
import { describeNodes, editNode, listNodes, onSwarm, relabel } from "./swarm.ts";
import type { Node } from "./swarm.ts";
import { changed } from "./wire.ts";
import type { Bag } from "./wire.ts";

const inputs = z.object({
  host: z.string(),
  // A placement constraint takes no other letters in a label's name.
  name: z.string().regex(/^[\w.-]+$/, "has to be of letters, digits, '-', '_' and '.'"),
  constraints,
  spread: z.string(),
  generation: z.string().optional(),
  owner: z.string().optional(),
  spare: z.boolean().optional(),
  round: z.string().optional(),
});
type Asked = z.infer<typeof inputs>;

/** `node` is empty once its label was found to be gone. `value`: the label's. */
const place = z.object({ node: z.string(), nodeId: z.string(), value: z.string() });
type Place = z.infer<typeof place>;

const differences = compare(inputs, ["generation"]);

/** A label on a node says where a slot's disk lives. The node is chosen once. */
export const volumeNode: Handler = {
  inputs,
  refuse: ({ plain: olds }, { plain: news }) =>
    olds.name === news.name
      ? undefined
      : `the volume node ${String(olds.name)} keeps a disk, and cannot become ${String(news.name)}: put the name back; to move, ` +
        "make a new stack with `restore`",
  diff: (olds, news) => {
    const found = differences(olds, news);
    return { ...found, changes: found.changes || olds.plain.node === "" };
  },
  create: (given) => {
    const asked = inputs.parse(given.plain);
    return onSwarm(asked.host, async (docker) => {
      const nodes = await listNodes(docker);
      const taken = holders(nodes, asked.name);
      for (const node of taken)
        if ((node.Spec.Labels[volumeNodeOwnerLabel + asked.name] ?? "") !== (asked.owner ?? ""))
          throw new Error(`the volume node ${asked.name}: ${foreignVolumeNode(asked.name, node)}`);
      const [held, ...more] = taken.filter(
        // An interrupted run has left this label. The label of another generation is not adopted: a new one means a new
        // node.
        ({ Spec }) => (Spec.Labels[generationLabel + asked.name] ?? "") === (asked.generation ?? ""),
      );
      if (more.length > 0)
        throw new Error(
          `several nodes have the label ${volumeNodeLabel}${asked.name}: leave it on the one with the data`,
        );
      const node = held ?? choose(nodes, asked.constraints, asked.spread);
      if (!node) {
        throw new Error(
          `no node can keep the disk of ${asked.name}: wanted is ${describeConstraints(asked.constraints)}; there are ${describeNodes(nodes)}`,
        );
      }
      const made = {
        node: node.Description.Hostname,
        nodeId: node.ID,
        value: held?.Spec.Labels[volumeNodeLabel + asked.name] ?? randomBytes(3).toString("hex"),
      };
      await write(docker, asked, made);
      return made;
    });
  },
  id: (made) => place.parse(made).value,
  read: (state) => {
    const { host, name } = inputs.parse(state.plain);
    const known = place.parse(state.plain);
    return onSwarm(host, async (docker): Promise<Bag> => {
      const found = holders(await listNodes(docker), name);
      const node =
        found.find(({ ID, Spec }) => ID === known.nodeId && Spec.Labels[volumeNodeLabel + name] === known.value) ??
        found.find(({ Spec }) => Spec.Labels[volumeNodeLabel + name] === known.value);
      return node ? { node: node.Description.Hostname, nodeId: node.ID } : { node: "" };
    });
  },
  update: (olds, news) => {
    const asked = inputs.parse(news.plain);
    const known = place.parse(olds.plain);
    if (known.node !== "" && changed(olds, news, ["spread", "owner", "round"]).length === 0)
      return Promise.resolve(known);
    return onSwarm(asked.host, async (docker) => {
      const nodes = await listNodes(docker);
      // An operator may have moved the label.
      const held = holders(nodes, asked.name).find(
        ({ Spec }) => Spec.Labels[volumeNodeLabel + asked.name] === known.value,
      );
      const nodeId = held?.ID ?? known.nodeId;
      await write(docker, asked, { ...known, nodeId });
      return { ...known, nodeId, node: nodes.find(({ ID }) => ID === nodeId)?.Description.Hostname ?? "" };
    });
  },
  delete: async (state) => {
    const { host, name } = inputs.parse(state.plain);
    const { value } = place.parse(state.plain);
    await onSwarm(host, async (docker) => {
      for (const { ID } of await listNodes(docker)) {
        // The labels of the next generation may be on the same node by now.
        await editNode(docker, ID, (spec) =>
          (spec.Labels[volumeNodeLabel + name] ?? value) === value && ours(name).some((key) => key in spec.Labels)
            ? { ...spec, Labels: relabel(spec.Labels, ours(name), {}) }
            : undefined,
        );
      }
    });
  },
};

function holders(nodes: readonly Node[], name: string): Node[] {
  return nodes.filter(({ Spec }) => Spec.Labels[volumeNodeLabel + name] !== undefined);
}

function ours(name: string): string[] {
  return [volumeNodeLabel, spreadLabel, generationLabel, volumeNodeOwnerLabel].map((prefix) => prefix + name);
}

async function write(
  docker: Docker,
  { name, spread, generation, owner }: Asked,
  { node, nodeId, value }: Place,
): Promise<void> {
  const labels = {
    [volumeNodeLabel + name]: value,
    [spreadLabel + name]: spread,
    ...(generation === undefined || generation === "" ? {} : { [generationLabel + name]: generation }),
    ...(owner === undefined ? {} : { [volumeNodeOwnerLabel + name]: owner }),
  };
  const there = await editNode(docker, nodeId, (spec) => ({
    ...spec,
    Labels: relabel(spec.Labels, ours(name), labels),
  }));
  if (!there) {
    throw new Error(
      `the node ${node === "" ? nodeId : node}, which keeps the disk of ${name}, is not in the swarm any more: bring it back, or give ` +
        `its label ${volumeNodeLabel}${name}=${value} to the node that has the data now, or say another word for its disk: a new, ` +
        "empty one",
    );
  }
}
