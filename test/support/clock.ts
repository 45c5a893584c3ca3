/** For `node --import`: the process lives on from the end of the day TEST_DAY, as 2026-11-29. */
import process from "node:process";

const real = Date;
const ahead = real.parse(`${process.env.TEST_DAY ?? ""}T23:59:59Z`) - real.now();
const now = (): number => real.now() + ahead;

class Clock extends real {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [now()] : given) as [number]));
  }
  static override now = now;
}
globalThis.Date = Clock as DateConstructor;
