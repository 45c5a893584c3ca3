import { z } from "zod";

import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { describeNodes, editNode, listNodes, onSwarm, relabel } from "./swarm.ts";
import type { Node } from "./swarm.ts";
import type { Values } from "./wire.ts";

const inputs = z.object({
  host: z.string(),
  node: z.string(),
  labels: z.record(z.string(), z.string()),
  availability: z.enum(["active", "pause", "drain"]).optional(),
  round: z.string().optional(),
});
type Asked = z.infer<typeof inputs>;

/** Labels and availability of one node. Labels that others have set stay. */
export const nodeLabels: Handler = {
  inputs,
  diff: compare(inputs, ["node"]),
  create: (given) => set(given),
  update: (olds, news) => set(news, olds),
  read: (state) => {
    const { host, node: name, labels, availability } = inputs.parse(state.plain);
    return onSwarm(host, async (docker) => {
      const node = pick(await listNodes(docker), name);
      if (!node) return undefined;
      const { Labels, Availability } = node.Spec;
      const found = Object.fromEntries(Object.entries(Labels).filter(([key]) => Object.hasOwn(labels, key)));
      return { labels: found, ...(availability === undefined ? {} : { availability: Availability }) };
    });
  },
  delete: async (state) => {
    const { host, node: name, labels, availability } = inputs.parse(state.plain);
    await onSwarm(host, async (docker) => {
      const node = pick(await listNodes(docker), name);
      if (!node) return;
      await editNode(docker, node.ID, (spec) => ({
        ...spec,
        Labels: relabel(spec.Labels, Object.keys(labels), {}),
        ...(availability === undefined ? {} : { Availability: "active" }),
      }));
    });
  },
};

function set(news: Values, olds?: Values): Promise<Record<string, never>> {
  const asked = inputs.parse(news.plain);
  const before: Asked | undefined = olds && inputs.parse(olds.plain);
  return onSwarm(asked.host, async (docker) => {
    const nodes = await listNodes(docker);
    const node = pick(nodes, asked.node);
    if (!node) throw new Error(`the swarm has no node ${asked.node}: there are ${describeNodes(nodes)}`);
    const availability = asked.availability ?? (before?.availability === undefined ? undefined : "active");
    await editNode(docker, node.ID, (spec) => ({
      ...spec,
      Labels: relabel(spec.Labels, Object.keys(before?.labels ?? {}), asked.labels),
      ...(availability === undefined ? {} : { Availability: availability }),
    }));
    return {};
  });
}

/** A node that was wiped and has joined again is listed twice: the old entry is down. */
function pick(nodes: readonly Node[], hostname: string): Node | undefined {
  const found = nodes.filter(({ Description }) => Description.Hostname === hostname);
  return found.find(({ Status }) => Status.State === "ready") ?? found[0];
}
