import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { arkindexConfig, originOf } from "../../rehearsal/config/arkindex.ts";
import { mediaStores } from "../../rehearsal/config/media.ts";
import { parseProperties } from "../../rehearsal/config/properties.ts";
import { pyrusConfig } from "../../rehearsal/config/pyrus.ts";
import { commandOf } from "../../rehearsal/command.ts";
import { cantaloupe } from "../../rehearsal/roles/cantaloupe.ts";
import { arkindex } from "../../rehearsal/roles/arkindex.ts";
import { ponosAgent } from "../../rehearsal/roles/ponos-agent.ts";
import { Secrets } from "../../rehearsal/secrets.ts";
import { givenFile, goodConfig } from "../support/rehearsal.ts";

const read = (text: string) => arkindexConfig(text, "/run/config.yml", new Secrets());

describe("config.yml", () => {
  test("with the known keys is read", () => {
    expect(read(goodConfig()).database).toMatchObject({ host: "db", port: 5432, password: "db-pass-word" });
  });

  test.each<[string, (text: string) => string, string]>([
    ["a missing key", (t) => t.replace(/ {2}password: .*\n/, ""), "missing key database.password"],
    ["a missing section", (t) => t.replace(/redis:\n.*\n/, ""), "missing key redis"],
    ["an empty key", (t) => t.replace(/secret_key: .*/, "secret_key:"), "empty key secret_key"],
    ["an empty text", (t) => t.replace(/secret_key: .*/, 'secret_key: ""'), "empty key secret_key"],
    ["an unknown key", (t) => t.replace("redis:\n", "redis:\n  passwd: x\n"), "unknown key redis.passwd"],
    ["an unknown section", (t) => `${t}mail: {}\n`, "unknown key mail"],
    ["a port in words", (t) => t.replace("5432", "five"), "database.port: Invalid input"],
    [
      "an endpoint that is no URL",
      (t) => t.replace(/endpoint: .*/, "endpoint: objects"),
      "s3.endpoint: must be an http",
    ],
    ["an empty file", () => "", "is empty or not a mapping"],
    ["broken YAML", (t) => t.replace("password: db-pass-word", "password: [db-pass-word"), "is not valid YAML"],
  ])("%s is refused in one line that names it and no value", (_, spoil, message) => {
    let text = "accepted";
    try {
      read(spoil(goodConfig()));
    } catch (error) {
      text = error instanceof Error ? error.message : "";
    }
    expect(text).toContain(message);
    expect(text).toMatch(/^\/run\/config\.yml/);
    expect(text).not.toMatch(/\n|pass-word|secret-access/);
  });

  test("all wrong keys are named at once", () => {
    const spoilt = goodConfig()
      .replace("5432", "0")
      .replace(/secret_key: .*\n/, "");
    expect(() => read(spoilt)).toThrow(/database\.port.*; missing key secret_key/);
  });

  test.each([
    ["arkindex.example.org", "https://arkindex.example.org"],
    ["arkindex.localhost:8443", "https://arkindex.localhost:8443"],
    ["https://arkindex.example.org/", "https://arkindex.example.org"],
  ])("the origin of %s is %s", (hostname, origin) => {
    expect(originOf(hostname)).toBe(origin);
  });
});

describe("properties", () => {
  test.each<[string, Record<string, string>]>([
    ["a = 1\nb: 2\nc 3\nd=", { a: "1", b: "2", c: "3", d: "" }],
    ["# no\n! no\n\n  a=1", { a: "1" }],
    ["a=one \\\n   two\nb=2", { a: "one two", b: "2" }],
    ["a=ends\\\\\nb=2", { a: "ends\\", b: "2" }],
    ["key\\ with\\:signs=x=y:z", { "key with:signs": "x=y:z" }],
    ["a=\\u00e9\\t\\q", { a: "é\tq" }],
    ["a=1\r\na=2\r\n", { a: "2" }],
  ])("%j", (text, expected) => {
    expect(Object.fromEntries(parseProperties(text))).toEqual(expected);
  });
});

describe("cantaloupe's file", () => {
  const good = `source.static=S3Source
S3Source.endpoint=http://objects:9000
S3Source.region=local
S3Source.access_key_id=key
S3Source.secret_key=source-secret
S3Source.lookup_strategy=BasicLookupStrategy
S3Source.BasicLookupStrategy.bucket.name=images
cache.server.derivative=S3Cache
S3Cache.endpoint=http://objects:9000
S3Cache.region=local
S3Cache.access_key_id=key
S3Cache.secret_key=cache-secret
S3Cache.bucket.name=iiif-cache
`;
  const names = (text: string, env = {}) =>
    cantaloupe(givenFile("CANTALOUPE_CONFIG", text, env)).checks.map((check) => check.name);

  test("gives a check of the source and of the cache", () => {
    expect(names(good)).toEqual(["s3:images", "cache:iiif-cache"]);
  });

  test("with the script strategy the buckets come from the environment", () => {
    const script = good.replace("=BasicLookupStrategy", "=ScriptLookupStrategy").replace("S3Cache\n", "\n");
    expect(names(script, { REHEARSAL_BUCKETS: "staging, uploads" })).toEqual(["s3:staging", "s3:uploads"]);
    expect(() => names(script)).toThrow("REHEARSAL_BUCKETS");
  });

  test.each([
    [/S3Source\.secret_key=.*\n/, "", "missing key S3Source.secret_key"],
    [/S3Source\.region=.*/, "S3Source.region=", "empty key S3Source.region"],
    [/S3Cache\.bucket\.name=.*\n/, "", "missing key S3Cache.bucket.name"],
    [/Strategy\.bucket\.name=.*/, "Strategy.bucket.name=", "empty key S3Source.BasicLookupStrategy.bucket.name"],
    ["static=S3Source", "static=HttpSource", "source.static=HttpSource, the rehearsal knows S3Source"],
  ])("%s → %j is refused: %s", (from, to, message) => {
    expect(() => names(good.replace(from, to))).toThrow(message);
  });
});

