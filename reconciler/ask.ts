/**
 * Asks stores what their clusters say of themselves: one job on the swarm, in the network of their members, with the toolbox'
 * clients. Its log has the answers, so a manager is all that has to be reached.
 */
import { setTimeout as sleep } from "node:timers/promises";

import type Docker from "dockerode";
import { z } from "zod";

import type { JobInputs } from "../ops/job-inputs.ts";
import { serviceJobs } from "../ops/job-service.ts";
import type { Store } from "./stores/index.ts";
import type { Login } from "./stores/store.ts";

export interface AskArgs {
  /** Prefix of the stack's services. */
  readonly name: string;
  /** The reference of the toolbox. */
  readonly image: string;
  readonly login: (store: string) => Login;
  /** Where its task may run. */
  readonly constraints: readonly string[];
  readonly registries: readonly string[];
}

/** How long a cluster may take to answer, and a node to start the job. */
const seconds = { answer: 60, job: 180 };
const folder = "/run/reconciler";
const end = "all have been asked";

/** The answers; a store that does not answer has none. @throws one sentence if nobody can be asked. */
export async function ask(engine: Docker, args: AskArgs, stores: readonly Store[]): Promise<Map<Store, unknown>> {
  const jobs = serviceJobs(engine);
  const job = jobOf(args, stores, await networksOf(engine, args.name, stores));
  await jobs.clear(job.name); // what a reconciler that was killed has left
  const run = await jobs.make(job);
  try {
    const limit = Date.now() + seconds.job * 1000;
    for (;;) {
      const ending = await run.ending();
      if (ending?.why !== undefined) throw new Error(`${job.name} ${ending.why}`);
      if (ending !== undefined) break;
      if (Date.now() > limit) throw new Error(`${job.name} did not end in ${String(seconds.job)} s`);
      await sleep(500);
    }
    // A node sends the end of a log a moment after the task has ended.
    for (let tries = 20; tries > 0; tries--) {
      const lines = await run.lines(100_000, []);
      if (lines.includes(end)) return answersIn(lines, stores);
      await sleep(500);
    }
    throw new Error(`${job.name}: its log cannot be read`);
  } finally {
    await run.remove();
  }
}

/** Each line is the number of a store, and a part of its answer in base64: Docker cuts lines of a log at 16 KiB. */
export function answersIn(lines: readonly string[], stores: readonly Store[]): Map<Store, unknown> {
  const parts = lines.map((line) => line.split(" "));
  return new Map(
    stores.flatMap((store, index): [Store, unknown][] => {
      const text = parts.flatMap(([number, part = ""]) => (number === String(index) ? [part] : [])).join("");
      return text === "" ? [] : [[store, JSON.parse(Buffer.from(text, "base64").toString())]];
    }),
  );
}

/** The job, with each login in a secret file of its own. */
export function jobOf(args: AskArgs, stores: readonly Store[], networks: readonly string[]): JobInputs {
  const { name, image, login, constraints, registries } = args;
  const files = stores.map(({ name: store, kind }, index) => ({
    path: `${folder}/${String(index)}`,
    content: kind.login(login(store)),
    secret: true,
  }));
  const asked = stores.map(({ kind, members }, index) => asking(index, kind.script(members.map((each) => each.name))));
  return {
    host: "",
    name: `${name}-reconciler`,
    image,
    entrypoint: [
      "bash",
      "-uc",
      [...asked, "wait", ...stores.map((_, index) => telling(index)), `echo ${end}`].join("\n"),
    ],
    command: [],
    env: { HOME: "/tmp", RES_OPTIONS: "timeout:1 attempts:1" },
    files: files.filter(({ content }) => content !== ""),
    networks: [...networks],
    user: "65534:65534",
    memoryMib: 256,
    cpu: 1,
    seconds: seconds.job,
    trigger: "",
    swarm: { constraints: [...constraints], registries: [...registries] },
  };
}

/** Asks beside the others, and keeps a whole answer alone. */
function asking(index: number, script: string): string {
  const number = String(index);
  return `cat >/tmp/${number}.sh <<'SCRIPT'
login=${folder}/${number}
${script}
SCRIPT
(timeout ${String(seconds.answer)} bash -euo pipefail /tmp/${number}.sh >/tmp/${number}.json && jq -ce . /tmp/${number}.json >/tmp/${number}) &`;
}

function telling(index: number): string {
  return `if [ -s /tmp/${String(index)} ]; then base64 -w 8000 /tmp/${String(index)} | sed 's/^/${String(index)} /'; fi`;
}

const attached = z.object({
  Spec: z.object({ TaskTemplate: z.object({ Networks: z.array(z.object({ Target: z.string() })).default([]) }) }),
});

/** The networks of the stores' members: one is the data network, whoever made it. */
async function networksOf(engine: Docker, name: string, stores: readonly Store[]): Promise<string[]> {
  const firsts = await Promise.all(
    stores.map(async ({ members }) => {
      const found = await Promise.all(
        members.map((member) =>
          engine
            .getService(`${name}-${member.name}`)
            .inspect()
            .catch(() => undefined),
        ),
      );
      const service = attached.safeParse(found.find((each) => each !== undefined));
      return service.success ? service.data.Spec.TaskTemplate.Networks.map(({ Target }) => Target) : [];
    }),
  );
  return [...new Set(firsts.flat())];
}
