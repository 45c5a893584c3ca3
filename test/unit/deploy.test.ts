/** A whole deployment against Pulumi's mocks: what is refused before the first resource, and what a stack tells at its end. */
import process from "node:process";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import * as debuggable from "@pulumi/pulumi/runtime/debuggable.js";

import { ConfigError, type Problem, sentence } from "../../components/core/errors.ts";
import type { Retirements } from "../../components/core/retirements.ts";
import { deploy, parsed, planStack } from "../../components/deploy.ts";
import type { Stack } from "../../components/topologies/entry.ts";
import { topologies } from "../../components/topologies/index.ts";
import { resolved } from "../support/hostile.ts";
import { record, type Registered } from "../support/mocks.ts";

const { docker } = topologies;
if (docker === undefined) throw new Error("no Docker");
/** What asks an engine, or a disk of the stack's: each test answers in its place. */
const usual = { ...docker };
let preflight: readonly Problem[] = [];
/** The slots of the plan that the engine was asked about. */
let slots: readonly string[] = [];
/** The words for disks in it. */
let words: object = {};
let retirements: (() => Promise<Retirements["retired"]>) | undefined;
let history: Retirements["history"] = [];
const before = { ...process.env };
beforeEach(() => {
  preflight = [];
  retirements = undefined;
  history = [];
  Object.assign(docker, {
    preflight: (_: unknown, { site, plan }: Stack) => {
      slots = [...plan.slots.keys()];
      words = site.disks;
      return Promise.resolve(preflight);
    },
    retirements: () =>
      retirements === undefined
        ? undefined
        : {
            latest: async () => ({ number: 1, retirements: { retired: await retirements?.(), history } }),
          },
  });
});
afterEach(() => {
  Object.assign(docker, usual);
  process.env = { ...before };
});

const good = {
  system: "arangodb",
  topology: "docker",
  hostname: "arango.example.com",
  docker: { host: "unix:///none.sock" },
  arangodb: { mode: "single" },
  images: { "arangodb-toolbox": "r.example.com/toolbox:1", toolbox: "r.example.com/toolbox:1" },
};

