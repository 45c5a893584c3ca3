/** When the last backup and the last drill got through: by the backup container itself, or by its log. */
import type Docker from "dockerode";

import type { List } from "../../components/core/contracts.ts";
import { connect, explain, reach } from "../../ops/docker.ts";
import { lastLines, taskLines } from "../../ops/logs.ts";
import { accessOf, awsServices, linesWith, logGroupOf } from "./aws.ts";
import type { Host } from "./docker.ts";
import { thingsOf } from "./docker-judge.ts";
import { patience, within } from "./limit.ts";
import type { Backup, Finding, Quote } from "./model.ts";
import { ofType, type State } from "./state.ts";
import type { SwarmSeen } from "./swarm.ts";

const workloadLabel = "platform-topologies.workload";
/** Phrases of backup.sh. */
const phrases = ["is complete", "can be restored", "cannot be restored"];
/** Hours of a log that are read: more than a week, in which a drill is due. */
const logHours = 200;

export interface BackupSeen {
  /** What `backup status` printed, or the lines of the log. */
  readonly words: string;
  readonly from: Backup["from"];
  readonly everyHours?: number | undefined;
  readonly failed?: string | undefined;
}

/** Asks wherever the stack's backup runs; undefined: it has none. */
export async function askBackup(
  state: State,
  hosts: List<Host>,
  swarms: List<SwarmSeen>,
): Promise<BackupSeen | undefined> {
  const known = thingsOf(state);
  for (const { host, containers } of hosts) {
    const found = containers.find(
      ({ Name, Config }) =>
        Config.Labels[workloadLabel] === "backup-1" && known.some(({ called }) => `/${called}` === Name),
    );
    if (found !== undefined) return onHost(host, found.Id, found.State.Status === "running");
  }
  for (const { host, services, tasks } of swarms) {
    const found = services.find(({ labels }) => labels[workloadLabel] === "backup");
    if (found === undefined) continue;
    const mine = tasks.filter(({ ServiceID }) => ServiceID === found.id).map(({ ID }) => ID);
    return { ...(await onSwarm(host, mine)), everyHours: found.everyHours };
  }
  const service = ofType(state, awsServices).find(({ outputs }) => outputs.name === "backup");
  const logGroup = service && logGroupOf(state, "backup");
  const [at] = accessOf(state).values();
  if (logGroup === undefined || at === undefined) return undefined;
  const { told, failed } = await within(patience, `the log ${logGroup}`, (abortSignal) =>
    linesWith(at, logGroup, phrases, logHours, { abortSignal }),
  );
  return { words: (told ?? []).join("\n"), from: "log", failed };
}

async function onHost(host: string, id: string, runs: boolean): Promise<BackupSeen> {
  const asked = await within(patience, "`backup status`", async (signal) => {
    const container = (await connect(host)).getContainer(id);
    return runs ? said(container, ["backup", "status"], signal) : "";
  });
  if (asked.told !== undefined && asked.told !== "") return { words: asked.told, from: "status" };
  const log = await within(patience, "its log", async () => lastLines((await connect(host)).getContainer(id), 500, []));
  return { words: (log.told ?? []).join("\n"), from: "log", failed: asked.failed };
}

/** The log of its tasks, newest first, until a run is found: a new task has no line of the last. */
async function onSwarm(host: string, tasks: List<string>): Promise<BackupSeen> {
  const { told, failed } = await within(patience, "its log", async () => {
    const engine = await reach(host).catch((error: unknown) => {
      throw explain(error, host);
    });
    const lines: string[] = [];
    for (const task of tasks.slice(0, 3)) {
      lines.unshift(...(await taskLines(engine, task, 500, [])));
      if (lines.some((line) => line.includes("is complete"))) break;
    }
    return lines;
  });
  return { words: (told ?? []).join("\n"), from: "log", failed };
}

/** What a command prints in a container. */
async function said(container: Docker.Container, Cmd: string[], abortSignal: AbortSignal): Promise<string> {
  const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true, Tty: true, abortSignal });
  let words = "";
  // A terminal has one plain stream.
  for await (const part of await exec.start({ Tty: true, abortSignal })) words += String(part);
  return words;
}

const stampForm = /(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z/;

/** ISO 8601 of backup.sh's own form. */
function timeOf(text: string | undefined): string | undefined {
  const [, day, h, m, s] = stampForm.exec(text ?? "") ?? [];
  return day === undefined ? undefined : `${day}T${h ?? ""}:${m ?? ""}:${s ?? ""}.000Z`;
}

/** Reads what `backup status` prints, or the lines of the log. Plain values in and out. */
export function readBackup({ words, from, everyHours }: BackupSeen, quote: Quote): Backup {
  const lines = words.split(/\r?\n/);
  const after = (start: string): string | undefined =>
    lines.findLast((line) => line.startsWith(start))?.slice(start.length);
  if (from === "log") {
    const run = lines.findLast((line) => /backup \S+ is complete/.test(line));
    const drill = lines.findLast((line) => /drill: .*(can|cannot) be restored/.test(line));
    const of = timeOf(drill);
    return {
      from,
      lastRun: timeOf(run),
      ...(of === undefined ? {} : { lastDrill: { ok: !drill?.includes("cannot"), of } }),
      ...(everyHours === undefined ? {} : { everyHours }),
    };
  }
  const [at, drilled = ""] = after("drill ")?.split(": ") ?? [];
  const of = timeOf(drilled);
  return {
    from,
    place: quote(after("place: ") ?? ""),
    lastRun: timeOf(after("run ")),
    ...(of === undefined ? {} : { lastDrill: { at: timeOf(at), ok: drilled.startsWith("ok "), of } }),
    nextRun: timeOf(after("next run: ")),
    nextDrill: timeOf(after("next drill: ")),
  };
}

/** What somebody has to know of it. A backup that fails, or is too old, makes its container unhealthy besides. */
export function judgeBackup(backup: Backup, { failed }: BackupSeen, now: Date): Finding[] {
  const { lastRun, lastDrill, everyHours, nextRun } = backup;
  const what = "backup";
  const look = "docs/backup.md: `backup status` in its container";
  const unasked: Finding[] = failed === undefined ? [] : [{ condition: "care", what, why: failed, look }];
  const drill: Finding[] =
    lastDrill?.ok === false
      ? [{ condition: "unwell", what, why: `the run of ${lastDrill.of} could not be restored in a drill`, look }]
      : [];
  if (lastRun === undefined) {
    const why = backup.from === "log" ? "its log has no complete run" : "no run is complete yet";
    return [...unasked, ...drill, ...(failed === undefined ? ([{ condition: "care", what, why, look }] as const) : [])];
  }
  const hours = (now.getTime() - Date.parse(lastRun)) / 3_600_000;
  // As backup.sh has it.
  const late = everyHours === undefined ? overdue(nextRun, now) : hours > 2 * everyHours + 1 / 6;
  const old: Finding[] = late
    ? [{ condition: "unwell", what, why: "the last complete run is too old", since: lastRun, look }]
    : [];
  return [...unasked, ...drill, ...old];
}

/** A run may take hours; one that is two days late does not come by itself. */
function overdue(next: string | undefined, now: Date): boolean {
  return next !== undefined && now.getTime() - Date.parse(next) > 48 * 3_600_000;
}
