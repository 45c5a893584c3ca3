/** A stack in a network of AWS that was there before it: on the real engine and the simulated cloud. */
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { project } from "../support/arkindex.ts";
import { simulated, simulatedConfig } from "../support/simulated.ts";
import { repo, succeeded } from "../support/stack.ts";

const awsKey = `${project}:aws`;
const pack = join(repo, "policy");
const subnets = Object.fromEntries(
  ["a", "b", "c"].map((letter) => [
    `eu-central-1${letter}`,
    { edge: `subnet-0000000${letter}`, app: `subnet-1111111${letter}`, data: `subnet-2222222${letter}` },
  ]),
);
const vpc = { id: "vpc-0123456789abcdef0", cidr: "10.0.0.0/16", subnets };
/** What only a network's owner makes. */
const owners =
  /:(Vpc|Subnet|InternetGateway|NatGateway|Eip|Route|RouteTable|RouteTableAssociation|VpcEndpoint|VpcDhcpOptions|VpcDhcpOptionsAssociation|DefaultSecurityGroup|FlowLog)$/;

test("it makes security groups there and nothing else of a network, keeps the rules, stays, and goes", async () => {
  const stack = await simulated("arkindex-aws");
  const { [awsKey]: aws } = simulatedConfig("arkindex-aws");
  const within = (more: object) => stack.reconfigure({ [awsKey]: { ...(aws as object), ...more } });
  await within({ vpc });
  succeeded(await stack.up(["--policy-pack", pack]));
  succeeded(await stack.preview(["--expect-no-changes"]));
  const { resources } = await stack.state();
  const of = (type: string) =>
    resources.filter((each) => each.type.endsWith(`:${type}`)).map(({ inputs = {} }) => inputs);
  expect(resources.filter(({ type }) => owners.test(type))).toEqual([]);
  expect(new Set(of("SecurityGroup").map(({ vpcId }) => vpcId))).toEqual(new Set([vpc.id]));
  const all = (tier: "edge" | "app" | "data") => Object.values(subnets).map((each) => each[tier]);
  expect(of("LoadBalancer").map((each) => each.subnets)).toEqual([all("edge")]);
  expect(of("SubnetGroup").map((each) => each.subnetIds)).toEqual([all("data"), all("data")]);
  expect(of("NetworkInterface").map(({ subnetId }) => subnetId)).toEqual([subnets["eu-central-1a"]?.data]);

  const refuses = async (more: object, sentence: string): Promise<void> => {
    await within(more);
    const { code, output } = await stack.preview();
    expect(output).toContain(sentence);
    expect(code).not.toBe(0);
  };
  await refuses({}, `aws.vpc.id: the stack is in ${vpc.id}: it stays there`);
  const other = { ...subnets, "eu-central-1a": { edge: "subnet-0000000a", app: "subnet-1111111a" } };
  await refuses({ vpc: { ...vpc, subnets: other } }, "subnet-2222222a has disks or stores of the stack: leave it in");
  await within({ vpc });
  succeeded(await stack.destroy());
  expect((await stack.state()).resources).toEqual([]);
}, 1_200_000);
