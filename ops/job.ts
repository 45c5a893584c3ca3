import { z } from "zod";

import { ecsOf, explainAws, pauses } from "./aws.ts";
import { explain, reach } from "./docker.ts";
import { taskJobs } from "./ecs-job.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { containerJobs } from "./job-container.ts";
import { anywhere, ecsJob, inForm, job as engineJob } from "./job-inputs.ts";
import type { EcsJobInputs, JobInputs, Runner } from "./job-inputs.ts";
import { serviceJobs } from "./job-service.ts";
import { pause } from "./lifetime.ts";
import { block, redact } from "./logs.ts";
import type { Bag, Values } from "./wire.ts";

const onEngine = engineJob.refine(({ swarm, networks }) => !swarm || networks.length > 0, {
  path: ["networks"],
  message: "a job on a swarm needs a network: a service cannot have none",
});

const formOf = (given: Bag): typeof onEngine | typeof ecsJob => (given.ecs === undefined ? onEngine : ecsJob);

const inputs = inForm([...Object.keys(engineJob.shape), "ecs"], formOf);

/**
 * Runs a container to its end, on an engine, on a node of a swarm, or on ECS. It finds a run that an ended provider
 * left behind by its name, and takes it over: a migration must neither be lost nor run twice.
 */
export const job: Handler = {
  inputs,
  diff: (olds, news) => {
    const { changes, replaces = [] } = differences(anywhere(olds), anywhere(news));
    const anew = otherDisk(olds, news);
    return { changes: changes || anew, replaces: anew ? [...replaces, "disks"] : replaces };
  },
  create: async (given) => {
    await runJob(formOf(given.plain).parse(given.plain), given.secrets);
    return {};
  },
  update: () => Promise.resolve({}),
  delete: async (state) => {
    const asked = formOf(state.plain).parse(state.plain);
    try {
      if ("ecs" in asked) await taskJobs(await ecsOf(asked.ecs.at), asked).clear(asked.name);
      else await (await runner(asked)).clear(asked.name);
    } catch (error) {
      throw explained(error, asked);
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

type Asked = JobInputs | EcsJobInputs;

/** Throws unless the job ends well. Leaves nothing of the job either way, unless it is interrupted. */
export async function runJob(asked: Asked, hidden: readonly string[]): Promise<void> {
  const secrets = [...hidden, ...(asked.redact ?? [])];
  try {
    if ("ecs" in asked) {
      const rest = pauses(goesOn(asked));
      await toItsEnd(taskJobs(await ecsOf(asked.ecs.at), asked), asked, secrets, rest);
      return;
    }
    const contents = (asked.files ?? []).filter((file) => file.secret).map((file) => file.content);
    secrets.push(...Object.values(asked.secretEnv ?? {}), ...contents);
    await toItsEnd(await runner(asked), asked, secrets, () => pause(500, goesOn(asked)));
  } catch (error) {
    throw explained(error, asked);
  }
}

function goesOn({ name }: Asked): string {
  return `${name} was cancelled here and goes on in its container: the next up waits for it`;
}

function explained(error: unknown, asked: Asked): Error {
  return "ecs" in asked ? explainAws(error, asked.ecs.at) : explain(error, asked.host);
}

async function runner({ host, swarm }: JobInputs): Promise<Runner> {
  const docker = await reach(host);
  return swarm ? serviceJobs(docker) : containerJobs(docker);
}

async function toItsEnd<A extends Asked>(
  jobs: Runner<A>,
  asked: A,
  secrets: readonly string[],
  rest: () => Promise<void>,
): Promise<void> {
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
      throw new Error(`${name} ${redact(why, secrets)}${block("last log lines", log)}`);
    }
    await rest();
  }
}
