/** Arkindex whose deployment, processes or owner fail it: killed half-way, killed in turn, destroyed by mistake. */
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  arkindexConfig,
  arkindexStack,
  call,
  cleanUp,
  containerIds,
  engine,
  eventually,
  isKept,
  killProcess,
  strays,
  untilHealthy,
  write,
} from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { processes } from "../docker/ops-support.ts";

const name = "ark-crash";
const https = 18643;
const minutes = 60_000;
const parts = [
  ...["backend-1", "backup-1", "cantaloupe-1", "db-1", "db-1-drill-1"],
  ...["edge", "objects-1", "redis-1", "solr-1", "worker-1"],
];
let stack: TestStack;
let outputs: { url: string; ca: string; passwords: Record<string, string> };

const config = (more = {}): Record<string, unknown> =>
  arkindexConfig({ name, https, config: { ...upgraded, ...more } });
const upgraded = { arkindex: { version: "1.8.0" } };

beforeAll(async () => {
  stack = await arkindexStack({ name, https });
});

afterAll(async () => {
  await cleanUp(stack, name);
}, 3 * minutes);

/** Kills Pulumi's CLI at a moment: its lock stops the next `up`, and what `npm start` and `npm stop` do first clears it. */
async function kill(command: "up" | "destroy", moment: (there: Record<string, string>) => boolean): Promise<void> {
  const running = stack.start([command, "--yes", "--skip-preview"]);
  const ended = running.done.then(({ output }) => output);
  while (!moment(await containerIds(name))) {
    const early = await Promise.race([ended, sleep(30, undefined)]);
    if (early !== undefined) throw new Error(`the moment never came: ${early}`);
  }
  running.kill("SIGKILL");
  await ended;
  const locked = await stack.up();
  expect(locked.output).toContain("locked");
  expect(locked.code).not.toBe(0);
  expect(await stack.heal()).toContainEqual(expect.stringMatching(/^the lock of process \d+, which is dead, is gone$/));
  // Neither a plugin nor the program goes on behind the next one's back.
  await eventually(async () => ((await processes("", stack.folder)).length === 0 ? true : undefined), 10);
}

async function expectWhole(): Promise<void> {
  expect(await strays(stack, name)).toEqual([]);
  expect(Object.keys(await containerIds(name)).sort()).toEqual(parts);
  await untilHealthy(Object.values(await containerIds(name)));
  succeeded(await stack.preview(["--expect-no-changes"]));
}

async function health(part: string): Promise<string | undefined> {
  return (await inspect(part)).State.Health?.Status;
}

function inspect(part: string) {
  return engine.getContainer(`${name}-${part}`).inspect();
}

test(
  "a first up, killed when the stores are made, when the migration runs and when the backend is made, converges",
  async () => {
    await kill("up", (there) => "db-1" in there);
    await kill("up", (there) => "migrate" in there);
    await kill("up", (there) => "backend-1" in there);
    succeeded(await stack.up());
    await expectWhole();
    outputs = (await stack.outputs()) as typeof outputs;
    await write(outputs.url, outputs.ca, "before");
  },
  6 * minutes,
);

test(
  "an upgrade, killed while it migrates and while it replaces the backend, converges and loses nothing",
  async () => {
    const old = (await containerIds(name))["backend-1"];
    await stack.configure(config());
    await kill("up", (there) => "migrate" in there);
    expect((await containerIds(name))["backend-1"]).toBe(old);
    await kill("up", (there) => there["backend-1"] !== old);
    succeeded(await stack.up());
    await expectWhole();
    expect((await call(`${outputs.url}/api/v1/`, outputs.ca)).body).toContain("1.8.0");
    expect(await isKept(outputs.url, outputs.ca, "before")).toBe(true);
  },
  5 * minutes,
);

test.each(parts)(
  "the process of %s is killed and comes back healthy by itself",
  async (part) => {
    const { RestartCount } = await inspect(part);
    await killProcess(engine.getContainer(`${name}-${part}`));
    await eventually(async () => {
      const now = await inspect(part);
      return now.RestartCount > RestartCount && now.State.Health?.Status === "healthy" ? true : undefined;
    }, 90);
    await eventually(async () => {
      const { status } = await call(`${outputs.url}/health`, outputs.ca);
      return status === 200 ? true : undefined;
    }, 90);
    expect(await isKept(outputs.url, outputs.ca, "before")).toBe(true);
  },
  3 * minutes,
);

test(
  "after all of it nothing has changed for Pulumi",
  async () => {
    for (const part of parts) await eventually(async () => ((await health(part)) === "healthy" ? true : undefined));
    await expectWhole();
  },
  2 * minutes,
);

test(
  "a protected stack refuses destroy as a whole",
  async () => {
    await stack.configure(config({ protect: true }));
    const before = await containerIds(name);
    succeeded(await stack.up());
    expect(await containerIds(name)).toEqual(before);
    // With its preview, as a person runs it: with --skip-preview Pulumi deletes until it comes to what is protected.
    const destroy = ["destroy", "--yes"];
    for (const { code, output } of [await stack.run(destroy), await stack.run(destroy)]) {
      expect(output).toContain("protect");
      expect(code).not.toBe(0);
      expect(await containerIds(name)).toEqual(before);
    }
    await expectWhole();
  },
  3 * minutes,
);

test(
  "destroy --exclude-protected keeps data, passwords and their state, and up brings the same stack back",
  async () => {
    const guarded = async (): Promise<string[]> =>
      (await stack.state()).resources.filter((each) => each.protect).map(({ urn }) => urn);
    const before = await guarded();
    succeeded(await stack.destroy(["--exclude-protected"]));
    expect(await containerIds(name)).toEqual({});
    expect(await guarded()).toEqual(before);
    const stores = ["db-1", "objects-1", "redis-1", "solr-1"];
    expect(before.map((urn) => urn.split("::").at(-1)?.replace("arkindex-", "")).sort()).toEqual(
      [...stores, ...stores.map((slot) => `${slot}-disk`), "db-password", "objects-password", "secret-key"].sort(),
    );
    const { Volumes } = await engine.listVolumes({ filters: { label: [`platform-topologies.name=${name}`] } });
    expect(Volumes.map(({ Name }) => Name).sort()).toEqual(stores.map((slot) => `${name}-${slot}`));

    const { passwords } = outputs;
    succeeded(await stack.up());
    outputs = (await stack.outputs()) as typeof outputs; // another local authority
    expect(outputs.passwords).toEqual(passwords);
    expect(await isKept(outputs.url, outputs.ca, "before")).toBe(true);
    await expectWhole();
  },
  4 * minutes,
);

test(
  "unprotected by config it goes as a whole, also when the first destroy is killed",
  async () => {
    await stack.configure(config());
    succeeded(await stack.up());
    await kill("destroy", (there) => !("backend-1" in there));
    succeeded(await stack.destroy());
    expect(await strays(stack, name)).toEqual([]);
    expect((await stack.state()).resources).toEqual([]);
  },
  2 * minutes,
);
