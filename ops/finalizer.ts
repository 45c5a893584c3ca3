import { z } from "zod";

import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { job as jobInputs } from "./job-inputs.ts";
import { runJob } from "./job.ts";

const inputs = z.object({ host: z.string(), job: jobInputs.omit({ host: true, trigger: true, disks: true }) });

/** A job that runs when this is deleted. */
export const finalizer: Handler = {
  inputs,
  diff: compare(inputs, []),
  create: () => Promise.resolve({}),
  update: () => Promise.resolve({}),
  delete: async (state) => {
    const { host, job } = inputs.parse(state.plain);
    await runJob({ ...job, host, trigger: "finalizer" }, state.secrets);
  },
};
