/** What AWS's API answers need of the things that were made, and the machine that each Auto Scaling group of one starts. */
import { createHash } from "node:crypto";

import { textAt } from "../wire.ts";

import type { Bag } from "../wire.ts";
import type { World } from "../world.ts";

const kept: Readonly<Record<string, readonly string[]>> = {
  "aws:ecs/service:Service": ["arn", "name", "cluster", "taskDefinition", "desiredCount"],
  "aws:ecs/taskDefinition:TaskDefinition": ["arn", "family"],
  "aws:autoscaling/group:Group": ["arn", "name", "launchTemplate", "availabilityZones", "desiredCapacity", "maxSize"],
  "aws:ec2/launchTemplate:LaunchTemplate": ["name", "latestVersion"],
  "aws:ec2/instance:Instance": ["tags"],
  "aws:s3/bucketObject:BucketObject": ["bucket"],
  "aws:s3/bucketObjectv2:BucketObjectv2": ["bucket"],
};

export function facts(token: string, outputs: Bag): Bag | undefined {
  const keys = Object.hasOwn(kept, token) ? (kept[token] ?? []) : [];
  const found = Object.fromEntries(keys.flatMap((key) => (outputs[key] === undefined ? [] : [[key, outputs[key]]])));
  // Of the definition only the containers' names, as the rest may hold secrets.
  return token === "aws:ecs/taskDefinition:TaskDefinition" ? { ...found, containers: containers(outputs) } : found;
}

function containers({ containerDefinitions }: Bag): string[] {
  try {
    return (JSON.parse(String(containerDefinitions)) as { name: string }[]).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** The launch template of a group: its id, its name, and the version that a machine would start with. */
export interface Template {
  id: string;
  name: string;
  version: string;
}

export interface Machine {
  group: string;
  instance: string;
  template: Template;
  zone: string;
}

/** Starts the first machine of a group. */
export function made(token: string, id: string, outputs: Bag, world: World): void {
  if (token === "aws:autoscaling/group:Group" && !world.note("machines", id)) start(world, id, outputs);
}

/** The machine ends with its group. */
export function gone(token: string, id: string, world: World): void {
  if (token === "aws:autoscaling/group:Group") world.drop("machines", id);
}

/** Starts a machine with the group's template as it is now, in the place of the one before. */
export function start(world: World, group: string, facts: Bag): Machine {
  const round = world.next(`machine ${group}`);
  const digits = createHash("sha256")
    .update(`${group} ${String(round)}`)
    .digest("hex")
    .slice(0, 16);
  const [zone = ""] = Array.isArray(facts.availabilityZones) ? (facts.availabilityZones as string[]) : [];
  const machine = { group, instance: `i-0${digits}`, template: templateOf(world, facts), zone };
  world.keep("machines", group, machine);
  return machine;
}

export function machineOf(world: World, group: string): Machine | undefined {
  return world.note("machines", group) as Machine | undefined;
}

export function templateOf(world: World, facts: Bag): Template {
  const { id = "", name, version = "$Default" } = (facts.launchTemplate ?? {}) as Partial<Template>;
  const thing = world
    .things("aws:ec2/launchTemplate:LaunchTemplate")
    .find((each) => each.id === id || each.facts.name === name);
  const latest = String(Number(thing?.facts.latestVersion ?? 1));
  return {
    id: thing?.id ?? id,
    name: textAt(thing?.facts ?? {}, "name") ?? name ?? "",
    version: version === "$Latest" || version === "$Default" ? latest : version,
  };
}
