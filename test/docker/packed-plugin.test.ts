/** The package's plugin alone, as a program in YAML has it: every system's plan, on this machine's engine and on AWS. */
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

import { systems } from "../../components/systems/index.ts";
import { yamlHost } from "../../tools/setup/languages.ts";
import { simulation, type Simulation } from "../../tools/simulate/simulation.ts";
import { localImages, project } from "../support/arkindex.ts";
import { newFolder } from "../support/folder.ts";
import { env, pack, type Pack } from "../support/pack.ts";
import { samples } from "../support/sketches.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const minutes = 60_000;
const secrets = { pyrusLicence: "a-licence-of-nobody", pyrusAdminPassword: "a-password-of-nobody" };
let made: Pack;
let cloud: Simulation;
let stack: TestStack | undefined;

beforeAll(async () => {
  made = await pack();
  cloud = await simulation(newFolder("world-packed"));
  await yamlHost(); // minutes on a machine that never built it
}, 40 * minutes);
afterAll(async () => {
  await stack?.dispose();
  await cloud.close();
  await made.remove();
}, 5 * minutes);

type Inputs = Readonly<Record<string, unknown>>;

/** What the preview of a program with this one component says. */
async function planned(component: string, properties: Inputs, folders: readonly string[] = []): Promise<string> {
  const program = { resources: { whole: { type: `platform-topologies:${component}`, properties } } };
  const files = { "Main.yaml": JSON.stringify(program) };
  await stack?.dispose();
  stack = await TestStack.create({
    program: "",
    provider: join(made.packed, "dist/provider"),
    language: { yaml: { runtime: "yaml", main: "." }, files },
    env: { ...cloud.env, PATH: [await yamlHost(), ...folders, env.PATH].join(delimiter) },
    level: "simulated",
  });
  return succeeded(await stack.preview(["--non-interactive"]));
}

const rows = Object.entries(systems).filter(([system]) => system !== "machines");

test.each(rows)(
  "%s on a Docker host",
  async (system, { component }) => {
    const asked = system === "pyrus" ? { secrets } : {};
    const own = samples[system as keyof typeof samples] as Inputs;
    const site = { name: "packed", hostname: "packed.localhost", rehearsal: true, images: localImages() };
    const docker = { address: "127.0.0.1", ports: { http: 15296, https: 15297 } };
    const said = await planned(component, { ...site, ...asked, ...own, docker });
    expect(said).toMatch(new RegExp(`platform-topologies:index:${component}`));
    expect(Number(/\+ (\d+) to create/.exec(said)?.[1])).toBeGreaterThan(20);
    for (const secret of Object.values(secrets)) expect(said).not.toContain(secret);
  },
  3 * minutes,
);

describe("on a simulated AWS", () => {
  test.each(rows.filter(([, { on }]) => on.includes("aws")))(
    "%s, with the ready stack's own config",
    async (system, { component }) => {
      const file = readFileSync(join(repo, "stacks", `${system}-aws.yaml`), "utf8");
      const { config } = parse(file) as { config: Inputs };
      const ours = Object.entries(config).filter(([key]) => key.startsWith(`${project}:`));
      const { secrets: published, ...rest } = Object.fromEntries(
        ours.map(([key, value]) => [key.slice(project.length + 1), value as Inputs]),
      );
      const told = Object.keys(published ?? {}).map((key) => [key, `told-${key}`]);
      const site = {
        ...rest,
        ...rest[system],
        [system]: undefined,
        system: undefined,
        secrets: Object.fromEntries(told) as Inputs,
      };
      const folders = (cloud.env.PATH ?? "").split(delimiter).filter((folder) => folder.includes("tools/simulate"));
      const said = await planned(component, site, folders);
      expect(Number(/\+ (\d+) to create/.exec(said)?.[1])).toBeGreaterThan(100);
    },
    3 * minutes,
  );
});
