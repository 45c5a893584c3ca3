/** A second Docker engine on this machine: its own network and host name, its socket in a folder. Needs root. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";
import { execa } from "execa";

import { eventually } from "./arkindex.ts";
import { Machine } from "./machine.ts";

export class FarEngine {
  readonly machine: Machine;
  readonly folder: string;
  readonly docker: Docker;

  protected constructor(machine: Machine, folder: string) {
    this.machine = machine;
    this.folder = folder;
    this.docker = new Docker({ socketPath: join(folder, "docker.sock") });
  }

  /** For a stack on this machine. */
  get host(): string {
    return `unix://${this.folder}/docker.sock`;
  }

  static async create(name: string, network: string): Promise<FarEngine> {
    const engine = new FarEngine(await Machine.create(name, network), await mkdtemp(join(tmpdir(), "engine-")));
    await engine.startDocker();
    return engine;
  }

  protected async startDocker(): Promise<void> {
    const { name } = this.machine;
    // A /run of its own: what a container there mounts as /var/run/docker.sock has to be this engine's.
    const script = `mount -t tmpfs tmpfs /run && hostname ${name} && exec dockerd --host unix:///run/docker.sock \
--host ${this.host} --data-root ${this.folder}/data --exec-root /run/docker \
--pidfile /run/docker.pid --cgroup-parent /${name}`;
    const dockerd = execa("nsenter", [`--net=/run/netns/${name}`, "unshare", "-m", "-u", "sh", "-c", script], {
      reject: false,
      all: true,
    });
    this.machine.atEnd(async () => {
      dockerd.kill("SIGTERM");
      await dockerd;
      await rm(this.folder, { recursive: true, force: true });
    });
    await eventually(async () => String(await this.docker.ping()), 60);
  }

  /** An image that this machine's engine has. */
  async load(...images: string[]): Promise<void> {
    await execa("bash", ["-o", "pipefail", "-c", `docker save ${images.join(" ")} | docker --host ${this.host} load`]);
  }

  async remove(): Promise<void> {
    for (const { Id } of await this.docker.listContainers({ all: true }))
      await this.docker.getContainer(Id).remove({ force: true });
    await this.machine.remove();
  }
}
