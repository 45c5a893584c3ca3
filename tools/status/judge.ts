/** All that is known of a stack, as one status. Plain values in and out. */
import type { List } from "../../components/core/contracts.ts";
import type { RegionSeen } from "./aws.ts";
import { judgeRegions } from "./aws-judge.ts";
import { type BackupSeen, judgeBackup, readBackup } from "./backup.ts";
import { type EdgeSeen, judgeCertificates } from "./certificate.ts";
import type { Host } from "./docker.ts";
import { judgeHosts } from "./docker-judge.ts";
import { type Condition, conditions, type Finding, type Part, type Quote, type Status } from "./model.ts";
import { identitiesOf, outputsIn, type State } from "./state.ts";
import type { SwarmSeen } from "./swarm.ts";
import { judgeSwarms } from "./swarm-judge.ts";

export interface Seen {
  readonly hosts: List<Host>;
  readonly swarms: List<SwarmSeen>;
  readonly regions: List<RegionSeen>;
  readonly edge: EdgeSeen | undefined;
  readonly backup: BackupSeen | undefined;
}

export interface Asked {
  readonly stack: string;
  readonly now: Date;
  readonly simulated: boolean;
  readonly quote: Quote;
}

export function judge(state: State, seen: Seen, { stack, now, simulated, quote }: Asked): Status {
  const { url, rehearsing, images, suppliers, places } = outputsIn(state);
  const around = { stack, quote, now, rehearsing: rehearsing.flatMap((key) => images[key] ?? []) };
  const all = [
    judgeHosts(state, seen.hosts, around),
    judgeSwarms(state, seen.swarms, around),
    judgeRegions(state, seen.regions, around),
  ];
  const parts = all.flatMap((each) => each.parts).sort(byCondition((part) => part.name));
  const { certificates, findings } = judgeCertificates(state, seen.edge, now);
  const backup = seen.backup && readBackup(seen.backup, quote);
  const found: Finding[] = [
    ...parts.flatMap(findingOf),
    ...all.flatMap((each) => each.findings),
    ...findings,
    ...(backup === undefined || seen.backup === undefined ? [] : judgeBackup(backup, seen.backup, now)),
    ...(state.pending.length === 0 ? [] : [interrupted(stack, state.pending)]),
  ];
  const [identity] = identitiesOf(state);
  const verdict = (["unwell", "unknown"] as const).find((each) => found.some(({ condition }) => condition === each));
  return {
    version: 1,
    stack,
    at: now.toISOString(),
    verdict: verdict ?? "well",
    says: inOneLine(stack, parts, found),
    system: identity?.system,
    topology: identity?.topology,
    url,
    deployed: state.deployed,
    simulated,
    findings: found.sort(byCondition(() => "")),
    parts,
    certificates,
    backup,
    ...{ rehearsing, images, suppliers, places },
  };
}

/** A store that nobody asks is no finding. Parts of an engine that cannot be asked are said once, by the engine. */
function findingOf({ name, condition, why = "", since, look }: Part): Finding[] {
  return condition === "unwell" || condition === "care" ? [{ condition, what: name, why, since, look }] : [];
}

function interrupted(stack: string, pending: List<string>): Finding {
  const look = `\`npm run pulumi -- up --stack ${stack}\` goes on`;
  return { condition: "care", what: "the last up", why: `was interrupted: ${pending.slice(0, 3).join(", ")}`, look };
}

/** Sorts the worst first, and then by name as a person counts. */
function byCondition<T extends { readonly condition: Condition }>(name: (of: T) => string): (a: T, b: T) => number {
  return (a, b) =>
    conditions.indexOf(a.condition) - conditions.indexOf(b.condition) ||
    name(a).localeCompare(name(b), "en", { numeric: true });
}

/** The first line: is all well? If not, how much is not. */
function inOneLine(stack: string, parts: List<Part>, findings: List<Finding>): string {
  const count = (condition: Condition): number => parts.filter((part) => part.condition === condition).length;
  const [unwell, unknown, unasked] = [count("unwell"), count("unknown"), count("unasked")];
  const rest = findings.filter(
    ({ condition, what }) => condition === "unwell" && !parts.some((part) => part.name === what),
  );
  const all = numbered(parts.length - unasked, "part");
  const cares = findings.filter(({ condition }) => condition === "care").length;
  const byDay = cares === 0 ? "" : `; ${numbered(cares, "thing")} to look at by day`;
  const asked = unasked === 0 ? "" : `; ${numbered(unasked, "managed store")} not asked`;
  if (unwell > 0) return `${stack} is UNWELL: ${String(unwell)} of ${all} ${unwell === 1 ? "does" : "do"} not work`;
  if (rest.length > 0)
    return `${stack} is UNWELL: ${rest
      .map(({ what }) => what)
      .slice(0, 3)
      .join(", ")}`;
  if (unknown > 0) return `${stack}: CANNOT BE TOLD of ${String(unknown)} of ${all}`;
  const dark = findings.filter(({ condition }) => condition === "unknown");
  if (dark.length > 0)
    return `${stack}: CANNOT BE TOLD: ${dark
      .map(({ what }) => what)
      .slice(0, 3)
      .join(", ")}`;
  return `${stack} is well: ${all}${asked}${byDay}`;
}

function numbered(count: number, of: string): string {
  return `${String(count)} ${of}${count === 1 ? "" : "s"}`;
}
