/** A network of AWS that is there already: what its config may say, and what a stack that is there stays in. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import process from "node:process";

import { afterEach, describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import type { Known } from "../../components/core/known.ts";
import { edgeRanges } from "../../components/topologies/aws/addresses.ts";
import { awsConfig } from "../../components/topologies/aws/config.ts";
import { vpcProblems } from "../../components/topologies/aws/preflight.ts";
import { otherVpc } from "../../components/topologies/aws/vpc.ts";
import { planStack } from "../../components/deploy.ts";
import { awsAt } from "../../tools/setup/aws-at.ts";
import { ec2Error, ec2Xml } from "../../tools/simulate/aws/query.ts";
import { simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";
import { simulatedConfig } from "../support/simulated-stack.ts";

const [a, b] = ["eu-central-1a", "eu-central-1b"];
const subnets = {
  [a]: { edge: "subnet-0000000a", app: "subnet-1111111a", data: "subnet-2222222a" },
  [b]: { edge: "subnet-0000000b", app: "subnet-1111111b" },
};
const vpc = { id: "vpc-0123456789abcdef0", cidr: "10.0.0.0/16", subnets, searchDomain: false };
const aws = { account: "123456789012", region: "eu-central-1", zones: [a, b], tls: { mode: "local" } };

/** What is said of a ready stack of this system with this part of the config. */
function said(more: object, system = "arkindex"): string[] {
  const raw = Object.fromEntries(
    Object.entries(simulatedConfig(`${system}-aws`)).flatMap(([key, value]) => {
      const [project, name = ""] = key.split(":");
      return project === "platform-topologies" ? [[name, value]] : [];
    }),
  );
  const { problems } = planStack({ ...raw, aws: { ...aws, ...more } }, "dev");
  return problems.map(sentence).filter((each) => each.startsWith("aws."));
}

test("public and private subnets are enough; stores are where applications are, unless they have their own", () => {
  expect(said({ vpc })).toEqual([]);
  expect(said({ vpc, edge: "proxy" })).toEqual([]);
  expect(said({ vpc: { ...vpc, subnets: { ...subnets, [b]: { ...subnets[b], data: "subnet-1111111b" } } } })).toEqual(
    [],
  );
});

test.each<[string, object, string]>([
  [
    "no id",
    { vpc: { ...vpc, id: "my-network" } },
    'aws.vpc.id = "my-network": a network\'s id, as vpc-0123456789abcdef0',
  ],
  ["no range", { vpc: { ...vpc, cidr: "10.0.0.0" } }, 'aws.vpc.cidr = "10.0.0.0": a network\'s range, as 10.0.0.0/16'],
  [
    "no subnet's id",
    { vpc: { ...vpc, subnets: { ...subnets, [b]: { edge: "x", app: "subnet-1111111b" } } } },
    `aws.vpc.subnets.${b}.edge = "x": a subnet's id, as subnet-0123456789abcdef0`,
  ],
  ["host bits", { vpc: { ...vpc, cidr: "10.0.0.1/16" } }, "its last 16 bits have to be zero: 10.0.0.0/16"],
  [
    "the range of Docker's own bridge",
    { vpc: { ...vpc, cidr: "172.16.0.0/12" } },
    'aws.vpc.cidr = "172.16.0.0/12": the machines\' own engines have 172.17.0.0/16',
  ],
  [
    "a range of one's own beside it",
    { vpc, cidr: "10.9.0.0/16" },
    'aws.cidr = "10.9.0.0/16": for a network of the stack',
  ],
  [
    "ways out",
    { vpc, nat: "one" },
    'aws.nat = "one": the ways out of a network that is there are its own: leave it out',
  ],
  [
    "a zone without subnets",
    { vpc: { ...vpc, subnets: { [a]: subnets[a] } } },
    `aws.vpc.subnets = "${a}": name those of ${b}: {edge: subnet-…, app: subnet-…}`,
  ],
  [
    "subnets of another zone",
    {
      zones: [a, "eu-central-1c"],
      vpc: { ...vpc, subnets: { ...subnets, "eu-central-1c": { edge: "subnet-33333333", app: "subnet-44444444" } } },
    },
    `aws.vpc.subnets.${b}: no zone of aws.zones: add it there, or leave it out`,
  ],
  [
    "one subnet twice",
    { vpc: { ...vpc, subnets: { ...subnets, [b]: { edge: "subnet-0000000b", app: "subnet-1111111a" } } } },
    `aws.vpc.subnets.${b}.app = "subnet-1111111a": it is that of ${a}.app already: name another`,
  ],
  [
    "applications where the balancer is",
    { vpc: { ...vpc, subnets: { ...subnets, [b]: { edge: "subnet-0000000b", app: "subnet-0000000b" } } } },
    `aws.vpc.subnets.${b}.app = "subnet-0000000b": it is that of ${b}.edge already: name another`,
  ],
])("%s is refused", (_, more, expected) => {
  expect(said(more)).toEqual([expect.stringContaining(expected)]);
});

