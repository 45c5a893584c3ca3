/** A network that is there already, in the place of one of the stack's own: what is wrong with it, as far as it is told. */
import type { List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { at } from "../../core/formats.ts";
import type { Known } from "../../core/known.ts";
import type { Plan } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { rangeOf, unfit } from "../subnets.ts";
import { engineRange } from "./addresses.ts";
import type { Checked } from "./check.ts";
import { type AwsVpc, usualRange } from "./config.ts";

/** Pure: a preview needs no credentials. */
export function checkVpc({ vpc, zones, cidr, nat }: Checked, { name }: Site, plan: Plan): Problem[] {
  if (vpc === undefined) return [];
  const problems: Problem[] = [];
  const say = (key: string, value: unknown, remedy: string): void => {
    problems.push({ key: `aws.${key}`, value, remedy });
  };
  const range = rangeOf(vpc.cidr);
  const wrong = unfit(vpc.cidr);
  const taken = range === undefined ? undefined : engineRange(range);
  if (wrong !== undefined) say("vpc.cidr", vpc.cidr, wrong);
  else if (taken !== undefined)
    say("vpc.cidr", vpc.cidr, `the machines' own engines have ${taken}: a network or subnets apart from that`);
  if (cidr !== usualRange) say("cidr", cidr, "for a network of the stack's own: leave it out, as aws.vpc.cidr says it");
  if (nat !== undefined) say("nat", nat, "the ways out of a network that is there are its own: leave it out");
  for (const zone of zones)
    if (!Object.hasOwn(vpc.subnets, zone))
      say("vpc.subnets", Object.keys(vpc.subnets).join(", "), `name those of ${zone}: {edge: subnet-…, app: subnet-…}`);
  const seen = new Map<string, string>();
  for (const [zone, { edge, app, data }] of Object.entries(vpc.subnets)) {
    if (!zones.includes(zone))
      say(`vpc.subnets.${zone}`, undefined, "no zone of aws.zones: add it there, or leave it out");
    const tiers = [["edge", edge], ["app", app], ...(data === undefined || data === app ? [] : [["data", data]])];
    for (const [tier = "", id = ""] of tiers) {
      const key = `${zone}.${tier}`;
      const other = seen.get(id);
      if (other !== undefined) say(`vpc.subnets.${key}`, id, `it is that of ${other} already: name another`);
      seen.set(id, key);
    }
  }
  const short = [...plan.workloads, ...plan.slots].flatMap(([, { names = [] }]) => names)[0];
  if (short !== undefined && !vpc.searchDomain)
    say(
      "vpc.searchDomain",
      false,
      `${short} is called by its name alone: have the network's DHCP options search ${name}.internal, and say true; or leave the network to the stack`,
    );
  return problems;
}

/** Everything of a stack is in its network: in another one it would be another stack, with other stores. */
export function otherVpc(state: List<Known>, vpc: AwsVpc | undefined): Problem | undefined {
  const outputs = (type: string) => state.filter((known) => known.type === `aws:${type}`).map((known) => known.outputs);
  const stays = "it stays there as long as it is there itself; to move, make a new stack with `restore`";
  const [own] = outputs("ec2/vpc:Vpc");
  if (own !== undefined)
    return vpc === undefined
      ? undefined
      : {
          key: "aws.vpc.id",
          value: vpc.id,
          remedy: `the stack has a network of its own, ${String(own.cidrBlock)}: ${stays}`,
        };
  const was = outputs("ec2/securityGroup:SecurityGroup").map(({ vpcId }) => vpcId)[0];
  if (typeof was !== "string") return undefined;
  if (was !== vpc?.id)
    return {
      key: "aws.vpc.id",
      ...(vpc === undefined ? {} : { value: vpc.id }),
      remedy: `the stack is in ${was}: ${stays}`,
    };
  const named = new Set(Object.values(vpc.subnets).flatMap((each) => Object.values(each)));
  const used = [
    ...outputs("ec2/networkInterface:NetworkInterface").map(({ subnetId }) => subnetId),
    ...outputs("rds/subnetGroup:SubnetGroup").flatMap(({ subnetIds }) => subnetIds),
    ...outputs("elasticache/subnetGroup:SubnetGroup").flatMap(({ subnetIds }) => subnetIds),
    ...outputs("opensearch/domain:Domain").flatMap((domain) => at(domain, ["vpcOptions", "subnetIds"])),
  ];
  const left = used.filter((id): id is string => typeof id === "string").find((id) => !named.has(id));
  if (left === undefined) return undefined;
  const remedy = `${left} has disks or stores of the stack: leave it in; more zones may come`;
  return { key: "aws.vpc.subnets", value: [...named].join(", "), remedy };
}