/** Deploys a config, of which some top keys hold something encrypted. */
async function deployed(change: object = {}, encrypted: readonly string[] = []) {
  const config = Object.entries<unknown>({ ...good, ...change }).filter(([, value]) => value !== undefined);
  const own = config.map(([key, value]): [string, string] => [
    `platform-topologies:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(encrypted.map((key) => `platform-topologies:${key}`));
  let outputs: Record<string, unknown> = {};
  let problems: string[] = [];
  const all: Registered[] = await record(async () => {
    pulumi.runtime.setAllConfig({ ...Object.fromEntries(own), "other:hostname": "x" });
    try {
      outputs = (await resolved(await deploy())) as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems = error.problems.map(sentence);
    }
  });
  return { all, outputs, problems };
}

test("a stack tells its address, its stores, their passwords, its images and who supplies what", async () => {
  const images = { toolbox: "r.example.com/stand-in/toolbox:1", arangodb: "r.example.com/arango:3.12-stand-in-2" };
  const { all, outputs, problems } = await deployed({ images });
  expect(problems).toEqual([]);
  expect(all.map(({ type, name }) => [type, name])).toContainEqual(["platform-topologies:index:ArangoDb", "arangodb"]);
  expect(outputs).toMatchObject({
    url: "https://arango.example.com",
    rehearsing: ["arangodb"], // its tag says that it stands in
    endpoints: { cluster: { host: "coordinators", port: 8529, user: "root" } },
    passwords: { cluster: "password-of-arangodb-root-password" },
    suppliers: {},
    places: {},
    picture: expect.stringContaining("n_Edge --> n_"),
  });
  expect(outputs.images).toMatchObject(images);
  expect(Object.keys(outputs.images as object).sort()).toEqual(["arangodb", "toolbox", "traefik"]);
});

describe("the stack is written out", () => {
  const { debuggablePromise } = debuggable as unknown as {
    readonly debuggablePromise: (promise: Promise<void>, what: string) => Promise<void>;
  };
  const ofPromise = (): unknown => {
    const promise = Promise.resolve();
    void debuggablePromise(promise, "a test");
    return Reflect.get(promise, "_debugStackTrace");
  };

  test("of an error, and not of each of the SDK's promises", async () => {
    await deployed();
    expect(new TypeError("here").stack).toMatch(/^TypeError: here\n {4}at .*deploy\.test\.ts:\d+:\d+/);
    expect(ofPromise()).toBe("");
  });

  test("of promises, too, for who looks for one that is never kept", async () => {
    Reflect.deleteProperty(Error, "prepareStackTrace");
    process.env.PULUMI_DEBUG_PROMISE_LEAKS = "true";
    await deployed();
    expect(ofPromise()).toContain("deploy.test.ts");
  });
});

describe("nothing is registered", () => {
  test("where the config is wrong: all of it is said, and nothing that is encrypted", async () => {
    const wrong = { hostname: "x y", publicPort: 0 };
    const { all, problems } = await deployed(wrong);
    expect(all).toEqual([]);
    expect(problems.map((each) => each.split(/: /)[0])).toEqual(['hostname = "x y"', "publicPort = 0"]);
    const hidden = (await deployed(wrong, ["hostname"])).problems;
    expect(hidden.map((each) => each.split(/: /)[0])).toEqual(["hostname", "publicPort = 0"]);
  });

  test("where a secret lies in plain text", async () => {
    const backup = { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } };
    const { all, problems } = await deployed({ backup, secrets: { backupKey: "hunter2", backupSecret: "hunter3" } });
    expect(all).toEqual([]);
    expect(problems.map((each) => each.split(/: /)[0])).toEqual(["secrets.backupKey", "secrets.backupSecret"]);
    expect(problems.join()).not.toMatch(/hunter/);
  });

  test("where the engine refuses", async () => {
    preflight = [{ key: "docker.host", value: "unix:///none.sock", remedy: "start it" }];
    expect(await deployed()).toMatchObject({
      all: [],
      problems: ['docker.host = "unix:///none.sock": start it'],
    });
  });
});

describe("members that the reconciler has retired", () => {
  const cluster = { arangodb: { dbservers: { retired: [1] } } };
  const servers = async () => {
    preflight = [{ key: "docker.host", remedy: "that is enough" }];
    await deployed(cluster);
    return slots.filter((name) => name.startsWith("dbserver-"));
  };

  test("are taken out, beside those of the config", async () => {
    retirements = () => Promise.resolve({ dbserver: [3], other: [1] });
    expect(await servers()).toEqual(["dbserver-2", "dbserver-4", "dbserver-5"]);
  });

  test("stay in where no topology keeps them", async () => {
    expect(await servers()).toEqual(["dbserver-2", "dbserver-3", "dbserver-4"]);
  });

  test("are no numbers of a system without such roles", async () => {
    retirements = () => Promise.resolve({ dbserver: [3] });
    preflight = [{ key: "docker.host", remedy: "that is enough" }];
    const images = { rehearsal: "r.example.com/rehearsal:1", toolbox: "r.example.com/toolbox:1" };
    const { problems } = await deployed({ system: "arkindex", arangodb: undefined, rehearsal: true, images });
    expect(problems).toEqual(["docker.host: that is enough"]);
  });

  test("may be on a new disk, while there is such a slot", async () => {
    retirements = () => Promise.resolve({});
    const step = { at: "2026-01-31", why: "", disk: true, outcome: "begun" } as const;
    history = ["dbserver-2", "dbserver-7"].map((member) => ({ ...step, member }));
    preflight = [{ key: "docker.host", remedy: "that is enough" }];
    expect((await deployed(cluster)).problems).toEqual(["docker.host: that is enough"]);
    expect(words).toEqual({ "dbserver-2": "2026-01-31" });
  });

  test("are not asked for where no other could stand in", async () => {
    retirements = () => Promise.reject(new Error("nobody asks"));
    preflight = [{ key: "docker.host", remedy: "that is enough" }];
    expect((await deployed()).problems).toEqual(["docker.host: that is enough"]);
  });

  test("are a problem where they cannot be read", async () => {
    retirements = () => Promise.reject(new Error("the volume is gone"));
    expect(await deployed(cluster)).toMatchObject({ all: [], problems: ['topology = "docker": the volume is gone'] });
  });
});

test.each<[string, unknown]>([
  ["text", "text"],
  ["true", true],
  ["false", false],
  ["truely", "truely"],
  ["12", 12],
  ["-1.5", -1.5],
  ["1.25", 1.25],
  [" 12", " 12"],
  ["1.2.3", "1.2.3"],
  ["12a", "12a"],
  ["a12", "a12"],
  ['{"a":1}', { a: 1 }],
  ["[1]", [1]],
  ["[half", "[half"],
  ["{half", "{half"],
])("the config's text %s is read as %j", (text, value) => {
  expect(parsed(text)).toEqual(value);
});

describe("a plan alone", () => {
  const said = (change: object, stack = "dev") =>
    planStack({ ...good, ...change }, stack).problems.map((problem) => sentence(problem).split(/: /)[0]);

  test("takes its name from system and stack, or from the config", () => {
    const named = (change: object) => planStack({ ...good, ...change }, "dev").whole?.site.name;
    expect([named({}), named({ name: "own" })]).toEqual(["arangodb-dev", "own"]);
    expect(said({}, "a b")).toEqual(['name = "arangodb-a b"']);
  });

  test("asks for each secret that it needs, and for no other", () => {
    const backup = { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } };
    expect(said({ backup, secrets: { backupKey: "k", backupSecret: "s" } })).toEqual([]);
    expect(said({ backup, secrets: { backupKey: "k" } })).toEqual(["secrets.backupSecret"]);
    expect(said({ secrets: { backupKey: "k" } })).toEqual(["secrets.backupKey"]);
  });

  test("is not made of a value that nobody could be told", () => {
    const backup = { to: { s3: { endpoint: "https://s3.example.com", bucket: "b" } } };
    const { problems, whole, images, containers } = planStack(
      { ...good, backup, secrets: { backupKey: "a\nb", backupSecret: "s" }, other: 1 },
      "dev",
    );
    expect(problems.map(({ key }) => key)).toEqual(["other", "secrets.backupKey"]);
    expect([whole, images, containers]).toEqual([undefined, [], []]);
  });

  test("is refused on a topology that is not built", () => {
    expect(said({ topology: "gcp", docker: undefined })).toEqual(['topology = "gcp"']);
  });

  test("shows what it runs: each image once, and each container", () => {
    const { images, containers, warnings } = planStack(good, "dev", new Date("2026-01-01"));
    expect(images.map(({ key }) => key).sort()).toEqual(["arangodb", "toolbox", "traefik"]);
    expect(containers.map(([name]) => name)).toEqual(["single-1", "root-login"]);
    expect(warnings).toEqual([]);
  });
});
