/** Finds what is wrong with one host's arguments and a plan together. */
import type { Dict } from "../../core/contracts.ts";
import type { Verdict } from "../../core/certificates.ts";
import { containers, type Plan } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { adoptedProblems } from "../adopted.ts";
import { unknownMachines } from "../machines.ts";
import { type NetworkChoices, subnetProblems } from "../subnets.ts";
import { checkTls, type Tls } from "../tls.ts";
import { type Machine, networksBy, networksOn, socketProblems } from "./machines.ts";

interface Checked extends NetworkChoices {
  readonly host: string;
  readonly socket?: string | undefined;
  readonly machines?: Dict<Machine>;
  readonly tls: Tls;
}

export function checkDocker(args: Checked, site: Site, plan: Plan): Verdict {
  const { machines = {}, subnets = {} } = args;
  const planned = containers(plan);
  const on = (parts: typeof planned) =>
    ["", ...Object.keys(machines)].flatMap((machine) => Object.keys(networksOn(machine, parts)));
  const [networks, tiers] = [on(planned), on([])];
  const joined = networks.filter((name) => !tiers.includes(name));
  const { problems, warnings } = checkTls("docker", args.tls, site, plan);
  const more = [
    ...unknownMachines("docker.machines", machines, planned),
    ...adoptedProblems("docker", args, tiers, joined),
    ...subnetProblems("docker.subnets", subnets, networks, planned, networksBy),
    ...socketProblems(args, machines, planned),
  ];
  return { problems: [...problems, ...more], warnings };
}
