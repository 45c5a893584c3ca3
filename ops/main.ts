/**
 * The package's plugin. It makes whole systems for programs in other languages, and does the work that must be able to
 * fail. A resource's create does it: a create that throws leaves no record, so the next `up` tries again. A failed wait
 * or hook would leave a record, and the next `up` would pass.
 */
import { readFile } from "node:fs/promises";
import module from "node:module";
import process from "node:process";

import { main } from "@pulumi/pulumi/provider/index.js";

import packageJson from "../package.json" with { type: "json" };

import { certificate } from "./certificate.ts";
import { ecsGate } from "./ecs-gate.ts";
import { finalizer } from "./finalizer.ts";
import { gate } from "./gate.ts";
import { orphans } from "./orphans.ts";
import type { Handler } from "./handler.ts";
import { job } from "./job.ts";
import { useLatestHost } from "./latest-host.ts";
import { cancel, watchParent } from "./lifetime.ts";
import { machine } from "./machine.ts";
import { nodeLabels } from "./node-labels.ts";
import { volumeNode } from "./volume-node.ts";
import { swarmNode } from "./swarm-node.ts";
import { serviceEnd } from "./service-end.ts";
import { serviceGate } from "./service-gate.ts";
import { identity } from "./stack-identity.ts";
import { volume } from "./volume.ts";
import { values } from "./wire.ts";
import type { Bag } from "./wire.ts";

const handlers = new Map<string, Handler>([
  ["platform-topologies:index:Certificate", certificate],
  ["platform-topologies:index:EcsGate", ecsGate],
  ["platform-topologies:index:Finalizer", finalizer],
  ["platform-topologies:index:Gate", gate],
  ["platform-topologies:index:Orphans", orphans],
  ["platform-topologies:index:Job", job],
  ["platform-topologies:index:Machine", machine],
  ["platform-topologies:index:NodeLabels", nodeLabels],
  ["platform-topologies:index:VolumeNode", volumeNode],
  ["platform-topologies:index:ServiceEnd", serviceEnd],
  ["platform-topologies:index:ServiceGate", serviceGate],
  ["platform-topologies:index:StackIdentity", identity],
  ["platform-topologies:index:SwarmNode", swarmNode],
  ["platform-topologies:index:Volume", volume],
]);

watchParent();
useLatestHost();
// The engine ends plugins before they write the cache themselves. Node 20 has no such cache.
(module as Partial<typeof module>).flushCompileCache?.();
void main(
  {
    version: packageJson.version,
    getSchema: () => readFile(new URL("schema.json", import.meta.url), "utf8"),
    construct: async (name, type, inputs: Bag, options) => {
      // Most runs want no system of us.
      const { construct } = await import("../components/construct.ts");
      return construct(type, name, inputs, options);
    },
    check: (urn, olds: Bag, news: Bag) => {
      const handler = find(urn);
      const asked = values(news);
      const reasons: string[] = [];
      if (!asked.partial) {
        const { error } = handler.inputs.safeParse(asked.plain);
        reasons.push(...(error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`));
      }
      // A throw in diff would be printed with its stack by the SDK's server; a failed check is one line.
      const refused = Object.keys(olds).length > 0 ? handler.refuse?.(values(olds), asked) : undefined;
      if (refused !== undefined) reasons.push(refused);
      return Promise.resolve({ inputs: news, failures: reasons.map((reason) => ({ property: "", reason })) });
    },
    diff: (_id, urn, olds: Bag, news: Bag) => Promise.resolve(find(urn).diff(values(olds), values(news))),
    create: async (urn, inputs: Bag) => {
      const handler = find(urn);
      const made = await handler.create(values(inputs));
      return { id: handler.id?.(made) ?? nameOf(urn), outs: { ...inputs, ...made } };
    },
    update: async (_id, urn, olds: Bag, news: Bag) => ({
      outs: { ...news, ...(await find(urn).update(values(olds), values(news))) },
    }),
    read: (id, urn, state: Bag) =>
      plainly(async () => {
        const handler = find(urn);
        const now = handler.read ? await handler.read(values(state)) : {};
        return now ? { id, props: { ...state, ...now } } : { id: "", props: {} };
      }),
    delete: (_id, urn, state: Bag) =>
      plainly(async () => {
        await find(urn).delete?.(values(state));
      }),
    cancel: () => {
      cancel();
      return Promise.resolve();
    },
  },
  process.argv.slice(2),
);

/** Throws without a stack: the SDK's server prints the stack of what a read or delete throws. */
async function plainly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) error.stack = "";
    throw error;
  }
}

/** `urn:pulumi:stack::project::parent$type::name`. */
function find(urn: string): Handler {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const handler = handlers.get(type);
  if (!handler) throw new Error(`the platform-topologies provider has no resource ${type}`);
  return handler;
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
