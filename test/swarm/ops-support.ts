/** A swarm of a manager and a worker for the tests of the ops provider, and services on it. */
import { execa } from "execa";

import { Cluster } from "../../tools/swarm/cluster.ts";
import { ensureImage, image as local } from "../docker/ops-support.ts";
import { repo, succeeded } from "../support/stack.ts";

import type { Outcome, TestStack } from "../support/stack.ts";

export interface Swarm {
  readonly cluster: Cluster;
  /** busybox, as the nodes pull it. */
  readonly image: string;
  /** A program's head: `host`, `image`, and the resources. */
  readonly imports: string;
  docker(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startSwarm(name: string): Promise<Swarm> {
  await ensureImage();
  const cluster = await Cluster.start({ name, managers: 1, workers: 1 });
  try {
    const { [local]: image = "" } = await cluster.push([local]);
    const host = cluster.host("m1");
    const imports = `
import * as pulumi from "@pulumi/pulumi";
import { Finalizer, Job, NodeLabels, VolumeNode, ServiceGate } from "${repo}/ops/resources.ts";
const config = new pulumi.Config();
const host = "${host}";
const image = "${image}";
`;
    const docker = async (...args: string[]): Promise<string> =>
      (await execa("docker", ["--host", host, ...args])).stdout;
    return { cluster, image, imports, docker, stop: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** No part of a stack trace. */
export const trace = /\n\s+at .*\.[jt]s:\d+/;

/** An up that ends well, after which there is nothing to do. */
export async function passes(stack: TestStack, program: string): Promise<Outcome> {
  await stack.rewrite(program);
  const outcome = await stack.up();
  succeeded(outcome);
  const preview = await stack.preview(["--expect-no-changes"]);
  succeeded(preview);
  return outcome;
}

/** Two ups of the same program, which both must fail: a failure that leaves a record lets the second one pass. */
export async function failsTwice(stack: TestStack, program: string): Promise<string[]> {
  await stack.rewrite(program);
  const outputs: string[] = [];
  for (const run of ["first", "second"]) {
    const { code, output } = await stack.up();
    if (code === 0) throw new Error(`the ${run} up passed: ${output}`);
    if (trace.test(output)) throw new Error(`a stack trace: ${output}`);
    outputs.push(output);
  }
  return outputs;
}
