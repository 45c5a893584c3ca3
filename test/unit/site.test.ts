/** What a caller leaves out of its site has its default, and what it says is taken as it is. */
import { expect, test } from "@jest/globals";
import { isSecret, output } from "@pulumi/pulumi";

import { ConfigError, sentence } from "../../components/core/errors.ts";
import { siteOf } from "../../components/core/site.ts";
import { resolved } from "../support/hostile.ts";
import "../support/unpublished.ts";

const least = { name: "shop", hostname: "shop.example.com" };

test("of two names alone a site is made; data are protected, and nothing else is chosen", () => {
  expect(siteOf(least)).toEqual({
    ...least,
    ports: { http: 80, https: 443 },
    publicPort: 443,
    region: "",
    peers: [],
    protect: true,
    image: expect.any(Function) as unknown,
    ...{ secrets: {}, existing: {}, disks: {}, rotate: {}, data: {} },
  });
  for (const key of ["backup", "restore", "system"]) expect(siteOf(least)).not.toHaveProperty(key);
});

test("what is said is taken", () => {
  const place = { volume: "v" };
  const said = {
    ...{ protect: false, disks: { "db-1": "today" }, system: "shop" },
    data: { db: "container" },
    existing: { cache: { kind: "redis", host: "r.example.com" } },
    backup: { everyHours: 1, keepDays: 1, drillEveryHours: 0, to: place },
    restore: { from: place, stack: "old", at: "latest" },
  } as const;
  expect(siteOf({ ...least, ...said })).toMatchObject(said);
});

test.each([
  [undefined, undefined, 443],
  [{ http: 8080, https: 8443 }, undefined, 8443],
  [{ http: 8080 }, undefined, 443],
  [{ http: 8080, https: 8443 }, 9443, 9443],
])("of the ports %j and the public port %s browsers see %d", (ports, publicPort, expected) => {
  const site = siteOf({ ...least, ...(ports === undefined ? {} : { ports }), publicPort });
  expect(site.publicPort).toBe(expected);
  expect(site.ports).toEqual(ports ?? { http: 80, https: 443 });
});

test("its secrets are secrets, whether or not they were", async () => {
  const { secrets } = siteOf({ ...least, secrets: { a: "x", b: output("y") } });
  expect(await resolved(secrets)).toEqual({ a: "x", b: "y" });
  for (const each of Object.values(secrets)) expect(await isSecret(each)).toBe(true);
});

test("images are the caller's, what was built here, or a mirror's; a rehearsal is said", () => {
  const ref = (key: string, more: object) => {
    const image = siteOf({ ...least, ...more }).image(key);
    return "remedy" in image ? image.key : image.ref;
  };
  const built = { toolbox: "toolbox:1-0", rehearsal: "rehearsal:1-0" };
  expect(ref("redis", {})).toBe("docker.io/valkey/valkey:8.1");
  expect(ref("redis", { images: { redis: "own/redis:1" } })).toBe("own/redis:1");
  expect(ref("toolbox", { built })).toBe("images.toolbox");
  expect(ref("toolbox", { built, localImages: true })).toBe("toolbox:1-0");
  expect(ref("redis", { mirror: "m.example.com" })).toBe("m.example.com/valkey/valkey:8.1");
  expect(ref("toolbox", { mirror: "m.example.com", built })).toBe("m.example.com/platform-topologies/toolbox:1-0");
  expect(ref("media/a", { built, localImages: true })).toBe("images.media/a");
  expect(ref("media/a", { built, localImages: true, rehearsal: true })).toBe("rehearsal:1-0");
});

test("a name, a mirror or a reference that no engine takes is refused, all at once", () => {
  const said = (more: object): string[] => {
    try {
      siteOf({ ...least, ...more });
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.map((each) => sentence(each).split(/: /)[0] ?? "");
      throw error;
    }
    return [];
  };
  expect(said({ name: "Shop", mirror: "hub", images: { redis: "Redis:1", solr: "own/solr:9" } })).toEqual([
    ...['name = "Shop"', 'mirror = "hub"', 'images.redis = "Redis:1"'],
  ]);
  // In a folder's reference `*` is the image's name.
  expect(said({ images: { "media/*": "r.example.com/media/*:1" } })).toEqual([]);
  expect(said({ images: { "media/a": "r.example.com/media/*:1" } })).toHaveLength(1);
  expect(said({ images: { "media/*": "r.example.com/*/*:1" } })).toHaveLength(1);
});
