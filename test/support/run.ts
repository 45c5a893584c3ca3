/**
 * The id of this run of `npm test`. Its tests label all that they make with it, so that its end takes nothing else
 * away.
 */
import process from "node:process";

export const run = process.env.PLATFORM_TOPOLOGIES_TEST_RUN ?? "alone";

/** The name of every throw-away stack. */
export const stackName = `test-${run}`;

/** Labels for what a test makes by hand. */
export const runLabels = { "platform-topologies.test": run };
export const runLabel = `platform-topologies.test=${run}`;
