/** What tests import as `@jest/globals`, where jest itself is not there. */
export { jestExpect as expect } from "@jest/expect";
export { afterAll, afterEach, beforeAll, beforeEach, describe, it, test } from "jest-circus";

/** Circus reads its limit from here when a run starts. */
const limit = Symbol.for("TEST_TIMEOUT_SYMBOL");

export const jest = {
  setTimeout: (milliseconds: number): void => {
    Object.assign(globalThis, { [limit]: milliseconds });
  },
};
