import { isDeepStrictEqual } from "node:util";

import { all, type Output } from "@pulumi/pulumi";

import type { Dump, File, Job, List, Mount, Platform, Ready, Workload } from "./contracts.ts";
import { rcloneSection } from "./syntax.ts";
import type { BackupPlace, NamedDump, Restore, Site } from "./topology.ts";

/**
 * Backups: one small container a stack runs every store's `dump` on a schedule. The scripts are bash with
 * `set -euo pipefail` and find
 * - `$TO`: the store's folder in the place, as rclone names it (`place:arkindex-dev/db-1`),
 * - `$STAMP`: this run's time, `2026-01-31T04-00-00Z`; in check, drill and restore `$AT`: the time of the run to read,
 * - `$LOG`: for `log`, a file that it keeps: seconds since 1970 up to which the log is saved; why no more, in `$LOG.why`;
 *   `$LOG.gap` asks for a run at once; `$UNTIL`: for `recover`, the time,
 * - `backup put NAME` and `backup get NAME`: streams of any size into the run and out of it,
 * - every file of `rcloneSections` as a part of rclone's configuration.
 * Schedule, retention and the list of finished runs are in the toolbox image's `backup` command.
 */
const scripts = "/run/backup/scripts";
export const rcloneSections = "/run/backup/rclone";

interface BackedUp extends Pick<Platform, "run" | "configured"> {
  readonly dumps: List<NamedDump>;
  readonly stores: List<Ready>;
}

/** The stack's backup container, if there is something to back up and a place for it. */
export function backup(platform: BackedUp, site: Site): void {
  const { backup: asked } = site;
  if (asked === undefined || platform.dumps.length === 0) return;
  const place = reach(asked.to, platform.configured.bind(platform));
  const drills = asked.drillEveryHours > 0;
  for (const dump of platform.dumps) {
    const { store, drillServer } = dump;
    // A restore to a second has made it already.
    if (drills && drillServer !== undefined && !recovers(site.restore, dump))
      platform.run(drillHost(store), drillServer);
  }
  platform.run("backup", {
    ...container(place, platform.dumps, scheduled),
    command: ["backup", "schedule"],
    env: {
      PLACE: `${place.root}/${site.name}`,
      WHERE: place.where,
      EVERY_HOURS: String(asked.everyHours),
      KEEP_DAYS: String(asked.keepDays),
      DRILL_HOURS: String(asked.drillEveryHours),
    },
    replicas: 1,
    update: "stop-first",
    // The first try of the backup's place has to fit in. Nobody waits for a run, which may take hours.
    health: { ready: { command: ["backup", "healthy"] }, startSeconds: 20, stopSeconds: 30 },
    // Its own words (backup.sh).
    alarms: [
      {
        key: "missing",
        line: "is complete",
        says: `no backup has got through for too long: one is due every ${String(asked.everyHours)} h`,
        everyHours: asked.everyHours,
      },
      { key: "drill", line: "cannot be restored", says: "a drill could not restore the newest backup" },
    ],
    after: platform.stores,
  });
}

/** The throw-away server of a store. */
export function drillHost(store: string): string {
  return `${store}-drill`;
}

/** Whether a restore is to a second, and the store can do that: it needs the throw-away server. */
export function recovers(restore: Restore | undefined, { recover }: Dump): boolean {
  return restore?.until !== undefined && recover !== undefined;
}

/** Fills one store. It fails where the store has data: a restore never overwrites. */
export function restoreJob(
  restore: Restore,
  dump: NamedDump,
  configured: (name: string) => Output<string>,
  after: List<Ready>,
): Job {
  const place = reach(restore.from, configured);
  const { store } = dump;
  const verb = recovers(restore, dump) ? "recover" : "restore";
  const time = verb === "recover" ? (restore.until ?? "") : restore.at;
  return {
    ...container(place, [dump], [verb]),
    command: ["backup", verb, store, time],
    env: { PLACE: `${place.root}/${restore.stack}` },
    trigger: `${restore.stack} ${time}`,
    seconds: 6 * 3600,
    after,
  };
}

type Verb = "dump" | "check" | "restore" | "drill" | "prune" | "log" | "recover";
const scheduled: List<Verb> = ["dump", "check", "drill", "prune", "log"];

function container(place: Place, dumps: List<NamedDump>, verbs: List<Verb>) {
  return {
    image: dumps.find(({ image }) => image !== undefined)?.image ?? "toolbox",
    tier: "app", // it joins app and data: dumps go out, and the data network has no way out
    cpu: 1,
    memoryMib: 256,
    user: "0:0", // root without any capability, as the place is root's
    files: [
      ...place.files,
      ...dumps.map((dump) => ({
        path: `${scripts}/${dump.store}`,
        content: scriptOf(
          dump,
          verbs.filter((verb) => verb !== "log" || dump.log !== undefined),
        ),
      })),
      ...dumps.flatMap(({ files = [] }) => files),
    ],
    ...(place.mounts.length > 0 ? { mounts: place.mounts } : {}),
    ...nodesOf(dumps),
  } satisfies Partial<Workload>;
}

/** A store's script is one file, with a function for each verb. */
export function scriptOf(dump: Dump, verbs: List<Verb>): string {
  return [...verbs.map((verb) => `${verb}() {\n${dump[verb] ?? ":"}\n}`), '"$1"\n'].join("\n");
}

/** The nodes of the stores, if all stores name the same: a system may keep other nodes for something else. */
function nodesOf([first, ...others]: List<NamedDump>): Pick<Workload, "nodes"> {
  const nodes = first?.nodes;
  return nodes !== undefined && others.every((dump) => isDeepStrictEqual(dump.nodes, nodes)) ? { nodes } : {};
}

interface Place {
  readonly root: string;
  /** For messages. */
  readonly where: string;
  readonly files: List<File>;
  readonly mounts: List<Mount>;
}

/** How the toolbox reaches a place: a mounted folder, or a bucket with the keys that the operator set. */
function reach(place: BackupPlace, configured: (name: string) => Output<string>): Place {
  const path = "/backup";
  if ("path" in place)
    return { root: path, where: `the folder ${place.path}`, files: [], mounts: [{ folder: place.path, path }] };
  if ("volume" in place)
    return { root: path, where: `the volume ${place.volume}`, files: [], mounts: [{ volume: place.volume, path }] };
  const { endpoint, bucket, region } = place.s3;
  const content = all([configured("backupKey"), configured("backupSecret")]).apply(([key, secret]) =>
    rcloneSection("place", {
      ...{ type: "s3", provider: "Other", endpoint, region },
      access_key_id: key,
      secret_access_key: secret,
      no_check_bucket: "true",
    }),
  );
  return {
    root: `place:${bucket}`,
    where: `the bucket ${bucket} at ${endpoint}`,
    files: [{ path: `${rcloneSections}/place.conf`, content, secret: true }],
    mounts: [],
  };
}
