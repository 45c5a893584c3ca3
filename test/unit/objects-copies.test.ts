/** What three Garages are told: by whom they know each other, whom they let in, what a new password and a new disk do. */
import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import type { Ask } from "../../components/core/contracts.ts";
import { routesOf } from "../../components/core/plan.ts";
import { dryRun } from "../../components/core/recorder.ts";
import { siteOf } from "../../components/core/site.ts";
import { containerServices } from "../../components/services/index.ts";
import { nodeKey } from "../../components/services/objects-copies.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { newFolder } from "../support/folder.ts";
import { type Part, toldRecipe } from "../support/told.ts";

const least: Ask<"objects"> = {
  ...{ apis: ["s3"], browser: true, gib: 2, copies: 3 },
  buckets: { files: {}, staging: { cors: "https://a.example.com" } },
};
const members = ["store-garage-1", "store-garage-2", "store-garage-3"];

const fileOf = (part: Part | undefined, name: string): string =>
  part?.files?.find(({ path }) => path === `/run/garage/${name}`)?.content ?? "";

test("one server stays MinIO, with the names and files that it had", async () => {
  const { parts, given } = await toldRecipe("objects", { ...least, copies: 1 });
  expect([...parts.keys()]).toEqual(["store-1", "store-setup"]);
  expect(given).toMatchObject({ key: "app", internal: { host: "store-1", members: ["store-1"] } });
  expect(await toldRecipe("objects", { ...least, copies: 1 })).toMatchObject({ dumps: [{ store: "store-1" }] });
});

