/** A job's run as a container of one engine. */
import { posix } from "node:path";

import type Docker from "dockerode";
import { pack } from "tar-stream";

import { answered, ifThere, messageOf } from "./docker.ts";
import { fingerprint, label, mountsOf } from "./job-inputs.ts";
import type { JobInputs, Run, Runner } from "./job-inputs.ts";
import { lastLines } from "./logs.ts";
import { pull } from "./pull.ts";
import { diskLabel, madeLabel } from "./volume.ts";

export function containerJobs(docker: Docker): Runner {
  return {
    takeOver: async (asked) => {
      const found = await leftover(docker, asked.name);
      if (!found) return undefined;
      const container = docker.getContainer(found.Id);
      const same = found.Config.Labels[label] === (await markOf(docker, asked));
      const { Status, ExitCode } = found.State;
      if (same && (Status === "running" || (Status === "exited" && ExitCode === 0))) return runOf(container, asked);
      await remove(container);
      return undefined;
    },
    make: async (asked) => runOf(await make(docker, asked), asked),
    clear: async (name) => {
      if (await leftover(docker, name)) await remove(docker.getContainer(name));
    },
  };
}

/** With the volumes that are its disks now: after a destroy that was interrupted a new one may have the old one's id. */
async function markOf(docker: Docker, asked: JobInputs): Promise<string> {
  const disks = Object.values(asked.disks ?? {});
  if (disks.length === 0) return fingerprint(asked);
  const { Volumes } = (await docker.listVolumes({ filters: { label: [madeLabel] } })) as {
    Volumes: { Labels: Readonly<Record<string, string>> }[] | null;
  };
  const these = (Volumes ?? []).filter(({ Labels }) => disks.includes(Labels[diskLabel] ?? ""));
  return fingerprint(asked, these.map(({ Labels }) => Labels[madeLabel] ?? "").sort());
}

function runOf(container: Docker.Container, { name, memoryMib }: JobInputs): Run {
  return {
    ending: async () => {
      const { State } = await container.inspect().catch((error: unknown) => {
        throw answered(error, 404) ? new Error(`${name} was removed by someone while it ran: run up again`) : error;
      });
      if (State.Status !== "exited" && State.Status !== "dead") return undefined;
      if (State.ExitCode === 0) return { why: undefined };
      const why = State.OOMKilled ? ` (out of memory: the limit is ${String(memoryMib)} MiB)` : "";
      return { why: `failed with exit code ${String(State.ExitCode)}${why}` };
    },
    stop: async () => {
      await container.stop({ t: 10 }).catch(() => undefined); // the container may have ended by itself meanwhile
    },
    lines: (count, secrets) => lastLines(container, count, secrets),
    remove: () => remove(container),
  };
}

async function leftover(docker: Docker, name: string): Promise<Docker.ContainerInspectInfo | undefined> {
  const found = await ifThere(docker.getContainer(name).inspect());
  if (found === undefined || found.Config.Labels[label] !== undefined) return found;
  throw new Error(`a container ${name} exists that is not this job's: remove or rename it`);
}

async function remove(container: Docker.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true }); // v: anonymous volumes of the image; named ones stay
  } catch (error) {
    // The container is gone, or going: another remove was first.
    if (!answered(error, 404) && !answered(error, 409)) throw error;
  }
}

/** Creates, fills, connects and starts the container. Removes a container that could not be started. */
async function make(docker: Docker, asked: JobInputs): Promise<Docker.Container> {
  const container = await create(docker, asked);
  try {
    if (asked.files) await upload(container, asked.files);
    for (const network of asked.networks.slice(1)) {
      await docker.getNetwork(network).connect({ Container: container.id });
    }
    await container.start();
  } catch (error) {
    await container.remove({ force: true, v: true }).catch(() => undefined);
    throw new Error(`${asked.name} could not be started: ${messageOf(error)}`, { cause: error });
  }
  return container;
}

/** Creates the container, and pulls its image once more if somebody has pruned it. */
async function create(docker: Docker, asked: JobInputs): Promise<Docker.Container> {
  try {
    return await createOnce(docker, asked);
  } catch (error) {
    if (!(answered(error, 404) && messageOf(error).includes("image")))
      throw new Error(`${asked.name} could not be created: ${messageOf(error)}`, { cause: error });
  }
  await pullAgain(docker, asked);
  try {
    return await createOnce(docker, asked);
  } catch (error) {
    const moved = answered(error, 404) && asked.ref !== undefined;
    const why = moved ? `${asked.ref ?? ""} is another image now: run \`pulumi up --refresh\`` : messageOf(error);
    throw new Error(`${asked.name} could not be created: ${why}`, { cause: error });
  }
}

/** @throws one sentence with the reference and what to do. */
async function pullAgain(docker: Docker, { name, host, image, ref, registries = [] }: JobInputs): Promise<void> {
  const gone = `${name}: the image ${ref ?? image} is not on ${host}`;
  if (ref === undefined) throw new Error(`${gone}: build or pull it there first`);
  if (ref.startsWith("platform-topologies/"))
    throw new Error(`${gone}, and no registry has it: \`npm run images -- build\` builds it`);
  try {
    await pull(docker, ref, registries);
  } catch (error) {
    const remedy = "push it, or run `docker login` for its registry and name that in docker.registries";
    throw new Error(`${gone} and cannot be pulled (${messageOf(error)}): ${remedy}`, { cause: error });
  }
}

async function createOnce(docker: Docker, asked: JobInputs): Promise<Docker.Container> {
  const env = Object.entries({ ...asked.env, ...asked.secretEnv }).map(([key, value]) => `${key}=${value}`);
  return docker.createContainer({
    name: asked.name,
    Image: asked.image,
    Cmd: asked.command,
    Entrypoint: asked.entrypoint,
    Env: env,
    User: asked.user,
    Labels: { ...asked.labels, [label]: await markOf(docker, asked) },
    HostConfig: {
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
      Memory: asked.memoryMib === undefined ? undefined : asked.memoryMib * 1024 * 1024,
      ShmSize: asked.shmMib === undefined ? undefined : asked.shmMib * 1024 * 1024,
      NanoCpus: asked.cpu === undefined ? undefined : Math.round(asked.cpu * 1e9),
      Mounts: mountsOf(asked),
      // Engines before 25 take one network here; the others are joined before the start.
      NetworkMode: asked.networks[0] ?? "none",
    },
  });
}

/** Uploads files as tar into the stopped container: a bind mount needs the file on the host, and inspect shows env. */
async function upload(container: Docker.Container, files: NonNullable<JobInputs["files"]>): Promise<void> {
  const archive = pack();
  const folders = new Set(files.flatMap(({ path }) => parents(path)));
  for (const folder of [...folders].sort()) {
    // A folder that exists keeps its mode. If Docker made a missing folder, it would be open to all.
    if ((await ifThere(container.infoArchive({ path: folder }))) === undefined)
      archive.entry({ name: `${folder.slice(1)}/`, type: "directory", mode: 0o755 });
  }
  for (const { path, content, mode = 0o444 } of files) {
    archive.entry({ name: path.slice(1), mode, uid: 0, gid: 0 }, content);
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
