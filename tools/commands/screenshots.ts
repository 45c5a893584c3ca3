/**
 * `npm run screenshots`: writes docs/screenshots anew. The tests take them, of what they have just found whole; so this runs
 * those that do.
 */
import process from "node:process";

import { run as test } from "./test.ts";

/** Whose names begin with it take a screenshot. */
const marked = "docs/screenshots";
const files = ["browser", "arkindex", "shinyproxy"].map((name) => `test/docker/${name}.test.ts`);

export function run(): Promise<number> {
  process.env.PLATFORM_TOPOLOGIES_SCREENSHOTS = "write"; // for test/support/eyes.ts
  return test([...files, "--testNamePattern", marked]);
}