test("a system whose parts are called by names of one label wants a search domain", () => {
  expect(said({ vpc }, "arangodb")).toEqual([
    "aws.vpc.searchDomain = false: coordinators is called by its name alone: have the network's DHCP options search arangodb.internal, and say true; or leave the network to the stack",
  ]);
  expect(said({ vpc: { ...vpc, searchDomain: true } }, "arangodb")).toEqual([]);
});

test("what exists in that network may be called, as the stack has none of those addresses", () => {
  const existing = { db: { kind: "postgres", host: "10.0.7.7", user: "app" } };
  const found = (more: object) =>
    planStack(
      {
        ...{ system: "arkindex", topology: "aws", name: "shop", hostname: "shop.example.com", existing },
        ...{ arkindex: { version: "1.7.0" }, aws: { ...aws, ...more } },
      },
      "dev",
    ).problems.map(({ key }) => key);
  expect(found({ vpc })).not.toContain("existing.db");
  expect(found({ cidr: "10.0.0.0/16" })).toContain("existing.db");
});

test("the proxies believe the balancer's subnets, of which a network that is there tells one range", () => {
  const config = awsConfig.parse(aws);
  expect(edgeRanges(config)).toEqual(["10.80.0.0/20", "10.80.16.0/20"]);
  expect(edgeRanges({ ...config, vpc })).toEqual(["10.0.0.0/16"]);
});

const known = (type: string, outputs: Known["outputs"]): Known => ({
  urn: `urn:${type}`,
  type: `aws:${type}`,
  outputs,
});
const group = known("ec2/securityGroup:SecurityGroup", { vpcId: vpc.id });
const ids = (...zones: (keyof typeof subnets)[]) => zones.map((zone) => Object.values(subnets[zone] ?? {}).at(-1));

test("a stack stays in its network, whosever it is", () => {
  const own = known("ec2/vpc:Vpc", { cidrBlock: "10.80.0.0/16" });
  const of = (state: Known[], next?: typeof vpc) => {
    const problem = otherVpc(state, next);
    return problem === undefined ? undefined : sentence(problem);
  };
  expect(of([], vpc)).toBeUndefined();
  expect(of([own, group])).toBeUndefined();
  expect(of([group], vpc)).toBeUndefined();
  const stays = "it stays there as long as it is there itself; to move, make a new stack with `restore`";
  expect(of([own, group], vpc)).toBe(
    `aws.vpc.id = "${vpc.id}": the stack has a network of its own, 10.80.0.0/16: ${stays}`,
  );
  expect(of([group])).toBe(`aws.vpc.id: the stack is in ${vpc.id}: ${stays}`);
  expect(of([group], { ...vpc, id: "vpc-99999999" })).toBe(
    `aws.vpc.id = "vpc-99999999": the stack is in ${vpc.id}: ${stays}`,
  );
});

test.each([
  ["a machine's address", known("ec2/networkInterface:NetworkInterface", { subnetId: ids(a)[0] })],
  ["a database", known("rds/subnetGroup:SubnetGroup", { subnetIds: ids(a, b) })],
  ["a cache", known("elasticache/subnetGroup:SubnetGroup", { subnetIds: ids(b, a) })],
  ["a search", known("opensearch/domain:Domain", { vpcOptions: { subnetIds: ids(a) } })],
])("%s stays in its subnet, and more zones may come", (_, store) => {
  expect(otherVpc([group, store], vpc)).toBeUndefined();
  const more = {
    ...vpc,
    subnets: { ...subnets, "eu-central-1c": { edge: "subnet-55555555", app: "subnet-66666666" } },
  };
  expect(otherVpc([group, store], more)).toBeUndefined();
  const without = { ...vpc, subnets: { ...subnets, [a]: { edge: "subnet-0000000a", app: "subnet-1111111a" } } };
  expect(otherVpc([group, store], without)?.remedy).toBe(
    "subnet-2222222a has disks or stores of the stack: leave it in; more zones may come",
  );
});

