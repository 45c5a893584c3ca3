/** A stack of one job, and a volume on which each run of it leaves a line. */
import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";

import { runLabels } from "../support/run.ts";
import { TestStack } from "../support/stack.ts";
import type { Outcome } from "../support/stack.ts";
import { docker, ensureImage, imports, removeContainers } from "./ops-support.ts";

export const name = "ops-job-test";
export const volume = "ops-job-test";

/** A job whose arguments are the test's; each run leaves a line in /runs/log. */
export const program = (args: string): string => `${imports}
new Job("job", {
  host, name: "${name}", image, networks: [], seconds: 60, trigger: "1", mounts: [{ source: "${volume}", path: "/runs" }],
  labels: ${JSON.stringify(runLabels)},
  ...${args},
});
`;
export const command = (script: string): string[] => ["sh", "-c", `echo run >> /runs/log; ${script}`];

/** Made before the first test of the file that imports this. */
export let stack: TestStack;

/** Before the first, too: a run that was killed has left them. */
async function clean(): Promise<void> {
  await removeContainers(name);
  await docker("volume", "rm", "-f", volume);
}
beforeAll(async () => {
  await ensureImage();
  await clean();
  stack = await TestStack.create({ program: "" });
}, 120_000);
afterEach(async () => {
  await stack.rewrite("");
  await stack.up();
  await clean();
}, 30_000);
afterAll(async () => {
  await stack.dispose();
}, 60_000);

export async function up(args: object): Promise<Outcome> {
  await stack.rewrite(program(JSON.stringify(args)));
  return stack.up();
}

export async function passes(args: object): Promise<void> {
  const { code, output } = await up(args);
  expect([code, output]).toEqual([0, output]);
  const preview = await stack.preview(["--expect-no-changes"]);
  expect([preview.code, preview.output]).toEqual([0, preview.output]);
  await leavesNothing();
}

export async function leavesNothing(): Promise<void> {
  expect(await docker("ps", "-aq", "--filter", `name=${name}`)).toBe("");
}

/** How often the job has run on the volume. */
export async function runs(): Promise<number> {
  const log = await docker(
    "run",
    "--rm",
    "--network",
    "none",
    "-v",
    `${volume}:/runs`,
    ...["platform-topologies-test/busybox", "cat", "/runs/log"],
  );
  return log.split("\n").length;
}
