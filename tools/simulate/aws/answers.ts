/** The parts of the API that each service of it has. */
import type { Faults } from "../faults.ts";
import type { Bag } from "../wire.ts";
import type { World } from "../world.ts";

/** By the call's name. */
export type Answers = Readonly<Record<string, (asked: Bag, world: World, faults: Faults) => Bag>>;

/** An error as the API has it. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
