/** Runs a container on a machine of its own: a group of one that comes back by itself, with its address and its disk. */
import { all, type Input, jsonStringify, type Output, type Resource } from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random";
import { Group, type GroupArgs } from "@pulumi/aws/autoscaling/group.js";
import type { LogGroup } from "@pulumi/aws/cloudwatch/logGroup.js";
import { Volume } from "@pulumi/aws/ebs/volume.js";
import { LaunchTemplate, type LaunchTemplateArgs } from "@pulumi/aws/ec2/launchTemplate.js";
import { NetworkInterface } from "@pulumi/aws/ec2/networkInterface.js";
import { InstanceProfile } from "@pulumi/aws/iam/instanceProfile.js";
import { RolePolicy } from "@pulumi/aws/iam/rolePolicy.js";

import { Machine, type MachineArgs } from "../../../ops/resources.ts";
import type { Container, Ready, Slot, Workload } from "../../core/contracts.ts";
import { own } from "../../core/formats.ts";
import { imageOf } from "../../core/images.ts";
import { protection } from "../../core/site.ts";
import type { At } from "../../core/topology.ts";
import { encryptedBy, makeLogGroup, makeRole, makeSecret, type Region, tailOf, watchLog } from "./region.ts";
import { ownClass } from "./sizes.ts";
import { specOf, specText } from "./spec.ts";
import { allow, toBeReached, toStart } from "./policy.ts";
import { userData } from "./user-data.ts";

/** Amazon Linux 2023, as it is at each launch: a newer one is no difference, and comes with the next machine. */
export const systemImage = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/** The same with NVIDIA's drivers and container toolkit: made for ECS, whose agent the user data switches off. */
const gpuImage = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id";

/** GiB of the system's own disk. The GPU's image has 30, and none may be smaller. */
const systemGib = { plain: 20, gpu: 30 };

/** The metadata of the machine: no container may read them, as an answer ends at the machine itself. */
export const metadata = { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 };

/** The system's own disk, which goes with its machine. */
export function systemDisk(gib: number, region: Pick<Region, "key">) {
  const size = { volumeType: "gp3", volumeSize: gib, deleteOnTermination: "true" };
  const ebs = { ...size, encrypted: "true", ...encryptedBy(region) };
  return { deviceName: "/dev/xvda", ebs };
}

/** The operator's word, or the smallest machine that holds it: the check has found one. */
export function classOf(
  { classes }: Region,
  name: string,
  container: Pick<Container, "cpu" | "memoryMib" | "room">,
): string {
  return own(classes, name) ?? ownClass(container) ?? "";
}

/** Seconds for what comes before and after a start: a machine, its engine, the disk, the image. */
const startMargin = 1200;

export interface MachineWish {
  /** As AWS sells it. */
  readonly size: string;
  readonly zone: string;
  /** What it waits for. */
  readonly after: Resource[];
  readonly redact: NonNullable<MachineArgs["redact"]> & readonly Output<string>[];
}

export interface RunningMachine extends Ready {
  /** It never changes. Unset: nobody calls it. */
  readonly address: Output<string> | undefined;
  /** The id of the disk, which outlives its volume's id in a restore; unset: it has none. */
  readonly disk: Output<string> | undefined;
}

