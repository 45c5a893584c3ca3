/** Finds what is wrong with one host's arguments and a plan together. */
import type { Dict } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { containers, type Plan } from "../../core/plan.ts";
import { unknownMachines } from "../machines.ts";
import { type NetworkChoices, subnetProblems } from "../subnets.ts";
import { type Machine, networksBy, networksOn, socketProblems } from "./machines.ts";

interface Checked extends NetworkChoices {
  readonly host: string;
  readonly socket?: string | undefined;
  readonly machines?: Dict<Machine>;
}

export function dockerProblems(args: Checked, plan: Plan): Problem[] {
  const { machines = {}, subnets = {} } = args;
  const planned = containers(plan);
  const networks = ["", ...Object.keys(machines)].flatMap((machine) => Object.keys(networksOn(machine, planned)));
  return [
    ...unknownMachines("docker.machines", machines, planned),
    ...subnetProblems("docker.subnets", subnets, networks, planned, networksBy),
    ...socketProblems(args, machines, planned),
  ];
}
