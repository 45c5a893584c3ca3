/** Faults of the simulated cloud that an `up` meets on its way, and how it comes through. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "@jest/globals";

import { processes } from "../docker/ops-support.ts";
import type { Registered } from "./mocks.ts";
import { worldOf } from "./simulated.ts";
import { succeeded, type TestStack } from "./stack.ts";

export interface Fault {
  /** As SIMULATE_FAIL takes it. */
  readonly rule: string;
  /** What a run says that has met it. */
  readonly met: RegExp;
  /** How often it has to be met: twice where our own provider fails, as no failed run may let the next one pass. */
  readonly times: number;
}

/** The cloud refuses to make it. `type`: its end, as `Vpc` or `rds/instance:Instance`. */
export function refused(type: string, name: string): Fault {
  return {
    rule: `create ${type}::${name}`,
    met: new RegExp(`:${type} \\(${name}[^)]*\\): refused, as SIMULATE_FAIL`),
    times: 1,
  };
}

/** It is made, and ends badly: `part` as ECS or the group calls it, `name` as our provider does. */
export function ends(what: "task" | "service" | "machine", part: string, name: string): Fault {
  return { rule: `${what}/${part}`, met: new RegExp(`error: ${name} `), times: 2 };
}

/** The calls of our own provider and of the look before an `up`. Who asks so much is refused now and then. */
const calls = [
  ...["GetCallerIdentity", "RunTask", "ListTasks", "DescribeTasks", "DescribeServices", "DescribeAutoScalingGroups"],
  ...["DescribeInstanceInformation", "SendCommand", "GetCommandInvocation"],
];
const often = 2;
const throttled = { SIMULATE_THROTTLE: calls.map((call) => `${String(often)} ${call}`).join(",") };
const tooMany = "limits the calls of this account";

async function upWith(stack: TestStack, faults: Readonly<Record<string, string>>) {
  Object.assign(process.env, faults); // the API is in this process, and each command inherits them
  try {
    return await stack.up();
  } finally {
    for (const key of Object.keys(faults)) Reflect.deleteProperty(process.env, key);
  }
}

/**
 * Each run meets some of them and fails, until all are met as often as they have to be; the last one makes the rest, once.
 * All are there in each run: a branch that goes on while another fails must meet its own. Our own calls are throttled.
 */
export async function convergesThrough(stack: TestStack, faults: readonly Fault[]): Promise<void> {
  const left = new Map(faults.map((fault) => [fault, fault.times]));
  for (let runs = 1; left.size > 0; runs++) {
    expect(runs).toBeLessThanOrEqual(2 * faults.length);
    const rules = [...left.keys()].map(({ rule }) => rule).join(",");
    const { code, output } = await upWith(stack, { ...throttled, SIMULATE_FAIL: rules });
    if (code === 0) throw new Error(`nothing met ${rules}:\n${output}`);
    expect(output).not.toContain(tooMany);
    const now = [...left].filter(([{ met }]) => met.test(output));
    if (now.length === 0) throw new Error(`none of ${rules} was met:\n${output}`);
    for (const [fault, times] of now) {
      if (times > 1) left.set(fault, times - 1);
      else left.delete(fault);
    }
  }
  succeeded(await upWith(stack, throttled));
  succeeded(await stack.preview(["--expect-no-changes"]));
  // Each was asked again after it had been refused.
  for (const call of ["GetCallerIdentity", "SendCommand", "GetCommandInvocation"])
    expect(worldOf(stack).count(`throttle call ${call}`)).toBeGreaterThan(often);
}

/**
 * The last that a program makes of a type, as a rule for a fault. An earlier run may have made all of the type before it
 * failed: then it is the first of any type that is still to be made, as jobs are among what waits for that.
 */
async function lastOf(all: readonly Registered[], type: string, stack: TestStack): Promise<string> {
  const made = new Set((await stack.state()).resources.map(({ urn }) => urn.split("::").slice(2).join("::")));
  const isMade = ({ type: its, name }: Registered): boolean =>
    [...made].some((each) => each.endsWith(`${its}::${name}`));
  const missing = all.filter((each) => each.type.startsWith("aws:") && !isMade(each));
  const found = missing.findLast((each) => each.type === `aws:${type}`) ?? missing[0];
  if (found === undefined) throw new Error("everything is made already");
  return `create ${found.type.replace(/^aws:/, "")}::${found.name}`;
}

/**
 * From nothing: too many requests, a wait that ends too early, a provider that dies, ours that is killed while something
 * runs. Each run fails, and the next goes on; the last one makes the rest. No job has run twice.
 */
export async function comesThrough(stack: TestStack, all: readonly Registered[]): Promise<void> {
  for (const [fault, type, says] of [
    ["THROTTLE", "ec2/subnet:Subnet", /ThrottlingException: Rate exceeded/],
    ["TIMEOUT", "lb/loadBalancer:LoadBalancer", /timeout while waiting for state/],
    ["DIE", "autoscaling/group:Group", /transport|EOF|connection/],
  ] as const) {
    const { code, output } = await upWith(stack, { [`SIMULATE_${fault}`]: await lastOf(all, type, stack) });
    expect(code).not.toBe(0);
    expect(output).toMatch(says);
  }
  await goesOnAfterKill(stack);
}

/** An `up` whose own provider is killed while a job, or a machine's command, runs; and the next one, which takes it over. */
export async function goesOnAfterKill(stack: TestStack): Promise<void> {
  const world = worldOf(stack);
  const begun = (): number => world.notes("tasks").length + world.notes("commands").length;
  const before = runsOf(world.notes("tasks"));
  const atStart = begun();
  process.env.SIMULATE_SLOW = "5000 DescribeTasks,5000 GetCommandInvocation";
  try {
    const running = stack.start(["up", "--yes", "--skip-preview"]);
    let ended: unknown;
    while (begun() === atStart && ended === undefined)
      ended = await Promise.race([running.done, sleep(100, undefined)]);
    const providers = await processes("ops/main.ts", stack.folder);
    expect(providers).not.toEqual([]);
    for (const pid of providers) process.kill(pid, "SIGKILL");
    expect((await running.done).code).not.toBe(0);
  } finally {
    delete process.env.SIMULATE_SLOW;
  }
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  const after = runsOf(world.notes("tasks"));
  expect([...after].filter(([family, runs]) => runs > (before.get(family) ?? 0) + 1)).toEqual([]);
}

function runsOf(tasks: readonly Readonly<Record<string, unknown>>[]): Map<string, number> {
  const runs = new Map<string, number>();
  for (const { family } of tasks) runs.set(String(family), (runs.get(String(family)) ?? 0) + 1);
  return runs;
}
