/** A store's server, as its recipe makes it, in a container of its own. A test can fill, cut and give back its disk. */
import type Docker from "dockerode";
import { output, type Output, secret } from "@pulumi/pulumi";
import { type Pack, pack } from "tar-stream";

import type { Ask, Kind, List, Members, Platform, Recipe, Slot } from "../../components/core/contracts.ts";
import { imageLock } from "../../components/core/image-lock.ts";
import { type Image } from "../../components/core/images.ts";
import { numbered } from "../../components/core/platform.ts";
import { entry, environment, healthTest } from "../../components/topologies/containers.ts";
import { engine, inContainer, localImage, type Reply } from "./arkindex.ts";
import { runLabels } from "./run.ts";

const label = "platform-topologies.slot-server";
export const password = "password-of-the-test";

/** The slots that a recipe asks for. Its jobs are not run. */
export function slotsOf<K extends Kind>(recipe: Recipe<K>, name: string, ask: Ask<K>): List<Slot> {
  const made: Slot[] = [];
  const platform: Partial<Platform> = {
    name: "field",
    region: "",
    peers: [],
    engine: "docker",
    address: (server) => server,
    secret: () => secret(password),
    shared: () => secret(password),
    job: () => ({ ready: [] }),
    slots: (role: string, members: Members, each) =>
      numbered(role, members).map((member) => {
        made.push(each(member, []));
        return { host: member.host, ready: [], port: () => ({ host: member.host, port: 0 }) };
      }),
  };
  recipe(platform as Platform, name, ask);
  return made;
}

export class SlotServer {
  readonly slot: Slot;
  readonly container: Docker.Container;
  /** A container with root on the same disk, which runs while the server is stopped, too. */
  readonly #beside: Docker.Container;
  readonly #health: List<string>;

  private constructor(slot: Slot, container: Docker.Container, beside: Docker.Container, health: List<string>) {
    this.slot = slot;
    this.container = container;
    this.#beside = beside;
    this.#health = health;
  }

  /** Makes a server, not started yet. `name`: of the container and its volume. Each start finds the same disk. */
  static async create(name: string, slot: Slot, mib: number): Promise<SlotServer> {
    await SlotServer.remove(name);
    const labels = { ...runLabels, [label]: name };
    const [uid = "0", gid = "0"] = (slot.user ?? "").split(":");
    await engine.createVolume({
      Name: name,
      Driver: "local",
      DriverOpts: { type: "tmpfs", device: "tmpfs", o: `size=${String(mib)}m,uid=${uid},gid=${gid},mode=0755` },
      Labels: labels,
    });
    const ref = localImage(slot.image);
    const client = imageLock[slot.image]?.client ?? "none";
    const image: Image = { key: slot.image, ref, rehearsing: false, client, secrets: "files" };
    const { entrypoints = [], command = [] } = entry(slot);
    const disk = { Type: "volume", Source: name, Target: slot.disk.path } as const;
    const beside = await engine.createContainer({
      Image: ref,
      User: "0:0",
      Entrypoint: ["sleep", "infinity"],
      Cmd: [],
      Labels: labels,
      HostConfig: { NetworkMode: "none", Mounts: [disk], Init: true },
    });
    await beside.start();
    const container = await engine.createContainer({
      name,
      Hostname: name,
      Image: ref,
      User: slot.user ?? "",
      Env: await valueOf(environment(slot, image)),
      Entrypoint: entrypoints,
      Cmd: command,
      Labels: labels,
      HostConfig: {
        Init: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
        Memory: slot.memoryMib * 1024 * 1024,
        NetworkMode: "none",
        ExtraHosts: [`${name}:127.0.0.1`],
        Mounts: [disk],
        RestartPolicy: { Name: "unless-stopped" },
        Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 4096 }], // a soft limit as newer engines have it
      },
    });
    await container.putArchive(await archive(slot), { path: "/" });
    const [, ...health] = healthTest(slot, image);
    return new SlotServer(slot, container, beside, health);
  }

  async start(): Promise<void> {
    await this.container.start();
  }

  /** Ends the server as a power cut does. */
  async kill(): Promise<void> {
    await this.container.kill();
  }

  run(script: string): Promise<Reply> {
    return inContainer({ container: this.container.id }, script);
  }

  onDisk(script: string): Promise<Reply> {
    return inContainer({ container: this.#beside.id }, `cd ${this.slot.disk.path}\n${script}`);
  }

  /** Fills the disk, until `room`. */
  async fill(): Promise<void> {
    await this.onDisk("cat /dev/zero >.fill; cat /dev/zero >>.fill; true");
  }

  async room(): Promise<void> {
    await this.onDisk("rm .fill");
  }

  /** Runs its health check now. */
  async probe(): Promise<Reply> {
    return this.run(this.#health.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" "));
  }

  /** How often Docker has started its process again. */
  async restarts(): Promise<number> {
    return (await this.container.inspect()).RestartCount;
  }

  async log(): Promise<string> {
    return (await this.container.logs({ stdout: true, stderr: true })).toString();
  }

  static async remove(name: string): Promise<void> {
    const filters = { label: [`${label}=${name}`] };
    const left = await engine.listContainers({ all: true, filters });
    await Promise.all(left.map(({ Id }) => engine.getContainer(Id).remove({ force: true, v: true })));
    const { Volumes } = await engine.listVolumes({ filters });
    for (const { Name } of Volumes) await engine.getVolume(Name).remove();
  }
}

async function archive({ files = [] }: Slot): Promise<Pack> {
  const tar = pack();
  for (const { path, content, mode = 0o444 } of files)
    tar.entry({ name: path.slice(1), mode }, await valueOf(output(content)));
  tar.finalize();
  return tar;
}

function valueOf<T>(leaf: Output<T>): Promise<T> {
  return new Promise((resolve) => leaf.apply(resolve));
}
