/** What the recipes tell their servers about files, disks and time: docs/field.md has the troubles. */
import { execa } from "execa";

import { describe, expect, test } from "@jest/globals";

import { openFiles } from "../../components/core/recipe.ts";
import { plan } from "../support/sketches.ts";

describe("open files", () => {
  const soft = async (before: string) => (await execa("sh", ["-ec", `${before}\n${openFiles}\nulimit -Sn`])).stdout;

  test("as many as the engine allows, and no billion of them", async () => {
    expect(await soft("ulimit -Sn 1024; ulimit -Hn 4096")).toBe("4096");
    expect(
      await soft('ulimit() { case $1 in -Hn) echo 1073741816 ;; -Sn) echo "${2-$set}"; set=${2-$set} ;; esac; }'),
    ).toMatch(/^65536\b/);
    expect(
      await soft('ulimit() { case $1 in -Hn) echo unlimited ;; -Sn) echo "${2-$set}"; set=${2-$set} ;; esac; }'),
    ).toMatch(/^65536\b/);
  });

  test("for the servers that do not see to it themselves", () => {
    for (const [system, slot] of [
      ["media", "rabbit-1"],
      ["shinyproxy", "influx-1"],
    ] as const)
      expect(plan(system).slots.get(slot)?.prepare).toContain(openFiles);
  });
});

test("a Cassandra that cannot write ends, and what is dropped does not stay for ever", () => {
  const files = plan("media").slots.get("cassandra-1")?.files ?? [];
  const yaml = files.find(({ path }) => path.endsWith("cassandra.yaml"))?.content;
  expect(yaml).toMatch(/disk_failure_policy: "?die[^]*commit_failure_policy: "?die[^]*auto_snapshot_ttl: "?30d/);
});

test("InfluxDB: long retentions have few shards, short ones are thrown away by the day", () => {
  const setup = (keepUsage: string) =>
    plan("shinyproxy", { keepUsage })
      .jobs.get("influx-setup")
      ?.command?.at(-1)
      ?.replaceAll(/["'\\]/g, "") ?? "";
  expect(setup("365d")).toMatch(/keep ON shinyproxy DURATION 365d REPLICATION 1 SHARD DURATION 7d/);
  expect(setup("30w")).toMatch(/keep ON shinyproxy DURATION 30w REPLICATION 1 SHARD DURATION 7d/);
  expect(setup("180d")).toMatch(/keep ON shinyproxy DURATION 180d REPLICATION 1 SHARD DURATION 1d/);
});

test("Telegraf's health asks InfluxDB whether it takes anything", () => {
  const { workloads } = plan("shinyproxy");
  for (const name of ["telegraf", "telegraf-node"]) {
    const { health, files = [] } = workloads.get(name) ?? {};
    expect(JSON.stringify(health?.ready)).toContain("influx.curl");
    expect(files.map(({ path, secret }) => [path, secret])).toContainEqual(["/run/telegraf/influx.curl", true]);
  }
});
