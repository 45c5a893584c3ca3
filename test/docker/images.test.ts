/**
 * Every image answers as its server does, under the command, user and folders that the recipes use. On a machine that
 * can pull, the public images stand the same tests.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { plan } from "../../tools/images/build.ts";
import { images } from "../../tools/images/index.ts";
import { localImages } from "../../tools/images/list.ts";
import { loggedTo } from "../../tools/images/log.ts";
import { local } from "../../tools/setup/paths.ts";
import { Problem } from "../../tools/setup/problem.ts";
import { runLabel } from "../support/run.ts";

let made: Record<string, string> = {};
let started: string[] = [];

beforeAll(async () => {
  await images(() => undefined);
  made = await readList();
}, 30 * 60_000);

afterEach(async () => {
  for (const id of started) await execa("docker", ["rm", "--force", "--volumes", id], { reject: false });
  started = [];
});

async function readList(): Promise<Record<string, string>> {
  const list: unknown = JSON.parse(await readFile(join(local, "images.json"), "utf8"));
  if (typeof list !== "object" || list === null) throw new Error("images.json holds no object");
  return Object.fromEntries(Object.entries(list).map(([key, tag]) => [key, String(tag)]));
}

function image(key: string): string {
  const reference = made[key] ?? localImages.find((one) => one.key === key)?.official;
  if (reference === undefined) throw new Error(`no image for ${key}`);
  return reference;
}

/** Runs a shell line in a new container, to its end. */
async function once(key: string, user: string, line: string): Promise<{ code: number | undefined; out: string }> {
  const args = ["run", "--rm", "--label", runLabel, "--network", "none", "--user", user, "--entrypoint", "sh"];
  const result = await execa("docker", [...args, image(key), "-c", line], { reject: false, all: true });
  return { code: result.exitCode, out: result.all };
}

/** A server that goes on running; what it returns runs a shell line beside it. */
async function serve(key: string, options: string[], line: string): Promise<(line: string) => Promise<string>> {
  const args = ["run", "--detach", "--rm", "--label", runLabel, "--network", "none", ...options, "--entrypoint", "sh"];
  const { stdout: id } = await execa("docker", [...args, image(key), "-c", line]);
  started.push(id);
  return async (beside) => (await execa("docker", ["exec", id, "sh", "-c", beside])).stdout;
}

/** The first answer that does not fail, within a minute. */
async function eventually(attempt: () => Promise<string>): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 120) throw error;
      await sleep(500);
    }
  }
}

test("all images of the list are on the engine, and a second run has nothing to do", async () => {
  expect(Object.keys(made)).toEqual(expect.arrayContaining(["toolbox", "rehearsal"]));
  const tags = Object.values(made);
  expect((await execa("docker", ["image", "inspect", ...tags], { reject: false })).exitCode).toBe(0);
  const said: string[] = [];
  await images((line) => said.push(line));
  expect(said).toEqual([]);
  expect(await readList()).toEqual(made);
});

test("an image's tag tells what it is built on", async () => {
  const toolbox = localImages.find(({ key }) => key === "toolbox");
  if (toolbox === undefined) throw new Error("the list has no toolbox");
  const [pulled, here] = [await plan(toolbox, true), await plan(toolbox, false)];
  expect(here.tag).toMatch(/^platform-topologies\/toolbox:1-[0-9a-f]{8}$/);
  expect(pulled.tag).not.toBe(here.tag);
});

test("a step that fails says one sentence and where its output is, every time", async () => {
  const run = loggedTo("image-test");
  for (const text of ["first", "second"]) {
    const failed = await run("It could not be built", "sh", ["-c", `echo ${text}; exit 3`]).catch((e: unknown) => e);
    if (!(failed instanceof Problem) || failed.log === undefined) throw new Error("it did not fail with a Problem");
    expect(failed.message).toBe("It could not be built");
    expect(await readFile(failed.log, "utf8")).toContain(text);
  }
  const missing = await run("It could not be built", "no-such-program", []).catch((e: unknown) => e);
  expect(missing).toBeInstanceOf(Problem);
});

test("postgis: a new cluster starts as postgres and knows geometry", async () => {
  const data = "/var/lib/postgresql/data";
  const exec = await serve(
    "postgis",
    ["--user", "999:999"],
    `initdb -D ${data} -U postgres -A trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null && exec postgres -D ${data}`,
  );
  const sql = (query: string): Promise<string> => exec(`psql -U postgres -v ON_ERROR_STOP=1 -Atc "${query}"`);
  await eventually(() => exec("pg_isready -U postgres"));
  expect(await eventually(() => sql("SHOW server_version"))).toMatch(/^15\./);
  await sql("CREATE EXTENSION postgis");
  expect(await sql("SELECT postgis_version()")).toMatch(/^3\./);
  expect(await sql("SELECT ST_AsText(ST_Point(1, 2))")).toBe("POINT(1 2)");
  expect(await exec("id -un && pg_dump --version")).toMatch(/^postgres\npg_dump .* 15\./);
}, 120_000);

