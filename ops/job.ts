import { z } from "zod";

import { explain, reach } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { containerJobs } from "./job-container.ts";
import { job as inputs } from "./job-inputs.ts";
import type { JobInputs, Runner } from "./job-inputs.ts";
import { serviceJobs } from "./job-service.ts";
import { pause } from "./lifetime.ts";
import { block } from "./logs.ts";
import type { Values } from "./wire.ts";

/**
 * Runs a container to its end, on an engine or on a node of a swarm. It finds a run that an ended provider left behind
 * by its name, and takes it over: a migration must neither be lost nor run twice.
 */
export const job: Handler = {
  inputs: inputs.refine(({ swarm, networks }) => !swarm || networks.length > 0, {
    path: ["networks"],
    message: "a job on a swarm needs a network: a service cannot have none",
  }),
  diff: (olds, news) => {
    const { changes, replaces = [] } = differences(olds, news);
    const anew = otherDisk(olds, news);
    return { changes: changes || anew, replaces: anew ? [...replaces, "disks"] : replaces };
  },
  create: async (given) => {
    await runJob(inputs.parse(given.plain), given.secrets);
    return {};
  },
  update: () => Promise.resolve({}),
  delete: async (state) => {
    const asked = inputs.parse(state.plain);
    try {
      await (await runner(asked)).clear(asked.name);
    } catch (error) {
      throw explain(error, asked.host);
    }
  },
};

const differences = compare(inputs, ["trigger", "image", "command", "entrypoint"], ["disks", "ref", "registries"]);
const disks = z.record(z.string(), z.unknown()).catch({});

/**
 * Whether a slot has another disk, for which the job's work is not done. A further disk, or one less, does not count.
 */
function otherDisk(olds: Values, news: Values): boolean {
  const [before, now] = [disks.parse(olds.plain.disks), disks.parse(news.plain.disks)];
  return Object.keys(now).some((slot) => Object.hasOwn(before, slot) && before[slot] !== now[slot]);
}

/** Throws unless the job ends well. Leaves nothing of the job either way, unless it is interrupted. */
export async function runJob(asked: JobInputs, hidden: readonly string[]): Promise<void> {
  const contents = (asked.files ?? []).filter((file) => file.secret).map((file) => file.content);
  const secrets = [...hidden, ...(asked.redact ?? []), ...Object.values(asked.secretEnv ?? {}), ...contents];
  try {
    await toItsEnd(await runner(asked), asked, secrets);
  } catch (error) {
    throw explain(error, asked.host);
  }
}

async function runner({ host, swarm }: JobInputs): Promise<Runner> {
  const docker = await reach(host);
  return swarm ? serviceJobs(docker) : containerJobs(docker);
}

async function toItsEnd(jobs: Runner, asked: JobInputs, secrets: readonly string[]): Promise<void> {
  const { name, seconds } = asked;
  const run = (await jobs.takeOver(asked)) ?? (await jobs.make(asked));
  const limit = Date.now() + seconds * 1000;
  for (;;) {
    const ending = await run.ending();
    const late = Date.now() >= limit;
    if (ending || late) {
      if (!ending) await run.stop();
      const why = ending ? ending.why : `did not end in ${String(seconds)} s and was stopped`;
      const log = why === undefined ? [] : await run.lines(30, secrets);
      await run.remove();
      if (why === undefined) return;
      throw new Error(`${name} ${why}${block("last log lines", log)}`);
    }
    await pause(500, `${name} was cancelled here and goes on in its container: the next up waits for it`);
  }
}
