import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { ask } from "../../rehearsal/checks/http.ts";
import { goodConfig, goodSecrets } from "../support/rehearsal.ts";
import { runLabel } from "../support/run.ts";
import { docker, imageOf, Stage, startStores, until } from "./rehearsal-stores.ts";

const buckets = ["staging", "export", "iiif-cache"];
const stage = new Stage();
let folder: string;
let db: string;
let backend: string;
let base: string;
let image: string;
const logs: string[] = [];

const files = () => [
  "-v",
  `${folder}:/run/arkindex:ro`,
  "-e",
  "ARKINDEX_VERSION=1.12.0",
  "--read-only",
  "-u",
  "65534:65534",
];
const app = (config = "config.yml") => [
  ...["-e", `CONFIG_PATH=/run/arkindex/${config}`, "-e", `REHEARSAL_BUCKETS=${buckets.join(",")}`],
  ...files(),
];

/** One-time jobs end with their output and code. */
async function job(
  options: readonly string[],
  ...command: readonly string[]
): Promise<{ code: number; output: string }> {
  const label = ["--label", runLabel, "--network", stage.network];
  const done = await execa("docker", ["run", "--rm", ...label, ...options, image, ...command], {
    reject: false,
    all: true,
  });
  logs.push(done.all);
  return { code: done.exitCode ?? -1, output: done.all };
}

async function health(): Promise<{ status: number; failing: readonly unknown[] }> {
  const { status, body } = await ask(`${base}/health`, { signal: AbortSignal.timeout(3000) });
  const answer: unknown = JSON.parse(body);
  const failing: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "failing") : undefined;
  return { status, failing: Array.isArray(failing) ? failing : [] };
}

async function urlOf(id: string, port: number): Promise<string> {
  return `http://${(await docker("port", id, String(port))).split("\n")[0] ?? ""}`;
}

const probe = (id: string) => execa("docker", ["exec", id, "rehearse", "health"], { reject: false, all: true });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rehearsal-docker-"));
  await execa("chmod", ["755", folder]);
  await writeFile(join(folder, "config.yml"), goodConfig());
  await writeFile(join(folder, "wrong.yml"), goodConfig().replace(goodSecrets[0], "wrong-pass-word"));
  await writeFile(join(folder, "missing.yml"), goodConfig().replace(/secret_key: .*\n/, ""));
  image = await imageOf("rehearsal");
  await stage.open();
  db = await startStores(stage, buckets);
  const options = ["-e", "REHEARSAL_ROLE=arkindex-backend", "-p", "127.0.0.1::8000", ...app()];
  backend = await stage.start("backend", "rehearsal", options);
  base = await urlOf(backend, 8000);
}, 300_000);

afterAll(async () => {
  await stage.remove();
  await rm(folder, { recursive: true });
}, 60_000);

test("before the migrations the backend is unhealthy for that reason alone", async () => {
  await until("all else answers", 30, async () => String((await health()).failing).startsWith("migrations:"));
  const { status, failing } = await health();
  expect(status).toBe(503);
  expect(failing).toEqual([expect.stringMatching(/^migrations: migrations have not run for version 1\.12\.0/)]);
  const asked = await probe(backend);
  expect([asked.exitCode, asked.all]).toEqual([1, failing[0]]);
}, 60_000);

test("a wrong password and a missing key end in one line without a secret, again and again", async () => {
  for (let run = 1; run <= 2; run++) {
    const wrong = await job(app("wrong.yml"), "arkindex", "migrate");
    expect(wrong).toEqual({
      code: 1,
      output: "cannot migrate: postgres: db:5432/arkindex does not accept this user and password",
    });
    const missing = await job(app("missing.yml"), "arkindex", "migrate");
    expect(missing).toEqual({ code: 1, output: "/run/arkindex/missing.yml: missing key secret_key" });
  }
}, 60_000);

test("a migration that fails leaves nothing; jobs run in their order", async () => {
  for (let run = 1; run <= 2; run++) {
    const failed = await job(["-e", "REHEARSAL_FAIL=migrate", ...app()], "arkindex", "migrate");
    expect(failed).toMatchObject({ code: 1, output: expect.stringMatching(/^migration to 1\.12\.0 failed .*$/) });
    const early = await job(app(), "arkindex", "update_system_workers");
    expect(early).toMatchObject({ code: 1, output: expect.stringContaining("migrations have not run") });
  }
  expect(await job(app(), "arkindex", "migrate")).toEqual({ code: 0, output: "migrated to version 1.12.0" });
  expect(await job(app(), "arkindex", "migrate")).toMatchObject({
    code: 0,
    output: expect.stringContaining("applied before"),
  });
  expect(await job(app(), "arkindex", "update_system_workers")).toMatchObject({ code: 0 });
  expect(await job(app(), "arkindex", "check", "--fail-level=WARNING")).toMatchObject({ code: 0 });
}, 120_000);

