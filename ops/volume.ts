import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type Docker from "dockerode";
import { pack } from "tar-stream";
import { z } from "zod";

import { answered, connect, explain, ifThere, messageOf } from "./docker.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";

const inputs = z.object({
  host: z.string(),
  name: z.string(),
  disk: z.string(),
  word: z.string(),
  spare: z.boolean().optional(),
  labels: z.record(z.string(), z.string()),
  driver: z.string().optional(),
  driverOptions: z.record(z.string(), z.string()).optional(),
  marker: z.object({ image: z.string(), path: z.string(), file: z.string() }).optional(),
});
type Asked = z.infer<typeof inputs>;

/** The label with a volume's disk. The engine cannot change a volume's label. */
export const diskLabel = "platform-topologies.disk";
/** Of each volume another one, even for the same disk. */
export const madeLabel = "platform-topologies.made";

/** A volume of one engine, with its disk's id on it. No other disk is ever taken over, or removed. */
export const volume: Handler = {
  inputs,
  refuse: ({ plain: olds }, { plain: news }) =>
    olds.name === news.name
      ? undefined
      : `the volume ${String(olds.name)} holds data, and cannot become ${String(news.name)}: put the name back; to ` +
        "move, make a new stack with `restore`",
  diff: compare(inputs.pick({ disk: true, word: true, spare: true }), ["disk"]),
  create: ({ plain }) => {
    const asked = inputs.parse(plain);
    return onEngine(asked.host, async (engine) => {
      await make(engine, asked);
      if (asked.marker !== undefined) await mark(engine, asked, asked.marker);
      return {};
    });
  },
  update: () => Promise.resolve({}),
  // A volume that is gone stays in the state: its data are lost, and a run that forgot it would make an empty one.
  read: () => Promise.resolve({}),
  delete: ({ plain }) => {
    const { host, name, disk } = inputs.parse(plain);
    return onEngine(host, async (engine) => {
      if ((await diskOf(engine, name)) !== disk) return; // gone, or another disk by now
      await remove(engine, name);
    });
  },
};

async function onEngine<T>(host: string, work: (engine: Docker) => Promise<T>): Promise<T> {
  try {
    return await work(await connect(host));
  } catch (error) {
    throw explain(error, host);
  }
}

/** The volume's disk; empty for a volume without our label; undefined if there is no such volume. */
async function diskOf(engine: Docker, name: string): Promise<string | undefined> {
  const found = await ifThere<Docker.VolumeInspectInfo>(engine.getVolume(name).inspect());
  return found && (labelsOf(found)[diskLabel] ?? "");
}

/** An engine answers null for a volume without labels. */
function labelsOf({ Labels }: { readonly Labels: Readonly<Record<string, string>> | null }) {
  return Labels ?? {};
}

/** Makes the volume. One that is there already is taken only if it is this very disk, from an interrupted run. */
async function make(engine: Docker, { name, disk, labels, driver, driverOptions }: Asked): Promise<void> {
  if ((await diskOf(engine, name)) === undefined)
    await engine.createVolume({
      Name: name,
      Labels: { ...labels, [diskLabel]: disk, [madeLabel]: randomBytes(4).toString("hex") },
      ...(driver === undefined ? {} : { Driver: driver }),
      ...(driverOptions === undefined ? {} : { DriverOpts: driverOptions }),
    });
  // If somebody was faster, the engine answers with the volume that is there already.
  if ((await diskOf(engine, name)) !== disk)
    throw new Error(`the volume ${name} exists and belongs to another state: name the stack otherwise, or remove it`);
}

/**
 * Puts the marker on the new disk, through a container that is never started. When the container is made, the engine
 * fills the new volume from that folder of the image, with its owner.
 */
async function mark(engine: Docker, asked: Asked, { image, path, file }: NonNullable<Asked["marker"]>): Promise<void> {
  const { name, disk, labels } = asked;
  const holder = `${name}-disk`;
  const leftover = await ifThere(engine.getContainer(holder).inspect());
  if (leftover) await engine.getContainer(leftover.Id).remove({ force: true });
  const container = await engine.createContainer({
    name: holder,
    Image: image,
    Labels: labels,
    Entrypoint: ["true"],
    HostConfig: { Mounts: [{ Type: "volume", Source: name, Target: path }], NetworkMode: "none" },
  });
  try {
    const archive = pack();
    archive.entry({ name: file, mode: 0o444 }, disk);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(Buffer.from(chunk));
    await container.putArchive(Buffer.concat(chunks), { path });
  } finally {
    await container.remove({ force: true });
  }
}

/** Removes the volume. A container that was just removed may hold it for a moment. */
async function remove(engine: Docker, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await engine.getVolume(name).remove();
      return;
    } catch (error) {
      if (answered(error, 404)) return;
      if (!answered(error, 409) || tries >= 30) {
        throw new Error(`the volume ${name} stays: ${messageOf(error)}`, { cause: error });
      }
      await sleep(1000);
    }
  }
}
