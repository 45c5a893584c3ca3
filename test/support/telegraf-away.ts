/** InfluxDB is away for a while, and Telegraf's points of that time are there afterwards. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, eventually, inContainer, localImages, sweep } from "./arkindex.ts";
import { repo, succeeded, TestStack } from "./stack.ts";

/** Of Telegraf's points, which come every ten seconds, one may be late on a busy machine. */
const stepSeconds = 30;

/** The tests of a file. `name`: of its stack. */
export function influxAway(name: string, seconds: number): void {
  let stack: TestStack;
  const program = `import { siteOf } from "${repo}/components/core/site.ts";
import { z } from "zod";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { nodeTelegraf } from "${repo}/components/systems/shinyproxy/telegraf.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const system = (p) => {
  const influx = p.need("influx", "influx", { databases: { telegraf: { keep: "1d" } }, gib: 1 });
  p.run("telegraf-node", nodeTelegraf(influx));
};
class Measured extends SystemComponent {
  constructor(name, args) { super("Measured", system, z.any(), name, args); }
}
const site = siteOf({ name: "${name}", hostname: "${name}.localhost", images: ${JSON.stringify(localImages())}, protect: false });
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
new Measured("measured", { on });
`;

  const id = async (member: string): Promise<string> => (await containerIds(name))[member] ?? "";

  interface Series {
    readonly name: string;
    readonly values: readonly (readonly (string | number)[])[];
  }
  async function query(text: string): Promise<readonly Series[]> {
    const { body } = await inContainer(
      { container: await id("telegraf-node-1") },
      `grep ^user /run/telegraf/influx.curl >/tmp/login
curl -fsSG --config /tmp/login http://influx-1:8086/query -d db=telegraf --data-urlencode "q=${text}"`,
    );
    const answer = JSON.parse(body) as { results: readonly { series?: readonly Series[]; error?: string }[] };
    const [{ series = [], error } = {}] = answer.results;
    if (error !== undefined) throw new Error(error);
    return series;
  }
  const iso = (time: number): string => `'${new Date(time).toISOString()}'`;
  const between = (from: number, to: number): string => `time >= ${iso(from)} AND time < ${iso(to)}`;

  beforeAll(async () => {
    await sweep(name);
    stack = await TestStack.create({ program, config: { "pulumi:disable-default-providers": ["*"] } });
    succeeded(await stack.up());
  }, 300_000);

  afterAll(async () => {
    await stack.dispose();
    await sweep(name);
  }, 120_000);

  test(
    `InfluxDB is away for ${String(seconds)} s: the points of that time come when it is back`,
    async () => {
      await eventually(async () => {
        if ((await query("SELECT * FROM system LIMIT 1")).length === 0) throw new Error("no point yet");
        return true;
      }, 120);
      const influx = engine.getContainer(await id("influx-1"));
      await influx.stop();
      const from = Date.now();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const telegraf = await engine.getContainer(await id("telegraf-node-1")).inspect();
      expect([telegraf.State.Running, telegraf.RestartCount]).toEqual([true, 0]);
      const to = Date.now();
      await influx.start();
      const step = stepSeconds * 1000;
      const whole = between(Math.ceil(from / step) * step, Math.floor(to / step) * step);
      const [load] = await eventually(async () => {
        const found = await query(
          `SELECT count(load1) FROM system WHERE ${whole} GROUP BY time(${String(stepSeconds)}s) fill(0)`,
        );
        if (found.length === 0) throw new Error("none yet");
        if (found[0]?.values.some(([, count]) => count === 0)) throw new Error(JSON.stringify(found[0].values));
        return found;
      }, 180);
      expect(load?.values.length).toBeGreaterThanOrEqual(Math.floor(seconds / stepSeconds) - 1);
      const all = await query(`SELECT count(*) FROM /.*/ WHERE ${between(from, to)}`);
      const points = all.reduce((sum, { values: [counts = []] }) => sum + Math.max(...counts.slice(1).map(Number)), 0);
      process.stdout.write(
        `Telegraf of a node, InfluxDB away for ${String(seconds)} s: ${String(points)} points of that time are there\n`,
      );
      expect(points).toBeGreaterThan(seconds / 10);
    },
    (seconds + 600) * 1000,
  );
}
