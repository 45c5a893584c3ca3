/** Containers of one image each, without a network, for tests of the images themselves. */
import { setTimeout as sleep } from "node:timers/promises";

import { execa } from "execa";

import { built } from "../../tools/images/index.ts";
import { localImages } from "../../tools/images/list.ts";
import { runLabel } from "./run.ts";

const started: string[] = [];

/** Runs a shell line in a server's container. */
export interface Exec {
  (line: string, shell?: "sh" | "bash"): Promise<string>;
  readonly id: string;
  /** Stops the container with a grace of so many seconds. Returns the exit code of its process. */
  stop(seconds: number): Promise<number>;
}

/** The image that this machine runs for `key`: built here, or pulled. */
async function image(key: string): Promise<string> {
  const reference = (await built())[key] ?? localImages.find((one) => one.key === key)?.official;
  if (reference === undefined) throw new Error(`no image for ${key}`);
  return reference;
}

/** A server that goes on running. */
export async function serve(key: string, options: string[], line: string): Promise<Exec> {
  const args = ["run", "--detach", "--label", runLabel, "--network", "none", ...options, "--entrypoint", "sh"];
  const { stdout: id } = await execa("docker", [...args, await image(key), "-c", line]);
  started.push(id);
  const exec = async (beside: string, shell = "sh"): Promise<string> =>
    (await execa("docker", ["exec", id, shell, "-c", beside])).stdout;
  const stop = async (seconds: number): Promise<number> => {
    await execa("docker", ["stop", "--time", String(seconds), id]);
    return Number((await execa("docker", ["inspect", "--format", "{{.State.ExitCode}}", id])).stdout);
  };
  return Object.assign(exec, { id, stop });
}

export interface Once {
  readonly user?: string;
  /** The container whose network the new one shares. */
  readonly beside?: string;
  readonly input?: string;
}

/** Runs a shell line in a new container to its end; throws with what it printed when it fails. */
export async function once(key: string, line: string, { user, beside, input = "" }: Once = {}): Promise<string> {
  const network = beside === undefined ? "none" : `container:${beside}`;
  const who = user === undefined ? [] : ["--user", user];
  const args = [
    "run",
    "--rm",
    "--interactive",
    "--label",
    runLabel,
    "--network",
    network,
    ...who,
    "--entrypoint",
    "sh",
  ];
  const ended = await execa("docker", [...args, await image(key), "-c", line], { input, reject: false, all: true });
  if (ended.failed) throw new Error(ended.all);
  return ended.stdout;
}

/** The first answer that does not fail, within three minutes: the machine may be busy. */
export async function answered(attempt: () => Promise<string>): Promise<string> {
  const began = Date.now();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() - began > 180_000) throw error;
      await sleep(500);
    }
  }
}

export async function remove(): Promise<void> {
  if (started.length > 0)
    await execa("docker", ["rm", "--force", "--volumes", ...started.splice(0)], { reject: false });
}
