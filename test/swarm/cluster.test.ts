/** The harness itself: what it makes is a real swarm, and nothing of it stays, however it ends. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import { local, repo } from "../../tools/setup/paths.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { remove, sweep } from "../../tools/swarm/remove.ts";
import { nodesOf } from "../../tools/swarm/swarm.ts";
import { eventually, onSwarm } from "../support/swarm.ts";
import { leftovers, nothing } from "./machine.ts";

import type Docker from "dockerode";

import type { Left } from "./machine.ts";

const network = "10.213.231";
const left = (): Promise<Left> => leftovers("cluster-", network);

/** The image list of this checkout; Redis is the smallest server. */
async function redisImage(): Promise<string> {
  const images = JSON.parse(await readFile(join(local, "images.json"), "utf8")) as Record<string, string>;
  return images.redis ?? "";
}

interface Task {
  readonly NodeID: string;
  readonly DesiredState: string;
  readonly Status: { readonly State: string; readonly ContainerStatus?: { readonly ContainerID: string } };
}

async function running(manager: Docker, service: string): Promise<Task[]> {
  const tasks = (await manager.listTasks({ filters: { service: [service] } })) as Task[];
  return tasks.filter(({ DesiredState, Status }) => DesiredState === "running" && Status.State === "running");
}

async function namesOf(manager: Docker, tasks: readonly Task[]): Promise<string[]> {
  const nodes = await nodesOf(manager);
  return tasks.map(({ NodeID }) => nodes.find(({ ID }) => ID === NodeID)?.Description.Hostname ?? "").sort();
}

async function state(manager: Docker, node: string): Promise<string | undefined> {
  return (await nodesOf(manager)).find(({ Description }) => Description.Hostname === node)?.Status.State;
}

/** A command in a container of the service on this node (which may have two of them while another node is away). */
async function inside(cluster: Cluster, node: string, service: string, ...command: string[]): Promise<string> {
  const host = ["--host", cluster.host(node)];
  const { stdout } = await execa("docker", [...host, "ps", "--quiet", "--filter", `name=${service}.`]);
  return (await execa("docker", [...host, "exec", stdout.split("\n")[0] ?? "", ...command])).stdout;
}

test("four nodes: replicas spread and reach each other, a killed node comes back with its volume, nothing stays", async () => {
  await onSwarm({ name: "cluster-test", network, managers: 1, workers: 3 }, async (cluster) => {
    const manager = cluster.dockerOf("m1");
    const pushed = await cluster.push([await redisImage()]);
    const image = Object.values(pushed)[0] ?? "";
    expect(image).toContain(`${cluster.registry}/`);
    const network = await manager.createNetwork({ Name: "app", Driver: "overlay", Attachable: true });
    const service = (name: string, replicas: number, on: string[], mounts: Docker.MountSettings[] = []) =>
      manager.createService({
        Name: name,
        TaskTemplate: {
          ContainerSpec: {
            Image: image,
            Command: ["redis-server", "--protected-mode", "no", "--dir", "/data", "--appendonly", "yes"],
            Mounts: mounts,
            HealthCheck: { Test: ["CMD", "redis-cli", "ping"], Interval: 1e9, Retries: 5 },
          },
          Placement: { Constraints: on },
          Networks: [{ Target: network.id }],
        },
        Mode: { Replicated: { Replicas: replicas } },
        EndpointSpec: { Mode: "dnsrr" },
      });
    await service("web", 4, []);
    await service("slot", 1, ["node.hostname==w2"], [{ Type: "volume", Source: "slot", Target: "/data" }]);
    const spread = await eventually(
      60,
      () => running(manager, "web"),
      (tasks) => tasks.length === 4,
    );
    expect(await namesOf(manager, spread)).toEqual(["m1", "w1", "w2", "w3"]);
    await eventually(
      60,
      () => running(manager, "slot"),
      (tasks) => tasks.length === 1,
    );

    // Over the wire, by name, from another node.
    const slot = ["redis-cli", "-h", "tasks.slot"];
    expect(await inside(cluster, "m1", "web", ...slot, "set", "kept", "yes")).toBe("OK");
    const names = await inside(cluster, "w1", "web", "getent", "ahostsv4", "tasks.web");
    expect(new Set(names.split("\n").map((line) => line.split(" ")[0])).size).toBe(4);

    const { stdout: id } = await execa("docker", [
      "--host",
      cluster.host("w2"),
      "info",
      "--format",
      "{{.Swarm.NodeID}}",
    ]);
    await cluster.kill("w2");
    const { processes, cgroups } = await left();
    expect([...processes, ...cgroups].filter((line) => /cluster-test[/-]w2/.test(line))).toEqual([]);
    expect(processes.some((line) => line.includes("cluster-test/w1"))).toBe(true);
    expect(cgroups.some((line) => line.endsWith("cluster-test-w1"))).toBe(true);
    await eventually(
      60,
      () => state(manager, "w2"),
      (seen) => seen === "down",
    );
    const moved = await eventually(
      60,
      () => running(manager, "web"),
      (tasks) => tasks.length === 4,
    );
    expect(await namesOf(manager, moved)).not.toContain("w2");

    await cluster.start("w2");
    const { stdout: again } = await execa("docker", [
      "--host",
      cluster.host("w2"),
      "info",
      "--format",
      "{{.Swarm.NodeID}}",
    ]);
    expect(again).toBe(id);
    await eventually(
      60,
      () => running(manager, "slot"),
      (tasks) => tasks.length === 1,
    );
    const get = () => inside(cluster, "m1", "web", ...slot, "get", "kept").catch(String);
    expect(await eventually(30, get, (answer) => answer === "yes")).toBe("yes");

    // A lost disk: a new node under the old name, without the volume. Then a fifth.
    await cluster.wipe("w2");
    await cluster.start("w2");
    expect((await nodesOf(manager)).filter(({ Description }) => Description.Hostname === "w2")).toHaveLength(1);
    expect(await cluster.addWorker()).toBe("w4");
    expect(await nodesOf(manager)).toHaveLength(5);
  });
  expect(await left()).toEqual(nothing);
}, 300_000);

