/** A swarm of EC2's machines. The agent on each (node.py) joins it; our own gate waits until it has. */
import { all, interpolate, jsonStringify, type Output } from "@pulumi/pulumi";
import { InstanceProfile } from "@pulumi/aws/iam/instanceProfile.js";
import { RolePolicy } from "@pulumi/aws/iam/rolePolicy.js";
import { Secret } from "@pulumi/aws/secretsmanager/secret.js";

import type { Ask, Dict, Given } from "../../../core/contracts.ts";
import { protection } from "../../../core/site.ts";
import type { At } from "../../../core/topology.ts";
import { allow, toBeReached, toStart } from "../policy.ts";
import { makeLogGroup, makeRole, type Region, secretArgs, tailOf } from "../region.ts";
import { managersGroup } from "../sizes.ts";
import { swarmEdge } from "./swarm-edge.ts";
import { makeGroup } from "./swarm-group.ts";
import { cardsOf, makeMembers } from "./swarm-members.ts";
import type { Nodes, Profile } from "./swarm-nodes.ts";

/**
 * Managers stay what they are: each has an address of its own, and AWS moves it to other hardware with its disk. They
 * come and change one after another, so that a majority is there at any time. Groups without `keeps` follow a number,
 * and a machine of theirs goes only when the leader has emptied it. The tokens are in two secrets that the managers
 * write and nobody else sees: they are in no state, and in no user data.
 */
export function makeSwarm(region: Region, name: string, ask: Ask<"swarm">, at: At): Given<"swarm"> {
  const { site, network } = region;
  const options = region.under(at.parent);
  network.swarm();
  const log = makeLogGroup(region, name, at);
  const token = (role: "manager" | "worker"): Output<string> => {
    const args = secretArgs(region, `joins ${role}s`);
    return new Secret(`${at.logicalName}-${role}-token`, args, { ...options, ...protection(site.protect) }).arn;
  };
  const tokens = { manager: token("manager"), worker: token("worker") };
  const profiles = {
    manager: profileOf(region, "manager", at, log.arn, [tokens.manager, tokens.worker]),
    worker: profileOf(region, "worker", at, log.arn, [tokens.worker]),
  };
  const cards = cardsOf(region, managersGroup, ask.managers.count, at);
  const addresses = all(cards.map(({ privateIp }) => privateIp));
  const nodes: Nodes = {
    ...{ region, at, options, profiles, managerToken: tokens.manager },
    before: [...network.ready, ...profiles.manager.ready, ...profiles.worker.ready],
    known: (labels: Dict<string>) =>
      all([tokens.worker, log.name, addresses]).apply(([workerToken, logGroup, managers]) => ({
        ...{ region: region.region, swarm: site.name, managers, workerToken, logGroup, labels, keys: ask.keys },
      })),
  };

  const managers = makeMembers(nodes, managersGroup, { ...ask.managers, labels: {} }, cards, []);
  const gates = managers.map(({ gate }) => gate);
  const workers = Object.entries(ask.workers);
  const kept = workers.flatMap(([group, machines]) =>
    machines.keeps ? makeMembers(nodes, group, machines, cardsOf(region, group, machines.count, at), gates) : [],
  );
  const groups = workers.flatMap(([group, machines]) =>
    machines.keeps ? [] : makeGroup(nodes, group, machines, managers[0]?.instance.id ?? "", gates),
  );
  const edge = swarmEdge(region, ask.ports, managers, at);
  region.alarms.disk(
    `${at.logicalName}-storage`,
    {
      says: "a machine of the swarm has filled more than 80 % of its disk, or none of them says how much",
      look: `${tailOf(region, name)} has lines with DiskUsed and Machine; there, \`docker system df -v\``,
      logGroup: log.name,
    },
    { ...options, dependsOn: gates },
  );
  return {
    managers: managers.map(({ instance }) => interpolate`ssh://ec2-user@${instance.id}`),
    nodes: [...managers, ...kept].map(({ host }) => host),
    address: edge.dnsName,
    ready: [...gates, ...kept.map(({ gate }) => gate), ...groups, ...edge.ready],
  };
}

/** What a role of machines may do. Only managers write the tokens, and end what AWS holds back. */
function profileOf(
  region: Region,
  role: "manager" | "worker",
  { parent, logicalName }: At,
  log: Output<string>,
  tokens: Output<string>[],
): Profile {
  const options = region.under(parent);
  const key = `${logicalName}-${role}`;
  const made = makeRole(region, key, role, { service: "ec2.amazonaws.com", does: `${role}s of a swarm` }, options);
  const Statement = [
    ...toStart(region.images, log, undefined),
    ...toBeReached,
    allow(["secretsmanager:GetSecretValue"], tokens),
    ...(role === "manager" ? toLead(region, tokens) : []),
  ];
  const policy = jsonStringify({ Version: "2012-10-17", Statement });
  const its = new RolePolicy(key, { role: made.id, policy }, options);
  const profile = new InstanceProfile(key, { role: made.name }, options);
  return { arn: profile.arn, name: profile.name, ready: [its, profile] };
}

/** What the leader does: hands out tokens, sees which machines there are, lets an empty one go. */
function toLead({ site, region, account }: Region, tokens: Output<string>[]): object[] {
  const groups = `arn:aws:autoscaling:${region}:${account}:autoScalingGroup:*`;
  const own = { StringEquals: { "aws:ResourceTag/swarm": site.name } };
  return [
    allow(["secretsmanager:PutSecretValue"], tokens),
    allow(["ec2:DescribeInstances", "autoscaling:DescribeAutoScalingGroups"], "*"),
    { ...allow(["autoscaling:CompleteLifecycleAction"], groups), Condition: own },
  ];
}
