/** The example for AWS on the packed package, and the package's policies: the real engine, a simulated cloud. */
import { globSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { simulation, type Simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";
import { env, pack, type Pack } from "../support/pack.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const minutes = 60_000;
let made: Pack;
let cloud: Simulation;
let stack: TestStack;

beforeAll(async () => {
  made = await pack(["@pulumi/aws", "@pulumi/policy"]);
  cloud = await simulation(newFolder("world-example"));
  const own = {
    account: "123456789012",
    mirror: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub",
    protect: false,
  };
  const config = Object.fromEntries(Object.entries(own).map(([key, value]) => [`aws:${key}`, value]));
  // The simulated cloud's plugins come first, then the machine's own Node, as everywhere outside the checkout.
  const { PATH = "" } = cloud.env;
  const simulated = PATH.split(delimiter).filter((folder) => folder.includes("tools/simulate"));
  stack = await TestStack.example({
    ...{ example: "aws", modules: made.modules, config, level: "simulated" },
    env: { ...cloud.env, PATH: [...simulated, env.PATH].join(delimiter) },
  });
}, 10 * minutes);

afterAll(async () => {
  await stack.dispose();
  await cloud.close();
  await made.remove();
}, 10 * minutes);

test(
  "a platform on AWS comes up by the provider's own AWS SDK, and a second preview is empty",
  async () => {
    succeeded(await stack.up());
    const { resources } = await stack.state();
    expect(resources.filter(({ type }) => type === "platform-topologies:index:Machine").length).toBeGreaterThan(5);
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  20 * minutes,
);

test(
  "the package's policies pass it, and stop what breaks one",
  async () => {
    const policies = join(made.packed, "dist/policy");
    expect(succeeded(await stack.preview(["--policy-pack", policies]))).toContain("platform-topologies@");
    await stack.rewrite(`import { Volume } from "@pulumi/aws/ebs/volume.js";
      import { Provider } from "@pulumi/aws/provider.js";
      const provider = new Provider("aws", { region: "eu-central-1", skipCredentialsValidation: true });
      new Volume("plain", { availabilityZone: "eu-central-1a", size: 1 }, { provider });`);
    const { code, output } = await stack.preview(["--policy-pack", policies]);
    expect(code).not.toBe(0);
    expect(output).toMatch(/\[mandatory\] {2}disk-encrypted {2}\(aws:ebs:Volume: plain\)/);
  },
  5 * minutes,
);

test(
  "the types of every example",
  async () => {
    const { folder } = made;
    await cp(join(repo, "examples"), join(folder, "examples"), { recursive: true });
    const files = globSync("examples/*/index.ts", { cwd: folder });
    const compilerOptions = {
      ...{ module: "nodenext", target: "es2022", types: [], noEmit: true, skipLibCheck: true, strict: true },
      ...{ noImplicitOverride: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ erasableSyntaxOnly: true, verbatimModuleSyntax: true },
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const tsc = join(repo, "node_modules/typescript/bin/tsc");
    const { all } = await execa(process.execPath, [tsc, "-p", folder], { all: true, reject: false });
    expect(files.length).toBeGreaterThan(6);
    expect(all).toBe("");
  },
  5 * minutes,
);
