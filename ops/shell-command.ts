/** One command on a machine of EC2, by Systems Manager: no port of the machine is open for it. */
import type { GetCommandInvocationResult, SSM } from "@aws-sdk/client-ssm";

import { named } from "./aws.ts";

interface Sent {
  readonly instance: string;
  readonly id: string;
}

export type CommandVerdict =
  | { readonly is: "done" }
  | { readonly is: "failed" | "waiting"; readonly why: string; readonly output?: string | undefined };

export class ShellCommand {
  readonly #ssm: SSM;
  readonly #words: string;
  #sent: Sent | undefined;

  /** `words`: a program of the machine's and its arguments, as a shell reads them. */
  constructor(ssm: SSM, words: string) {
    this.#ssm = ssm;
    this.#words = words;
  }

  /** The machine that was told, if one was. */
  get instance(): string | undefined {
    return this.#sent?.instance;
  }

  /** Sends it once the machine's agent is online, and looks how far it is. `seconds`: how long it may take. */
  async round(instance: string, seconds: number): Promise<CommandVerdict> {
    const sent = await this.#send(instance, Math.max(seconds, 1));
    if (sent === undefined) return { is: "waiting", why: `the SSM agent of its machine ${instance} is not online` };
    const answer = await this.#answer(sent);
    const verdict = judgeCommand(answer, this.#words.split(" ").slice(0, 2).join(" ").replace(/^.*\//, ""));
    if (verdict.is === "done") return verdict;
    return { ...verdict, why: `${verdict.why} on its machine ${instance}`, output: answer?.StandardErrorContent };
  }

  /** Ends a command that is late, as far as it can be. */
  async cancel(): Promise<void> {
    if (this.#sent === undefined) return;
    await this.#ssm.cancelCommand({ CommandId: this.#sent.id }).catch(() => undefined);
  }

  async #send(instance: string, seconds: number): Promise<Sent | undefined> {
    if (this.#sent?.instance === instance) return this.#sent;
    const { InstanceInformationList = [] } = await this.#ssm.describeInstanceInformation({
      Filters: [{ Key: "InstanceIds", Values: [instance] }],
    });
    if (InstanceInformationList[0]?.PingStatus !== "Online") return undefined;
    try {
      const { Command } = await this.#ssm.sendCommand({
        DocumentName: "AWS-RunShellScript",
        InstanceIds: [instance],
        Parameters: {
          // The agent is online before the user data has written the program.
          commands: ["cloud-init status --wait >/dev/null 2>&1 || true", this.#words],
          executionTimeout: [String(seconds)],
        },
        TimeoutSeconds: Math.max(seconds, 30),
      });
      this.#sent = { instance, id: Command?.CommandId ?? "" };
      return this.#sent;
    } catch (error) {
      if (named(error, "InvalidInstanceId")) return undefined; // the agent has just gone
      throw error;
    }
  }

  async #answer({ instance, id }: Sent): Promise<GetCommandInvocationResult | undefined> {
    try {
      return await this.#ssm.getCommandInvocation({ CommandId: id, InstanceId: instance });
    } catch (error) {
      if (named(error, "InvocationDoesNotExist")) return undefined; // not yet
      throw error;
    }
  }
}

/** `command`: its name in messages. */
export function judgeCommand(answer: GetCommandInvocationResult | undefined, command: string): CommandVerdict {
  const { Status = "Pending", StatusDetails = "", ResponseCode = -1 } = answer ?? {};
  if (Status === "Success") return { is: "done" };
  if (["Pending", "InProgress", "Delayed", "Cancelling"].includes(Status)) {
    return { is: "waiting", why: `\`${command}\` is ${Status}` };
  }
  if (Status === "Failed" && ResponseCode > 0) {
    return { is: "failed", why: `\`${command}\` failed with exit code ${String(ResponseCode)}` };
  }
  return { is: "failed", why: `\`${command}\` was not carried out (${StatusDetails || Status})` };
}

/** What the machine wrote, for an error. */
export function machineSays(output: string): string[] {
  return output.trimEnd().split("\n").slice(-40);
}
