/** Tests of the second tier in a file of the first: `npm test` has one failover of each store, test/long/copies-*.test.ts all. */
import process from "node:process";

import { test } from "@jest/globals";

const variable = "PLATFORM_TOPOLOGIES_LATER";

/** A test that only a whole run has. Asked at each call: this module is there before `whole` says it. */
export function later(...words: Parameters<typeof test>): void {
  (process.env[variable] === "yes" ? test : test.skip)(...words);
}

/** For a file of the second tier, before it imports one of the first. */
export function whole(): void {
  process.env[variable] = "yes";
}