describe("three servers", () => {
  test("answer one name inside and one route at the edge, and none has the name of the one server's disk", async () => {
    const { parts, given, ready } = await toldRecipe("objects", least);
    expect([...parts.keys()]).toEqual([...members, "store-setup"]);
    const route = { host: "store.eu.media.example.com", path: "/", port: "s3", seconds: 3600, pool: "store" };
    for (const member of members)
      expect(parts.get(member)).toMatchObject({ image: "garage", tier: "app", names: ["store"], routes: [route] });
    expect(given).toMatchObject({
      ...{ url: "https://store.eu.media.example.com", secret: "word-of-store-password" },
      internal: { host: "store", port: 3900, members },
    });
    expect(ready).toEqual(["store-setup"]);
    expect(parts.get("store-setup")?.after).toEqual(members);
    const inside = await toldRecipe("objects", { ...least, browser: false });
    expect(inside.given.url).toBe("http://store:3900");
    expect(inside.parts.get("store-garage-1")?.routes).toBeUndefined();
  });

  test("are asked by the edge whether they have a quorum, before they get requests", () => {
    const place = {
      ...{ site: siteOf({ name: "x", hostname: "x.test" }), services: containerServices },
      capabilities: dockerCapabilities,
    };
    const routes = routesOf(dryRun((p) => void p.need("objects", "store", least), place));
    expect(routes).toEqual([
      expect.objectContaining({ host: "store.x.test", hosts: members, check: { path: "/health", port: 3903 } }),
    ]);
  });

  test("know the other two by their keys, and the layout has all three", async () => {
    const { parts } = await toldRecipe("objects", least);
    const ids = members.map((member) =>
      Buffer.from(fileOf(parts.get(member), "node-key"), "base64")
        .subarray(32)
        .toString("hex"),
    );
    expect(new Set(ids).size).toBe(3);
    members.forEach((member, index) => {
      const peers = members.flatMap((other, at) => (at === index ? [] : [`"${ids[at] ?? ""}@${other}:3901"`]));
      expect(fileOf(parts.get(member), "garage.toml")).toContain(`bootstrap_peers = [${peers.join()}]`);
    });
    expect(JSON.parse(fileOf(parts.get("store-setup"), "layout"))).toEqual({
      roles: ids.map((id, index) => ({ id, zone: members[index], capacity: 2 * 1024 ** 3, tags: [] })),
    });
  });

  test("a key for which the disk had no room is put there again", async () => {
    const folder = newFolder("garage");
    const { parts } = await toldRecipe("objects", least);
    const slot = parts.get(members[1] ?? "");
    mkdirSync(join(folder, "run"));
    writeFileSync(join(folder, "run", "node-key"), fileOf(slot, "node-key"));
    const script = (slot?.prepare ?? "")
      .replaceAll("/tmp/", `${folder}/`)
      .replaceAll("/run/garage", join(folder, "run"))
      .replaceAll("/data/", `${folder}/disk/`)
      .replace(/ {2}\(\n[^]*?\) &\n/, ""); // what it asks of the others
    const run = (more = "") => spawnSync("sh", ["-c", script.replace("\nif ", `\n${more}\nif `)], { encoding: "utf8" });
    const key = join(folder, "disk", "meta", "node_key");
    expect([run("trap '' XFSZ; ulimit -f 0").status === 0, existsSync(key)]).toEqual([false, false]);
    for (const time of ["first", "second"]) expect([time, run()]).toMatchObject([time, { status: 0, stderr: "" }]);
    expect(readFileSync(key)).toHaveLength(64);
  });

  test("their keys are Ed25519: what the first half signs, the second verifies", () => {
    const key = Buffer.from(nodeKey(1, "secret"), "hex");
    expect(key).toHaveLength(64);
    expect(new Set([nodeKey(1, "secret"), nodeKey(2, "secret"), nodeKey(1, "other")]).size).toBe(3);
    const half = (hex: string, from: number) => Buffer.concat([Buffer.from(hex, "hex"), key.subarray(from, from + 32)]);
    const of = { format: "der" } as const;
    const mine = createPrivateKey({ ...of, key: half("302e020100300506032b657004220420", 0), type: "pkcs8" });
    const its = createPublicKey({ ...of, key: half("302a300506032b6570032100", 32), type: "spki" });
    expect(verify(undefined, Buffer.from("said"), its, sign(undefined, Buffer.from("said"), mine))).toBe(true);
  });

  test("acknowledge what is on two disks, and two of them alone are a quorum", async () => {
    const { parts } = await toldRecipe("objects", least);
    const lines = fileOf(parts.get("store-garage-2"), "garage.toml").split("\n");
    for (const line of ["metadata_fsync = true", "data_fsync = true", "replication_factor = 3"])
      expect(lines).toContain(line);
    expect(lines.filter((line) => line.startsWith("consistency_mode"))).toEqual([]);
  });

  test("the set-up runs again for another password, bucket or origin, and for nothing else", async () => {
    const setup = async (more: Partial<Ask<"objects">> = {}) => {
      const part = (await toldRecipe("objects", { ...least, ...more })).parts.get("store-setup");
      return [part?.command, part?.trigger];
    };
    expect(await setup({ gib: 3 })).toEqual(await setup());
    for (const buckets of [{ files: {} }, { files: { cors: "https://b.example.com" }, staging: {} }])
      expect(await setup({ buckets })).not.toEqual(await setup());
    const { parts } = await toldRecipe("objects", least);
    const key: unknown = JSON.parse(fileOf(parts.get("store-setup"), "key"));
    expect(key).toEqual({
      accessKeyId: expect.stringMatching(/^app-[0-9a-f]{16}$/),
      secretAccessKey: "word-of-store-password",
      name: "app",
    });
    expect(JSON.parse(parts.get("store-setup")?.command?.at(-1) ?? "")).toEqual({
      files: [],
      staging: [expect.objectContaining({ AllowedOrigin: ["https://a.example.com"] })],
    });
  });

  test("a backup knows them by the one server's name, so that each restores the other's", async () => {
    const [one, three] = [await toldRecipe("objects", { ...least, copies: 1 }), await toldRecipe("objects", least)];
    const named = ({ dumps }: typeof one) =>
      dumps.map((dump) => ({ ...dump, files: dump.files?.map(({ path }) => path), tier: undefined }));
    expect(named(three)).toEqual(named(one));
  });
});
