/** What can be asked before anything is made: whose credentials these are, and where the state's disks lie. */
import type { List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { at } from "../../core/formats.ts";
import type { Known } from "../../core/known.ts";
import type { Plan } from "../../core/plan.ts";
import { subnetRange, tiers, zoneOf } from "./addresses.ts";
import { swarmHosts, swarms } from "./check.ts";

interface Caller {
  readonly region: string;
  readonly profile?: string | undefined;
  readonly role?: string | undefined;
}

/** Credentials of another account than the stack's, or none. */
export async function callerProblems(account: string, caller: Caller): Promise<Problem[]> {
  const { whoami } = await import("../../../ops/aws.ts");
  const { region, profile, role } = caller;
  try {
    const found = await whoami({
      region,
      ...(profile === undefined ? {} : { profile }),
      ...(role === undefined ? {} : { roleArn: role }),
    });
    const remedy = `the credentials are of the account ${found}: take those of ${account}, or mend aws.account`;
    return found === account ? [] : [{ key: "aws.account", value: account, remedy }];
  } catch (error) {
    return [{ key: "aws", remedy: error instanceof Error ? error.message : String(error) }];
  }
}

/**
 * What of the config does not go with the network and the disks that are there: neither can move. `site`: the stack's
 * name.
 */
export function movedParts(
  state: List<Known>,
  { cidr, zones }: { readonly cidr: string; readonly zones: List<string> },
  site: string,
  plan: Plan,
): Problem[] {
  const of = (type: string) => state.filter((known) => known.type === type).map(({ outputs }) => outputs);
  const network = of("aws:ec2/vpc:Vpc").find(({ cidrBlock }) => cidrBlock !== cidr);
  if (network !== undefined) {
    const remedy = `the stack's network is ${String(network.cidrBlock)}: it stays as long as the stack does`;
    return [{ key: "aws.cidr", value: cidr, remedy }];
  }
  const order = "new ones come last, and the last ones go first";
  const value = zones.join(", ");
  const moved = of("aws:ec2/subnet:Subnet").find(({ availabilityZone, cidrBlock }) => {
    const number = zones.indexOf(String(availabilityZone));
    return number >= 0 && !tiers.some((tier) => subnetRange(cidr, tier, number) === cidrBlock);
  });
  if (moved !== undefined)
    return [{ key: "aws.zones", value, remedy: `${String(moved.availabilityZone)} had another place in it: ${order}` }];
  const lost = lostMajority(of("aws:ec2/instance:Instance"), plan);
  if (lost !== undefined) return [lost];
  // A machine of a swarm has its own disk, and lies where its address does.
  const lies = new Map([
    ...of("aws:ebs/volume:Volume").map((disk) => [at(disk, ["tags", "slot"]), disk.availabilityZone] as const),
    ...of("aws:ec2/networkInterface:NetworkInterface").map(
      ({ tags }) => [at(tags, ["Name"]), at(tags, ["zone"])] as const,
    ),
  ]);
  return [...[...plan.slots].map(([name, { zone }]) => ({ name, zone })), ...swarmHosts(plan)].flatMap((part) => {
    const { name, zone } = part;
    const [was, now] = [lies.get(`${site}-${name}`), zoneOf(zones, zone)];
    if (typeof was !== "string" || was === now) return [];
    const remedy = `the disk of ${name} lies in ${was}, and its machine would be in ${now}: leave the zones as they were`;
    return [{ key: "aws.zones", value, remedy }];
  });
}

/** A swarm whose managers go by half or more at once can decide nothing any more. */
function lostMajority(instances: List<Known["outputs"]>, plan: Plan): Problem | undefined {
  const was = instances.filter((each) => /-manager-\d+$/.test(String(at(each, ["tags", "Name"])))).length;
  const now = swarms(plan)[0]?.managers.count ?? was;
  if (now >= was || now > was / 2) return undefined;
  const remedy = `of ${String(was)} managers a majority has to stay, or the swarm decides nothing any more: take away fewer at once`;
  return { key: "machines.managers.count", value: now, remedy };
}
