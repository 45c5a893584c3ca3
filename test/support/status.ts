/** `npm run status` of a throw-away stack, by the command itself. */
import process from "node:process";

import { expect } from "@jest/globals";
import { execa } from "execa";

import type { Status } from "../../tools/status/model.ts";
import { stackName } from "./run.ts";
import { leaks } from "./secrets.ts";
import { repo, type TestStack } from "./stack.ts";

export class Asking {
  readonly #stack: TestStack;
  readonly #secrets: Readonly<Record<string, string>>;

  /** `secrets`: none of them may be in anything that the command prints. */
  constructor(stack: TestStack, secrets: Readonly<Record<string, string>>) {
    this.#stack = stack;
    this.#secrets = secrets;
  }

  async text(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const state = `file://${this.#stack.folder}/state?metadata=skip`;
    const { exitCode, stdout, stderr } = await execa(
      process.execPath,
      ["tools/main.ts", "status", "--stack", stackName, ...args],
      { cwd: repo, env: { PULUMI_BACKEND_URL: state, PULUMI_CONFIG_PASSPHRASE: "test", ...env }, reject: false },
    );
    expect(leaks(stdout + stderr, this.#secrets)).toEqual([]);
    return { exitCode, stdout, stderr };
  }

  async json(env: Readonly<Record<string, string>> = {}): Promise<{ exitCode: number | undefined; status: Status }> {
    const { exitCode, stdout } = await this.text(["--json"], env);
    return { exitCode, status: JSON.parse(stdout) as Status };
  }
}

/** What it found, as `shop-db-1: does not run (exit code 1)`. */
export function findings({ findings: all }: Status, condition: Status["findings"][number]["condition"]): string[] {
  return all.flatMap((each) => (each.condition === condition ? [`${each.what}: ${each.why}`] : [])).sort();
}