test("redis: answers as its own user and keeps its file in /data", async () => {
  const exec = await serve("redis", ["--user", "999:999"], "cd /data && exec redis-server --appendonly yes");
  expect(await eventually(() => exec("redis-cli PING"))).toBe("PONG");
  expect(await exec("redis-cli SET a 1 && redis-cli SAVE && redis-cli INFO server | grep valkey_version")).toContain(
    "valkey_version:8.1.",
  );
  expect(await exec("stat -c %u /data/dump.rdb")).toBe("999");
}, 120_000);

test("minio: an object put with mc is read back", async () => {
  const keys = ["--env", "MINIO_ROOT_USER=tester", "--env", "MINIO_ROOT_PASSWORD=tester-tester"];
  const exec = await serve("minio", keys, "exec minio server /data");
  await eventually(() => exec("mc --quiet alias set here http://127.0.0.1:9000 tester tester-tester"));
  await eventually(() => exec("mc --quiet mb here/bucket"));
  await exec("echo hello > /tmp/file && mc --quiet cp /tmp/file here/bucket/key");
  expect(await exec("mc cat here/bucket/key")).toBe("hello");
}, 120_000);

test("solr: a cloud of one makes a collection, indexes and searches, and ends in peace", async () => {
  const environment = ["--env", "SOLR_HEAP=400m", "--env", "SOLR_HOST=127.0.0.1"];
  const exec = await serve("solr", environment, "exec solr start -f -c -p 8983");
  const get = (path: string): Promise<string> => exec(`curl -sfS 'http://127.0.0.1:8983/solr/${path}'`);
  expect(await eventually(() => get("admin/collections?action=LIST"))).toContain('"collections"');
  await get(
    "admin/collections?action=CREATE&name=pages&numShards=1&replicationFactor=1&collection.configName=_default&waitForFinalState=true",
  );
  await exec(
    `curl -sfS -H 'Content-Type: application/json' 'http://127.0.0.1:8983/solr/pages/update?commit=true' -d '[{"id":"1","title":"A charter of 1215","kind_s":"page"}]'`,
  );
  expect(await get("pages/select?q=title:CHARTER%20AND%20kind_s:page")).toContain('"numFound":1');
  expect(await get("pages/select?q=title:absent")).toContain('"numFound":0');
  expect(await exec("id -u && stat -c %u /var/solr/data")).toBe("8983\n8983");
  // Stopped by its own hand (143), not killed when the grace is over (137).
  const [id = ""] = started;
  const ended = execa("docker", ["wait", id]);
  await execa("docker", ["stop", "--time", "30", id]);
  expect((await ended).stdout).toBe("143");
}, 180_000);

test("solr: refuses what it does not understand", async () => {
  const { code, out } = await once("solr", "8983", "solr start -f --nonsense");
  expect(code).not.toBe(0);
  expect(out).toContain("nonsense");
}, 60_000);

test("traefik: the version, and certificate authorities to check others by", async () => {
  const { code, out } = await once(
    "traefik",
    "65534:65534",
    "traefik version && ls -L /etc/ssl/certs/ca-certificates.crt",
  );
  expect(code).toBe(0);
  expect(out).toMatch(/Version:\s+v?3\.6\.7/);
}, 60_000);

test("toolbox: its tools run as nobody", async () => {
  const tools = "psql --version && pg_dump --version && redis-cli --version && rclone version && jq --version";
  const { code, out } = await once(
    "toolbox",
    "65534:65534",
    `${tools} && curl --version && bash --version && command -v backup && command -v cql`,
  );
  expect(out).toMatch(/psql \(PostgreSQL\) 15\./);
  expect(out).toMatch(/pg_dump .* 15\./);
  for (const word of [
    "redis-cli 7.",
    "rclone v",
    "jq-1.",
    "curl 7.",
    "GNU bash",
    "/usr/local/bin/backup",
    "/usr/local/bin/cql",
  ])
    expect(out).toContain(word);
  expect(code).toBe(0);
}, 60_000);

test("rehearsal: one program under three names, as nobody", async () => {
  const { code, out } = await once(
    "rehearsal",
    "65534:65534",
    "node --version && curl --version && command -v ponos-agent",
  );
  expect(out).toMatch(/^v24\./);
  expect(code).toBe(0);
  const unknown = await once("rehearsal", "65534:65534", "arkindex no-such-command");
  expect(unknown.code).toBe(1);
  expect(unknown.out).toContain('no "arkindex no-such-command"');
  const roleless = await once("rehearsal", "65534:65534", "rehearse");
  expect(roleless.code).toBe(1);
  expect(roleless.out).toContain("REHEARSAL_ROLE is not set");
}, 60_000);

test("no image carries a package index or a manual", async () => {
  for (const [key, tag] of Object.entries(made)) {
    const look = "find /var/lib/apt/lists /usr/share/man -type f 2>/dev/null | head -3";
    const args = ["run", "--rm", "--label", runLabel, "--network", "none", "--user", "0", "--entrypoint", "sh", tag];
    const { stdout } = await execa("docker", [...args, "-c", look]);
    expect([key, stdout]).toEqual([key, ""]);
  }
}, 120_000);
