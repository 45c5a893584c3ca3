/** Connections to Docker engines, and their failures in one sentence. */
import { readFileSync } from "node:fs";
import type { Agent } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import type Docker from "dockerode";
import { z } from "zod";

import { sshAgent } from "./ssh.ts";

/**
 * A client for `unix:///path`, `tcp://host:port` (TLS when DOCKER_CERT_PATH is set, as with Docker's own client) or
 * `ssh://user@host[:port]`. Connects at each request, so this itself throws only for an address of another kind.
 */
export async function connect(host: string): Promise<Docker> {
  return client(options(host));
}

/** Loads dockerode, with its SSH and all, at the first question: on AWS nobody asks an engine. */
async function client(to: Docker.DockerOptions): Promise<Docker> {
  const { default: Dockerode } = await import("dockerode");
  return new Dockerode(to);
}

/** The addresses in `host`, which may name a swarm's managers: `tcp://a:2375,tcp://b:2375`. */
export function addresses(host: string): string[] {
  return host
    .split(",")
    .map((address) => address.trim())
    .filter((address) => address !== "");
}

/** A client for the first of the addresses that answers as a manager of a swarm; with one address it is just that. */
export async function reach(host: string): Promise<Docker> {
  const all = addresses(host);
  const [only = host, ...others] = all;
  if (others.length === 0) return connect(only);
  const first = (milliseconds: number): Promise<Docker> =>
    Promise.any(
      all.map(async (address) => {
        await pingManager(address, milliseconds);
        return connect(address);
      }),
    );
  try {
    // If all are late at once, this machine is busy with a large stack, more likely than every manager.
    return await first(3000).catch(() => first(10_000));
  } catch (error) {
    const reasons = error instanceof AggregateError ? error.errors.map(text) : [text(error)];
    throw new Error(`none of these answers as a manager: ${reasons.join("; ")}`, { cause: error });
  }
}

/** Throws one sentence, naming the host and the remedy, unless the engine there answers within `milliseconds`. */
export function ping(host: string, milliseconds: number): Promise<void> {
  return within(host, milliseconds, async (docker) => {
    await docker.ping();
  });
}

/** The same for a manager of a swarm, where several engines are named and any manager will do. */
export async function pingManager(host: string, milliseconds: number): Promise<void> {
  await ping(host, milliseconds);
  const looks: unknown = await within(host, 3000, (docker) => docker.info()).catch(() => undefined);
  const why = looks === undefined ? undefined : notManager(looks);
  if (why !== undefined) throw new Error(`Docker at ${host} is ${why}`);
}

/**
 * What an engine is that calls itself no manager of a swarm. An engine that answers a ping and nothing more is a
 * manager that waits for a new leader: all others answer at once.
 */
function notManager(info: unknown): string | undefined {
  const { LocalNodeState, ControlAvailable } = swarmState.parse(info).Swarm;
  if (ControlAvailable) return undefined;
  if (LocalNodeState === "active") return "a worker of the swarm: name a manager";
  if (LocalNodeState === "locked") return "a locked manager: run `docker swarm unlock` there";
  if (LocalNodeState === "inactive") return "in no swarm: run `docker swarm init` there, or name a manager";
  return `not ready as a node of its swarm (${LocalNodeState})`;
}
const swarmState = z.object({
  Swarm: z
    .object({ LocalNodeState: z.string().default("inactive"), ControlAvailable: z.boolean().default(false) })
    .prefault({}),
});

async function within<T>(host: string, milliseconds: number, ask: (docker: Docker) => Promise<T>): Promise<T> {
  const to = options(host);
  const late = new AbortController();
  try {
    // docker-modem's own time-out does not reach into ssh, and destroys the request. Ours only stops waiting.
    const answer = client({ ...to, timeout: milliseconds }).then(ask);
    const limit = sleep(milliseconds, undefined, { signal: late.signal }).then(() => {
      throw new Error("late");
    });
    limit.catch(() => undefined); // after the answer nobody waits for it any more
    return await Promise.race([answer, limit]);
  } catch (error) {
    const message = error instanceof Error ? error.message : "";
    throw explain(message === "late" || message === "socket hang up" ? { code: "ETIMEDOUT" } : error, host);
  } finally {
    late.abort();
    to.agent?.destroy();
  }
}

/** docker-modem gets the agent; its types name it. */
interface Options extends Docker.DockerOptions {
  readonly agent?: Agent;
}

function options(host: string): Options {
  // None of dockerode's own defaults: DOCKER_HOST in the environment would win over the host that was asked for.
  const none = { socketPath: undefined, host: undefined, port: undefined, protocol: "http" } as const;
  const url = URL.canParse(host) ? new URL(host) : undefined;
  switch (url?.protocol) {
    case "unix:":
      return { ...none, socketPath: url.pathname };
    case "tcp:": {
      const to = { ...none, host: url.hostname, port: url.port || "2375" };
      const folder = process.env.DOCKER_CERT_PATH;
      if (!folder) return to;
      const read = (file: string): string => readFileSync(join(folder, file), "utf8");
      return { ...to, ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem"), protocol: "https" };
    }
    case "ssh:":
      // The agent makes the connection; HTTP only needs something for its Host header.
      return { ...none, host: "docker", port: "80", agent: sshAgent(url) };
    default:
      throw new Error(
        `${host} is no Docker host: use unix:///var/run/docker.sock, tcp://host:2375 or ssh://user@host, as in DOCKER_HOST`,
      );
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refuses the connection: start the Docker engine there, or correct the address",
  ENOENT: "is not there: start the Docker engine, or correct the path of its socket",
  EACCES: "may not be used by this user: add the user to the docker group and log in again",
  ENOTFOUND: "cannot be found: check the spelling of the name, or your DNS",
  EAI_AGAIN: "cannot be found: check the spelling of the name, or your DNS",
  EHOSTUNREACH: "cannot be reached: check the address, the network and its firewall",
  ENETUNREACH: "cannot be reached: check the address, the network and its firewall",
  ETIMEDOUT: "did not answer in time: check the address, and that the engine is up and not cut off by a firewall",
  ECONNRESET: "dropped the connection: check that it is a Docker engine and whether it asks for TLS",
  HPE_INVALID_CONSTANT:
    "does not answer as Docker does: check the port and TLS, and over ssh that the login prints nothing of its own",
};

/** A failure to reach an engine becomes one sentence with the remedy. The engine's own refusals pass as they are. */
export function explain(error: unknown, host: string): Error {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const reason = reasons[code];
  if (reason !== undefined) return new Error(`Docker at ${host} ${reason}`);
  return error instanceof Error ? error : new Error(`Docker at ${host}: ${String(error)}`);
}

/** The daemon's own words, without dockerode's wrapping. */
export function messageOf(error: unknown): string {
  return text(error)
    .replace(/^\(HTTP code \d+\) .*? - /, "")
    .replace(/^rpc error: code = \w+ desc = /, "")
    .trim();
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether the engine answered with this status. */
export function answered(error: unknown, status: number): boolean {
  return error instanceof Error && "statusCode" in error && error.statusCode === status;
}

/** The engine's answer; undefined where it says that there is no such thing. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (answered(error, 404)) return undefined;
    throw error;
  }
}

/** Whether the engine has the image under this name. A list, filtered, would take it a tenth of a second each. */
export async function hasImage(engine: Docker, ref: string): Promise<boolean> {
  return (await ifThere(engine.getImage(ref).inspect())) !== undefined;
}
