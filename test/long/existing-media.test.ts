/**
 * A media platform whose Redis and object store were there before it, with certificates of a public authority: clients
 * that verify. As test/long/existing.test.ts, which has Arkindex.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  cleanUp,
  containerIds,
  dockerStack,
  engine,
  eventually,
  inContainer,
  untilHealthy,
} from "../support/arkindex.ts";
import { MediaApi, mediaConfig, type MediaOutputs } from "../support/media.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { gateway, tellPasswords, TlsStores, unknowing } from "../support/tls-stores.ts";

const name = "media-exists";
const https = 15333;
const ports = { postgres: 15345, redis: 15346, objects: 15347 };
const needs = ["redis", "objects"] as const;
let stores: TlsStores;
let stack: TestStack | undefined;
let made: TestStack;

beforeAll(async () => {
  const buckets = ["originals", "proxies", "keyframes"];
  const origin = `https://${name}.localhost:${String(https)}`;
  stores = await TlsStores.start({ name, address: await gateway(), ports, buckets, origin });
  const config = { existing: stores.existing(needs), images: { rehearsal: await stores.trusted() }, backup: undefined };
  const test = { name, https, config, media: { services: { assets: { path: "/" } } } };
  made = stack = await dockerStack(test, mediaConfig(test));
  await tellPasswords(stack, needs);
  succeeded(await stack.up());
}, 900_000);

afterAll(async () => {
  try {
    await cleanUp(stack, name);
  } finally {
    await stores.remove();
  }
}, 180_000);

test("nothing is made for what exists, all is healthy, and a second preview is empty", async () => {
  const ids = await containerIds(name);
  expect(Object.keys(ids).sort()).toEqual(["assets-1", "cassandra-1", "edge", "elasticsearch-1", "rabbit-1"]);
  await untilHealthy(Object.values(ids));
  succeeded(await made.preview(["--expect-no-changes"]));
  await new MediaApi((await made.outputs()) as unknown as MediaOutputs).create("A walk in the snow");
}, 120_000);

test("Redis has what the service wrote, and takes nothing but TLS", async () => {
  expect(await stores.redis("keys 'rehearsal:probe:*'")).toContain("rehearsal:probe:");
  expect(await stores.withoutTls()).toMatchObject({ redis: expect.stringMatching(/closed|reset/) });
}, 60_000);

test("of an authority that nobody knows: not healthy, for Redis and objects alone", async () => {
  const { "assets-1": id = "" } = await containerIds(name);
  const service = await unknowing(id, "/run/media");
  try {
    await service.start();
    await eventually(async () => {
      const { status, body } = await inContainer({ container: service.id }, "rehearse health");
      expect([status, body]).toEqual([
        1,
        expect.stringMatching(/^redis: .* unknown authority .*; s3:originals, .*: https:.* unknown authority/),
      ]);
      return true;
    });
  } finally {
    await service.remove({ force: true });
  }
}, 90_000);

test("destroy leaves nothing of the stack", async () => {
  succeeded(await made.destroy());
  expect(await containerIds(name)).toEqual({});
  expect(await engine.listNetworks({ filters: { label: [`platform-topologies.name=${name}`] } })).toEqual([]);
}, 120_000);
