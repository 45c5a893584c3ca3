/** What no scanner knows: how the members, disks, networks and images of a platform have to be. */
import { known, type Finding, type Made, type Rule } from "./rule.ts";

const ours = "platform-topologies:index";

/** Disks of slots, by topology. */
const disks = ["aws:ebs/volume:Volume", `${ours}:Volume`, `${ours}:VolumeNode`];
/** All that holds data. */
const stores = [
  ...disks,
  ...["aws:rds/instance:Instance", "aws:elasticache/replicationGroup:ReplicationGroup", "aws:s3/bucket:Bucket"],
  "aws:opensearch/domain:Domain",
];
/** Whose members vote: half of an even number is no majority. */
const voters = [`${ours}:Nats`, `${ours}:RabbitMq`, `${ours}:Elasticsearch`];

/** The metric that tells how full a store of AWS is; that of disks is our agents' own. */
const fullness: Readonly<Record<string, string>> = {
  "aws:ebs/volume:Volume": "DiskUsed",
  "aws:rds/instance:Instance": "FreeStorageSpace",
  "aws:elasticache/replicationGroup:ReplicationGroup": "DatabaseMemoryUsagePercentage",
  "aws:opensearch/domain:Domain": "FreeStorageSpace",
};

type Tags = Readonly<Record<string, string>>;

/** `nats` of `nats-2`. */
const stem = (name: string): string => name.replace(/-\d+$/, "");

/** The disks of each set of slots. */
function sets(all: readonly Made[]): Made[][] {
  const found: Record<string, Made[]> = {};
  for (const made of all.filter(({ type }) => disks.includes(type)))
    (found[`${made.parent.name}/${stem(made.name)}`] ??= []).push(made);
  return Object.values(found);
}

function votes({ name, parent }: Made): boolean {
  return voters.includes(parent.type) || (parent.type === `${ours}:ArangoDb` && stem(name).endsWith("-agent"));
}

/** The images that a container, a service or a task runs; none where a preview does not know them. */
function imagesOf({ type, props }: Made): string[] {
  if (type === "docker:index/remoteImage:RemoteImage")
    return [known(() => props.name as string)].filter((image) => image !== undefined);
  if (type === "aws:ecs/taskDefinition:TaskDefinition") {
    const text = known(() => props.containerDefinitions as string);
    return text === undefined ? [] : (JSON.parse(text) as { image: string }[]).map(({ image }) => image);
  }
  if (type === "docker:index/service:Service") {
    const spec = props.taskSpec as { containerSpec: { image: string } };
    return [known(() => spec.containerSpec.image)].filter((image) => image !== undefined);
  }
  return [];
}

/** A digest, or a tag that is no moving one. */
function pinned(image: string): boolean {
  return image.includes("@sha256:") || /:(?!latest$)[^:/]+$/.test(image);
}

/** The networks of a container or a service, as far as they are known. */
function networksOf({ type, props }: Made): string[] {
  const rows =
    type === "docker:index/container:Container"
      ? (props.networksAdvanced as { name: string }[] | undefined)
      : type === "docker:index/service:Service"
        ? (props.taskSpec as { networksAdvanceds?: { name: string }[] }).networksAdvanceds
        : undefined;
  return (rows ?? []).map((row) => known(() => row.name)).filter((name) => name !== undefined);
}

/** Security groups by their tier; an id that a preview does not know is none. */
function groups(all: readonly Made[], tier: string): string[] {
  return all
    .filter(({ type, name }) => type === "aws:ec2/securityGroup:SecurityGroup" && name.endsWith(`-${tier}`))
    .map(({ props }) => known(() => props.id as string | undefined))
    .filter((id) => id !== undefined);
}

