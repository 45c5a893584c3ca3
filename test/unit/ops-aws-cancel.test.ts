/** A cancelled `up` ends at once. In a file of its own: nothing waits any more afterwards. */
import { afterEach, expect, test } from "@jest/globals";

import { ecsGate } from "../../ops/ecs-gate.ts";
import { job } from "../../ops/job.ts";
import { cancel } from "../../ops/lifetime.ts";
import { machine } from "../../ops/machine.ts";
import { values } from "../../ops/wire.ts";
import { fakeAws, type FakeAws, fakeTasks, runningTask } from "../support/fake-aws.ts";

let aws: FakeAws;
afterEach(() => {
  aws.close();
});

test("each wait ends with a sentence, and leaves alone what goes on", async () => {
  aws = await fakeAws({
    ...fakeTasks([], (id, by) => ({ ...runningTask(id, by, 0), next: [] })),
    DescribeServices: () => ({
      services: [{ status: "ACTIVE", deployments: [{ status: "PRIMARY", taskDefinition: "d/web:1" }] }],
    }),
    DescribeAutoScalingGroups: () => ({ AutoScalingGroups: [{ DesiredCapacity: 1, Instances: [] }] }),
  });
  const { at } = aws;
  const place = { at, cluster: "shop", logGroup: "/shop", container: "main" };
  const task = { ...place, taskDefinition: "d/shop-migrate:1", subnets: [], securityGroups: [] };
  const waits = Promise.allSettled([
    job.create(values({ name: "migrate", image: "i", command: [], trigger: "1", seconds: 600, ecs: task })),
    ecsGate.create(values({ ...place, name: "web", service: "web", taskDefinition: "d/web:1", seconds: 600 })),
    machine.create(values({ at, name: "db-1", group: "g", spec: "v", template: "1", seconds: 600 })),
  ]);
  while (new Set(aws.calls.map(({ action }) => action)).size < 5) await new Promise((then) => setTimeout(then, 20));
  cancel();
  const said = (await waits).map((each) => (each.status === "rejected" ? (each.reason as Error).message : "passed"));
  expect(said).toEqual([
    "migrate was cancelled here and goes on in its container: the next up waits for it",
    "waiting for web was cancelled: run up again",
    "waiting for db-1 was cancelled: run up again",
  ]);
  expect(aws.of("StopTask")).toEqual([]);
});
