/** What resources cost a month, each against the list price by hand. */
import { describe, expect, test } from "@jest/globals";

import { monthly, type Made } from "../../comment/prices.ts";

const made = (type: string, inputs: object, name = "x", outputs: object = {}): Made => ({
  urn: `urn:pulumi:s::p::a:b:C$aws:${type}::${name}`,
  inputs: { ...inputs },
  outputs: { ...outputs },
});
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const service = (more: object): Made =>
  made("ecs/service:Service", { launchType: "FARGATE", taskDefinition: unknown, ...more });
const task = (more: object, outputs: object = {}, name = "x"): Made =>
  made("ecs/taskDefinition:TaskDefinition", { cpu: "256", memory: "512", ...more }, name, outputs);
const template = (more: object, outputs: object = {}, name = "x"): Made =>
  made("ec2/launchTemplate:LaunchTemplate", { instanceType: "t3.medium", ...more }, name, outputs);

describe("dollars a month", () => {
  test.each<[string, number, readonly Made[]]>([
    ["a task of a quarter core and half a GiB", 9.01, [service({ desiredCount: 1 }), task({})]],
    ["three of them", 27.03, [service({ desiredCount: 3 }), task({})]],
    ["on ARM", 7.21, [service({}), task({ runtimePlatform: { cpuArchitecture: "ARM64" } })]],
    ["with 120 GiB of disk", 17.11, [service({}), task({ ephemeralStorage: { sizeInGib: 120 } })]],
    [
      "the definition that its ARN names",
      18.02,
      [
        service({ taskDefinition: "arn:2" }),
        task({}, { arn: "arn:1" }),
        task({ cpu: "512", memory: "1024" }, { arn: "arn:2" }, "other"),
      ],
    ],
    ["on machines, which are paid for themselves", 0, [service({ launchType: "EC2" })]],
    [
      "a machine and its disk",
      31.97,
      [
        made("ec2/instance:Instance", {
          instanceType: "t3.medium",
          rootBlockDevice: { volumeType: "gp3", volumeSize: 20 },
        }),
      ],
    ],
    ["a GPU's", 383.98, [made("ec2/instance:Instance", { instanceType: "g4dn.xlarge" })]],
    [
      "a group of three, from its template",
      95.9,
      [
        made("autoscaling/group:Group", { desiredCapacity: 3, launchTemplate: { id: unknown } }),
        template({ blockDeviceMappings: [{ ebs: { volumeType: "gp3", volumeSize: "20" } }] }),
      ],
    ],
    [
      "a swarm's manager, from its group's template",
      30.37,
      [
        made("ec2/instance:Instance", { instanceType: "t3.medium", launchTemplate: { id: unknown } }, "swarm-1"),
        template({}, {}, "swarm"),
      ],
    ],
    [
      "three nodes of a search, each with its disk",
      97.14,
      [
        made("opensearch/domain:Domain", {
          clusterConfig: { instanceType: "t3.small.search", instanceCount: 3 },
          ebsOptions: { ebsEnabled: true, volumeType: "gp3", volumeSize: 50 },
        }),
      ],
    ],
    [
      "a larger one",
      94.66,
      [
        made("opensearch/domain:Domain", {
          clusterConfig: { instanceType: "m6g.large.search" },
          ebsOptions: { ebsEnabled: true, volumeType: "gp3", volumeSize: 10 },
        }),
      ],
    ],
    ["a disk", 8, [made("ebs/volume:Volume", { type: "gp3", size: 100 })]],
    ["a fast one", 28, [made("ebs/volume:Volume", { type: "gp3", size: 100, iops: 6000, throughput: 250 })]],
    [
      "a database",
      14.07,
      [made("rds/instance:Instance", { engine: "postgres", instanceClass: "db.t4g.micro", allocatedStorage: 20 })],
    ],
    [
      "in two zones",
      268.28,
      [
        made("rds/instance:Instance", {
          ...{ engine: "postgres", instanceClass: "db.m7g.large", allocatedStorage: 100, multiAz: true },
        }),
      ],
    ],
    [
      "Valkey, two nodes",
      18.98,
      [
        made("elasticache/replicationGroup:ReplicationGroup", {
          ...{ engine: "valkey", nodeType: "cache.t4g.micro", numCacheClusters: 2 },
        }),
      ],
    ],
    ["a way out, with its address", 36.5, [made("ec2/natGateway:NatGateway", {}), made("ec2/eip:Eip", {})]],
    ["a balancer in three zones", 27.38, [made("lb/loadBalancer:LoadBalancer", { subnets: ["a", "b", "c"] })]],
    [
      "endpoints",
      21.9,
      [
        made("ec2/vpcEndpoint:VpcEndpoint", { vpcEndpointType: "Interface", subnetIds: ["a", "b", "c"] }),
        made("ec2/vpcEndpoint:VpcEndpoint", { vpcEndpointType: "Gateway" }),
      ],
    ],
    ["what costs nothing by itself", 0, [made("ec2/vpc:Vpc", {}), made("s3/bucket:Bucket", {})]],
  ])("%s", (_, dollars, all) => {
    const cost = monthly(all);
    expect(cost?.unpriced).toEqual([]);
    // The table has a family's large size; others are a multiple, which AWS rounds.
    expect(Math.abs((cost?.dollars ?? NaN) - dollars)).toBeLessThan(dollars * 0.02 + 0.005);
  });
});

test("a class without a price is named, and the rest is counted", () => {
  const cost = monthly([
    made("rds/instance:Instance", { engine: "postgres", instanceClass: "db.x9.large" }, "db"),
    made("ec2/instance:Instance", { instanceType: "constructor.large" }, "a"),
    made("autoscaling/group:Group", { launchTemplate: { id: unknown } }, "b"),
    service({}),
    made("ec2/eip:Eip", {}),
  ]);
  expect(cost).toEqual({
    dollars: 3.65,
    unpriced: ["a (constructor.large)", "b (its class)", "db (postgres db.x9.large)", "x (its task definition)"],
  });
});

test("where no cloud is concerned there is no cost", () => {
  expect(
    monthly([{ urn: "urn:pulumi:s::p::docker:index/container:Container::x", inputs: {}, outputs: {} }]),
  ).toBeUndefined();
  expect(monthly([])).toBeUndefined();
});
