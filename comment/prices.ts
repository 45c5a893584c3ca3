/**
 * What a stack's resources on AWS cost a month while nobody uses them: list prices of us-east-1 as known in mid 2025, in US
 * dollars; nobody has checked a bill. Not in it: what is paid by use (traffic, requests, logs, what buckets and backups
 * hold, tasks of jobs), other regions' surcharges, discounts.
 */
import { compareTexts } from "./differences.ts";

export const pricesOf = "list prices of us-east-1 of mid 2025";

type Bag = Readonly<Record<string, unknown>>;

export interface Made {
  readonly urn: string;
  readonly inputs: Bag;
  readonly outputs: Bag;
}

export interface Cost {
  /** A month. */
  readonly dollars: number;
  /** Resources that have a price which is not known here, as `db (db.x9.large)`. */
  readonly unpriced: readonly string[];
}

/** Hours in a month, as AWS counts them. */
const hours = 730;

/** An hour of the size `large`, by family. Other sizes are a multiple, except machines with a GPU. */
const machines: Readonly<Record<string, number>> = {
  ...{ t3: 0.0832, t3a: 0.0752, t4g: 0.0672 },
  ...{ m5: 0.096, m6i: 0.096, m6g: 0.077, m7g: 0.0816, m7i: 0.1008 },
  ...{ c5: 0.085, c6i: 0.085, c6g: 0.068, c7g: 0.0725, c7i: 0.08925 },
  ...{ r5: 0.126, r6i: 0.126, r6g: 0.1008, r7g: 0.1071, r7i: 0.1323 },
};
const wholeMachines: Readonly<Record<string, number>> = {
  ...{ "g4dn.xlarge": 0.526, "g4dn.2xlarge": 0.752, "g4dn.4xlarge": 1.204 },
  ...{ "g5.xlarge": 1.006, "g5.2xlarge": 1.212, "g5.4xlarge": 1.624 },
  ...{ "g6.xlarge": 0.8048, "g6.2xlarge": 0.9776, "g6.4xlarge": 1.3232 },
};
/** PostgreSQL in one zone. */
const databases: Readonly<Record<string, number>> = {
  ...{ t3: 0.145, t4g: 0.129, m5: 0.178, m6i: 0.178, m6g: 0.159, m7g: 0.168 },
  ...{ r5: 0.25, r6i: 0.25, r6g: 0.225, r7g: 0.239 },
};
/** Redis; Valkey is a fifth less. */
const caches: Readonly<Record<string, number>> = {
  ...{ t3: 0.136, t4g: 0.13, m6g: 0.149, m7g: 0.158, r6g: 0.206, r7g: 0.219 },
};
/** A node of OpenSearch Service. */
const searches: Readonly<Record<string, number>> = { m5: 0.142, m6g: 0.128, r5: 0.186, r6g: 0.167 };
const smallSearches: Readonly<Record<string, number>> = { "t3.small": 0.036, "t3.medium": 0.073 };
const sizes: Readonly<Record<string, number>> = {
  ...{ nano: 1 / 16, micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1, xlarge: 2, "2xlarge": 4, "4xlarge": 8 },
  ...{ "8xlarge": 16, "12xlarge": 24, "16xlarge": 32, "24xlarge": 48 },
};

/** A GiB for a month. */
const disks: Readonly<Record<string, number>> = { gp3: 0.08, gp2: 0.1, io1: 0.125, io2: 0.125, st1: 0.045, sc1: 0.015 };
const fargate = { x86: { core: 0.04048, gib: 0.004445 }, arm: { core: 0.03238, gib: 0.00356 }, disk: 0.000111 };

/** Dollars a month; a text: what of it has no price here. */
type Price = number | string;

