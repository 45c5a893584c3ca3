/** This run of `npm test`. What its tests make on the machine's engine carries it, so its end takes away nothing else. */
import process from "node:process";

export const run = process.env.PLATFORM_TOPOLOGIES_TEST_RUN ?? "alone";

/** The name of every throw-away stack, and so a label on all that it makes. */
export const stackName = `test-${run}`;

/** For what a test makes by hand. */
export const runLabels = { "platform-topologies.test": run };
export const runLabel = `platform-topologies.test=${run}`;
