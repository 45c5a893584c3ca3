/** The simulated provider's table: what the installed typings of AWS say. */
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { problems } from "../../tools/simulate/check.ts";
import { readResource, said } from "../../tools/simulate/typings.ts";
import { unknownValue } from "../../tools/simulate/wire.ts";
import { repo } from "../support/stack.ts";

import type { Resource } from "../../tools/simulate/typings.ts";
import type { Bag } from "../../tools/simulate/wire.ts";

function resource(file: string, name: string): Resource {
  const found = readResource(join(repo, "node_modules/@pulumi/aws"), file, name);
  if (!found) throw new Error(`the SDK has no ${file}`);
  return found;
}

const service = resource("ecs/service", "Service");
const rule = resource("lb/listenerRule", "ListenerRule");
const group = resource("autoscaling/group", "Group");

test("inputs are what a program gives, outputs what it gets", () => {
  const { inputs, outputs } = resource("rds/instance", "Instance");
  expect(inputs.instanceClass).toMatchObject({ required: true });
  expect(inputs.storageType?.type).toMatchObject({ open: true });
  expect(inputs.address).toBeUndefined();
  expect(outputs.address).toMatchObject({ type: "string", required: true });
  expect(outputs.dbName?.required).toBe(true);
  expect(outputs.password?.required).toBeUndefined();
});

test("nested shapes are read to their ends, once each", () => {
  expect(service.inputs.networkConfiguration?.type).toEqual({ object: "inputs.ecs.ServiceNetworkConfiguration" });
  expect(service.types["inputs.ecs.ServiceNetworkConfiguration"]?.subnets).toMatchObject({
    type: { list: "string" },
    required: true,
  });
  expect(rule.types["inputs.lb.ListenerRuleActionForwardTargetGroup"]?.arn).toMatchObject({ required: true });
});

test("there is nothing where the SDK has nothing", () => {
  expect(readResource(join(repo, "node_modules/@pulumi/aws"), "ecs/nothing", "Nothing")).toBeUndefined();
});

describe("what documentation says", () => {
  test.each([
    "Name of the service. Changing this forces a new resource to be created.",
    "Data type. Forces new resource.",
    "(Optional, Forces new resource) Snapshot to restore.",
    "Changing this value will re-create the resource.",
    "This attribute cannot be changed after creation.",
    "If `primaryId` is changed, creates a new resource.",
  ])("replaces: %s", (comment) => {
    expect(said(comment).replaces).toBe(true);
  });

  test.each([
    "If `type` is anything other than `Interface`, changing this value forces a new resource to be created.",
    "Changing this value triggers an update to `passwordWo`.",
    "Changing this number will trigger a resizing operation before other settings modifications.",
    "Changing this parameter does not result in an outage.",
    "Enable to force a new task deployment of the service.",
  ])("does not replace: %s", (comment) => {
    expect(said(comment).replaces).toBeUndefined();
  });

  test.each([
    ["The valid values are `REPLICA` and `DAEMON`. Defaults to `REPLICA`.", ["REPLICA", "DAEMON"]],
    ["Valid values: `a`, `b`, or `c`", ["a", "b", "c"]],
    ["Valid values include `a` and `b`.", undefined],
    ["The window, where `ddd` must be one of `Mon`, `Tue`.", undefined],
    ["Valid values are: `sqs`, `sms`. Protocols `email` and `http` are also valid.", undefined],
    ["Valid values are `2XX`, `4XX`, or `5XX`.", undefined],
  ])("values: %s", (comment, values) => {
    expect(said(comment).values).toEqual(values);
  });

  test("defaults and deprecations", () => {
    expect(said("Defaults to `true`.\n@deprecated Use other.")).toEqual({
      otherwise: "true",
      deprecated: "Use other.",
    });
  });
});

describe("inputs are refused in the words of the provider's bridge", () => {
  const good = {
    actions: [{ type: "forward", targetGroupArn: "arn" }],
    conditions: [{ pathPattern: unknownValue }],
    listenerArn: "arn",
  };

  test.each<[string, Resource, Bag, string]>([
    [
      "a missing argument",
      rule,
      { ...good, listenerArn: undefined },
      `Missing required argument. The argument "listener_arn" is required, but no definition was found. Examine values at 'x.listenerArn'.`,
    ],
    [
      "a missing argument inside",
      rule,
      { ...good, actions: [{}] },
      `Missing required argument. The argument "type" is required, but no definition was found. Examine values at 'x.actions[0].type'.`,
    ],
    [
      "an unknown key",
      group,
      { maxSize: 1, minSize: 1, zones: [] },
      "Invalid or unknown key. Examine values at 'x.zones'.",
    ],
    [
      "an unknown key inside",
      service,
      { networkConfiguration: { subnets: ["s"], public: true } },
      "Invalid or unknown key. Examine values at 'x.networkConfiguration.public'.",
    ],
    [
      "another type",
      group,
      { maxSize: ["1"], minSize: 1 },
      "Incorrect attribute value type. number required, but have list. Examine values at 'x.maxSize'.",
    ],
    [
      "an object for a list",
      rule,
      { ...good, actions: { type: "forward" } },
      "Incorrect attribute value type. list required, but have object. Examine values at 'x.actions'.",
    ],
    [
      "a block without anything in it",
      service,
      {
        networkConfiguration: { subnets: ["s"] },
        deploymentCircuitBreaker: unknownValue,
        alarms: undefined,
        deploymentController: {},
      },
      "The block is empty: the provider takes it for none, and sees a difference each time. Examine values at 'x.deploymentController'.",
    ],
    [
      "a value that the documentation does not list",
      service,
      { launchType: "LAMBDA" },
      `expected launch_type to be one of ["EC2" "FARGATE" "EXTERNAL"], got LAMBDA. Examine values at 'x.launchType'.`,
    ],
  ])("%s", (_, of, inputs, problem) => {
    expect(problems(of, "x", inputs)).toEqual([problem]);
  });

  test("a block without anything in it is one where the provider keeps it", () => {
    const inputs = { networkConfiguration: { subnets: ["s"] }, deploymentController: {} };
    expect(problems({ ...service, keepsEmptyBlocks: true }, "x", inputs)).toEqual([]);
  });

  test("what the bridge turns into the type is taken, and so is what nobody knows yet", () => {
    expect(problems(group, "x", { maxSize: "1", minSize: unknownValue, tags: unknownValue })).toEqual([]);
    expect(problems(rule, "x", { ...good, actions: [{ type: unknownValue, forward: unknownValue }] })).toEqual([]);
  });

  test("a closed list of values is refused, an open one is not", () => {
    const instance = resource("rds/clusterInstance", "ClusterInstance");
    const given = { clusterIdentifier: "c", instanceClass: "db.z9.huge", engine: "postgresql" };
    expect(problems(instance, "x", given)).toEqual([expect.stringContaining("expected engine to be one of")]);
  });

  test("documentation spells values in its own way", () => {
    const pool = resource("cognito/userPool", "UserPool");
    expect(problems(pool, "x", { aliasAttributes: ["preferred_username"] })).toEqual([]);
  });
});
