import { z } from "zod";

import { awsAccess, explainAws, pauses, ssmOf } from "./aws.ts";
import { compare } from "./handler.ts";
import type { Handler } from "./handler.ts";
import { block } from "./logs.ts";
import { machineSays, ShellCommand } from "./shell-command.ts";
import type { Bag, Values } from "./wire.ts";

const inputs = z.object({
  at: awsAccess,
  name: z.string(),
  instance: z.string(),
  groups: z.record(z.string().regex(/^[\w.-]+$/, "is no name of a group"), z.int().min(0)).optional(),
  seconds: z.number().positive(),
  trigger: z.array(z.string()).optional(),
});
type Asked = z.infer<typeof inputs>;

/** The agent's own wait ends before the command's, so that it can say why. */
const margin = 15;

/** Waits until a machine is a ready node of its swarm. Throws why it is not, with the machine's words. */
export const swarmNode: Handler = {
  inputs,
  diff: compare(inputs, [], ["at", "seconds"]),
  create: wait,
  update: (_olds, news) => wait(news),
};

async function wait(given: Values): Promise<Bag> {
  const asked = inputs.parse(given.plain);
  try {
    await ready(asked);
    return {};
  } catch (error) {
    throw explainAws(error, asked.at);
  }
}

async function ready({ at, name, instance, groups = {}, seconds }: Asked): Promise<void> {
  const limit = Date.now() + seconds * 1000;
  const counts = Object.entries(groups).map(([group, count]) => ` ${group}=${String(count)}`);
  const words = (left: number): string =>
    `/usr/local/bin/node ready ${String(Math.max(1, left - margin))}${counts.join("")}`;
  const command = new ShellCommand(await ssmOf(at), words(Math.ceil(seconds)));
  const rest = pauses(`waiting for ${name} was cancelled: run up again`);
  for (;;) {
    const now = await command.round(instance, Math.ceil((limit - Date.now()) / 1000));
    if (now.is === "done") return;
    const late = Date.now() >= limit;
    if (now.is === "failed" || late) {
      if (now.is !== "failed") await command.cancel();
      const why = now.is === "failed" ? now.why : `${now.why} after ${String(seconds)} s`;
      const said = (now.output ?? "").trim();
      const evidence = said === "" ? "" : block("its machine says", machineSays(said));
      throw new Error(`${name} is not ready in the swarm: ${why}${evidence}`);
    }
    await rest();
  }
}