/** `name`: the slot's, or the replica's. */
export function runMachine(
  region: Region,
  name: string,
  container: Slot | Workload,
  at: At,
  wish: MachineWish,
): RunningMachine {
  const { site, under, network } = region;
  const { parent, logicalName: logical } = at;
  const { size, zone, after, redact } = wish;
  const options = under(parent);
  const image = imageOf(site, container.image);
  const log = makeLogGroup(region, name, at);
  const disk = "disk" in container ? diskOf(region, name, container, at, zone) : undefined;
  const spec = specOf(site, name, container, { ref: image.ref, redact, ...(disk ? { disk: disk.id } : {}) });
  const secret = makeSecret(region, `${logical}-spec`, name, spec.apply(specText), options);

  const { gpus = 0, gib = 0 } = container.room ?? {};
  const home = isGuest(container) ? anywhere(region) : atHome(region, name, container, at, zone);
  const trusted = { service: "ec2.amazonaws.com", does: `the machine of ${name}` };
  const role = makeRole(region, logical, name, trusted, options);
  const policy = new RolePolicy(
    logical,
    { role: role.id, policy: machinePolicy(region, name, log, secret.secret.arn, disk?.volume) },
    options,
  );
  const profile = new InstanceProfile(logical, { role: role.name }, options);
  const tag = `${site.name}-${name}`;
  const tags = { Name: tag, slot: tag };
  const template = new LaunchTemplate(
    logical,
    {
      imageId: gpus > 0 ? gpuImage : systemImage,
      instanceType: size,
      iamInstanceProfile: { arn: profile.arn },
      ...home.template,
      blockDeviceMappings: [systemDisk(gib + (gpus > 0 ? systemGib.gpu : systemGib.plain), region)],
      metadataOptions: metadata,
      tagSpecifications: ["instance", "volume"].map((resourceType) => ({ resourceType, tags })),
      updateDefaultVersion: true,
      userData: userDataOf(region, secret.secret.arn, log.name, disk?.volume, gpus > 0),
    },
    options,
  );
  const group = new Group(
    logical,
    {
      ...{ minSize: 1, maxSize: 1, desiredCapacity: 1 },
      ...home.group,
      launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
      healthCheckType: "EC2",
      // Address and disk are single: the old machine goes before the new one comes.
      instanceMaintenancePolicy: { minHealthyPercentage: 0, maxHealthyPercentage: 100 },
      suspendedProcesses: ["AZRebalance"],
      waitForCapacityTimeout: "0", // our own gate waits
      enabledMetrics: ["GroupInServiceInstances"],
      tags: Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch: true })),
    },
    { ...options, dependsOn: [...after, ...network.ready, policy, secret.version] },
  );
  region.nodes[name] = group;
  region.alarms.watch(
    `${logical}-machine`,
    {
      says: `${name}: its machine is gone or ill, and no other has come`,
      look: `\`aws ec2 describe-instances --filters Name=tag:slot,Values=${tag} --region ${region.region}\`, and \`aws ec2 get-console-output\` of the last one`,
      ...{ namespace: "AWS/AutoScaling", metric: "GroupInServiceInstances", statistic: "Minimum" },
      dimensions: { AutoScalingGroupName: group.name },
      ...{ when: "below", threshold: 1, minutes: 15, silence: "rings" },
    },
    options,
  );
  const gate = new Machine(
    logical,
    {
      at: region.at,
      name: `${site.name}-${name}`,
      group: group.name,
      spec: secret.version.versionId,
      template: template.latestVersion.apply(String),
      seconds: container.health.startSeconds + startMargin,
      logGroup: log.name,
      redact,
    },
    { parent },
  );
  region.alarms.disk(
    `${logical}-storage`,
    {
      says: `${name}: more than 80 % of its disk is full, or its machine does not say how much`,
      look: `${tailOf(region, name)} has lines with DiskUsed; ${disk === undefined ? "there, `docker system df -v`" : "docs/aws.md says how a disk grows"}`,
      logGroup: log.name,
    },
    // The machine has said it by then.
    { ...options, dependsOn: [gate] },
  );
  if ("alarms" in container) watchLog(region, name, container.alarms ?? [], log.name, at);
  return { ready: [gate], address: home.address, disk: disk?.id };
}

/** Where a machine stands: parts of its template and its group. */
interface Home {
  readonly template: Pick<LaunchTemplateArgs, "networkInterfaces" | "vpcSecurityGroupIds">;
  readonly group: Pick<GroupArgs, "availabilityZones" | "vpcZoneIdentifiers">;
  readonly address: Output<string> | undefined;
}

