/** What can be asked before anything is made: whose credentials these are, and where the state's disks lie. */
import type { List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { at, own } from "../../core/formats.ts";
import type { Known } from "../../core/known.ts";
import { type Plan, routesOf } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { rangeOf } from "../subnets.ts";
import { subnetRange, tiers, within, zoneOf } from "./addresses.ts";
import { swarmHosts, swarms } from "./check.ts";
import { otherVpc } from "./vpc.ts";
import type { AwsConfig, AwsVpc } from "./config.ts";

interface Caller {
  readonly region: string;
  readonly profile?: string | undefined;
  readonly role?: string | undefined;
}

/** Credentials of another account than the stack's, or none. */
export async function callerProblems(account: string, caller: Caller): Promise<Problem[]> {
  const { otherAccount } = await import("../../../ops/aws.ts");
  try {
    const remedy = await otherAccount(accessOf(caller), account);
    return remedy === undefined ? [] : [{ key: "aws.account", value: account, remedy }];
  } catch (error) {
    return [{ key: "aws", remedy: error instanceof Error ? error.message : String(error) }];
  }
}

function accessOf({ region, profile, role }: Caller) {
  return {
    region,
    ...(profile === undefined ? {} : { profile }),
    ...(role === undefined ? {} : { roleArn: role }),
  };
}

/** Subnets that are not where the config says, and what a network that is there lacks. */
export async function vpcProblems({ id, cidr, subnets }: AwsVpc, caller: Caller): Promise<Problem[]> {
  const { networkOf } = await import("../../../ops/aws.ts");
  const named = Object.entries(subnets).flatMap(([zone, { edge, app, data = app }]) =>
    Object.entries({ edge, app, data }).map(([tier, value]) => ({ tier, zone, value })),
  );
  const zones = Object.fromEntries(
    Object.keys(subnets).map((each) => [each, named.filter(({ zone }) => zone === each).map(({ value }) => value)]),
  );
  try {
    const found = await networkOf(accessOf(caller), id, zones);
    return [
      ...found.missing.map((value) => ({ key: "aws.vpc.id", value: id, remedy: `its ${value} is off: switch it on` })),
      ...named.flatMap(({ tier, zone, value }): Problem[] => {
        if (tier === "data" && value === subnets[zone]?.app) return [];
        const key = `aws.vpc.subnets.${zone}.${tier}`;
        if (!found.subnets.has(value)) return [{ key, value, remedy: `${id} has no such subnet in ${zone}` }];
        const [range, whole] = [rangeOf(found.subnets.get(value) ?? ""), rangeOf(cidr)];
        if (range === undefined || within(range, whole)) return [];
        return [{ key: "aws.vpc.cidr", value: cidr, remedy: `it has to have ${value}, which is ${range.text}` }];
      }),
    ];
  } catch (error) {
    return [{ key: "aws.vpc.id", value: id, remedy: error instanceof Error ? error.message : String(error) }];
  }
}

/**
 * What of the config does not go with the network, the key, the disks and the protected balancer that are there. `site`:
 * the stack's name, and its words for disks.
 */
export function movedParts(
  state: List<Known>,
  { cidr, zones, vpc, edge, kmsKey }: Pick<AwsConfig, "cidr" | "zones" | "vpc" | "edge" | "kmsKey">,
  site: Pick<Site, "name" | "disks">,
  plan: Plan,
): Problem[] {
  const of = (type: string) => state.filter((known) => known.type === type).map(({ outputs }) => outputs);
  const key = otherKey(state, kmsKey);
  if (key !== undefined) return [key];
  const elsewhere = otherVpc(state, vpc);
  if (elsewhere !== undefined) return [elsewhere];
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
  const kept = keptBalancer(of("aws:lb/loadBalancer:LoadBalancer"), edge, plan);
  if (kept !== undefined) return [kept];
  const lost = lostMajority(of("aws:ec2/instance:Instance"), plan);
  if (lost !== undefined) return [lost];
  const words = lostWords(of("aws:ebs/volume:Volume"), of("random:index/randomId:RandomId"), site, plan);
  // A machine of a swarm has its own disk, and lies where its address does.
  const lies = new Map([
    ...of("aws:ebs/volume:Volume").map((disk) => [at(disk, ["tags", "slot"]), disk.availabilityZone] as const),
    ...of("aws:ec2/networkInterface:NetworkInterface").map(
      ({ tags }) => [at(tags, ["Name"]), at(tags, ["zone"])] as const,
    ),
  ]);
  const hosts = [...[...plan.slots].map(([name, { zone }]) => ({ name, zone })), ...swarmHosts(plan)];
  const strays = hosts.flatMap(({ name, zone }): Problem[] => {
    const [was, now] = [lies.get(`${site.name}-${name}`), zoneOf(zones, zone)];
    if (typeof was !== "string" || was === now) return [];
    const remedy = `the disk of ${name} lies in ${was}, and its machine would be in ${now}: leave the zones as they were`;
    return [{ key: "aws.zones", value, remedy }];
  });
  return [...words, ...strays];
}

/** Another edge is another balancer, and AWS deletes none that a protected stack has. */
function keptBalancer(balancers: List<Known["outputs"]>, edge: AwsConfig["edge"], plan: Plan): Problem | undefined {
  const wanted = edge === "proxy" ? "network" : "application";
  const kept = balancers.some((each) => each.loadBalancerType !== wanted && each.enableDeletionProtection === true);
  if (routesOf(plan).length === 0 || !kept) return undefined;
  const remedy =
    "the stack is protected, and its balancer, which another edge replaces, with it: let that one go first, as docs/aws.md says (The edge)";
  return { key: "aws.edge", value: edge, remedy };
}

/** A disk that a word of the operator's made is made anew without it. */
function lostWords(
  disks: List<Known["outputs"]>,
  ids: List<Known["outputs"]>,
  site: Pick<Site, "name" | "disks">,
  plan: Plan,
): Problem[] {
  const words = new Map(ids.map(({ hex, keepers }) => [hex, at(keepers, ["word"])]));
  const made = new Map(disks.map(({ tags }) => [at(tags, ["slot"]), words.get(at(tags, ["disk"]))]));
  return [...plan.slots.keys()].flatMap((name): Problem[] => {
    const word = made.get(`${site.name}-${name}`);
    if (typeof word !== "string" || word === "" || (own(site.disks, name) ?? "gone") !== "gone") return [];
    const remedy = `${word} made the disk that is there: leave it in the config, or another, empty disk would be made`;
    return [{ key: `disks.${name}`, remedy }];
  });
}

/** The topic for alarms has the key by which the stores were made, and AWS tells no other of it. */
function otherKey(state: List<Known>, asked: string | undefined): Problem | undefined {
  const topic = state.find(({ type, urn }) => type === "aws:sns/topic:Topic" && urn.endsWith("-alarms"));
  if (topic === undefined) return undefined;
  const made = state.find(({ type }) => type === "aws:kms/key:Key")?.outputs.arn;
  const { kmsMasterKeyId } = topic.outputs;
  const was = typeof kmsMasterKeyId === "string" ? kmsMasterKeyId : "";
  if (was === (asked === "create" ? made : (asked ?? ""))) return undefined;
  const remedy = `what the stack keeps is encrypted with ${was === "" ? "AWS' own keys" : was}: that stays as long as the stack does; a new stack with restore takes another key`;
  return { key: "aws.kmsKey", ...(asked === undefined ? {} : { value: asked }), remedy };
}

/** A swarm whose managers go by half or more at once can decide nothing any more. */
function lostMajority(instances: List<Known["outputs"]>, plan: Plan): Problem | undefined {
  const was = instances.filter((each) => /-manager-\d+$/.test(String(at(each, ["tags", "Name"])))).length;
  const now = swarms(plan)[0]?.managers.count ?? was;
  if (now >= was || now > was / 2) return undefined;
  const remedy = `of ${String(was)} managers a majority has to stay, or the swarm decides nothing any more: take away fewer at once`;
  return { key: "machines.managers.count", value: now, remedy };
}
