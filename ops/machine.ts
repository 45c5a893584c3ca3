import type { AutoScaling, AutoScalingGroup } from "@aws-sdk/client-auto-scaling";
import type { SSM } from "@aws-sdk/client-ssm";
import { z } from "zod";

import { autoScalingOf, awsAccess, explainAws, pauses, ssmOf, streamLines } from "./aws.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { block, redact } from "./logs.ts";
import { machineSays, ShellCommand } from "./shell-command.ts";
import type { Bag, Values } from "./wire.ts";

const inputs = z.object({
  at: awsAccess,
  name: z.string(),
  group: z.string(),
  spec: z.string().regex(/^[\w-]+$/, "is no id of a secret's version"), // it becomes a word of a shell command
  template: z.string(),
  seconds: z.number().positive(),
  logGroup: z.string().optional(),
  redact: z.array(z.string()).optional(),
});
type Asked = z.infer<typeof inputs>;

/** Has the machine of a group of one run what was asked for. Throws why it does not, with the machine's words. */
export const machine: Handler = {
  inputs,
  diff: compare(inputs, [], ["at"]),
  create: apply,
  update: (_olds, news) => apply(news),
};

async function apply(given: Values): Promise<Bag> {
  const asked = inputs.parse(given.plain);
  try {
    const work = new Work(await autoScalingOf(asked.at), await ssmOf(asked.at), asked);
    return { instanceId: await finish(work, asked, [...given.secrets, ...(asked.redact ?? [])]) };
  } catch (error) {
    throw explainAws(error, asked.at);
  }
}

async function finish(work: Work, asked: Asked, secrets: readonly string[]): Promise<string> {
  const { name, seconds } = asked;
  const limit = Date.now() + seconds * 1000;
  const rest = pauses(`waiting for ${name} was cancelled: run up again`);
  for (;;) {
    const now = await work.round(Math.ceil((limit - Date.now()) / 1000));
    if (now.is === "done") return now.instance;
    const late = Date.now() >= limit;
    if (now.is === "failed" || late) {
      const why = now.is === "failed" ? now.why : `${now.why} after ${String(seconds)} s`;
      if (now.is !== "failed") await work.cancel();
      throw new Error(`${name} did not become healthy: ${why}${await work.evidence(now.output ?? "", secrets)}`);
    }
    await rest();
  }
}

type Progress =
  | { readonly is: "done"; readonly instance: string }
  | { readonly is: "failed" | "waiting"; readonly why: string; readonly output?: string | undefined };

/** What is done for one slot. The group may replace its machine at any time, so each round looks at the group first. */
class Work {
  readonly #groups: AutoScaling;
  readonly #asked: Asked;
  readonly #command: ShellCommand;
  #terminated: string | undefined;

  constructor(groups: AutoScaling, ssm: SSM, asked: Asked) {
    this.#groups = groups;
    this.#asked = asked;
    this.#command = new ShellCommand(ssm, `/usr/local/bin/slot apply ${asked.spec}`);
  }

  /** `seconds`: how many are left. */
  async round(seconds: number): Promise<Progress> {
    const { group, template } = this.#asked;
    const { AutoScalingGroups } = await this.#groups.describeAutoScalingGroups({ AutoScalingGroupNames: [group] });
    const found = judgeGroup(AutoScalingGroups?.[0], template, this.#terminated);
    if ("why" in found) return found;
    const { instance } = found;
    if (found.is === "outdated") {
      await this.#terminate(instance);
      return { is: "waiting", why: `its machine ${instance} of an earlier template is still there` };
    }
    const verdict = await this.#command.round(instance, seconds);
    return verdict.is === "done" ? { is: "done", instance } : verdict;
  }

  async #terminate(instance: string): Promise<void> {
    try {
      const asked = { InstanceId: instance, ShouldDecrementDesiredCapacity: false };
      await this.#groups.terminateInstanceInAutoScalingGroup(asked);
      this.#terminated = instance;
    } catch (error) {
      // The group is about to do something, maybe just this: the next round looks again.
      if (!(error instanceof Error && /ScalingActivityInProgress|ResourceContention/.test(error.name))) throw error;
    }
  }

  async cancel(): Promise<void> {
    await this.#command.cancel();
  }

  /** The command's own words; without them why the group has no machine, and the log of the slot. */
  async evidence(output: string, secrets: readonly string[]): Promise<string> {
    const { at, group, logGroup } = this.#asked;
    if (output.trim() !== "") return block("its machine says", machineSays(redact(output, secrets)));
    const { instance } = this.#command;
    if (instance === undefined) {
      const asked = { AutoScalingGroupName: group, MaxRecords: 5 };
      const answer = await this.#groups.describeScalingActivities(asked).catch(() => undefined);
      const failed = answer?.Activities?.find(({ StatusCode }) => StatusCode === "Failed");
      return failed ? block("its Auto Scaling group says", [failed.StatusMessage ?? failed.Description ?? ""]) : "";
    }
    if (logGroup === undefined) return "";
    return block("last log lines", await streamLines(at, logGroup, "slot", 20, secrets));
  }
}

type GroupVerdict =
  | { readonly is: "failed" | "waiting"; readonly why: string }
  | { readonly is: "outdated" | "ready"; readonly instance: string };

/** `terminated`: the machine that was to be replaced by one of this template. */
export function judgeGroup(
  group: AutoScalingGroup | undefined,
  template: string,
  terminated: string | undefined,
): GroupVerdict {
  if (group === undefined) return { is: "failed", why: "its Auto Scaling group is gone: run `pulumi up --refresh`" };
  if (group.DesiredCapacity === 0) {
    return { is: "failed", why: "its Auto Scaling group is to have no machine: run `pulumi up --refresh`" };
  }
  const all = group.Instances ?? [];
  const found = all.find(({ LifecycleState, HealthStatus, InstanceId }) => {
    return LifecycleState === "InService" && HealthStatus !== "Unhealthy" && InstanceId !== terminated;
  });
  if (found?.InstanceId === undefined) {
    const each = all.map(({ InstanceId, LifecycleState, HealthStatus }) => {
      return `${String(InstanceId)} is ${HealthStatus === "Unhealthy" ? HealthStatus : String(LifecycleState)}`;
    });
    return { is: "waiting", why: each.length === 0 ? "its group has no machine" : each.join(", ") };
  }
  const { InstanceId: instance, LaunchTemplate } = found;
  if (LaunchTemplate?.Version === template) return { is: "ready", instance };
  if (terminated === undefined) return { is: "outdated", instance };
  const is = `its new machine ${instance} is of version ${String(LaunchTemplate?.Version)} of the template`;
  return { is: "failed", why: `${is}, not ${template}: run \`pulumi up --refresh\`` };
}
