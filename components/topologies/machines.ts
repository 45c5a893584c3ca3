import type { Container, List } from "../core/contracts.ts";
import type { Problem } from "../core/errors.ts";

/** Machines that containers name, but the config does not. */
export function unknownMachines(key: string, known: object, planned: List<readonly [string, Container]>): Problem[] {
  return planned.flatMap(([name, { machine }]) =>
    machine === undefined || Object.hasOwn(known, machine)
      ? []
      : [{ key: `${name}.machine`, value: machine, remedy: `no such machine: add it to ${key}` }],
  );
}