/** Another process that starts a cluster; ends by SIGKILL when its output has `word`. */
async function killedOwner(name: string, word: string): Promise<void> {
  const program = `
    import { Cluster } from ${JSON.stringify(join(repo, "tools/swarm/cluster.ts"))};
    await Cluster.start({ name: "${name}", network: "${network}", workers: 1, say: console.log });
    console.log("whole");
    setInterval(() => undefined, 1000);`;
  const owner = execa(process.execPath, ["--input-type=module", "--eval", program], { reject: false });
  for await (const line of owner) {
    if (!line.includes(word)) continue;
    if (word === "starting") await eventually(30, left, ({ processes }) => processes.length > 0); // half-way
    owner.kill("SIGKILL");
  }
  await owner;
}

test.each(["starting", "joining", "whole"])(
  "an owner that is killed (%s) leaves a cluster that the next start takes away",
  async (word) => {
    await killedOwner("cluster-orphan", word);
    const { folders, namespaces, links, rules, processes } = await left();
    expect(folders).toEqual(["cluster-orphan"]);
    // What the comparison with nothing looks at is there to be seen.
    const seen = [namespaces.length, links.length, rules.length];
    if (word === "starting") expect(Math.min(...seen)).toBeGreaterThan(0);
    else expect(seen).toEqual([2, 3, 1]);
    expect(processes.length).toBeGreaterThan(0);
    expect(await sweep()).toContain("cluster-orphan");
    expect(await left()).toEqual(nothing);
    await remove("cluster-orphan"); // again: nothing to do
  },
  60_000,
);

test("a node's full disk is that of its volumes: its other files, and this machine's, have room", async () => {
  await onSwarm({ name: "cluster-full", network, managers: 1, workers: 1, volumesMib: 128 }, async (cluster) => {
    const [image = ""] = Object.values(await cluster.push([await redisImage()]));
    const docker = ["--host", cluster.host("w1")];
    const keep = ["--detach", "--name", "keeps", "--restart", "always", "--volume", "kept:/kept"];
    await execa("docker", [...docker, "run", ...keep, image, "sleep", "infinity"]);
    const write = async (where: string): Promise<string> => {
      const script = `cat /etc/passwd >${where} && echo written || :`;
      const { stdout, stderr } = await execa("docker", [...docker, "exec", "keeps", "sh", "-c", script]);
      return stdout + stderr;
    };
    const room = async (): Promise<number> => {
      const { stdout } = await execa("df", ["--block-size=1M", "--output=avail", cluster.shared]);
      return Number(stdout.split("\n")[1]);
    };
    // After a power cut it is the same disk.
    for (const again of [false, true]) {
      if (again) {
        await cluster.kill("w1");
        await cluster.start("w1");
        await eventually(
          30,
          () => write("/tmp/file").catch(() => ""),
          (said) => said === "written",
        );
      }
      const before = await room();
      await cluster.fill("w1");
      expect(await write(`/kept/full-${String(again)}`)).toContain("No space left on device");
      expect(await write("/tmp/file")).toBe("written");
      expect(before - (await room())).toBeLessThan(128);
      await cluster.unfill("w1");
      expect(await write("/kept/file")).toBe("written");
    }
  });
}, 240_000);

test("a cluster that cannot be is refused, or taken away half-way, with one sentence", async () => {
  await expect(Cluster.start({ name: "No_Name" })).rejects.toThrow(/cluster name = No_Name/);
  await expect(Cluster.start({ name: "cluster-bad", network: "192.168.1" })).rejects.toThrow(/10\.0\.0\.0\/8/);
  await onSwarm({ name: "cluster-one", network, workers: 0 }, async () => {
    await expect(Cluster.start({ name: "cluster-two", network })).rejects.toThrow(/in use on this machine/);
    await expect(Cluster.start({ name: "cluster-one" })).rejects.toThrow(/there is a swarm cluster-one already/);
    const abort = new AbortController();
    const say = (line: string) => {
      if (line.startsWith("joining")) abort.abort(new Error("Ctrl-C"));
    };
    await expect(Cluster.start({ name: "cluster-two", workers: 1, say, signal: abort.signal })).rejects.toThrow(
      "Ctrl-C",
    );
    expect((await left()).folders).toEqual(["cluster-one"]);
  });
  expect(await left()).toEqual(nothing);
}, 60_000);
