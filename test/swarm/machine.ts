/** What a swarm could leave behind on the machine, as lists to compare. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { swarmsRoot } from "../../tools/swarm/record.ts";

export async function leftovers(): Promise<Record<string, string[]>> {
  const lines = async (file: string, ...args: string[]): Promise<string[]> =>
    (await execa(file, args, { reject: false })).stdout.split("\n").map((line) => line.trim());
  const ours = (list: readonly string[]): string[] => list.filter((line) => line.includes("pt213")).sort();
  return {
    processes: (await commandLines()).filter((line) => line.includes(swarmsRoot())).sort(),
    mounts: (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(swarmsRoot())),
    namespaces: ours(await lines("ip", "netns", "list")),
    links: ours(await lines("ip", "-oneline", "link", "show")).map((line) => line.split(":")[1] ?? ""),
    rules: ours(await lines("iptables-save")),
    cgroups: await cgroups(),
    folders: (await readdir(swarmsRoot()).catch(() => [])).sort(),
  };
}

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
