/** `node tools/enter.mjs <command>` ends here: one file a command. */
import process from "node:process";

import { listen } from "./setup/interrupt.ts";
import { describe } from "./setup/problem.ts";

const commands: Readonly<Record<string, () => Promise<{ run(args: readonly string[]): Promise<number> }>>> = {
  start: () => import("./commands/start.ts"),
  stop: () => import("./commands/stop.ts"),
  test: () => import("./commands/test.ts"),
  "test:swarm": () => import("./commands/test-swarm.ts"),
  "test:aws": () => import("./commands/test-aws.ts"),
  "verify-cloud": () => import("./commands/verify-cloud.ts"),
  "test:mutation": () => import("./commands/test-mutation.ts"),
  swarm: () => import("./commands/swarm.ts"),
  bench: () => import("../bench/main.ts"),
  pulumi: () => import("./commands/pulumi.ts"),
  simulate: () => import("./commands/simulate.ts"),
  "preview-comment": () => import("./commands/preview-comment.ts"),
  audit: () => import("./commands/audit.ts"),
  reconcile: () => import("./commands/reconcile.ts"),
  images: () => import("./commands/images.ts"),
  release: () => import("./commands/release.ts"),
  new: () => import("./commands/new.ts"),
  schema: () => import("./commands/schema.ts"),
  sdk: () => import("./commands/sdk.ts"),
  picture: () => import("./commands/picture.ts"),
  status: () => import("./commands/status.ts"),
  screenshots: () => import("./commands/screenshots.ts"),
  build: () => import("./commands/build.ts"),
  api: () => import("./commands/api.ts"),
};

const [name = "", ...args] = process.argv.slice(2);
const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
listen();
try {
  if (!load) throw new Error(`there is no command "${name}": use ${Object.keys(commands).join(", ")}`);
  process.exitCode = await (await load()).run(args);
} catch (error) {
  process.stderr.write(`error: ${describe(error)}\n`);
  process.exitCode = 1;
}
