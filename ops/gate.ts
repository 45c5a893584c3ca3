import type Docker from "dockerode";
import { z } from "zod";

import { connect, explain, ifThere } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { pause } from "./lifetime.ts";
import { block, lastLines, redact } from "./logs.ts";
import { passes } from "./probe.ts";

const inputs = z.object({
  host: z.string(),
  container: z.string(),
  name: z.string(),
  seconds: z.number().positive(),
  redact: z.array(z.string()).optional(),
});

type Looks = Pick<Docker.ContainerInspectInfo, "State" | "RestartCount"> & {
  readonly Config: Pick<Docker.ContainerInspectInfo["Config"], "Healthcheck">;
};

/** What the first look saw: a gate may meet a container that has failed before. */
interface Start {
  readonly restarts: number;
  readonly probe: string | undefined;
}

export type Verdict = { readonly is: "healthy" | "waiting" } | { readonly is: "failed"; readonly why: string };

const interval = 500;
/** How long a container has to run before it passes without a health check of Docker's. */
const steady = 2000;

/** Done when a container is healthy. Throws why it does not become so, with its last log lines. */
export const gate: Handler = {
  inputs,
  diff: compare(inputs, ["container"]),
  create: async (given) => {
    const asked = inputs.parse(given.plain);
    try {
      const docker = await connect(asked.host);
      await wait(docker.getContainer(asked.container), asked, given.secrets);
    } catch (error) {
      throw explain(error, asked.host);
    }
    return {};
  },
  update: () => Promise.resolve({}),
};

async function wait(
  container: Docker.Container,
  asked: z.infer<typeof inputs>,
  hidden: readonly string[],
): Promise<void> {
  const limit = Date.now() + asked.seconds * 1000;
  const secrets = [...hidden, ...(asked.redact ?? [])];
  let start: Start | undefined;
  let run = { since: "", seen: 0 };
  for (;;) {
    const looks = await ifThere<Looks>(container.inspect());
    if (!looks) throw new Error(`${asked.name} did not become healthy: its container is gone`);
    start ??= { restarts: looks.RestartCount, probe: looks.State.Health?.Log.at(-1)?.End };
    // The engine's clock may differ from ours: we only compare its start times with each other.
    if (run.since !== looks.State.StartedAt) run = { since: looks.State.StartedAt, seen: Date.now() };
    const steadyFor = Date.now() - run.seen;
    const verdict = judge(looks, start, steadyFor);
    if (verdict.is === "healthy") return;
    // Docker's first health check comes after a whole interval, which would be most of an `up`: we ask before.
    if (verdict.is === "waiting" && steadyFor >= steady && looks.State.Running && !looks.State.Restarting)
      if (await passes(container, looks.Config.Healthcheck)) return;
    const late = Date.now() >= limit;
    if (verdict.is === "failed" || late) {
      const why = verdict.is === "failed" ? verdict.why : `${stateOf(looks)} after ${String(asked.seconds)} s`;
      const said = looks.State.Health?.Log.at(-1)?.Output ?? "";
      throw new Error(
        `${asked.name} did not become healthy: ${redact(why, secrets)}` +
          block("last log lines", await lastLines(container, 20, secrets)) +
          (looks.State.Health ? block("last health check", redact(said, secrets).split("\n")) : ""),
      );
    }
    await pause(interval, `waiting for ${asked.name} was cancelled: run up again`);
  }
}

/** `steadyFor`: how many milliseconds we have seen the same run of the process. */
export function judge({ State, RestartCount }: Omit<Looks, "Config">, start: Start, steadyFor: number): Verdict {
  const failed = (why: string): Verdict => ({ is: "failed", why });
  const code = `exit code ${String(State.ExitCode)}${State.OOMKilled ? ", out of memory" : ""}`;
  const health = State.Health?.Status;
  if (State.Running && !State.Restarting && health === "healthy") return { is: "healthy" };
  // Restarts before the first look do not count: their cause may have been put right.
  if (RestartCount >= 3 && RestartCount > start.restarts) {
    // While the process runs again, Docker does not tell the last exit code.
    const last = State.Running && !State.Restarting ? "" : ` (${code})`;
    return failed(`its process has ended and been restarted ${String(RestartCount)} times${last}`);
  }
  if (State.Restarting) return { is: "waiting" };
  if (State.Status === "created" && State.Error !== "") return failed(`it could not be started (${State.Error})`);
  if (["exited", "dead", "removing"].includes(State.Status)) return failed(`its process has ended with ${code}`);
  // Nor does an old verdict: one new probe has to confirm it.
  if (health === "unhealthy" && State.Health?.Log.at(-1)?.End !== start.probe) return failed("its health check fails");
  const unchecked = health === undefined || health === "none";
  return { is: State.Running && unchecked && steadyFor >= steady ? "healthy" : "waiting" };
}

function stateOf({ State }: Looks): string {
  const health = State.Health?.Status;
  return health === "starting" ? "its health check has not passed" : `it is still ${health ?? State.Status}`;
}