describe("the agent's file", () => {
  const good = `url: https://arkindex.localhost
farm_id: 0f7d6b0c-7a53-4d1a-9b5e-2a3b4c5d6e7f
seed: farm-seed-value
data_dir: /tmp
docker:
  network: ponos
`;
  const names = (text: string) => ponosAgent(givenFile("PONOS_CONFIG", text)).checks.map((check) => check.name);

  test("gives its checks", () => {
    expect(names(good)).toEqual(expect.arrayContaining(["arkindex", "api", "data"]));
  });

  test.each([
    [/farm_id: .*/, "farm_id: farm", "farm_id: must be a UUID"],
    [/seed: .*\n/, "", "missing key seed"],
    ["network:", "net:", "unknown key docker.net"],
  ])("%s → %j is refused: %s", (from, to, message) => {
    expect(() => names(good.replace(from, to))).toThrow(message);
  });
});

describe("TLS to a store", () => {
  test("Arkindex: what libpq does by default", () => {
    const { database } = arkindex(givenFile("CONFIG_PATH", goodConfig(), { ARKINDEX_VERSION: "1.7.0" }));
    expect(database).toMatchObject({ host: "db", tls: "prefer" });
  });

  const pyrus = (more: string) => {
    const variable = (name: string, type: string) =>
      JSON.stringify({
        ...{ ConnectionName: name, DatabaseEngine: "Postgres", DatabaseType: type },
        ConnectionString: `Server=db;Port=5432;Username=u;Password=p;Database=d;${more}`,
      });
    const env = {
      ...{ NATS_USER: "u", NATS_PASSWORD: "p", NATS_HA_REPLICAS: "1", REHEARSAL_VERSION: "1" },
      ...{ MAIN_CONN_STRING: variable("default", "Data"), FILES_CONN_STRING: variable("files", "Files") },
      PRIVATE_LOGS_CONN_STRING: variable("privateLogs", "PrivateLogs"),
      PUBLIC_LOGS_CONN_STRING: variable("publicLogs", "PublicLogs"),
    };
    return pyrusConfig({ env, args: [], secrets: new Secrets(), host: "test" }).databases.MAIN_CONN_STRING.tls;
  };
  test("Pyrus: what Npgsql does by default, or it verifies by its authority, else by the public ones", () => {
    expect(pyrus("")).toBe("prefer");
    expect(pyrus("SSL Mode=VerifyFull")).toEqual({});
    const { PEM = "" } = givenFile("PEM", "an authority").env;
    expect(pyrus(`SSL Mode=VerifyFull;Root Certificate=${PEM}`)).toEqual({ ca: "an authority" });
    expect(() => pyrus("SSL Mode=Require")).toThrow("MAIN_CONN_STRING: SSL Mode");
  });

  test("the media platform: verified by the authority beside the file, else by the public ones", () => {
    const store = { hosts: ["there"], port: 1, tls: true, user: "u", password: "p" };
    const objects = { url: "https://there", region: "r", key: "k", secret: "s", buckets: {} };
    const text = JSON.stringify({
      ...{ cassandra: { ...store, dataCentre: "d", keyspace: "k" }, rabbit: { ...store, exchange: "e" } },
      ...{ search: { ...store, tls: false }, redis: store, objects },
    });
    const given = givenFile("STORES_FILE", text);
    writeFileSync(join(dirname(given.env.STORES_FILE ?? ""), "redis-ca.pem"), "an authority");
    const { rabbit, search, redis } = mediaStores(given);
    expect([rabbit.tls, search.tls, redis.tls]).toEqual([{}, undefined, { ca: "an authority" }]);
  });
});

describe("the command line", () => {
  test.each<[string[], Record<string, string>, object]>([
    [["arkindex", "migrate"], {}, { kind: "job", job: "migrate" }],
    [["arkindex", "check", "--fail-level=WARNING"], {}, { kind: "job", job: "check" }],
    [["arkindex", "rqworker", "-v", "1", "default", "high"], {}, { kind: "serve", role: "arkindex-worker" }],
    [["arkindex", "migrate"], { REHEARSAL_ROLE: "arkindex-backend" }, { kind: "job", job: "migrate" }],
    [["rehearse"], { REHEARSAL_ROLE: "cantaloupe" }, { kind: "serve", role: "cantaloupe" }],
    [[], { REHEARSAL_ROLE: "cantaloupe" }, { kind: "serve", role: "cantaloupe" }],
    [["ponos-agent", "--config", "/x"], {}, { kind: "serve", role: "ponos-agent", args: ["--config", "/x"] }],
  ])("%j with %j", (argv, env, expected) => {
    expect(commandOf(argv, env)).toMatchObject(expected);
  });

  test("refuses what it does not know, and says what it knows", () => {
    expect(() => commandOf(["arkindex", "shell"], {})).toThrow(/no "arkindex shell".*migrate/);
    expect(() => commandOf(["rehearse"], { REHEARSAL_ROLE: "backend" })).toThrow(/is "backend".*arkindex-backend/);
  });
});
