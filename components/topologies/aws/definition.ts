/** A container of the contracts as ECS writes it down. Pure: what is the same is written the same, as any change makes a new one. */
import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";

import type { Container, Dict, File, Health, List } from "../../core/contracts.ts";
import type { Image } from "../../core/images.ts";
import { defaultMode, entry, healthTest, keyAndValue, userOf } from "../containers.ts";
import { longestStop } from "./sizes.ts";

/** What a definition needs to know besides the container. */
export interface DefinitionParts {
  readonly name: string;
  readonly image: Image;
  /** Of the container that writes the files: it has a shell. */
  readonly filesImage: string;
  /** `KEY=value`, sorted. */
  readonly environment: List<string>;
  /** The secret with the files and variables, and its version; unset: the container has none. */
  readonly secret?: { readonly arn: string; readonly version: string };
  readonly log: { readonly group: string; readonly region: string };
  /** A job's log must lose no line; a service must not stop because its log cannot be written. */
  readonly logMode: "blocking" | "non-blocking";
}

/** Bytes. A secret has 65,536 characters; the rest is for what is known only later. */
export const largestSecret = 56_000;

/** Of a container's files, as far as they are known. */
export function bytesOf({ files = [] }: Container): number {
  return files.reduce((sum, { content }) => sum + (typeof content === "string" ? Buffer.byteLength(content) : 0), 0);
}

type Runs = Container & { readonly health?: Health };

/** The key of a file's content in the workload's secret. */
export function fileKey({ path }: File): string {
  return `FILE_${createHash("sha256").update(path).digest("hex").slice(0, 12)}`;
}

/** The volumes that carry a task's files: one for each folder that is in no other one. */
export function fileVolumes({ files = [] }: Container): { readonly name: string; readonly path: string }[] {
  const folders = [...new Set(files.map(({ path }) => dirname(path)))].sort();
  const outer = folders.filter((folder) => !folders.some((other) => folder.startsWith(`${other}/`)));
  return outer.map((path) => ({ name: path.slice(1).replaceAll(/[^a-zA-Z0-9_-]/g, "-"), path }));
}

/** The containers of a task: the workload's own, and before it one that writes its files. */
export function containerDefinitions(container: Runs, parts: DefinitionParts): object[] {
  const { name, image, environment, secret, logMode } = parts;
  const { files = [], secretEnv = {}, ports = {}, health } = container;
  const volumes = fileVolumes(container);
  const mounts = volumes.map((volume) => ({ sourceVolume: volume.name, containerPath: volume.path }));
  const from = (key: string): string => `${secret?.arn ?? ""}:${key}::${secret?.version ?? ""}`;
  const { entrypoints, command } = entry(container);
  const user = userOf(container, image);
  const numbers = [...new Set(Object.values(ports).map(({ number }) => number))].sort((a, b) => a - b);
  const main = compact({
    name,
    image: image.ref,
    essential: true,
    entryPoint: entrypoints,
    command,
    user,
    environment: environment.map(keyAndValue).map(([key, value]) => ({ name: key, value })),
    secrets: Object.keys(secretEnv)
      .sort()
      .map((key) => ({ name: key, valueFrom: from(key) })),
    portMappings: numbers.map((number) => ({ containerPort: number, protocol: "tcp" })),
    mountPoints: mounts.map((mount) => ({ ...mount, readOnly: true })),
    dependsOn: files.length === 0 ? [] : [{ containerName: filesContainer, condition: "SUCCESS" }],
    // A port below 1024 is for root alone, unless the task's own kernel setting says otherwise.
    systemControls: numbers.some((number) => number < 1024)
      ? [{ namespace: "net.ipv4.ip_unprivileged_port_start", value: "0" }]
      : [],
    ...(health === undefined ? {} : healthOf({ ...container, health }, image)),
    linuxParameters: { ...confined, initProcessEnabled: true },
    logConfiguration: logs(parts, name, logMode),
  });
  if (files.length === 0) return [main];
  const writer = compact({
    name: filesContainer,
    image: parts.filesImage,
    essential: false,
    entryPoint: ["/bin/sh", "-euc"],
    command: [files.map((file) => written(file, volumes)).join("\n")],
    user: "0:0",
    secrets: files.map((file) => ({ name: fileKey(file), valueFrom: from(fileKey(file)) })),
    mountPoints: mounts.map((mount) => ({ ...mount, readOnly: false })),
    linuxParameters: confined,
    logConfiguration: logs(parts, filesContainer, "blocking"),
  });
  return [writer, main];
}

/** As on a Docker host: no rights of root's, whoever the user is. */
const confined = { capabilities: { drop: ["ALL"] } };

/** Its name in every task that has files. */
const filesContainer = "files";

/** Prints nothing: a file's content must not get into the log. */
function written(file: File, volumes: readonly { readonly path: string }[]): string {
  const mode = (file.mode ?? defaultMode).toString(8);
  const folder = dirname(file.path);
  const made = volumes.some(({ path }) => path === folder) ? "" : `mkdir -p '${folder}'\n`;
  return `${made}printf %s "$${fileKey(file)}" >'${file.path}'\nchmod ${mode} '${file.path}'`;
}

function healthOf(container: Container & { readonly health: Health }, image: Image): Dict<unknown> {
  const { startSeconds, stopSeconds } = container.health;
  return {
    healthCheck: {
      command: healthTest(container, image),
      interval: 5,
      timeout: 5,
      retries: 3,
      // Longer starts are the service's grace period.
      startPeriod: Math.min(300, Math.ceil(startSeconds)),
    },
    stopTimeout: Math.min(longestStop, Math.ceil(stopSeconds)),
  };
}

function logs({ log }: DefinitionParts, stream: string, mode: DefinitionParts["logMode"]): Dict<unknown> {
  return {
    logDriver: "awslogs",
    options: {
      "awslogs-group": log.group,
      "awslogs-region": log.region,
      "awslogs-stream-prefix": stream,
      mode,
      ...(mode === "blocking" ? {} : { "max-buffer-size": "25m" }),
    },
  };
}

/** Without empty lists and what is undefined: ECS returns neither, and each would be a difference at every run. */
function compact(values: Dict<unknown>): object {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}
