/** How a contract's terms become Docker's, alike on one Docker host and on a swarm. */
import { all, type Input, type Output } from "@pulumi/pulumi";

import type { Container, Health, List, Probe } from "../core/contracts.ts";
import { own } from "../core/formats.ts";
import type { Image } from "../core/images.ts";
import type { Site } from "../core/topology.ts";
import { nameLabel, ownerLabel } from "./survey.ts";

/** By this type a topology finds a caller's provider of passwords. Without one it makes its own. */
export const randomType = "random:index/randomPassword:RandomPassword";

/**
 * Labels on everything that is made on an engine. By them a run finds the stack's own things again, and tells them from
 * another state's. Pulumi's name of the stack is no label: it may change, and a volume's labels may not.
 */
export function labels(site: Site, workload: string, owner: Input<string>): { label: string; value: Input<string> }[] {
  return [
    { label: nameLabel, value: site.name },
    { label: ownerLabel, value: owner },
    { label: "platform-topologies.workload", value: workload },
  ];
}

/** The networks that a container joins, outermost first. */
export function networksOf(container: Container, isSlot: boolean): string[] {
  const { tier, callsEdge = false, routes = [], networks = [] } = container;
  return [
    ...(tier === "edge" || callsEdge || routes.length > 0 ? ["edge"] : []),
    ...(tier === "app" ? ["app"] : []),
    ...(tier === "data" || (tier === "app" && !isSlot) ? ["data"] : []),
    ...networks,
  ];
}

/** `uid:gid` to run as; undefined: what the image says. */
export function userOf({ user }: Container, { rehearsing }: Image): string | undefined {
  return user ?? (rehearsing ? "65534:65534" : undefined);
}

/** `prepare` runs first in the same container; "$@" is the server then. */
export function entry({ command, args, prepare }: Container): { entrypoints?: string[]; command?: string[] } {
  if (command === undefined) return args === undefined ? {} : { command: [...args] };
  if (prepare !== undefined)
    return { entrypoints: ["/bin/sh", "-c", `${prepare}\nexec "$@"`, "prepare"], command: [...command] };
  const [program = "", ...rest] = command;
  return rest.length > 0 ? { entrypoints: [program], command: rest } : { entrypoints: [program] };
}

/** The variables, sorted, as Docker returns them in any order. */
export function environment(
  { env = {}, secretEnv = {}, rehearsal = {} }: Container,
  { rehearsing }: Image,
): Output<string[]> {
  return all({ ...env, ...secretEnv, ...(rehearsing ? rehearsal : {}) }).apply((values) =>
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
  );
}

/** `key` and `value` of `key=value`, as `environment` writes them. */
export function keyAndValue(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}

/** The mode of a file that names none. */
export const defaultMode = 0o444;

/** The health check's times, alike on every engine. Each topology adds `startSeconds` in its provider's own form. */
export const healthTimes = { interval: "5s", timeout: "10s", retries: 3 } as const;

/**
 * Seconds as the provider reads a container's back: 90 is `1m30s`, 120 is `2m0s`. Another form is a difference for
 * ever.
 */
export function goDuration(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${String(h)}h` : ""}${h > 0 || m > 0 ? `${String(m)}m` : ""}${String(s)}s`;
}

/** The same of a service, where the provider cuts zeros off the end: `2m`, `1h`. */
export function shortDuration(seconds: number): string {
  return goDuration(seconds).replace(/m0s$/, "m").replace(/h0m$/, "h");
}

/** A health check as a command inside the container. */
export function healthTest({ health, ports = {} }: Container & { readonly health: Health }, image: Image): string[] {
  // The rehearsal image answers for every dependency at once, with or without a port.
  const command = image.rehearsing
    ? ["rehearse", "health"]
    : probe(health.ready, (key) => own(ports, key)?.number ?? 0, image);
  return ["CMD", ...command];
}

/** KiB. With less room a store may answer its health page, but takes no write. */
const room = 65_536;

/**
 * A store's health check that fails, too, when the disk is full. For one host alone: a swarm would kill the store, and
 * end the reads as well.
 */
export function withRoom([, ...command]: List<string>, path: string): string[] {
  const script = `"$@" || exit 1
set -- $(df -kP ${path} | tail -n 1)
[ "\${4:-${String(room)}}" -ge ${String(room)} ] || { echo "its disk is full: $4 KiB are left on ${path}"; exit 1; }`;
  return ["CMD", "sh", "-c", script, "health", ...command];
}

/** A probe as a command inside the container, with the HTTP client that the image has. */
function probe(ready: Probe, port: (key: string) => number, { client }: Image): string[] {
  if ("command" in ready) return [...ready.command];
  const [key, path, below] =
    "http" in ready ? [ready.http, ready.path, ready.below ?? 400] : [ready.tcp, "", undefined];
  const at = `127.0.0.1:${String(port(key))}`;
  if (below === undefined) {
    if (client === "python")
      return ["python3", "-c", `import socket; socket.create_connection(("127.0.0.1", ${String(port(key))}), 4)`];
    return ["bash", "-c", `</dev/tcp/${at.replace(":", "/")}`];
  }
  const url = `http://${at}${path}`;
  if (client === "bash") return ["bash", "-c", bashProbe(port(key), below), "probe", path];
  if (client === "python") return ["python3", "-c", pythonProbe(below), url];
  if (client === "wget") return ["wget", "-q", "-T", "4", "-O", "/dev/null", url];
  const code = `code=$(curl -s -m 4 -o /dev/null -w '%{http_code}' "$1") && [ "$code" -lt ${String(below)} ]`;
  return ["sh", "-c", code, "probe", url];
}

/** For an image without an HTTP client: bash opens connections itself. */
function bashProbe(port: number, below: number): string {
  return `exec 3<>/dev/tcp/127.0.0.1/${String(port)} && printf 'GET %s HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' "$1" >&3 && read -r -t 4 -u 3 _ status _ && [ "$status" -lt ${String(below)} ]`;
}

/** 401 and 404 are answers, too. urllib raises an error for them, so the status is read from the error. */
function pythonProbe(below: number): string {
  return [
    "import sys, urllib.request, urllib.error",
    `try: status = urllib.request.urlopen(sys.argv[1], timeout=4).status`,
    "except urllib.error.HTTPError as error: status = error.code",
    `raise SystemExit(status >= ${String(below)})`,
  ].join("\n");
}
