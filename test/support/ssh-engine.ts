/** A second Docker host that a stack reaches by ssh alone. `docker` is a test's own way, past ssh. Needs root. */
import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { execa } from "execa";

import { eventually } from "./arkindex.ts";
import { FarEngine } from "./far-engine.ts";
import { Machine } from "./machine.ts";
import { toolchain } from "../../tools/setup/toolchain.ts";

export class SshEngine extends FarEngine {
  #sshd: (() => Promise<void>) | undefined;

  get url(): string {
    return `ssh://root@${this.machine.address}`;
  }

  /** An environment whose first `ssh` on PATH knows the host and has a key for it, as an operator's would. */
  async env(): Promise<Record<string, string>> {
    const { env } = await toolchain(() => undefined);
    return { PATH: `${this.folder}${delimiter}${env.PATH ?? ""}` };
  }

  static override async create(name: string, network: string): Promise<SshEngine> {
    const engine = new SshEngine(await Machine.create(name, network), await mkdtemp(join(tmpdir(), "engine-")));
    await engine.startDocker();
    await engine.#makeKeys();
    await engine.startSshd();
    return engine;
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