/** By the type without its cloud's first word. */
const prices: Readonly<Record<string, (made: Made, all: readonly Made[]) => Price>> = {
  "ec2/instance:Instance": machine,
  "autoscaling/group:Group": group,
  "ebs/volume:Volume": ({ inputs }) => disk(inputs.type, inputs.size, inputs),
  "ecs/service:Service": service,
  "rds/instance:Instance": database,
  "elasticache/replicationGroup:ReplicationGroup": cache,
  "opensearch/domain:Domain": search,
  "ec2/natGateway:NatGateway": () => 0.045 * hours,
  "ec2/eip:Eip": () => address,
  "lb/loadBalancer:LoadBalancer": ({ inputs }) =>
    0.0225 * hours + (inputs.internal === true ? 0 : address * listOf(inputs.subnets).length),
  "ec2/vpcEndpoint:VpcEndpoint": ({ inputs }) =>
    inputs.vpcEndpointType === "Interface" ? 0.01 * hours * Math.max(1, listOf(inputs.subnetIds).length) : 0,
  "secretsmanager/secret:Secret": () => 0.4,
  "cloudwatch/metricAlarm:MetricAlarm": () => 0.1,
  "cloudwatch/dashboard:Dashboard": () => 3,
  "servicediscovery/privateDnsNamespace:PrivateDnsNamespace": () => 0.5,
  "route53/zone:Zone": () => 0.5,
  "kms/key:Key": () => 1,
};

/** A public IPv4 address. */
const address = 0.005 * hours;

/** Undefined: nothing of it is on AWS. */
export function monthly(all: readonly Made[]): Cost | undefined {
  const ours = all.filter(({ urn }) => typeOf(urn).startsWith("aws:"));
  if (ours.length === 0) return undefined;
  let dollars = 0;
  const unpriced: string[] = [];
  for (const made of ours) {
    const price = own(prices, typeOf(made.urn).slice("aws:".length))?.(made, ours) ?? 0;
    if (typeof price === "number") dollars += price;
    else unpriced.push(`${nameOf(made.urn)} (${price})`);
  }
  return { dollars: Math.round(dollars * 100) / 100, unpriced: unpriced.sort(compareTexts) };
}

/** The type of what a URN names, without those of its parents. */
export function typeOf(urn: string): string {
  return (urn.split("::")[2] ?? "").split("$").at(-1) ?? "";
}

/** Its logical name, which may hold anything. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function machine(made: Made, all: readonly Made[]): Price {
  const { inputs } = made;
  const template = templateOf(made, all);
  const own = inputs.rootBlockDevice === undefined ? [] : [bagOf(inputs.rootBlockDevice)];
  return running(textOf(inputs.instanceType ?? template.inputs.instanceType), [
    ...(own.length > 0 ? own : template.disks),
    ...listOf(inputs.ebsBlockDevices).map(bagOf),
  ]);
}

function group(made: Made, all: readonly Made[]): Price {
  const { inputs, disks } = templateOf(made, all);
  const one = running(textOf(inputs.instanceType), disks);
  return typeof one === "string" ? one : one * numberOf(made.inputs.desiredCapacity ?? made.inputs.minSize, 1);
}

/** A machine with its disks. */
function running(name: string, disks: readonly Bag[]): Price {
  const hour = hourOf(name, machines) ?? own(wholeMachines, name);
  if (hour === undefined) return name === "" ? "its class" : name;
  let total = hour * hours;
  for (const each of disks) {
    const price = disk(each.volumeType, each.volumeSize, each);
    if (typeof price === "string") return price;
    total += price;
  }
  return total;
}

/** The launch template of a machine or a group, if it has one. */
function templateOf({ urn, inputs }: Made, all: readonly Made[]): { inputs: Bag; disks: readonly Bag[] } {
  const { id } = bagOf(inputs.launchTemplate);
  const template = linked(urn, all, "ec2/launchTemplate:LaunchTemplate", "id", id);
  const disks = listOf(template?.inputs.blockDeviceMappings).map((each) => bagOf(bagOf(each).ebs));
  return { inputs: template?.inputs ?? {}, disks };
}

