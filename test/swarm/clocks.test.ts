/** The stores of test/swarm/stores.test.ts, while the clock of one node after another is ten minutes ahead or behind. */
import { clockFaults, withClock } from "../support/clocks.ts";
import { chosen } from "../support/store-faults.ts";
import { storesOn, testFaults, testNothingLost } from "../support/stores-test.ts";

const on = storesOn({ name: "clocks", network: "10.213.178" }, withClock);

testFaults(on, chosen(clockFaults(["m1", "m2", "m3", "w1", "w2"])));
testNothingLost(on);
