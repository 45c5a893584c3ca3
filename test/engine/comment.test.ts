/** The comment of a small stack, on the real engine and the simulated cloud. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { given, run } from "../../comment/main.ts";
import { eventsOf } from "../../comment/preview.ts";
import { simulation, type Simulation } from "../../tools/simulate/simulation.ts";
import { newFolder } from "../support/folder.ts";
import { cliOf, password, previewedProgram } from "../support/previewed.ts";
import { stackName } from "../support/run.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { standIn, token, type StandIn } from "../support/stand-in-forge.ts";

import type { Cli } from "../../comment/secrets.ts";

const minutes = 60_000;
let cloud: Simulation;
let stack: TestStack;
let cli: Cli;
let forge: StandIn;

beforeAll(async () => {
  cloud = await simulation(newFolder("world"));
  forge = await standIn("github", "bot");
  const config = { "test-stack:password": "later" };
  stack = await TestStack.create({ program: previewedProgram(repo), config, env: cloud.env });
  succeeded(await stack.run(["config", "set", "--secret", "password", password]));
  succeeded(await stack.up());
  cli = await cliOf(stack, cloud.env);
}, 3 * minutes);
afterAll(async () => {
  await stack.dispose();
  await cloud.close();
  await forge.close();
}, 2 * minutes);

/** The command as a job would run it: its exit code, and the comment that it printed. */
async function command(...args: string[]): Promise<{ code: number; text: string }> {
  const env = { ...cli.env, GITHUB_TOKEN: token, GITHUB_API_URL: forge.url };
  let text = "";
  const around = { env, out: (more: string) => (text += more), say: () => undefined };
  const wish = [stackName, "--pulumi", cli.pulumi, "--cwd", cli.cwd];
  return { code: await run(given([...wish, ...args]), around), text };
}

test(
  "the engine's own stream has secrets, and what is kept of it has none",
  async () => {
    const secrets = { ...(await generatedSecrets(stack)), password };
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(["password"]));
    await stack.rewrite(previewedProgram(repo, { replicas: 2 }));
    const raw: string[] = [];
    const { events, exitCode } = await eventsOf({ stack: stackName, args: [] }, cli, undefined, (line) =>
      raw.push(line),
    );
    expect(exitCode).toBe(0);
    expect(leaks(raw.join("\n"), secrets)).not.toEqual([]); // or this test would prove nothing
    expect(leaks(JSON.stringify(events), secrets)).toEqual([]);
  },
  3 * minutes,
);

test(
  "its comment is made once, changed in place, and left alone where nothing is new",
  async () => {
    await stack.rewrite(previewedProgram(repo, { replicas: 2 }));
    const at = ["--github", "acme/shop", "--pr", "7", "--output", "-"];
    const first = await command(...at);
    expect(first.code).toBe(0);
    expect(first.text).toContain("-     desiredCount: 1\n+     desiredCount: 2\n");
    // Our own resource, of which the engine passes on no difference.
    expect(first.text).toMatch(/platform-topologies:index:EcsGate {2}app\n- {5}seconds: 301\n\+ {5}seconds: 302\n/);
    expect(forge.comments.map(({ body }) => body)).toEqual([first.text]);

    const again = await command(...at);
    expect(again.text).toBe(first.text);
    expect(forge.calls.filter((call) => !call.startsWith("GET "))).toHaveLength(1);

    await stack.rewrite(previewedProgram(repo, { encrypted: false }));
    const second = await command(...at);
    expect(second.text).toContain("because of `storageEncrypted`");
    expect(forge.comments.map(({ body }) => body)).toEqual([second.text]);
  },
  5 * minutes,
);

test(
  "a failed preview has its comment, without the secrets that its error shows, and a policy's too",
  async () => {
    const secrets = { ...(await generatedSecrets(stack)), password };
    const failing = `pulumi.all([password, token.result]).apply(([a, b]) => {
    throw new Error("cannot connect with " + a + " and " + b + " and " + encodeURIComponent(b));
  });`;
    await stack.rewrite(previewedProgram(repo, { more: failing }));
    const { code, text } = await command("--data", join(stack.folder, "found.json"), "--output", "-");
    expect(code).toBe(1);
    expect(text).toContain("cannot connect with [secret] and [secret] and [secret]");
    expect(leaks(text, secrets)).toEqual([]);
    expect(leaks(await readFile(join(stack.folder, "found.json"), "utf8"), secrets)).toEqual([]);

    await stack.rewrite(previewedProgram(repo, { public: true }));
    const broken = await command("--", "--policy-pack", join(repo, "policy"));
    expect(broken.code).toBe(1);
    expect(broken.text).toContain("- `platform-topologies/database-private` (`mandatory`)");
  },
  5 * minutes,
);

test(
  "a stack that is not there fails with the CLI's own words, and plans are saved without a secret",
  async () => {
    const env = cli.env;
    let text = "";
    const around = { env, out: (more: string) => (text += more), say: () => undefined };
    const code = await run(given(["nowhere", "--pulumi", cli.pulumi, "--cwd", cli.cwd]), around);
    expect(code).toBe(1);
    expect(text).toContain("no stack named 'nowhere' found");

    await stack.rewrite(previewedProgram(repo, { replicas: 2 }));
    const plans = join(stack.folder, "plans");
    await mkdir(plans);
    expect((await command("--save-plans", plans)).code).toBe(0);
    expect(await readdir(plans)).toEqual([`${stackName}.json`]);
    const plan = await readFile(join(plans, `${stackName}.json`), "utf8");
    expect(plan).toContain("desiredCount");
    expect(leaks(plan, { ...(await generatedSecrets(stack)), password })).toEqual([]);
  },
  3 * minutes,
);

test(
  "drift is seen and nothing is changed",
  async () => {
    await stack.rewrite(previewedProgram(repo));
    const before = JSON.stringify(await stack.state());
    expect((await command("--", "--refresh", "--expect-no-changes")).code).toBe(0);
    await stack.rewrite(previewedProgram(repo, { replicas: 2 }));
    const { code, text } = await command("--", "--refresh", "--expect-no-changes");
    expect(code).toBe(1);
    expect(text).toContain("+     desiredCount: 2\n");
    expect(JSON.stringify(await stack.state())).toBe(before);
  },
  3 * minutes,
);
