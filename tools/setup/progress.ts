/** Steps that a person watches: a live list on a terminal, plain lines with elapsed seconds anywhere else. */
import process from "node:process";

import { Listr } from "listr2";

import { describe } from "./problem.ts";

import type { Say } from "./cache.ts";

export interface Step {
  title: string;
  /** Does the step; `say` shows its progress. Returns what it took or made, in words. */
  run(say: Say): Promise<string>;
}

/** The time between two plain lines of one step. */
const quietMs = 10_000;

/** Runs the steps one after another, until one throws. Shows them on stderr, as stdout is for results. */
export async function steps(list: readonly Step[]): Promise<void> {
  if (process.stderr.isTTY) await live(list);
  else for (const step of list) await plain(step);
}

async function live(list: readonly Step[]): Promise<void> {
  const tasks = list.map((step) => ({
    title: step.title,
    task: async (_context: unknown, task: { title: string; output: string }) => {
      const began = Date.now();
      const how = await step.run((line) => {
        task.output = `${line} (${seconds(began)})`;
      });
      task.title = `${step.title}: ${how} (${seconds(began)})`;
    },
  }));
  // main.ts prints the error, once.
  await new Listr(tasks, { rendererOptions: { showErrorMessage: false, collapseSkips: false } }).run();
}

async function plain(step: Step): Promise<void> {
  const began = Date.now();
  const print: Say = (line) => process.stderr.write(`[${seconds(began)}] ${step.title}: ${line}\n`);
  let printed = 0;
  try {
    const how = await step.run((line) => {
      if (Date.now() - printed < quietMs) return;
      printed = Date.now();
      print(line);
    });
    print(how);
  } catch (error) {
    print(`failed: ${describe(error).split("\n")[0] ?? ""}`);
    throw error;
  }
}

export function seconds(began: number): string {
  return `${((Date.now() - began) / 1000).toFixed(1)} s`;
}
