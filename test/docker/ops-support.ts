/** A tiny image of our own and short-lived containers for the tests of the ops provider. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { execa } from "execa";

import { runLabel } from "../support/run.ts";
import { repo } from "../support/stack.ts";

export const host = "unix:///var/run/docker.sock";
export const image = "platform-topologies-test/busybox";

/** Debian's static busybox as an image, made once a machine. */
export async function ensureImage(): Promise<void> {
  const found = await execa("docker", ["image", "inspect", image], { reject: false });
  if (found.exitCode === 0) return;
  const folder = await mkdtemp(join(tmpdir(), "busybox-"));
  const steps = [
    "mkdir -m 755 root root/bin root/etc && mkdir -m 1777 root/tmp",
    "apt-get download -o APT::Sandbox::User=root busybox-static",
    "dpkg -x busybox-static_*.deb deb && install deb/bin/busybox root/bin/",
    "for name in $(root/bin/busybox --list); do [ $name = busybox ] || ln -s busybox root/bin/$name; done",
    "echo root:x:0:0:root:/:/bin/sh > root/etc/passwd",
    `tar -C root -c . | docker import --change 'ENV PATH=/bin' - ${image}`,
  ];
  await execa("sh", ["-ec", steps.join("\n")], { cwd: folder });
  await rm(folder, { recursive: true });
}

export async function docker(...args: string[]): Promise<string> {
  return (await execa("docker", args)).stdout;
}

/** Starts a container that runs `script`; answers its id. */
export function start(name: string, script: string, ...options: string[]): Promise<string> {
  const how = ["--name", name, "--label", runLabel, "--network", "none", ...options];
  return docker("run", "-d", ...how, image, "sh", "-c", script);
}

export async function removeContainers(...names: string[]): Promise<void> {
  await execa("docker", ["rm", "-f", "-v", ...names], { reject: false });
}

/** A program's head. */
export const imports = `
import * as pulumi from "@pulumi/pulumi";
import { Certificate, Gate, Job, OpsProvider, StackIdentity, Volume } from "${repo}/ops/resources.ts";
const config = new pulumi.Config();
const host = "${host}";
const image = "${image}";
`;

/** Waits for a condition, a minute at most: the machine may be busy. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 600) throw new Error(`not in time: ${condition.toString()}`);
    await sleep(100);
  }
}

/** The ids of processes with `part` in their command line that work for the stack in `folder`. */
export async function processes(part: string, folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${entry}/${file}`, "utf8").catch(() => "");
    const ours = (await read("environ")).includes(`\0PULUMI_BACKEND_URL=file://${folder}/state`);
    if (ours && (await read("cmdline")).includes(part)) found.push(Number(entry));
  }
  return found;
}
