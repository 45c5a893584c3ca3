import { z } from "zod";

import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { anywhere, ecsJob, inForm, job } from "./job-inputs.ts";
import { runJob } from "./job.ts";
import type { Bag } from "./wire.ts";

const onEngine = z.object({ host: z.string(), job: job.omit({ host: true, trigger: true, disks: true }) });
const onEcs = z.object({ job: ecsJob.omit({ trigger: true, disks: true }).strict() });

const onItsPlace = ({ job }: Bag): typeof onEngine | typeof onEcs =>
  (job as Bag | undefined)?.ecs === undefined ? onEngine : onEcs;

const inputs = inForm(["host", "job"], onItsPlace);

const differences = compare(inputs, []);

/** A job that runs when this is deleted. */
export const finalizer: Handler = {
  inputs,
  diff: (olds, news) => differences(anywhere(olds), anywhere(news)),
  create: () => Promise.resolve({}),
  update: () => Promise.resolve({}),
  delete: async ({ plain, secrets }) => {
    const asked = onItsPlace(plain).parse(plain);
    const trigger = "finalizer";
    await runJob("host" in asked ? { ...asked.job, host: asked.host, trigger } : { ...asked.job, trigger }, secrets);
  },
};
