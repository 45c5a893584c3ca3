/** Tells this run of the tests what its stacks came through: docs/proved.json and the README's matrix are made of it. */
import { appendFileSync } from "node:fs";
import process from "node:process";

import type { Level, Proof, Step } from "../../tools/commands/proved.ts";
import type { State } from "./stack.ts";

/** One stack: which of its commands came before says what the next one proves. */
export class Proving {
  readonly #level: Level;
  #is: "new" | "up" | "changed" | "failed" = "new";
  #platforms: readonly Pick<Proof, "system" | "topology">[] = [];

  constructor(level: Level) {
    this.#level = level;
  }

  /** Its program or its config is another one from now on. */
  changed(): void {
    if (this.#is === "up") this.#is = "changed";
  }

  /** A Pulumi command has ended. `left`: what is in the state now. */
  async ended(command: readonly string[], code: number, left: () => Promise<State>): Promise<void> {
    const file = process.env.PLATFORM_TOPOLOGIES_PROVED;
    if (file === undefined) return;
    const step = code === 0 ? this.#stepOf(command) : undefined;
    if (command[0] === "up") {
      this.#is = code === 0 ? "up" : "failed";
      if (code === 0) this.#platforms = platformsOf(await left());
    }
    if (step === "destroy") this.#is = "new";
    if (step === undefined) return;
    for (const platform of this.#platforms)
      appendFileSync(file, `${JSON.stringify({ ...platform, level: this.#level, step } satisfies Proof)}\n`);
  }

  #stepOf(command: readonly string[]): Step | undefined {
    if (command[0] === "up")
      return ({ new: "up", up: undefined, changed: "update", failed: "up after a failure" } as const)[this.#is];
    if (command[0] === "preview" && command.includes("--expect-no-changes")) return "empty preview";
    return command[0] === "destroy" && this.#is !== "new" ? "destroy" : undefined;
  }
}

/** What is deployed, by the stack's own word. An importer's program may have no system. */
function platformsOf({ resources }: State): Pick<Proof, "system" | "topology">[] {
  return resources.flatMap(({ type, inputs: { system, topology } = {} }) =>
    type.endsWith(":index:StackIdentity") && typeof system === "string" && typeof topology === "string"
      ? [{ system, topology }]
      : [],
  );
}
