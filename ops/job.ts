import type Docker from "dockerode";
import type { z } from "zod";

import { answered, connect, explain } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { fingerprint, inputs, label, make } from "./job-container.ts";
import { pause } from "./lifetime.ts";
import { block, lastLines } from "./logs.ts";

type Asked = z.infer<typeof inputs>;

/**
 * Runs a container to its end. A run that an ended provider left behind is found by its name and taken over, as the
 * work of a migration must neither be lost nor done twice.
 */
export const job: Handler = {
  inputs,
  diff: compare(inputs, ["once", "image", "command", "entrypoint"]),
  create: async (given) => {
    const asked = inputs.parse(given.plain);
    const contents = (asked.files ?? []).filter((file) => file.secret).map((file) => file.content);
    const secrets = [...given.secrets, ...(asked.redact ?? []), ...Object.values(asked.secretEnv ?? {}), ...contents];
    try {
      await run(connect(asked.host), asked, secrets);
    } catch (error) {
      throw explain(error, asked.host);
    }
    return {};
  },
  update: () => Promise.resolve({}),
  delete: async (state) => {
    const { host, name } = inputs.parse(state.plain);
    try {
      const docker = connect(host);
      if (await leftover(docker, name)) await remove(docker.getContainer(name));
    } catch (error) {
      throw explain(error, host);
    }
  },
};

async function run(docker: Docker, asked: Asked, secrets: readonly string[]): Promise<void> {
  const container = (await takeOver(docker, asked)) ?? (await make(docker, asked));
  const limit = Date.now() + asked.seconds * 1000;
  for (;;) {
    const { State } = await container.inspect().catch((error: unknown) => {
      throw answered(error, 404) ? new Error(`${asked.name} was removed by someone while it ran: run up again`) : error;
    });
    if (State.Status === "exited" || State.Status === "dead") {
      if (State.ExitCode === 0) return remove(container);
      const why = State.OOMKilled ? ` (out of memory: the limit is ${String(asked.memoryMiB)} MiB)` : "";
      return fail(container, `${asked.name} failed with exit code ${String(State.ExitCode)}${why}`, secrets);
    }
    if (Date.now() >= limit) {
      await container.stop({ t: 10 }).catch(() => undefined); // it may have ended by itself meanwhile
      return fail(container, `${asked.name} did not end in ${String(asked.seconds)} s and was stopped`, secrets);
    }
    await pause(500, `${asked.name} was cancelled here and goes on in its container: the next up waits for it`);
  }
}

/** The container of an earlier, interrupted create: running, or ended well. Any other of ours makes way. */
async function takeOver(docker: Docker, asked: Asked): Promise<Docker.Container | undefined> {
  const found = await leftover(docker, asked.name);
  if (!found) return undefined;
  const container = docker.getContainer(found.Id);
  const same = found.Config.Labels[label] === fingerprint(asked);
  const { Status, ExitCode } = found.State;
  if (same && (Status === "running" || (Status === "exited" && ExitCode === 0))) return container;
  await remove(container);
  return undefined;
}

async function leftover(docker: Docker, name: string): Promise<Docker.ContainerInspectInfo | undefined> {
  try {
    const found = await docker.getContainer(name).inspect();
    if (found.Config.Labels[label] !== undefined) return found;
  } catch (error) {
    if (answered(error, 404)) return undefined;
    throw error;
  }
  throw new Error(`a container ${name} exists that is not this job's: remove or rename it`);
}

async function fail(container: Docker.Container, sentence: string, secrets: readonly string[]): Promise<never> {
  const log = await lastLines(container, 30, secrets);
  await remove(container);
  throw new Error(sentence + block("last log lines", log));
}

async function remove(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true }); // v: anonymous volumes of the image; named ones stay
  } catch (error) {
    // Gone, or going: another remove was first.
    if (!answered(error, 404) && !answered(error, 409)) throw error;
  }
}
