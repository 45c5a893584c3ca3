import { setTimeout as sleep } from "node:timers/promises";

import type Docker from "dockerode";
import { z } from "zod";

import { answered, reach } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";

const inputs = z.object({ host: z.string(), network: z.string(), label: z.string() });

/** Containers, and a swarm's services, that a stack's own programs started in one of its networks. */
export const orphans: Handler = {
  inputs,
  diff: compare(inputs, ["network"]),
  create: ({ plain }) => Promise.resolve({ network: inputs.parse(plain).network }),
  update: ({ plain }) => Promise.resolve({ network: inputs.parse(plain).network }),
  delete: async ({ plain }) => {
    const { host, network, label } = inputs.parse(plain);
    const docker = await reach(host);
    const { Swarm } = (await docker.info()) as { Swarm?: { ControlAvailable?: boolean } };
    if (Swarm?.ControlAvailable === true) await dismissServices(docker, network, label);
    const there = await docker.listContainers({ all: true, filters: { label: [label], network: [network] } });
    await Promise.all(there.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true }).catch(gone)));
  },
};

/** Removed services hold their network until their tasks have ended, on whatever node. */
async function dismissServices(docker: Docker, network: string, label: string): Promise<void> {
  const services = await docker.listServices({ filters: { label: [label] } });
  const here = services.filter(({ Spec }) => networks(Spec).some(({ Target }) => Target === network));
  await Promise.all(here.map(({ ID }) => docker.getService(ID).remove().catch(gone)));
  const ids = here.map(({ ID }) => ID);
  for (let left = 60; ids.length > 0 && left > 0; left--) {
    const tasks = (await docker.listTasks()) as { ServiceID?: string }[];
    if (!tasks.some(({ ServiceID = "" }) => ids.includes(ServiceID))) return;
    await sleep(1000);
  }
}

function networks(spec: Docker.ServiceSpec | undefined): readonly { readonly Target?: string | undefined }[] {
  return spec?.TaskTemplate && "Networks" in spec.TaskTemplate ? (spec.TaskTemplate.Networks ?? []) : [];
}

/** Ignores that somebody else has removed it first. */
function gone(error: unknown): void {
  if (!answered(error, 404) && !answered(error, 409)) throw error;
}
