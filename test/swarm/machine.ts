/** What a swarm could leave behind on the machine, as lists to compare. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { linksOf, swarmsRoot } from "../../tools/swarm/record.ts";

/** Of the clusters whose name begins so, in this network (others' may come and go meanwhile). */
export async function leftovers(name: string, network: string): Promise<Left> {
  const { tag } = linksOf(network);
  const lines = async (file: string, ...args: string[]): Promise<string[]> => {
    const { stdout } = await execa(file, args, { reject: false });
    return stdout.split("\n").filter((line) => line.includes(tag));
  };
  const folder = join(swarmsRoot(), name);
  return {
    processes: (await commandLines()).filter((line) => line.includes(folder)),
    mounts: (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(folder)),
    namespaces: await lines("ip", "netns", "list"),
    links: await lines("ip", "-oneline", "link", "show"),
    rules: await lines("iptables-save"),
    cgroups: (await cgroups()).filter((path) => path.includes(`platform-topologies-${name}`)),
    folders: (await readdir(swarmsRoot()).catch(() => [])).filter((one) => one.startsWith(name)),
  };
}

export interface Left {
  readonly processes: string[];
  readonly mounts: string[];
  readonly namespaces: string[];
  readonly links: string[];
  readonly rules: string[];
  readonly cgroups: string[];
  readonly folders: string[];
}

export const nothing: Left = {
  processes: [],
  mounts: [],
  namespaces: [],
  links: [],
  rules: [],
  cgroups: [],
  folders: [],
};

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const read = (pid: string): Promise<string> => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return (await Promise.all(pids.map(read))).map((line) => line.replaceAll("\0", " "));
}

async function cgroups(): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  const trees = [root, ...(await readdir(root)).map((name) => join(root, name))];
  const below = await Promise.all(trees.map((tree) => readdir(tree).catch(() => [])));
  return below.flatMap((names, index) =>
    names.filter((name) => name.startsWith("platform-topologies-")).map((name) => join(trees[index] ?? "", name)),
  );
}