describe("up asks AWS", () => {
  const before = { ...process.env };
  const running: { close: () => unknown }[] = [];
  afterEach(async () => {
    for (const key of Object.keys(process.env)) if (!(key in before)) Reflect.deleteProperty(process.env, key);
    Object.assign(process.env, before);
    for (const each of running.splice(0)) await each.close();
  });

  /** An AWS that has these subnets, by `zone id`, each with its range, and lacks this attribute of the network. */
  async function cloud(has: Readonly<Record<string, string>>, off = ""): Promise<void> {
    const server: Server = createServer((request, response) => {
      void text(request).then((body) => {
        const asked = new URLSearchParams(body);
        const [action, attribute] = [asked.get("Action") ?? "", asked.get("Attribute") ?? ""];
        const values = [...asked].flatMap(([key, value]) => (/Filter\.\d+\.Value/.test(key) ? [value] : []));
        if (action === "DescribeSubnets" && has.refused !== undefined)
          return response.writeHead(403).end(ec2Error("UnauthorizedOperation", has.refused));
        const found = Object.entries(has).flatMap(([key, cidrBlock]) => {
          const [zone = "", subnetId = ""] = key.split(" ");
          return values.includes(vpc.id) && values.includes(zone) && values.includes(subnetId)
            ? [{ subnetId, cidrBlock }]
            : [];
        });
        return response.end(
          ec2Xml(
            action,
            action === "DescribeSubnets"
              ? { subnetSet: found.map((item) => item) }
              : { vpcId: vpc.id, [attribute]: { value: attribute !== off } },
          ),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    running.push(server);
    Object.assign(process.env, awsAt((server.address() as AddressInfo).port, "test"));
  }
  const all = {
    [`${a} subnet-0000000a`]: "10.0.0.0/24",
    [`${a} subnet-1111111a`]: "10.0.1.0/24",
    [`${a} subnet-2222222a`]: "10.0.2.0/24",
    [`${b} subnet-0000000b`]: "10.0.3.0/24",
    [`${b} subnet-1111111b`]: "10.0.4.0/24",
  };
  const asked = async () => (await vpcProblems(vpc, { region: "eu-central-1" })).map(sentence);

  test("and all is there, as in the simulation, which takes any network for one that is", async () => {
    await cloud(all);
    expect(await asked()).toEqual([]);
    const made = await simulation(newFolder("world"));
    running.push(made);
    Object.assign(process.env, made.env);
    expect(await asked()).toEqual([]);
  });

  test("and a subnet of another network, or of another zone, is refused, as is a range that it is not in", async () => {
    const { [`${a} subnet-1111111a`]: gone, ...rest } = all;
    await cloud({ ...rest, [`${b} subnet-1111111a`]: gone ?? "", [`${b} subnet-0000000b`]: "10.1.3.0/24" });
    expect(await asked()).toEqual([
      `aws.vpc.subnets.${a}.app = "subnet-1111111a": ${vpc.id} has no such subnet in ${a}`,
      'aws.vpc.cidr = "10.0.0.0/16": it has to have subnet-0000000b, which is 10.1.3.0/24',
    ]);
  });

  test("and a network without names is refused; what AWS says instead is one sentence", async () => {
    await cloud(all, "enableDnsHostnames");
    expect(await asked()).toEqual([`aws.vpc.id = "${vpc.id}": its enableDnsHostnames is off: switch it on`]);
    await cloud({ refused: "You are not authorized" });
    expect(await asked()).toEqual([
      expect.stringMatching(/^aws\.vpc\.id = .*: AWS in eu-central-1.* refuses a call \(You are not authorized\)/),
    ]);
  });
});
