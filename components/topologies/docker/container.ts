import { all, type Output } from "@pulumi/pulumi";
import type * as docker from "@pulumi/docker";

import type { Container, File, Health, Probe } from "../../core/contracts.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import { type Engine, labels } from "./engine.ts";

/** The networks that it joins, and how it is called there. */
interface Joins {
  readonly networks: readonly string[];
  readonly aliases: readonly string[];
}

/** What every container of ours has in common, as the Docker provider wants it. */
export function containerArgs(
  site: Site,
  engine: Engine,
  name: string,
  container: Container & { readonly health: Health },
  image: Image,
  joins: Joins,
): docker.ContainerArgs {
  const user = container.user ?? (image.rehearsing ? "65534:65534" : undefined);
  return {
    name: `${site.name}-${name}`,
    hostname: name,
    image: engine.image(image),
    ...entry(container),
    ...(user === undefined ? {} : { user }),
    envs: environment(container, image),
    uploads: (container.files ?? []).map(upload),
    networksAdvanced: joins.networks.map((network) => ({
      name: engine.network(network).id,
      aliases: [...joins.aliases],
    })),
    healthcheck: healthcheck(container, image),
    labels: labels(site, name),
    volumes: mounts(container),
    // The process alone restarts; what an operator stops stays stopped.
    restart: "unless-stopped",
    // Whether it is healthy is the gate's to say: the provider's own check would remove the container with its log.
    mustRun: false,
    wait: false,
    init: true,
    memory: container.memoryMiB,
    memorySwap: container.memoryMiB, // none beyond memory
    cpus: container.cpu.toFixed(Number.isInteger(container.cpu) ? 1 : 2).replace(/(\.\d)0$/, "$1"), // as it is read back
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    stopTimeout: container.health.stopSeconds,
    // Without it the provider kills at once, whatever stopTimeout says.
    destroyGraceSeconds: container.health.stopSeconds,
  };
}

/** `prepare` runs first in the same container; "$@" is the server then. */
export function entry({ command, args, prepare }: Container): { entrypoints?: string[]; command?: string[] } {
  if (command === undefined) return args === undefined ? {} : { command: [...args] };
  if (prepare !== undefined)
    return { entrypoints: ["/bin/sh", "-c", `${prepare}\nexec "$@"`, "prepare"], command: [...command] };
  const [program = "", ...rest] = command;
  return rest.length > 0 ? { entrypoints: [program], command: rest } : { entrypoints: [program] };
}

/** Sorted, as Docker returns them in any order. */
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

/** Root's file: an owner makes Engines before 23 look the container's user up in the host's passwd, and fail. */
function upload({ path, content, mode = defaultMode }: File): docker.types.input.ContainerUpload {
  return { file: path, content, permissions: `0${mode.toString(8)}` };
}
export const defaultMode = 0o444;

export function mounts({ mounts: asked = [] }: Container): docker.types.input.ContainerVolume[] {
  return asked.map((mount) => ({
    ...("folder" in mount ? { hostPath: mount.folder } : { volumeName: mount.volume }),
    containerPath: mount.path,
    ...(mount.readOnly === true ? { readOnly: true } : {}),
  }));
}

function healthcheck(
  { health, ports = {} }: Container & { readonly health: Health },
  image: Image,
): docker.types.input.ContainerHealthcheck {
  // The rehearsal image answers for every dependency at once, with or without a port.
  const command = image.rehearsing
    ? ["rehearse", "health"]
    : probe(health.ready, (key) => ports[key]?.number ?? 0, image);
  return {
    tests: ["CMD", ...command],
    interval: "5s",
    timeout: "10s",
    startPeriod: goDuration(health.startSeconds),
    retries: 3,
  };
}

/** A probe as a command inside the container, by the client that the image has. */
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
  if (client === "bash") return ["bash", "-c", bashProbe(port(key), path, below)];
  if (client === "python") return ["python3", "-c", pythonProbe(`http://${at}${path}`, below)];
  if (client === "wget") return ["wget", "-q", "-T", "4", "-O", "/dev/null", `http://${at}${path}`];
  return [
    "sh",
    "-c",
    `code=$(curl -s -m 4 -o /dev/null -w '%{http_code}' 'http://${at}${path}') && [ "$code" -lt ${String(below)} ]`,
  ];
}

/** Where there is no HTTP client but bash, which opens connections itself. */
function bashProbe(port: number, path: string, below: number): string {
  return `exec 3<>/dev/tcp/127.0.0.1/${String(port)} && printf 'GET ${path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r -t 4 -u 3 _ status _ && [ "$status" -lt ${String(below)} ]`;
}

/** An answer of 401 or 404 is an answer: urllib raises on it, so its status is read from the error. */
function pythonProbe(url: string, below: number): string {
  return [
    "import urllib.request, urllib.error",
    `try: status = urllib.request.urlopen(${JSON.stringify(url)}, timeout=4).status`,
    "except urllib.error.HTTPError as error: status = error.code",
    `raise SystemExit(status >= ${String(below)})`,
  ].join("\n");
}

/** Seconds as the provider reads them back: 90 is `1m30s`. Any other form is a difference for ever. */
export function goDuration(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${String(h)}h` : ""}${h > 0 || m > 0 ? `${String(m)}m` : ""}${String(s)}s`;
}
