/** The language host of tools/language-host: what a program may use besides resources works, and failures are told once. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, expect, jest, test } from "@jest/globals";

import { succeeded, TestStack } from "../support/stack.ts";

import type { StateResource } from "../support/stack.ts";

jest.setTimeout(60_000);

const stacks: TestStack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.dispose();
});

async function stackOf(body: string): Promise<TestStack> {
  const program = `
    import { appendFileSync } from "node:fs";
    import * as pulumi from "@pulumi/pulumi";
    import * as random from "@pulumi/random";
    const note = (line: string): void => appendFileSync("notes", line + "\\n");
    ${body}`;
  const stack = await TestStack.create({ program });
  stacks.push(stack);
  return stack;
}

function notes(stack: TestStack): Promise<string> {
  return readFile(join(stack.folder, "notes"), "utf8").catch(() => "");
}

async function pets(stack: TestStack): Promise<StateResource[]> {
  return (await stack.state()).resources.filter(({ type }) => type === "random:index/randomPet:RandomPet");
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (let tenths = 0; tenths < 200; tenths++) {
    if (await reached()) return;
    await sleep(100);
  }
  throw new Error("not reached within 20 s");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

test("a program's outputs and state are there, without a word about PATH; a second preview is empty", async () => {
  const stack = await stackOf(`export const pet = new random.RandomPet("pet", { prefix: "p" }).id;`);
  const up = await stack.up();
  succeeded(up);
  expect(up.output).not.toContain("$PATH");
  expect((await stack.outputs()).pet).toMatch(/^p-/);
  succeeded(await stack.preview(["--expect-no-changes"]));
});

test("resource hooks run, before and after, with the values of the resource", async () => {
  const stack = await stackOf(`
    const before = new pulumi.ResourceHook("before", (args) => note("before " + String(args.newInputs.prefix)));
    const after = new pulumi.ResourceHook("after", (args) => note("after " + String(args.newOutputs.id)));
    new random.RandomPet("pet", { prefix: "hooked" }, { hooks: { beforeCreate: [before], afterCreate: [after] } });`);
  succeeded(await stack.up());
  const pet = (await pets(stack))[0];
  expect(await notes(stack)).toBe(`before hooked\nafter ${String(pet?.id)}\n`);
});

test("a failing before-hook fails the up, and the next one too, until its reason is gone", async () => {
  const body = (fails: boolean): string => `
    import { appendFileSync } from "node:fs";
    import * as pulumi from "@pulumi/pulumi";
    import * as random from "@pulumi/random";
    const before = new pulumi.ResourceHook("before", () => { if (${String(fails)}) throw new Error("not today"); });
    new random.RandomPet("pet", {}, { hooks: { beforeCreate: [before] } });`;
  const stack = await stackOf("");
  await stack.rewrite(body(true));
  for (let round = 1; round <= 2; round++) {
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(output).toContain("not today");
    expect(await pets(stack)).toHaveLength(0);
  }
  await stack.rewrite(body(false));
  succeeded(await stack.up());
  expect(await pets(stack)).toHaveLength(1);
});

test("an error hook is asked, and its retry is made", async () => {
  // The hook asks for one retry and gives up at the second failure.
  const stack = await stackOf(`
    let failures = 0;
    const onError = new pulumi.ErrorHook("retry", (args) => {
      note("failed: " + args.failedOperation);
      return ++failures < 2;
    });
    new random.RandomInteger("impossible", { min: 5, max: 1 }, { hooks: { onError: [onError] } });`);
  const { code } = await stack.up();
  expect(code).not.toBe(0);
  expect(await notes(stack)).toBe("failed: create\nfailed: create\n");
});

test("a stack transform and a resource transform change what is registered", async () => {
  const stack = await stackOf(`
    pulumi.runtime.registerResourceTransform((args) =>
      args.type === "random:index/randomPet:RandomPet"
        ? { props: { ...args.props, prefix: "stack" }, opts: args.opts }
        : undefined);
    new random.RandomPet("one");
    new random.RandomPet("two", {}, { transforms: [(args) => ({ props: { ...args.props, length: 4 }, opts: args.opts })] });`);
  succeeded(await stack.up());
  const ids = new Map((await pets(stack)).map(({ urn, id }) => [urn.split("::").at(-1), id]));
  expect(ids.get("one")).toMatch(/^stack-\w+-\w+$/);
  expect(ids.get("two")).toMatch(/^stack-\w+-\w+-\w+-\w+$/);
});

test("a program that throws says why once, and keeps what was made", async () => {
  const stack = await stackOf(`new random.RandomPet("pet");`);
  succeeded(await stack.up());
  await stack.rewrite(`throw new Error("the sky fell");`);
  for (let round = 1; round <= 2; round++) {
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(count(output.slice(output.indexOf("Diagnostics:")), "the sky fell")).toBe(1);
    expect(await pets(stack)).toHaveLength(1);
  }
});

test("a rejection that nobody handles fails the up, even when the program ends with 0", async () => {
  const stack = await stackOf(`void Promise.reject(new Error("unheard")); process.exitCode = 0;`);
  const { code, output } = await stack.up();
  expect(code).not.toBe(0);
  expect(output).toContain("unheard");
});

test("a program that ends early is an error with its exit code, and deletes nothing", async () => {
  const stack = await stackOf(`new random.RandomPet("pet");`);
  succeeded(await stack.up());
  await stack.rewrite(`process.exit(7);`);
  const { code, output } = await stack.up();
  expect(code).not.toBe(0);
  expect(output).toContain("exit code 7");
  expect(await pets(stack)).toHaveLength(1);
});

test("host and program end when the engine is killed", async () => {
  const stack = await stackOf(`
    note(String(process.pid) + " " + String(process.ppid));
    await new Promise((resolve) => setTimeout(resolve, 60_000));`);
  const up = stack.start(["up", "--yes", "--skip-preview"]);
  await until(async () => (await notes(stack)) !== "");
  up.kill("SIGKILL");
  await up.done;
  const pids = (await notes(stack)).trim().split(" ").map(Number);
  expect(pids).toHaveLength(2);
  await until(() => Promise.resolve(!pids.some(isAlive)));
  succeeded(await stack.run(["cancel", "--yes"]));
});

test("what a program prints comes in its order", async () => {
  const stack = await stackOf(`for (let i = 0; i < 50; i++) console.log("line " + i);`);
  const { code, output } = await stack.up();
  expect(code).toBe(0);
  const found = [...output.slice(output.indexOf("Diagnostics:")).matchAll(/line (\d+)/g)].map((match) =>
    Number(match[1]),
  );
  expect(found).toEqual([...found].sort((a, b) => a - b));
  expect(new Set(found).size).toBe(50);
});

test("the arguments of Node that the project names reach the program", async () => {
  const stack = await stackOf(`export const given = process.execArgv;`);
  succeeded(await stack.up());
  expect((await stack.outputs()).given).toContain("--max-semi-space-size=16");
});

test("configuration and its secrets reach the program", async () => {
  const stack = await stackOf(`
    const config = new pulumi.Config();
    export const plain = config.get("plain");
    export const hidden = config.requireSecret("hidden");`);
  succeeded(await stack.run(["config", "set", "plain", "seen"]));
  succeeded(await stack.run(["config", "set", "--secret", "hidden", "unseen"]));
  const up = await stack.up();
  expect(up.code).toBe(0);
  expect(up.output).toContain("seen");
  expect(up.output).not.toContain("unseen");
  expect(JSON.stringify(await stack.state())).not.toContain("unseen");
  expect(await stack.outputs()).toEqual({ plain: "seen", hidden: "unseen" });
});

test("`up --plan` refuses what is not in the plan, and prints no secret that differs", async () => {
  const key = (secret: string, more = ""): string =>
    `new random.RandomString("key", { length: 8, keepers: { guard: pulumi.secret("${secret}") } });${more}`;
  const stack = await stackOf(key("hush-as-planned"));
  succeeded(await stack.preview(["--save-plan", "plan.json"]));
  expect(await readFile(join(stack.folder, "plan.json"), "utf8")).not.toContain("hush-as-planned");
  const again = async (body: string) => {
    await stack.rewrite(
      `import * as pulumi from "@pulumi/pulumi";\nimport * as random from "@pulumi/random";\n${body}`,
    );
    return stack.up(["--plan", "plan.json"]);
  };
  for (const body of [key("hush-of-another"), key("hush-as-planned", `new random.RandomPet("pet");`)]) {
    const { code, output } = await again(body);
    expect(code).not.toBe(0);
    expect(output).toMatch(/violates plan|not allowed by the plan/);
    expect(output).not.toMatch(/hush-(as-planned|of-another)/);
  }
  succeeded(await again(key("hush-as-planned")));
});
