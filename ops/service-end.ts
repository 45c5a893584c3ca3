import { z } from "zod";

import { explain, ifThere, reach } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { removeService } from "./swarm.ts";

const inputs = z.object({
  host: z.string(),
  service: z.string(),
  round: z.string(),
  seconds: z.number(),
  uses: z.array(z.string()),
});

/** The same as in resources-swarm.ts, which would load the SDK. */
const roundLabel = "platform-topologies.round";
const shape = z.object({ ID: z.string(), Spec: z.object({ Labels: z.record(z.string(), z.string()).nullish() }) });

/** Removes a service when this resource is deleted, but no service of another round. */
export const serviceEnd: Handler = {
  inputs,
  diff: compare(inputs.pick({ service: true, round: true, seconds: true }), ["service", "round"]),
  create: () => Promise.resolve({}),
  update: () => Promise.resolve({}),
  delete: async ({ plain }) => {
    const { host, service, round, seconds } = inputs.parse(plain);
    try {
      const docker = await reach(host);
      const found = await ifThere<unknown>(docker.getService(service).inspect());
      if (found === undefined) return;
      const { ID, Spec } = shape.parse(found);
      if (Spec.Labels?.[roundLabel] === round) await removeService(docker, ID, seconds * 1000);
    } catch (error) {
      throw explain(error, host);
    }
  },
};
