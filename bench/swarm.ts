/**
 * A stack with three copies of its stores, the same with one, and the services of the first by `docker stack deploy`, on a
 * swarm of three nodes in namespaces. Images are on the nodes before.
 */
import type Docker from "dockerode";
import { execa } from "execa";
import { z } from "zod";

import { ifThere, messageOf } from "../ops/docker.ts";
import { pulled, pushed, swarmStack } from "../test/support/swarm-stack.ts";
import { eventually } from "../test/support/swarm.ts";
import type { TestStack } from "../test/support/stack.ts";
import { succeeded } from "../test/support/stack.ts";
import type { Say } from "../tools/setup/cache.ts";
import { setup } from "../tools/setup/setup.ts";
import { Cluster } from "../tools/swarm/cluster.ts";
import type { Contender } from "./contenders.ts";
import { inTurn } from "./rounds.ts";
import { stackFile } from "./stack-file.ts";

const name = "bench";
const images = ["postgis", "postgres-ha", "redis", "haproxy", "solr", "minio", "toolbox", "traefik", "rehearsal"];

/** Arkindex with PostgreSQL and Redis, whose servers start as quickly as a swarm looks. Solr and the objects have one. */
export async function swarm(rounds: number, folder: string, say: Say): Promise<string> {
  await setup(images);
  const cluster = await Cluster.start({ name: "benchswarm", network: "10.213.191", managers: 3, workers: 0, say });
  try {
    say("images onto each node");
    const refs = Object.values(await pushed(cluster));
    await Promise.all(
      cluster.nodes.map(async (node) => {
        for (const ref of refs) await pulled(cluster.dockerOf(node), ref);
      }),
    );
    const three = await stackOf(cluster, { db: 3, redis: 3 });
    const one = await stackOf(cluster, 1);
    const mine = ours(cluster, three, "platform-topologies, three copies");
    try {
      say("platform-topologies: up once, for the images and the definition of the other");
      await mine.up();
      const { output } = await three.run(["stack", "export", "--show-secrets"]);
      const file = await stackFile(cluster.manager(), JSON.parse(output), name, folder);
      await mine.down();
      const contenders = [
        mine,
        ours(cluster, one, "platform-topologies, one copy"),
        deployed(cluster, file.path, "docker stack deploy, three copies"),
      ];
      const times = await inTurn(contenders, rounds, "ours of three", say);
      return `${String(file.services)} services and ${String(file.jobs)} jobs with three copies; medians of ${String(rounds)} rounds\n\n${times}`;
    } finally {
      await three.dispose();
      await one.dispose();
    }
  } finally {
    await cluster.stop();
  }
}

async function stackOf(cluster: Cluster, copies: number | Readonly<Record<string, number>>): Promise<TestStack> {
  const small = { postgresGib: 1, solrGib: 1, solrMemoryMib: 256, redisMemoryMib: 64, objectsGib: 1 };
  return swarmStack({ cluster, name, system: "arkindex", config: { copies, arkindex: small } });
}

function ours(cluster: Cluster, stack: TestStack, called: string): Contender {
  return {
    name: called,
    up: async () => {
      succeeded(await stack.up());
      await untilRunning(cluster.manager());
    },
    preview: async () => void succeeded(await stack.preview(["--expect-no-changes"])),
    down: async () => {
      succeeded(await stack.destroy());
      await withoutVolumes(cluster);
    },
  };
}

function deployed(cluster: Cluster, file: string, called: string): Contender {
  const run = async (...args: string[]): Promise<void> => {
    await execa("docker", args, { env: { DOCKER_HOST: cluster.host("m1") } });
  };
  return {
    name: called,
    up: async () => {
      await run("stack", "deploy", "--compose-file", file, name);
      await untilRunning(cluster.manager());
    },
    preview: undefined,
    down: async () => {
      await run("stack", "rm", "--detach=false", name);
      await withoutVolumes(cluster);
    },
  };
}

const view = z.array(
  z.object({
    Spec: z.object({
      Name: z.string(),
      Mode: z.object({ ReplicatedJob: z.object({ TotalCompletions: z.number() }).optional() }),
    }),
    ServiceStatus: z.object({
      RunningTasks: z.number(),
      DesiredTasks: z.number(),
      CompletedTasks: z.number().default(0),
    }),
  }),
);

/** Waits until every job has ended well, and all tasks of the others run, which a swarm says of those that are healthy. */
async function untilRunning(manager: Docker): Promise<void> {
  const lacking = async (): Promise<string[]> => {
    const services = view.parse(await manager.listServices({ status: true }));
    return services.flatMap(({ Spec: { Name, Mode }, ServiceStatus: is }) => {
      const whole =
        Mode.ReplicatedJob === undefined
          ? is.RunningTasks >= is.DesiredTasks
          : is.CompletedTasks >= Mode.ReplicatedJob.TotalCompletions;
      return whole ? [] : [Name];
    });
  };
  await eventually(600, lacking, (left) => left.length === 0);
}

/** Removes the volumes, which outlive a stack on a swarm, and what has ended and still holds them. */
async function withoutVolumes(cluster: Cluster): Promise<void> {
  const left = async (): Promise<string[]> => {
    const found = await Promise.all(
      cluster.nodes.map(async (node) => {
        const engine = cluster.dockerOf(node);
        const ended = await engine.listContainers({ all: true, filters: { status: ["created", "exited", "dead"] } });
        for (const { Id } of ended) await ifThere(engine.getContainer(Id).remove()).catch(messageOf);
        const { Volumes } = await engine.listVolumes({ filters: { name: [`${name}-`] } });
        const kept = Volumes.map(({ Name }) => ifThere(engine.getVolume(Name).remove()).then(() => "", messageOf));
        return (await Promise.all(kept)).filter((why) => why !== "");
      }),
    );
    return found.flat();
  };
  await eventually(120, left, (all) => all.length === 0);
}
