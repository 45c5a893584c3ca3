/**
 * `npm run swarm -- start|stop|status [--managers 1|3] [--workers n]`: a Docker swarm of several daemons on this
 * machine, to try a swarm stack on: three managers and two workers. It stays until it is stopped. After a restart of the machine `start` brings it
 * back.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { interruptible } from "../setup/interrupt.ts";
import { local } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { setup } from "../setup/setup.ts";
import { possible } from "../swarm/claim.ts";
import { Cluster } from "../swarm/cluster.ts";
import { remove } from "../swarm/remove.ts";
import { load } from "../swarm/record.ts";

import type { Say } from "../setup/cache.ts";

/** Fixed, so that a stack's configuration can name its addresses: m1 10.213.7.11, w1 .21, the registry .1:5000. */
const dev = { name: "dev", network: "10.213.7", stays: true } as const;
const usage = "npm run swarm -- start|stop|status [--managers 1|3] [--workers <number>]";

export async function run(args: readonly string[]): Promise<number> {
  const { action, managers, workers } = read(args);
  if (action === "start") return start(managers, workers);
  if (action === "status") return status();
  if ((await load(dev.name)) === undefined) {
    process.stdout.write("there is no swarm\n");
    return 0;
  }
  await possible({ name: dev.name, say });
  await remove(dev.name);
  process.stdout.write("the swarm is gone, with all its data\n");
  return 0;
}

interface Asked {
  readonly action: string;
  readonly managers: 1 | 3 | undefined;
  readonly workers: number | undefined;
}

function read(args: readonly string[]): Asked {
  const { values, positionals } = parse(args);
  const [action = "", ...more] = positionals;
  if (!["start", "stop", "status"].includes(action) || more.length > 0)
    throw new Problem(`swarm ${positionals.join(" ")}: use ${usage}`);
  const managers = values.managers ?? undefined;
  if (managers !== undefined && managers !== "1" && managers !== "3")
    throw new Problem(`--managers = ${managers}: use 1 or 3 (an even number of managers survives no more)`);
  if (values.workers !== undefined && !/^\d{1,2}$/.test(values.workers))
    throw new Problem(`--workers = ${values.workers}: use a whole number from 0 to 99`);
  return {
    action,
    managers: managers === undefined ? undefined : managers === "1" ? 1 : 3,
    workers: values.workers === undefined ? undefined : Number(values.workers),
  };
}

function parse(args: readonly string[]) {
  const options = { managers: { type: "string" }, workers: { type: "string" } } as const;
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new Problem(`${error instanceof Error ? error.message : String(error)}: use ${usage}`);
  }
}

const say: Say = (line) => process.stderr.write(`${line}\n`);

async function start(managers: 1 | 3 | undefined, workers: number | undefined): Promise<number> {
  await possible({ name: dev.name, say });
  await setup();
  const cluster = await opened(managers, workers);
  if (!cluster) return 130;
  const images = JSON.parse(await readFile(join(local, "images.json"), "utf8")) as Record<string, string>;
  await cluster.pushMirror(images, say);
  const nodes = cluster.nodes.map((node) => `${node} ${cluster.address(node)}`);
  process.stdout.write(
    [
      "",
      `nodes            ${nodes.join(", ")}`,
      `registry         ${cluster.registry} (in a stack's config: mirror)`,
      `Docker           DOCKER_HOST=${cluster.host("m1")} docker node ls`,
      "a stack on it    npm run pulumi -- up --stack pyrus-swarm --config-file stacks/pyrus-swarm.yaml",
      "take it away     npm run swarm -- stop",
      "",
    ].join("\n"),
  );
  return 0;
}

/** The swarm that is there, its nodes powered on; else a new one. Undefined: interrupted, and nothing is left. */
async function opened(managers: 1 | 3 | undefined, workers: number | undefined): Promise<Cluster | undefined> {
  const there = await Cluster.open(dev.name, say);
  if (there) {
    const count = (letter: string): number => there.nodes.filter((node) => node.startsWith(letter)).length;
    if ((managers ?? count("m")) !== count("m") || (workers ?? count("w")) < count("w"))
      throw new Problem(
        `there is a swarm with ${String(count("m"))} managers and ${String(count("w"))} workers: ` +
          "npm run swarm -- stop first, or ask for more workers",
      );
    while (count("w") < (workers ?? 0)) say(`added ${await there.addWorker()}`);
    return there;
  }
  await remove(dev.name); // the rest of one that was killed half-way
  const abort = new AbortController();
  try {
    return await interruptible(
      () => abort.abort(),
      () =>
        Cluster.start({
          ...dev,
          // Any one of them may be lost, as on a swarm that is no pilot.
          managers: managers ?? 3,
          workers: workers ?? 2,
          say,
          signal: abort.signal,
        }),
    );
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    say("stopped; what was made is taken away again");
    return undefined;
  }
}

async function status(): Promise<number> {
  const record = await load(dev.name);
  if (!record) {
    process.stdout.write(`there is no swarm: ${usage}\n`);
    return 1;
  }
  const cluster = Cluster.of(record);
  const seen = await cluster.view();
  for (const node of cluster.nodes) {
    const view = seen.find(({ Description }) => Description.Hostname === node);
    const power = (await cluster.isOn(node)) ? "on" : "off";
    const state = view ? `${view.Status.State}, ${view.Spec.Availability}` : "unknown to the swarm";
    process.stdout.write(`${node.padEnd(4)} ${cluster.address(node).padEnd(15)} ${power.padEnd(4)} ${state}\n`);
  }
  return 0;
}
