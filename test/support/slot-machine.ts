/** The machine of a slot. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Spec } from "../../components/topologies/aws/spec.ts";
import { userData } from "../../components/topologies/aws/user-data.ts";
import { AgentMachine, type AgentMachineArgs } from "./agent-machine.ts";

export { fileOf, type Ran } from "./agent-machine.ts";

/**
 * Time passes when the agent sleeps, and not otherwise. LATER: seconds since the machine's start. Python itself sleeps
 * for parts of a second while it waits for a program.
 */
const clock = `import os, time
now = [float(os.environ.get("LATER", "0"))]
really = time.sleep
def sleep(seconds):
    if seconds < 1:
        return really(seconds)
    now[0] += seconds
time.sleep = sleep
time.monotonic = lambda: now[0]
`;

export const machineArgs = {
  region: "eu-central-1",
  secretArn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/slot/db-1-AbCdEf",
  volumeId: "vol-1",
  logGroup: "/shop/slots",
};

export class SlotMachine extends AgentMachine {
  /** `disk: false`: the machine has none. */
  static async make(spec: Spec, { disk = true } = {}): Promise<SlotMachine> {
    const { volumeId, ...without } = machineArgs;
    const args: AgentMachineArgs = {
      program: "slot",
      userData: userData(disk ? { ...without, volumeId } : without),
      instance: "i-new",
      script: "slot-programs.sh",
      programs: ["aws", "docker", "blkid", "mkfs.xfs", "mount", "xfs_growfs", "iptables", "systemctl", "nvidia-smi"],
      folders: ["dev/disk/by-id", "proc/sys/vm", "proc/sys/net/ipv4"],
    };
    const machine = new SlotMachine(await mkdtemp(join(tmpdir(), "slot-")), await AgentMachine.python(), args);
    await machine.furnish(args);
    await machine.put("proc/mounts", "tmpfs /run tmpfs rw 0 0\n");
    await machine.put("bin/sitecustomize.py", clock);
    await machine.put("state/health", "healthy\n");
    await machine.put("state/log", "");
    await machine.spec(spec, "v1", "AWSCURRENT");
    return machine;
  }

  /** Makes these versions of the secret. */
  async spec(spec: Spec, ...versions: string[]): Promise<void> {
    for (const version of versions)
      await this.put(`state/secret-${version}`, JSON.stringify({ SecretString: JSON.stringify(spec) }));
  }
}
