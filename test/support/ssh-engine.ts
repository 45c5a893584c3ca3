/** A second Docker host that is reached by ssh alone: its own network, engine, host name and sshd. Needs root. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import Docker from "dockerode";
import { execa } from "execa";

import { eventually } from "./arkindex.ts";
import { Machine } from "./machine.ts";
import { toolchain } from "../../tools/setup/toolchain.ts";

export class SshEngine {
  readonly machine: Machine;
  readonly folder: string;
  /** A client without ssh, for what a test itself has to see. */
  readonly docker: Docker;
  #sshd: (() => Promise<void>) | undefined;

  private constructor(machine: Machine, folder: string) {
    this.machine = machine;
    this.folder = folder;
    this.docker = new Docker({ socketPath: join(folder, "docker.sock") });
  }

  get url(): string {
    return `ssh://root@${this.machine.address}`;
  }

  /** An environment whose first `ssh` on PATH knows the host and has a key for it, as an operator's would. */
  async env(): Promise<Record<string, string>> {
    const { env } = await toolchain(() => undefined);
    return { PATH: `${this.folder}${delimiter}${env.PATH ?? ""}` };
  }

  static async create(name: string, network: string): Promise<SshEngine> {
    const engine = new SshEngine(await Machine.create(name, network), await mkdtemp(join(tmpdir(), "engine-")));
    await engine.#startDocker();
    await engine.#makeKeys();
    await engine.startSshd();
    return engine;
  }

  async #startDocker(): Promise<void> {
    const { name } = this.machine;
    // The host has its own /run: a container that mounts /var/run/docker.sock has to get this engine's.
    const script = `mount -t tmpfs tmpfs /run && hostname ${name} && exec dockerd --host unix:///run/docker.sock \
--host unix://${this.folder}/docker.sock --data-root ${this.folder}/data --exec-root /run/docker \
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

  /** Copies an image from this machine's engine. */
  async load(image: string): Promise<void> {
    const there = `unix://${this.folder}/docker.sock`;
    await execa("bash", ["-o", "pipefail", "-c", `docker save ${image} | docker --host ${there} load`]);
  }

  async #makeKeys(): Promise<void> {
    const { folder, machine } = this;
    for (const key of ["host", "user"])
      await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", key, "-f", join(folder, key)]);
    await execa("sh", ["-c", `cp user.pub authorized && echo "${machine.address} $(cat host.pub)" > known`], {
      cwd: folder,
    });
    const config = [
      "Host *",
      `IdentityFile ${folder}/user`,
      "IdentitiesOnly yes",
      `UserKnownHostsFile ${folder}/known`,
      "StrictHostKeyChecking yes",
    ];
    await writeFile(join(folder, "config"), `${config.join("\n")}\n`);
    // OpenSSH looks for its configuration in the home that passwd names, whatever HOME says.
    await writeFile(join(folder, "ssh"), `#!/bin/sh\nexec /usr/bin/ssh -F ${folder}/config "$@"\n`);
    await chmod(join(folder, "ssh"), 0o755);
  }

  async startSshd(): Promise<void> {
    const { folder, machine } = this;
    const config = [
      `HostKey ${folder}/host`,
      `AuthorizedKeysFile ${folder}/authorized`,
      "StrictModes no", // the folder is below /tmp
      "PidFile none",
      "PasswordAuthentication no",
      `SetEnv DOCKER_HOST=unix://${folder}/docker.sock`,
    ];
    await writeFile(join(folder, "sshd_config"), `${config.join("\n")}\n`);
    await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
    const args = ["/usr/sbin/sshd", "-D", "-e", "-f", join(folder, "sshd_config")];
    const sshd = execa("nsenter", [`--net=/run/netns/${machine.name}`, ...args], { reject: false, all: true });
    this.#sshd = async () => {
      sshd.kill("SIGTERM");
      await sshd;
    };
    machine.atEnd(() => this.stopSshd());
    await eventually(async () => execa(join(folder, "ssh"), ["-l", "root", machine.address, "docker", "version"]), 30);
  }

  async stopSshd(): Promise<void> {
    await this.#sshd?.();
    this.#sshd = undefined;
  }

  async remove(): Promise<void> {
    for (const { Id } of await this.docker.listContainers({ all: true }))
      await this.docker.getContainer(Id).remove({ force: true });
    await this.machine.remove();
  }
}

/** Installs Debian's sshd, unless the machine has one. */
export async function installSshd(): Promise<void> {
  if ((await execa("test", ["-x", "/usr/sbin/sshd"], { reject: false })).exitCode === 0) return;
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "--no-install-recommends", "openssh-server"];
  const { exitCode } = await execa("apt-get", install, { env, reject: false });
  if (exitCode === 0) return;
  await execa("apt-get", ["update"], { env });
  await execa("apt-get", install, { env });
}
