/**
 * One node: a `dockerd` with a network, a process tree, mounts and a host name of its own. Its whole tree is one PID
 * namespace, so that one SIGKILL ends daemon, containerd, shims and containers in the same moment, as a power cut does.
 */
import { access, mkdir, readFile, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import Docker from "dockerode";
import { execa } from "execa";

import { codeOf, Problem } from "../setup/problem.ts";
import { pidsIn, plugIn, unplug } from "./network.ts";
import { alive, end, launch, pidIn, startTimeOf } from "./process.ts";
import { hostnameOf, linksOf, placeOf } from "./record.ts";

import type { Pid } from "./process.ts";
import type { ClusterRecord, NodeRecord } from "./record.ts";

export const registryPort = 5000;
export const apiPort = 2375;

/** sh stays as process 1: dockerd does not reap the processes that its shims leave. */
const boot = `hostname "$1" && mount -t tmpfs tmpfs /run && mkdir -p /run/lock || exit
names=$(readlink -m /etc/resolv.conf) && mkdir -p "$(dirname "$names")" && touch "$names" || exit # it may lie in /run
echo "nameserver $2" > /run/node-resolv.conf && mount --bind /run/node-resolv.conf "$names" || exit
# dockerd puts a mount of its own over a data folder that is not shared, and so over the disk for volumes.
[ -z "$3" ] || { mkdir -p "$4/volumes" && mount --bind "$4" "$4" && mount --make-shared "$4" && mount -o loop "$3" "$4/volumes"; } || exit
shift 4
"$@" &
wait $!`;

/** Plugs the node in and starts its daemon, on the disk that it has. */
export async function powerOn(cluster: ClusterRecord, node: NodeRecord): Promise<Docker> {
  const place = placeOf(cluster, node);
  await mkdir(place.data, { recursive: true });
  await rm(place.socket, { force: true });
  await plugIn(cluster, node);
  await launch(place.pidFile, place.log, [
    // nsenter, as `ip netns exec` would hide the cgroups from dockerd.
    ...["nsenter", `--net=/run/netns/${place.netns}`],
    ...["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ...[
      "sh",
      "-c",
      boot,
      "sh",
      hostnameOf(node),
      linksOf(cluster.network).gateway,
      await diskOf(cluster, node),
      place.data,
    ],
    "dockerd",
    // The socket is in the node's own /run, where containers that need the engine look for it.
    ...["--host", "unix:///run/docker.sock"],
    ...["--host", `unix://${place.socket}`, "--host", `tcp://${place.address}:${String(apiPort)}`, "--tls=false"],
    ...["--data-root", place.data, "--storage-driver", "overlay2", "--cgroup-parent", `/${place.cgroup}`],
    ...["--exec-opt", "native.cgroupdriver=cgroupfs"],
    ...(node.labels ?? []).flatMap((label) => ["--label", label]),
    ...["--insecure-registry", `${linksOf(cluster.network).gateway}:${String(registryPort)}`],
  ]);
  const engine = new Docker({ socketPath: place.socket });
  const began = Date.now();
  while (Date.now() - began < 60_000) {
    const answers = await engine.ping().then(
      () => true,
      () => false,
    );
    if (answers) return engine;
    if (Date.now() - began > 1_000 && !(await isOn(cluster, node))) break;
    await sleep(50);
  }
  const reason = (await readFile(place.log, "utf8").catch(() => "")).trim().split("\n").at(-1) ?? "";
  throw new Problem(`the Docker daemon of ${node.name} does not answer (${reason}): see its log`, place.log);
}

/** The disk for volumes, made if it is not there; empty: they have none of their own. */
async function diskOf(cluster: ClusterRecord, node: NodeRecord): Promise<string> {
  const { disk } = placeOf(cluster, node);
  if (cluster.volumesMib === undefined) return "";
  const there = await access(disk).then(
    () => true,
    () => false,
  );
  if (!there) {
    // It takes what is written to it, not its size.
    await execa("truncate", ["-s", `${String(cluster.volumesMib)}M`, disk]);
    await execa("mkfs.ext4", ["-q", "-F", "-m", "0", disk]);
  }
  return disk;
}

/** Runs a shell script where the node's disks are mounted. */
export async function inMounts(cluster: ClusterRecord, node: NodeRecord, script: string): Promise<string> {
  const { pid } = (await pidIn(placeOf(cluster, node).pidFile)) ?? {};
  if (pid === undefined) throw new Error(`${node.name} is off`);
  return (await execa("nsenter", ["--mount", "--target", String(pid), "sh", "-c", script])).stdout;
}

export async function isOn(cluster: ClusterRecord, node: NodeRecord): Promise<boolean> {
  return alive(await pidIn(placeOf(cluster, node).pidFile));
}

/** Ends everything of a node at once, without a warning; its disk stays. Mounts go with the namespace. */
export async function powerOff(cluster: ClusterRecord, node: NodeRecord): Promise<void> {
  const { pidFile, netns, cgroup, socket } = placeOf(cluster, node);
  // The cable goes first: a machine without power sends nobody a reset.
  const inside = await processesIn(netns);
  await unplug(cluster, node);
  await Promise.all([await pidIn(pidFile), ...inside].map(end));
  await rm(pidFile, { force: true });
  await rm(socket, { force: true });
  await removeCgroups(cgroup);
}

/** Removes the disk of a node, which has to be off. */
export async function removeDisk(cluster: ClusterRecord, node: NodeRecord): Promise<void> {
  const { folder } = placeOf(cluster, node);
  // Mounts of the dead namespace may linger for a moment.
  for (let tries = 0; ; tries++) {
    try {
      await rm(folder, { recursive: true, force: true });
      return;
    } catch (error) {
      if (codeOf(error) !== "EBUSY" || tries === 50) throw error;
      await sleep(100);
    }
  }
}

/**
 * The node's processes. The first of its tree, which is among them, ends only after all others, containers included.
 */
async function processesIn(netns: string): Promise<Pid[]> {
  const found = await Promise.all(
    (await pidsIn(netns)).map(async (pid) => ({ pid, startTime: (await startTimeOf(pid)) ?? "" })),
  );
  return found.filter(({ startTime }) => startTime !== "");
}

/** Those of a container whose program has this name, as this machine numbers them: a node has numbers of its own. */
export async function pidsOf(
  cluster: ClusterRecord,
  node: NodeRecord,
  container: string,
  program: string,
): Promise<number[]> {
  const { cgroup } = placeOf(cluster, node);
  const pids: number[] = [];
  for (const tree of await trees()) {
    const text = await readFile(join(tree, cgroup, container, "cgroup.procs"), "utf8").catch(() => "");
    for (const pid of text.split("\n").filter(Boolean)) {
      const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
      if (name.trim() === program) pids.push(Number(pid));
    }
    if (text !== "") break;
  }
  return pids;
}

/** Version 1 of cgroups has a tree for each controller, version 2 one. */
async function trees(): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  return [root, ...(await readdir(root).catch(() => [])).map((controller) => join(root, controller))];
}

/** Removes the node's cgroups. */
async function removeCgroups(name: string): Promise<void> {
  for (const tree of await trees()) {
    const folder = join(tree, name);
    const there = await access(folder).then(
      () => true,
      () => false,
    );
    if (there) await removeTree(folder);
  }
}

async function removeTree(folder: string): Promise<void> {
  const below = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of below) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  for (let tries = 0; ; tries++) {
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      if (codeOf(error) !== "EBUSY" || tries === 50) throw error;
      await sleep(50); // the last process in it is still ending
    }
  }
}
