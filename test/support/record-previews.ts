/**
 * Records what the real engine says in previews of every kind, for test/data/previews:
 *   node_modules/node/bin/node test/support/record-previews.ts [name…]
 * Each goes through the same filter as a real one, so that nothing but what is read is kept, and no secret.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";

import { eventsOf, type Stream } from "../../comment/preview.ts";
import { redactor, secretsOfStack } from "../../comment/secrets.ts";
import { simulation } from "../../tools/simulate/simulation.ts";
import { cliOf, password, previewedProgram, type Shape } from "./previewed.ts";
import { stackName } from "./run.ts";
import { repo, succeeded, TestStack } from "./stack.ts";

interface Recording {
  /** What is there before; unset: nothing. */
  readonly from?: Shape;
  readonly to: Shape;
  readonly args?: readonly string[];
}

const failing = `
pulumi.all([password, token.result]).apply(([a, b]) => {
  throw new Error("cannot connect to postgres://root:" + a + "@db, nor with " + b);
});`;

const recordings: Readonly<Record<string, Recording>> = {
  create: { to: {} },
  same: { from: {}, to: {} },
  update: { from: {}, to: { replicas: 3, memory: "1024" } },
  replace: { from: {}, to: { encrypted: false } },
  delete: { from: {}, to: { database: false } },
  failed: { from: {}, to: { more: failing } },
  policy: { from: {}, to: { public: true }, args: ["--policy-pack", join(repo, "policy")] },
  many: { from: { disks: 300 }, to: { disks: 300, zone: "b" } },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(recordings);
for (const name of wanted) {
  const recording = recordings[name];
  if (recording === undefined) throw new Error(`no recording ${name}: ${Object.keys(recordings).join(", ")}`);
  const { events, exitCode, said } = await record(recording);
  const lines = [{ exitCode, said }, ...events].map((each) => `${JSON.stringify(each)}\n`);
  const file = join(repo, "test/data/previews", `${name}.jsonl.gz`);
  await writeFile(file, gzipSync(lines.join(""), { level: 9 }));
  process.stdout.write(`${name}: ${String(events.length)} events, exit code ${String(exitCode)}\n`);
}

async function record({ from, to, args = [] }: Recording): Promise<Stream> {
  const world = await mkdtemp(join(tmpdir(), "world-"));
  const cloud = await simulation(world);
  const config = { "test-stack:password": "later" };
  const stack = await TestStack.create({ program: previewedProgram(repo, from ?? to), config, env: cloud.env });
  try {
    succeeded(await stack.run(["config", "set", "--secret", "password", password]));
    if (from !== undefined) succeeded(await stack.up());
    await stack.rewrite(previewedProgram(repo, to));
    const cli = await cliOf(stack, cloud.env);
    const found = await eventsOf({ stack: stackName, args }, cli);
    const redact = redactor(await secretsOfStack(cli, ["--stack", stackName]));
    return JSON.parse(
      redact(JSON.stringify(found)).replaceAll(stack.folder, "/shop").replaceAll(repo, "/repo"),
    ) as Stream;
  } finally {
    await stack.dispose();
    await cloud.close();
    await rm(world, { recursive: true, force: true });
  }
}
