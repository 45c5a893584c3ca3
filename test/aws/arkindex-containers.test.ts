/**
 * Arkindex' ready stack for AWS with the AWS provider's own code against ministack: its tasks run as containers of this
 * machine's engine, as their definitions say, behind a real PostgreSQL and a real Valkey. Solr and the object store are
 * an operator's own, as no emulator runs the machines of slots. ministack forgets some of what it is told, so the empty
 * preview is moto's to show (emulated.test.ts).
 */
import { join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { bucketNames } from "../../components/systems/arkindex.ts";
import { type Emulator } from "../../tools/emulate/emulator.ts";
import { ministack } from "../../tools/emulate/ministack.ts";
import { awsProvider } from "../../tools/emulate/provider.ts";
import { docker, Stage, until } from "../docker/rehearsal-stores.ts";
import { arkindexProgram, eventually, localImages, project } from "../support/arkindex.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { simulatedConfig } from "../support/simulated.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const minutes = 60_000;
const [account, region] = ["123456789012", "eu-central-1"];
const store = { user: "operators-key", password: "operators-own-password" };
const stage = new Stage();
let cloud: Emulator;
let stack: TestStack;

/** The names of this machine's images in the registry of the account. */
const registry = `${account}.dkr.ecr.${region}.amazonaws.com`;
const images = Object.fromEntries(Object.entries(localImages()).map(([key, ref]) => [key, `${registry}/${ref}`]));

const existing = {
  solr: { kind: "solr", host: "solr.outside" },
  objects: { kind: "objects", api: "s3", url: "http://objects.outside:9000", region: "us-east-1", prefix: "" },
};

async function operatorsStores(): Promise<void> {
  const solr = await stage.start(
    "solr.outside",
    "solr",
    ["-e", "SOLR_JETTY_HOST=0.0.0.0"],
    ["solr", "start", "-f", "-c"],
  );
  const collection = "http://localhost:8983/solr/admin/collections?action=CREATE&name=arkindex&numShards=1";
  const login = ["-e", `MINIO_ROOT_USER=${store.user}`, "-e", `MINIO_ROOT_PASSWORD=${store.password}`];
  const minio = await stage.start("objects.outside", "minio", login, ["minio", "server", "/data", "--quiet"]);
  const made = bucketNames.map((bucket) => `mc mb --quiet --ignore-existing own/${bucket}`).join(" && ");
  const alias = `mc alias set own http://127.0.0.1:9000 ${store.user} ${store.password}`;
  await until("buckets", 60, async () => (await docker("exec", minio, "sh", "-c", `${alias} && ${made}`)) !== "");
  await until("a collection", 60, async () => (await docker("exec", solr, "curl", "-fsS", collection)) !== "");
}

beforeAll(async () => {
  await stage.open("--internal");
  await operatorsStores();
  const { postgis = "", redis = "" } = localImages();
  cloud = await ministack({ region, account, network: stage.network, images: { postgres: postgis, valkey: redis } });
  const path = [await awsProvider(), join(repo, "tools/simulate/refused"), process.env.PATH ?? ""];
  const config = {
    ...simulatedConfig("arkindex-aws"),
    ...{ [`${project}:mirror`]: undefined, [`${project}:images`]: images, [`${project}:existing`]: existing },
    [`${project}:arkindex`]: { version: "1.7.0", backends: 2, workers: 1 },
  };
  stack = await TestStack.create({
    ...{ project, program: arkindexProgram(), config, level: "emulated" },
    env: { ...cloud.env, PATH: path.join(":") },
  });
  for (const [name, value] of [
    ["objectsKey", store.user],
    ["objectsSecret", store.password],
  ] as const)
    succeeded(await stack.run(["config", "set", "--path", "--secret", `${project}:secrets.${name}`, value]));
  succeeded(await stack.up());
}, 30 * minutes);

afterAll(async () => {
  try {
    await stack.dispose();
  } finally {
    await cloud.close();
    await stage.remove();
  }
}, 20 * minutes);

interface Running {
  readonly Id: string;
  readonly Config: { readonly User: string; readonly Env: readonly string[] };
  readonly HostConfig: { readonly CapDrop: readonly string[] };
  readonly State: { readonly Health?: { readonly Status: string } };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
}

/** The containers that run now for a workload of the stack. */
async function running(name: string): Promise<Running[]> {
  const family = `label=com.amazonaws.ecs.task-definition-family=arkindex-${name}`;
  const its = ["--filter", family, "--filter", `label=com.amazonaws.ecs.container-name=${name}`];
  const ids = (await docker("ps", "--quiet", ...its)).split("\n").filter((id) => id !== "");
  return ids.length === 0 ? [] : (JSON.parse(await docker("inspect", ...ids)) as Running[]);
}

/** What the application that rehearses has found, by each of its checks. */
async function found(name: string): Promise<{ ok: boolean; version: string }[]> {
  const all = await running(name);
  return Promise.all(
    all.map(async ({ NetworkSettings: { Networks } }) => {
      const at = `http://${Networks[stage.network]?.IPAddress ?? ""}:8000/rehearsal.json`;
      return (await (await fetch(at)).json()) as { ok: boolean; version: string };
    }),
  );
}

test(
  "every application runs as its definition says, and finds its stores",
  async () => {
    for (const [name, count] of [
      ["backend", 2],
      ["worker", 1],
      ["cantaloupe", 1],
    ] as const) {
      const all = await running(name);
      expect([name, all.length]).toEqual([name, count]);
      for (const { Config, HostConfig, State } of all) {
        expect(State.Health?.Status).toBe("healthy");
        expect(Config.User).not.toMatch(/^(|0|root)(:|$)/);
        expect(HostConfig.CapDrop).toEqual(["ALL"]);
      }
    }
    await eventually(async () => (await found("backend")).every(({ ok }) => ok) || undefined, 60);
  },
  5 * minutes,
);

test("a file is there with its mode, and cannot be written", async () => {
  const [{ Id } = { Id: "" }] = await running("backend");
  const look = 'stat -c "%a %s" /run/arkindex/config.yml; touch /run/arkindex/more 2>&1 || true';
  expect(await docker("exec", Id, "sh", "-c", look)).toMatch(/^444 [1-9]\d+\n.*(Read-only|Permission denied)/);
});

test("no secret is in the environment of an application", async () => {
  const secrets = await generatedSecrets(stack);
  expect(Object.keys(secrets).length).toBeGreaterThan(2);
  const all = [...(await running("backend")), ...(await running("worker"))];
  expect(all).toHaveLength(3);
  for (const { Config } of all) expect(leaks(Config.Env.join("\n"), secrets)).toEqual([]);
});

test("the database takes TLS alone, and the application speaks it", async () => {
  const database = (await docker("ps", "--quiet", "--filter", "label=ministack=rds")).trim();
  const { all } = await execa("docker", ["logs", database], { all: true });
  const [signedIn = ""] = all.split("\n").filter((line) => line.includes("authorized: user=app database=arkindex"));
  expect(signedIn).toContain("SSL enabled (protocol=TLSv1.3");
  const plain = [
    "-e",
    "PGSSLMODE=disable",
    "-e",
    "PGPASSWORD=none",
    database,
    "sh",
    "-c",
    'psql -h "$(hostname)" -U app arkindex',
  ];
  const { all: refused } = await execa("docker", ["exec", ...plain], { all: true, reject: false });
  expect(refused).toContain("no encryption");
});

test(
  "another version is rolled out, after its migration",
  async () => {
    const before = (await running("backend")).map(({ Id }) => Id);
    await stack.reconfigure({ [`${project}:arkindex`]: { version: "1.7.1", backends: 2, workers: 1 } });
    expect(succeeded(await stack.up())).toMatch(/Job arkindex-migrate/);
    await eventually(async () => {
      const after = (await running("backend")).map(({ Id }) => Id);
      return (after.length === 2 && !after.some((id) => before.includes(id))) || undefined;
    }, 120);
    expect((await found("backend")).map(({ version }) => version)).toEqual(["1.7.1", "1.7.1"]);
  },
  15 * minutes,
);
