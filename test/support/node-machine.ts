/** A machine of a swarm on AWS, and what AWS knows of all of them. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type NodeArgs, nodeUserData } from "../../components/topologies/aws/user-data.ts";
import { AgentMachine } from "./agent-machine.ts";

/** What AWS knows: two secrets, which machines there are, which wait for their end. */
export class FakeCloud {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<FakeCloud> {
    const cloud = new FakeCloud(await mkdtemp(join(tmpdir(), "cloud-")));
    await cloud.has([]);
    return cloud;
  }

  /** `leaving`: machines that their group would end, by the group. */
  async has(instances: readonly string[], leaving: Readonly<Record<string, readonly string[]>> = {}): Promise<void> {
    const Instances = instances.map((InstanceId) => ({ InstanceId }));
    const groups = Object.entries(leaving).map(([AutoScalingGroupName, ids]) => ({
      AutoScalingGroupName,
      Instances: ids.map((InstanceId) => ({ InstanceId, LifecycleState: "Terminating:Wait" })),
    }));
    await writeFile(join(this.folder, "instances.json"), JSON.stringify({ Reservations: [{ Instances }] }));
    await writeFile(join(this.folder, "groups.json"), JSON.stringify({ AutoScalingGroups: groups }));
  }

  secret(name: "manager-token" | "worker-token"): Promise<string | undefined> {
    return readFile(join(this.folder, name), "utf8").catch(() => undefined);
  }

  async put(name: string, value: string): Promise<void> {
    await writeFile(join(this.folder, name), value);
  }

  async end(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

export interface NodeOptions extends Pick<NodeArgs, "managers" | "labels"> {
  readonly instance: string;
  readonly address: string;
  readonly role: "manager" | "worker";
  readonly first?: boolean;
  readonly host?: string;
  /** Docker's socket. */
  readonly socket: string;
}

export async function nodeMachine(cloud: FakeCloud, options: NodeOptions): Promise<AgentMachine> {
  const { instance, role, first = false, socket, ...args } = options;
  const machine = await AgentMachine.of({
    program: "node",
    userData: nodeUserData({
      ...{ region: "eu-central-1", swarm: "machines", workerToken: "worker-token", logGroup: "/machines/swarm" },
      ...(role === "manager" ? { managerToken: "manager-token" } : {}),
      ...(first ? { first: true as const } : {}),
      ...{ keys: [], ...args },
    }),
    instance,
    script: "node-programs.sh",
    programs: ["aws", "systemctl", "hostnamectl", "docker"],
    env: { CLOUD: cloud.folder },
  });
  await mkdir(join(machine.root, "var/run"), { recursive: true });
  await symlink(socket, join(machine.root, "var/run/docker.sock"));
  return machine;
}
