/** Arkindex brought up with something wrong: the reason, the same reason again, and convergence once it is put right. */
import { createServer, type Server } from "node:net";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  arkindexConfig,
  arkindexProgram,
  arkindexStack,
  call,
  cleanUp,
  containerIds,
  engine,
  isKept,
  localImage,
  strays,
  withEnvironment,
  write,
} from "../support/arkindex.ts";
import { type Outcome, succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-faults";
const https = 18543;
const minutes = 60_000;
let stack: TestStack;
let outputs: { url: string; ca: string };

const good = (config = {}): Record<string, unknown> => arkindexConfig({ name, https, config });
const version = (arkindex: string): object => ({ arkindex: { version: arkindex } });
const docker = (more: object): object => ({
  docker: { address: "127.0.0.1", ports: { http: https - 1, https }, ...more },
});

beforeAll(async () => {
  stack = await arkindexStack({ name, https });
});

afterAll(async () => {
  await cleanUp(stack, name);
}, 3 * minutes);

/** Refused by a preview and by an `up`, each with all of `words`, and nothing made. */
async function expectRefused(config: Record<string, unknown>, words: readonly string[]): Promise<void> {
  const before = await containerIds(name);
  const known = await made();
  await stack.configure(config);
  for (const outcome of [await stack.preview(), await stack.up()]) expectFailed(outcome, words);
  expect(await containerIds(name)).toEqual(before);
  expect(await made()).toEqual(known);
}

/** What the state has, but for the SDK's own way to read a state. */
async function made(): Promise<string[]> {
  const { resources } = await stack.state();
  return resources.flatMap(({ custom, type, urn }) => (custom && type !== "pulumi:providers:pulumi" ? [urn] : []));
}

/** An `up` that fails with all of `words` and without a stack trace; what it made is in the state. */
async function expectFails(words: readonly string[]): Promise<string> {
  const outcome = await stack.up();
  expectFailed(outcome, words);
  expect(await strays(stack, name)).toEqual([]);
  return outcome.output;
}

function expectFailed({ code, output }: Outcome, words: readonly string[]): void {
  for (const word of words) expect(output).toContain(word);
  expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
  expect(code).not.toBe(0);
}

async function expectConverged(): Promise<void> {
  succeeded(await stack.up());
  expect(await strays(stack, name)).toEqual([]);
  succeeded(await stack.preview(["--expect-no-changes"]));
}

test.each([
  ["unix:///nonexistent.sock", "is not there: start the Docker engine, or correct the path of its socket"],
  ["tcp://127.0.0.1:1", "refuses the connection: start the Docker engine there, or correct the address"],
])(
  "an engine that is not there (%s) is refused before the first resource",
  async (host, remedy) => {
    await expectRefused(good(docker({ host })), [`docker.host = "${host}"`, remedy]);
  },
  minutes,
);

test(
  "a secret that was set in plain text is refused before the first resource, and not repeated",
  async () => {
    await expectRefused(good({ secrets: { "ponosSeed-gpu": "hunter2-in-plain" } }), [
      "secrets.ponosSeed-gpu: in plain text",
    ]);
    expect((await stack.preview()).output).not.toContain("hunter2");
  },
  minutes,
);

test(
  "a port that another program has is refused before the first resource",
  async () => {
    const holder = await listen(https);
    try {
      const remedy = `docker.ports.https = ${String(https)}: another program listens there on 127.0.0.1; stop it or choose another port`;
      await expectRefused(good(), [remedy]);
    } finally {
      holder.close();
    }
  },
  minutes,
);

test(
  "a local image that was never built is refused before the first resource",
  async () => {
    const image = "platform-topologies/none:1";
    await expectRefused(good({ images: { redis: image } }), [`images.redis = "${image}": not on the engine`]);
  },
  minutes,
);

test(
  "an image that its registry does not give fails every up",
  async () => {
    await stack.configure(good({ images: { redis: "localhost:1/none:1" } }));
    const words = ["localhost:1/none:1", "connection refused"];
    await expectFails(words);
    await expectFails(words);
    expect(Object.keys(await containerIds(name))).not.toContain("redis-1");
  },
  5 * minutes,
);

test(
  "a migration that fails stops the first deployment before backend and worker",
  async () => {
    await stack.configure(good());
    await stack.rewrite(arkindexProgram(withEnvironment("arkindex-migrate", "REHEARSAL_FAIL", "migrate")));
    const words = [
      `${name}-migrate failed with exit code 1`,
      "last log lines",
      "migration to 1.7.0 failed as told by REHEARSAL_FAIL=migrate",
    ];
    await expectFails(words);
    await expectFails(words);
    const there = Object.keys(await containerIds(name));
    expect(there).toContain("redis-1");
    expect(there).not.toContain("backend-1");
    expect(there).not.toContain("worker-1");
  },
  5 * minutes,
);

test(
  "a backend that never gets healthy fails every up, with its log and its last health check",
  async () => {
    const broken = withEnvironment("arkindex-backend-1", "REHEARSAL_FAIL", "unhealthy");
    await stack.rewrite(arkindexProgram(`${broken}\n${impatient("arkindex-backend-1")}`));
    const words = [
      `${name}-backend-1 did not become healthy: its health check fails`,
      "last log lines",
      "listening on port 8000",
      "last health check",
      "told by REHEARSAL_FAIL=unhealthy never to be healthy",
    ];
    const began = Date.now();
    await expectFails(words);
    await expectFails(words);
    expect(Date.now() - began).toBeLessThan(2 * minutes);
  },
  5 * minutes,
);

test(
  "put right, it converges",
  async () => {
    await stack.rewrite(arkindexProgram());
    await expectConverged();
    outputs = (await stack.outputs()) as typeof outputs;
    expect(await call(`${outputs.url}/health`, outputs.ca)).toMatchObject({ status: 200 });
    await write(outputs.url, outputs.ca, "before");
  },
  5 * minutes,
);

test(
  "an upgrade whose migration fails leaves the old version serving, and goes through once it is put right",
  async () => {
    const { backend, worker } = await replicas();
    const upgrade = { ...version("1.8.0"), images: { rehearsal: await otherImage(localImage("rehearsal")) } };
    try {
      await stack.configure(good(upgrade));
      await stack.rewrite(arkindexProgram(withEnvironment("arkindex-migrate", "REHEARSAL_FAIL", "migrate")));
      const words = [
        `${name}-migrate failed with exit code 1`,
        "migration to 1.8.0 failed as told by REHEARSAL_FAIL=migrate",
      ];
      await expectFails(words);
      await expectFails(words);
      expect(await replicas()).toEqual({ backend, worker });
      expect((await call(`${outputs.url}/api/v1/`, outputs.ca)).body).toContain("1.7.0");
      await stack.rewrite(arkindexProgram());
      await expectConverged();
      expect((await call(`${outputs.url}/api/v1/`, outputs.ca)).body).toContain("1.8.0");
    } finally {
      await stack.configure(good(version("1.8.0")));
      await stack.up();
      await engine.getImage(upgrade.images.rehearsal).remove();
    }
  },
  5 * minutes,
);

test(
  "an image that cannot be had leaves the running store alone",
  async () => {
    const before = await containerIds(name);
    await stack.configure(good({ ...version("1.8.0"), images: { redis: "localhost:1/none:1" } }));
    await expectFails(["localhost:1/none:1"]);
    await expectFails(["localhost:1/none:1"]);
    expect(await containerIds(name)).toEqual(before);
    await stack.configure(good(version("1.8.0")));
    await expectConverged();
    expect(await containerIds(name)).toEqual(before);
  },
  5 * minutes,
);

test(
  "another name is refused in preview and up, with the way to move",
  async () => {
    const renamed = { ...version("1.8.0"), name: `${name}-other` };
    await expectRefused(good(renamed), [`set name: ${name};`, "make a new stack with `restore`"]);
    expect(await containerIds(`${name}-other`)).toEqual({});
    await stack.configure(good(version("1.8.0")));
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  2 * minutes,
);

test("after all of it, what was written is there", async () => {
  expect(await isKept(outputs.url, outputs.ca, "before")).toBe(true);
});

/** A transform that takes a container's health check seriously after 5 s, as nobody wants to wait for two minutes here. */
function impatient(resource: string): string {
  return `pulumi.runtime.registerResourceTransform((args) => {
  if (args.name !== "${resource}" || args.type !== "docker:index/container:Container") return undefined;
  return { props: { ...args.props, healthcheck: { ...args.props.healthcheck, startPeriod: "5s" } }, opts: args.opts };
});`;
}

async function replicas(): Promise<Record<"backend" | "worker", string | undefined>> {
  const ids = await containerIds(name);
  return { backend: ids["backend-1"], worker: ids["worker-1"] };
}

/** The same with one layer more, under a tag of this test's own: another tag alone would be no change. */
async function otherImage(image: string): Promise<string> {
  const [repo = ""] = image.split(":");
  const made = await engine.createContainer({ Image: image });
  await made.commit({ repo, tag: name });
  await made.remove();
  return `${repo}:${name}`;
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(port, "127.0.0.1", () => {
      resolve(server);
    });
  });
}
