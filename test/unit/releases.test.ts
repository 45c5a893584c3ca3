/** Every public image says until when its line is mended; the preview warns in time; no disk moves by a default alone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { imageLock } from "../../components/core/image-lock.ts";
import { type Image, resolveImage } from "../../components/core/images.ts";
import { endings, movedLines } from "../../components/core/releases.ts";
import { planStack } from "../../components/deploy.ts";

const open = Object.entries(imageLock).filter(([, { ref }]) => ref !== undefined);

function imageOf(key: string, overrides: Record<string, string> = {}, local: Record<string, string> = {}): Image {
  const found = resolveImage(key, { overrides, local, rehearsal: true });
  if ("remedy" in found) throw new Error(found.remedy);
  return found;
}

test("a public image has a version, a line, what it ran with, and an end or why there is none; others have none of these", () => {
  for (const [key, { ref, version, line, until, open: why, ran }] of Object.entries(imageLock)) {
    const ends = [until, why].filter((each) => each !== undefined).length;
    const has = [line, ran].map((each) => each !== undefined);
    if (ref === undefined) expect([key, ends, ...has]).toEqual([key, 0, false, false]);
    else expect([key, ends, version !== undefined, ...has]).toEqual([key, 1, true, true, true]);
    expect(until ?? "2030-01-01").toMatch(/^20\d\d-\d\d-\d\d$/);
  }
});

test("the page and the lock file say the same of every public image", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/releases.md"), "utf8");
  const [lines = ""] = page.split(/^## /m);
  const rows = lines.split("\n").flatMap((line) => (/^\| \w/.test(line) ? [cells(line)] : []));
  expect(rows[0]).toEqual(["image", "default", "line", "until", "ran here", "to the next line"]);
  expect(rows.slice(1).map((row) => row.slice(0, 5))).toEqual(
    open.map(([key, { ref = "", version = "", line, until, open: why, ran }]) => [
      key,
      `${ref.slice(ref.indexOf("/") + 1).replace(/^library\//, "")}:${version}`,
      line,
      until ?? why,
      ran,
    ]),
  );
  for (const [key = "", , , , , way = ""] of rows.slice(1)) {
    const heading = /\(#([\w-]+)\)/.exec(way)?.[1];
    // A store's way is a section of its own; the others move with the checkout.
    expect([key, heading !== undefined]).toEqual([key, imageLock[key]?.data === true]);
    if (heading !== undefined) expect(page.toLowerCase().replaceAll(" ", "-")).toContain(`\n##-${heading}\n`);
  }
});

function cells(line: string): string[] {
  return line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
}

test("a line's end is said from ninety days before it on, and goes on being said", () => {
  const images = [imageOf("grafana")];
  const at = (date: string) => endings(images, {}, new Date(date));
  expect(imageLock.grafana?.until).toBe("2027-05-24");
  expect(at("2027-02-22T12:00:00Z")).toEqual([]);
  expect(at("2027-02-23T12:00:00Z")).toEqual([
    "images.grafana: Grafana 12.4 is mended until 2027-05-24, for 90 more days: docs/releases.md has the way on; an image that is named here is not warned of",
  ]);
  expect(at("2027-05-24T12:00:00Z")).toEqual([expect.stringContaining("until 2027-05-24, for 0 more days")]);
  for (const late of ["2027-05-25T00:00:01Z", "2031-01-01T00:00:00Z"])
    expect(at(late)).toEqual([expect.stringMatching(/^images\.grafana: Grafana 12\.4 was mended until 2027-05-24: /)]);
});

test("nothing is said of what the operator named, of what was built here or stands in, and where no day is known", () => {
  const late = new Date("2040-01-01");
  expect(endings([imageOf("rabbitmq")], {}, late)).toHaveLength(1);
  const named = { rabbitmq: "own/rabbitmq:4.3" };
  expect(endings([imageOf("rabbitmq", named)], named, late)).toEqual([]);
  expect(endings([imageOf("rabbitmq", {}, { rabbitmq: "platform-topologies/rabbitmq:3.10-0" })], {}, late)).toEqual([]);
  expect(endings([imageOf("pyrus/elastic"), imageOf("media/assets", {}, built)], {}, late)).toEqual([]);
  expect(endings([imageOf("cassandra"), imageOf("toolbox", {}, built)], {}, late)).toEqual([]);
});
const built = { rehearsal: "platform-topologies/rehearsal:1-0", toolbox: "platform-topologies/toolbox:1-0" };

test("a preview warns of the images that its stack runs, and of no other", () => {
  const config = {
    ...{ system: "media", topology: "docker", hostname: "media.example.com", rehearsal: true, protect: false },
    docker: { address: "127.0.0.1" },
    images: { rehearsal: "r.example.com/rehearsal:1", toolbox: "r.example.com/toolbox:1" },
    media: { services: { assets: { path: "/" } } },
  };
  const warned = (more: object, date: string) => {
    const { problems, warnings } = planStack({ ...config, ...more }, "dev", new Date(date));
    expect(problems).toEqual([]);
    return warnings.map((text) => text.split(":")[0]);
  };
  expect(warned({}, "2024-06-18")).toEqual([]);
  expect(warned({}, "2024-06-20")).toEqual(["images.rabbitmq"]);
  // InfluxDB's line is over as well, and no part of this stack.
  expect(warned({}, "2026-11-28")).toEqual(expect.arrayContaining(["images.rabbitmq", "images.minio"]));
  expect(warned({}, "2026-11-28")).not.toContain("images.influxdb");
  const images = { ...config.images, rabbitmq: "own/rabbitmq:4.3" };
  expect(warned({ images }, "2024-06-20")).toEqual([]);
});

test("a store of another line than the stack's last is refused until the operator names the one or the other", () => {
  const state = (images: object) => [{ urn: "", type: "pulumi:pulumi:Stack", outputs: { images } }];
  const now = [imageOf("redis"), imageOf("traefik"), imageOf("postgis")];
  const last = { redis: "docker.io/library/redis:7.0", traefik: "docker.io/library/traefik:v3.5.1" };
  expect(movedLines(state(last), now, {}).map(sentence)).toEqual([
    "images.redis: this stack's disks are of docker.io/library/redis:7.0, and the default is now docker.io/valkey/valkey:8.1: name the first to stay, or the second once docs/releases.md has been followed",
  ]);
  expect(movedLines(state(last), now, { redis: "docker.io/valkey/valkey:8.1" })).toEqual([]);
  // The same line: another build of it, a mirror, a digest.
  for (const redis of ["m.example.com/hub/valkey/valkey:8.1", `docker.io/valkey/valkey:8.1.4@sha256:${"0".repeat(64)}`])
    expect(movedLines(state({ redis }), now, {})).toEqual([]);
  expect(movedLines(state({ postgis: "own/postgis:15-3.5" }), now, {})).toEqual([]);
  expect(movedLines(state({ postgis: "own/postgis:17-3.5" }), now, {})).toHaveLength(1);
  // What has no version, or no tag, is of no line that we know.
  for (const redis of ["own/redis:latest", `own/redis@sha256:${"0".repeat(64)}`, "own/redis"])
    expect(movedLines(state({ redis }), now, {})).toEqual([]);
  for (const redis of ["valkey:8.10", "valkey:8", "valkey:18.1"])
    expect(movedLines(state({ redis }), now, {})).toHaveLength(1);
  // An image without a row, and another resource's outputs, are nobody's disk.
  const own = { ...imageOf("redis"), key: "wiki/app" };
  expect(movedLines(state({ "wiki/app": "valkey:7.0" }), [own], {})).toEqual([]);
  const other = { urn: "", type: "other", outputs: { images: last } };
  expect(movedLines([other, ...state({})], now, {})).toEqual([]);
  expect(movedLines([other, ...state({ redis: "valkey:7.0" })], now, {})).toHaveLength(1);
  // A new stack, one that never ran it, and a program without a state.
  for (const nothing of [state({}), [], [{ urn: "", type: "pulumi:pulumi:Stack", outputs: {} }]])
    expect(movedLines(nothing, now, {})).toEqual([]);
});

test("a line is a line: nothing of a public image may be missing, nothing of a private one may be there", () => {
  expect(open).toHaveLength(17);
  for (const [key, { line, ran, until, open: why }] of open)
    expect([key, line !== undefined, ran !== undefined, until === undefined]).toEqual([
      key,
      true,
      true,
      why !== undefined,
    ]);
});