test("then the backend is healthy, and a worker answers its jobs", async () => {
  const worker = await stage.start("worker", "rehearsal", app(), [
    "arkindex",
    "rqworker",
    "-v",
    "1",
    "default",
    "high",
  ]);
  await until("backend healthy", 30, async () => (await health()).status === 200);
  await until("worker healthy", 30, async () => (await probe(worker)).exitCode === 0);
  await until("the worker is seen", 30, async () =>
    (await ask(`${base}/rehearsal.json`)).body.includes("answers jobs"),
  );
  expect((await ask(`${base}/api/v1/`)).body).toBe('{"rehearsal":true,"version":"1.12.0"}\n');
}, 120_000);

test("the database's end is named within seconds, and its return too; rows and objects stay", async () => {
  expect((await ask(`${base}/rehearsal/rows`, { method: "POST", body: "kept" })).status).toBe(201);
  expect((await ask(`${base}/rehearsal/objects/kept.txt`, { method: "PUT", body: "kept" })).status).toBe(201);
  await docker("exec", db, "sh", "-c", "kill -QUIT 1");
  await until("503", 20, async () => (await health()).status === 503);
  const { failing } = await health();
  expect(failing).toEqual([expect.stringMatching(/^postgres, migrations: db:5432\/arkindex /)]);
  await docker("start", db);
  await until("200 again", 30, async () => (await health()).status === 200);
  expect((await ask(`${base}/rehearsal/rows`)).body).toBe('{"rows":["kept"]}\n');
  expect((await ask(`${base}/rehearsal/objects/kept.txt`)).body).toBe("kept");
  const lines = (await docker("logs", backend)).split("\n").filter((line) => line.startsWith("postgres "));
  expect(lines.map((line) => line.split(":")[0])).toEqual(["postgres found", "postgres lost", "postgres found"]);
}, 120_000);

test("Cantaloupe finds objects in its bucket, and only those", async () => {
  const access = (kind: string) =>
    `${kind}.endpoint=http://objects:9000\n${kind}.region=local\n${kind}.access_key_id=arkindex\n${kind}.secret_key=${goodSecrets[2]}\n`;
  const text = `source.static=S3Source
${access("S3Source")}S3Source.lookup_strategy=BasicLookupStrategy
S3Source.BasicLookupStrategy.bucket.name=export
cache.server.derivative=S3Cache
${access("S3Cache")}S3Cache.bucket.name=iiif-cache
`;
  await writeFile(join(folder, "cantaloupe.properties"), text);
  const options = ["-e", "REHEARSAL_ROLE=cantaloupe", "-p", "127.0.0.1::8182", ...files()];
  const config = "-Dcantaloupe.config=/run/arkindex/cantaloupe.properties";
  const id = await stage.start("cantaloupe", "rehearsal", options, ["rehearse", config]);
  await until("Cantaloupe healthy", 30, async () => (await probe(id)).exitCode === 0);
  const iiif = `${await urlOf(id, 8182)}/iiif/2`;
  expect((await ask(`${iiif}/rehearsal%2Fkept.txt/info.json`)).status).toBe(200);
  expect((await ask(`${iiif}/rehearsal%2Flost.txt/info.json`)).status).toBe(404);
}, 60_000);

test("told never to be healthy, it says so; and it stops at once", async () => {
  const id = await stage.start(
    "sick",
    "rehearsal",
    ["-e", "REHEARSAL_FAIL=unhealthy", ...app()],
    ["arkindex", "rqworker"],
  );
  await until(
    "the reason alone",
    30,
    async () => (await probe(id)).all === "rehearsal: told by REHEARSAL_FAIL=unhealthy never to be healthy",
  );
  const began = Date.now();
  await docker("stop", "-t", "10", id);
  expect(Date.now() - began).toBeLessThan(2000);
}, 60_000);

test("no page, answer or log shows a secret", async () => {
  const paths = ["/", "/health", "/rehearsal.json", "/api/v1/"];
  const pages = await Promise.all(paths.map(async (path) => (await ask(`${base}${path}`)).body));
  const all = [...logs, ...pages, (await execa("docker", ["logs", backend], { all: true })).all].join("\n");
  expect(all).toContain("postgres found");
  for (const secret of [...goodSecrets, "wrong-pass-word"]) expect(all).not.toContain(secret);
}, 60_000);