/** With an address that outlives the machine, in its tier and its zone. */
function atHome(
  { site, network, under }: Region,
  name: string,
  container: Container,
  { parent, logicalName }: At,
  zone: string,
): Home {
  const tier = container.tier === "data" ? "data" : "app";
  const card = new NetworkInterface(
    logicalName,
    {
      subnetId: network.subnet(tier, zone),
      securityGroups: network.groupsOf(container),
      description: `${site.name} ${name}`,
    },
    under(parent),
  );
  const template = { networkInterfaces: [{ deviceIndex: 0, networkInterfaceId: card.id }] };
  return { template, group: { availabilityZones: [zone] }, address: card.privateIp };
}

/** It commands its machine's engine, where strangers' containers run, and nobody calls it. */
function isGuest({ needs = [], ports = {}, ...rest }: Slot | Workload): boolean {
  return needs.includes("container-api") && Object.keys(ports).length === 0 && !("disk" in rest);
}

/** Apart from the stack's own parts, in whatever zone has such a machine: not every zone has each, or has one left. */
function anywhere({ network }: Region): Home {
  return {
    template: { vpcSecurityGroupIds: [network.guests()] },
    group: { vpcZoneIdentifiers: network.subnets("app") },
    address: undefined,
  };
}

/** A word for a disk that names what the disk is made from. */
const isSnapshot = /^snap-[0-9a-f]+$/;

/**
 * A slot's disk. Another word of the operator's makes a new one: empty, or as a snapshot has it. Without one it is never
 * replaced.
 */
function diskOf(region: Region, name: string, slot: Slot, { parent, logicalName }: At, zone: string) {
  const { site, under } = region;
  const said = own(site.disks, name);
  const word = said === "gone" ? undefined : said; // it may go with its slot, which is there
  const kept = protection(site.protect && said === undefined);
  const id = new RandomId(`${logicalName}-disk`, { byteLength: 4, keepers: { word: word ?? "" } }, { parent, ...kept });
  const tag = `${site.name}-${name}`;
  const volume = new Volume(
    logicalName,
    {
      availabilityZone: zone,
      size: slot.disk.gib,
      type: "gp3",
      encrypted: true,
      ...encryptedBy(region),
      ...(word !== undefined && isSnapshot.test(word) ? { snapshotId: word } : {}),
      finalSnapshot: site.protect,
      tags: { Name: tag, slot: tag, disk: id.hex, backup: site.name },
    },
    {
      ...under(parent),
      ...kept,
      replacementTrigger: id.hex,
      ignoreChanges: ["availabilityZone", "encrypted", "kmsKeyId", "snapshotId"],
    },
  );
  return { id: id.hex, volume };
}

function userDataOf(
  { region }: Region,
  secret: Output<string>,
  logGroup: Output<string>,
  volume: Volume | undefined,
  gpu: boolean,
): Output<string> {
  return all([secret, logGroup, volume?.id]).apply(([secretArn, group, volumeId]) =>
    Buffer.from(
      userData({ region, secretArn, logGroup: group, gpu, ...(volumeId === undefined ? {} : { volumeId }) }),
    ).toString("base64"),
  );
}

/** The agent's mark on a disk that has a file system: no other tag may be written. */
const madeAlone = { "ForAllValues:StringEquals": { "aws:TagKeys": ["slot-made"] } };

/** What a machine itself may do: read its own spec, write its own log, take its own disk, say that it is ill. */
function machinePolicy(
  { account, region, site, images }: Region,
  name: string,
  log: LogGroup,
  secret: Input<string>,
  volume: Volume | undefined,
): Output<string> {
  const own = { StringEquals: { "aws:ResourceTag/slot": `${site.name}-${name}` } };
  const ec2 = `arn:aws:ec2:${region}:${account}`;
  return jsonStringify({
    Version: "2012-10-17",
    Statement: [
      ...toStart(images, log.arn, secret),
      ...toBeReached,
      { ...allow(["autoscaling:SetInstanceHealth"], "*"), Condition: own },
      ...(volume === undefined
        ? []
        : [
            { ...allow(["ec2:AttachVolume", "ec2:DetachVolume"], [`${ec2}:instance/*`, volume.arn]), Condition: own },
            { ...allow(["ec2:CreateTags"], volume.arn), Condition: { ...own, ...madeAlone } },
            allow(["ec2:DescribeVolumes"], "*"),
          ]),
    ],
  });
}