/** What a property leads to. A preview does not know what is new yet: then it is what has the resource's own name. */
function linked(urn: string, all: readonly Made[], type: string, key: string, value: unknown): Made | undefined {
  const ours = all.filter((each) => typeOf(each.urn) === `aws:${type}`);
  const names = [nameOf(urn), nameOf(urn).replace(/-\d+$/, "")];
  return value === undefined
    ? undefined
    : (ours.find(({ outputs }) => outputs[key] === value) ?? ours.find((each) => names.includes(nameOf(each.urn))));
}

function service({ urn, inputs }: Made, all: readonly Made[]): Price {
  if (inputs.launchType !== undefined && inputs.launchType !== "FARGATE") return 0; // the machines are paid for
  const task = linked(urn, all, "ecs/taskDefinition:TaskDefinition", "arn", inputs.taskDefinition);
  if (task === undefined) return "its task definition";
  const { cpu, memory, runtimePlatform, ephemeralStorage } = task.inputs;
  const price = bagOf(runtimePlatform).cpuArchitecture === "ARM64" ? fargate.arm : fargate.x86;
  const room = Math.max(0, numberOf(bagOf(ephemeralStorage).sizeInGib, 20) - 20);
  const hour = (numberOf(cpu, 0) / 1024) * price.core + (numberOf(memory, 0) / 1024) * price.gib + room * fargate.disk;
  return hour * hours * numberOf(inputs.desiredCount, 1);
}

function database({ inputs }: Made): Price {
  const name = textOf(inputs.instanceClass);
  const hour = hourOf(name.replace(/^db\./, ""), databases);
  if (hour === undefined || inputs.engine !== "postgres") return `${textOf(inputs.engine)} ${name}`;
  // Two zones have two of everything.
  return (hour * hours + 0.115 * numberOf(inputs.allocatedStorage, 0)) * (inputs.multiAz === true ? 2 : 1);
}

function cache({ inputs }: Made): Price {
  const name = textOf(inputs.nodeType);
  const hour = hourOf(name.replace(/^cache\./, ""), caches);
  if (hour === undefined) return name;
  const groups = numberOf(inputs.numNodeGroups, 1) * (1 + numberOf(inputs.replicasPerNodeGroup, 0));
  return hour * hours * numberOf(inputs.numCacheClusters, groups) * (inputs.engine === "valkey" ? 0.8 : 1);
}

function search({ inputs }: Made): Price {
  const { instanceType, instanceCount } = bagOf(inputs.clusterConfig);
  const name = textOf(instanceType);
  const node = name.replace(/\.search$/, "");
  const hour = own(smallSearches, node) ?? hourOf(node, searches);
  if (hour === undefined) return name === "" ? "its class" : name;
  const { volumeSize, volumeType } = bagOf(inputs.ebsOptions);
  if (volumeType !== "gp3") return `a disk of ${textOf(volumeType)}`;
  return (hour * hours + 0.122 * numberOf(volumeSize, 0)) * numberOf(instanceCount, 1);
}

function disk(type: unknown, gib: unknown, { iops, throughput }: Bag): Price {
  const name = textOf(type) === "" ? "gp2" : textOf(type);
  const price = own(disks, name);
  if (price === undefined) return `a disk of ${name}`;
  const more = name.startsWith("io")
    ? 0.065 * numberOf(iops, 0)
    : name === "gp3"
      ? 0.005 * Math.max(0, numberOf(iops, 3000) - 3000) + 0.04 * Math.max(0, numberOf(throughput, 125) - 125)
      : 0;
  return price * numberOf(gib, 8) + more;
}

function hourOf(name: string, families: Readonly<Record<string, number>>): number | undefined {
  const [family = "", size = ""] = name.split(".");
  const [large, factor] = [own(families, family), own(sizes, size)];
  return large === undefined || factor === undefined ? undefined : large * factor;
}

/** A row of a table: every object has a `constructor`, too. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function bagOf(value: unknown): Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Bag) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Bridged providers write numbers as texts, too. */
function numberOf(value: unknown, otherwise: number): number {
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : otherwise;
}