export const stackRules: readonly Rule[] = [
  {
    name: "members-odd",
    controls: [],
    says: "the members of what votes are odd in number",
    findings: (all) =>
      sets(all).flatMap((set) => {
        const [first] = set;
        if (first === undefined || !votes(first) || set.length % 2 === 1) return [];
        const why = `${String(set.length)} of ${stem(first.name)} vote: with one more or one less as many may fail, or more`;
        return [{ on: first, why }];
      }),
  },
  {
    name: "copies-apart",
    controls: [],
    says: "copies are in as many zones as there are, or are copies",
    findings: (all) => {
      const subnets = all.filter(({ type }) => type === "aws:ec2/subnet:Subnet");
      const zones = new Set(subnets.map(({ props }) => known(() => props.availabilityZone))).size;
      return sets(all).flatMap((set) => {
        const [first] = set;
        if (first?.type !== "aws:ebs/volume:Volume") return [];
        const used = new Set(set.map(({ props }) => known(() => props.availabilityZone))).size;
        const wanted = Math.min(zones, set.length);
        if (used >= wanted) return [];
        const why = `${String(set.length)} disks of ${stem(first.name)} are in ${String(used)} of ${String(zones)} zones`;
        return [{ on: first, why }];
      });
    },
  },
  {
    name: "disks-backed-up",
    controls: ["EC2.28", "Backup.1"],
    says: "a protected stack with disks has a backup",
    findings: (all) => {
      const backup = all.some(
        ({ type, name }) =>
          /^(aws:ecs\/service:Service|docker:index\/(container:Container|service:Service))$/.test(type) &&
          stem(name).endsWith("-backup"),
      );
      const first = backup ? undefined : all.find(({ type, protect }) => protect && disks.includes(type));
      return first === undefined ? [] : [{ on: first, why: "no backup takes it: set `backup`" }];
    },
  },
  {
    name: "disks-in-snapshots",
    controls: ["EC2.28"],
    says: "a protected disk has a tag by which snapshots are taken",
    findings: (all) => {
      const wanted = all
        .filter(({ type }) => type === "aws:dlm/lifecyclePolicy:LifecyclePolicy")
        .flatMap(({ props }) => Object.entries((props.policyDetails as { targetTags?: Tags }).targetTags ?? {}));
      return all
        .filter(({ type, protect }) => protect && type === "aws:ebs/volume:Volume")
        .filter(({ props }) => !wanted.some(([tag, value]) => known(() => (props.tags as Tags)[tag]) === value))
        .map((on) => ({ on, why: "no lifecycle policy takes snapshots of it" }));
    },
  },
  {
    name: "stores-watched",
    controls: [],
    says: "an alarm rings before a store is full",
    findings: (all) => {
      const alarms = all.filter(({ type }) => type === "aws:cloudwatch/metricAlarm:MetricAlarm");
      return all
        .filter(({ type, name }) => {
          const metric = fullness[type];
          return (
            metric !== undefined &&
            !alarms.some((each) => each.name.startsWith(`${name}-`) && each.props.metricName === metric)
          );
        })
        .map((on) => ({ on, why: `no alarm watches its ${fullness[on.type] ?? ""}` }));
    },
  },
  {
    name: "stores-protected",
    controls: [],
    says: "in a protected stack all that holds data is protected",
    findings: (all) => {
      const held = all.filter(({ type, name }) => stores.includes(type) && !name.endsWith("-records"));
      return held.some(({ protect }) => protect)
        ? held
            .filter(({ protect }) => !protect)
            .map((made) => ({ on: made, why: "it goes with a `destroy`, unlike the stack's other stores" }))
        : [];
    },
  },
  {
    name: "data-behind-applications",
    controls: [],
    says: "what the edge reaches does not hold data",
    findings: (all) => {
      const [data, edge] = [groups(all, "data"), [...groups(all, "edge"), ...groups(all, "proxy")]];
      return all.flatMap((made): Finding[] => {
        const names = networksOf(made);
        const both = ["edge", "data"].every((tier) => names.some((name) => name.endsWith(`-${tier}`)));
        if (both) return [{ on: made, why: "it is in the edge's network and in the stores'" }];
        if (made.type !== "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") return [];
        const into = known(() => made.props.securityGroupId as string);
        const from = known(() => made.props.referencedSecurityGroupId as string | undefined);
        const wide = known(() => made.props.cidrIpv4 ?? made.props.cidrIpv6 ?? made.props.prefixListId);
        if (into === undefined || !data.includes(into)) return [];
        return wide !== undefined || (from !== undefined && edge.includes(from))
          ? [{ on: made, why: "it opens the stores' network to more than the applications" }]
          : [];
      });
    },
  },
  {
    name: "images-pinned",
    controls: [],
    says: "an image is named by a digest, or by a tag that stays",
    findings: (all) =>
      all.flatMap((made) =>
        imagesOf(made)
          .filter((image) => !pinned(image))
          .map((image) => ({ on: made, why: `${image} may be another one tomorrow` })),
      ),
  },
  ...[
    {
      name: "container-memory",
      controls: ["CIS Docker 5.11"],
      says: "every container has a limit of memory",
      breaks: ({ memory }: Made["props"]) => typeof memory !== "number" || memory <= 0,
    },
    {
      name: "container-unprivileged",
      controls: [],
      says: "no container is privileged, or has the host's network or processes",
      breaks: ({ privileged, networkMode, pidMode }: Made["props"]) =>
        privileged === true || networkMode === "host" || pidMode === "host",
    },
  ].map((rule) => ({ ...rule, of: "docker:index/container:Container" })),
];
