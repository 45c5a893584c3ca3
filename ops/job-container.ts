/** A job's container: what it is made of, and its files. */
import { createHash } from "node:crypto";
import { posix } from "node:path";

import type Docker from "dockerode";
import { pack } from "tar-stream";
import { z } from "zod";

import { answered } from "./docker.ts";

const file = z.object({
  path: z.string().startsWith("/"),
  content: z.string(),
  mode: z.number().int().optional(),
  uid: z.number().int().optional(),
  secret: z.boolean().optional(),
});

export const inputs = z.object({
  host: z.string(),
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()),
  entrypoint: z.array(z.string()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  secretEnv: z.record(z.string(), z.string()).optional(),
  files: z.array(file).optional(),
  networks: z.array(z.string()),
  user: z.string().optional(),
  memoryMiB: z.number().positive().optional(),
  cpu: z.number().positive().optional(),
  seconds: z.number().positive(),
  once: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  redact: z.array(z.string()).optional(),
  mounts: z.array(z.object({ source: z.string(), path: z.string().startsWith("/") })).optional(),
});

type Asked = z.infer<typeof inputs>;

/** Marks a container as a job's and says which. */
export const label = "platform-topologies.job";

const run = inputs.omit({ host: true, labels: true, redact: true, seconds: true });

/** What a run depends on. Who can read the label can read the container's environment and files as well. */
export function fingerprint(asked: Asked): string {
  return createHash("sha256")
    .update(JSON.stringify(run.parse(asked)))
    .digest("hex")
    .slice(0, 32);
}

/** Creates, fills, connects and starts the container. Nothing is left of one that could not be started. */
export async function make(docker: Docker, asked: Asked): Promise<Docker.Container> {
  const container = await create(docker, asked);
  try {
    if (asked.files) await upload(container, asked.files);
    for (const network of asked.networks.slice(1)) {
      await docker.getNetwork(network).connect({ Container: container.id });
    }
    await container.start();
  } catch (error) {
    await container.remove({ force: true, v: true }).catch(() => undefined);
    throw new Error(`${asked.name} could not be started: ${said(error)}`, { cause: error });
  }
  return container;
}

async function create(docker: Docker, asked: Asked): Promise<Docker.Container> {
  const env = Object.entries({ ...asked.env, ...asked.secretEnv }).map(([key, value]) => `${key}=${value}`);
  try {
    return await docker.createContainer({
      name: asked.name,
      Image: asked.image,
      Cmd: asked.command,
      Entrypoint: asked.entrypoint,
      Env: env,
      User: asked.user,
      Labels: { ...asked.labels, [label]: fingerprint(asked) },
      HostConfig: {
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
        Memory: asked.memoryMiB === undefined ? undefined : asked.memoryMiB * 1024 * 1024,
        NanoCpus: asked.cpu === undefined ? undefined : Math.round(asked.cpu * 1e9),
        Mounts: (asked.mounts ?? []).map(({ source, path }) => ({
          Type: source.startsWith("/") ? "bind" : "volume",
          Source: source,
          Target: path,
        })),
        // Further networks are joined before the start: only one can be given here by Engines before 25.
        NetworkMode: asked.networks[0] ?? "none",
      },
    });
  } catch (error) {
    if (answered(error, 404) && said(error).includes("image")) {
      throw new Error(`${asked.name}: the image ${asked.image} is not on ${asked.host}: build or pull it there first`, {
        cause: error,
      });
    }
    throw new Error(`${asked.name} could not be created: ${said(error)}`, { cause: error });
  }
}

/** By tar into the stopped container: a bind mount would need the file on the host, and env shows in inspect. */
async function upload(container: Docker.Container, files: NonNullable<Asked["files"]>): Promise<void> {
  const archive = pack();
  const folders = new Set(files.flatMap(({ path }) => parents(path)));
  for (const folder of [...folders].sort()) {
    // One that exists keeps its own mode; one left to Docker would be open to all.
    if (!(await exists(container, folder)))
      archive.entry({ name: `${folder.slice(1)}/`, type: "directory", mode: 0o755 });
  }
  for (const { path, content, mode = 0o444, uid = 0 } of files) {
    archive.entry({ name: path.slice(1), mode, uid, gid: uid }, content);
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(Buffer.from(chunk));
  await container.putArchive(Buffer.concat(chunks), { path: "/" });
}

function parents(path: string): string[] {
  const folder = posix.dirname(path);
  return folder === "/" ? [] : [...parents(folder), folder];
}

async function exists(container: Docker.Container, path: string): Promise<boolean> {
  try {
    await container.infoArchive({ path });
    return true;
  } catch (error) {
    if (answered(error, 404)) return false;
    throw error;
  }
}

/** The daemon's own words, without dockerode's wrapping. */
function said(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^\(HTTP code \d+\) [^-]* - /, "").trim();
}
