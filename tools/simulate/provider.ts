/**
 * `node provider.ts <cloud>`: what an executable `pulumi-resource-<cloud>` starts. `npm run simulate` puts those on PATH
 * and names the folder of the simulated world in SIMULATE_FOLDER.
 */
import module from "node:module";
import process from "node:process";

import { watchParent } from "../../ops/lifetime.ts";
import { clouds } from "./clouds.ts";
import { Faults } from "./faults.ts";
import { serve, warner } from "./plugin.ts";
import { Simulated } from "./simulated.ts";
import { Table } from "./table.ts";
import { World } from "./world.ts";

const [name = "", engine = ""] = process.argv.slice(2);
const load = Object.hasOwn(clouds, name) ? clouds[name] : undefined;
const folder = process.env.SIMULATE_FOLDER;
if (!load || folder === undefined) {
  process.stderr.write(`${name} is a simulation: start it with \`npm run simulate -- up …\`\n`);
  process.exit(1);
}
watchParent();
const cloud = await load();
const table = new Table(cloud);
const world = new World(folder);
// The engine ends plugins before they write the cache of compiled code themselves.
module.flushCompileCache();
serve(table.version, new Simulated(cloud, table, world, new Faults(world, process.env), warner(engine)));
