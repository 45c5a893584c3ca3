/** A status for a person, on one screen: whether all is well, then what is not, then the rest. */
import type { List } from "../../components/core/contracts.ts";
import {
  type Backup,
  type Certificate,
  type Condition,
  conditions,
  type Finding,
  type Part,
  type Status,
} from "./model.ts";
import { clean } from "./words.ts";

export type Style = "green" | "red" | "yellow" | "bold" | "dim";

export interface Screen {
  readonly columns: number;
  /** Undefined: as many as it takes. */
  readonly rows?: number | undefined;
  readonly paint: (style: Style, text: string) => string;
}

const styles: Readonly<Record<Condition, Style>> = {
  unwell: "red",
  unknown: "yellow",
  care: "yellow",
  unasked: "dim",
  well: "green",
};
const words: Readonly<Record<Condition, string>> = {
  unwell: "UNWELL",
  unknown: "unknown",
  care: "look",
  unasked: "not asked",
  well: "well",
};

export function render(status: Status, screen: Screen): string {
  const { paint } = screen;
  const columns = Math.max(screen.columns, 20);
  const now = new Date(status.at);
  const verdict = { well: "green", unwell: "red", unknown: "yellow" } as const;
  const head = wrapped(clean(status.says), columns, 2).map((line) =>
    paint("bold", paint(verdict[status.verdict], line)),
  );
  const simulated = status.simulated ? wrapped("(a simulated cloud: nothing of it is real)", columns, 2) : [];
  const bad = shownFirst(
    status.findings.map((finding) => findingLines(finding, columns, now, paint)),
    screen.rows === undefined ? Infinity : Math.max(6, Math.floor(screen.rows / 2)),
  );
  const end = facts(status, now).flatMap(([label, text]) => labelled(label, text, columns, paint));
  const before = [...head, ...simulated, ...(bad.length === 0 ? [] : ["", ...bad])];
  const room = screen.rows === undefined ? Infinity : screen.rows - before.length - end.length - 3; // two gaps, a prompt
  const middle = partLines(status.parts, { columns, room, now, paint });
  return [...before, ...gapped(middle), ...gapped(end), ""].join("\n");
}

/** As many findings as `room` lines take, and how many are left: the first ones must not scroll away. */
function shownFirst(findings: List<List<string>>, room: number): string[] {
  const lines: string[] = [];
  for (const [index, finding] of findings.entries()) {
    if (index > 0 && lines.length + finding.length > room)
      return [...lines, `and ${String(findings.length - index)} more: --json has all`];
    lines.push(...finding);
  }
  return lines;
}

function gapped(lines: List<string>): string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}

function findingLines(
  { condition, what, why, since, look }: Finding,
  columns: number,
  now: Date,
  paint: Screen["paint"],
) {
  const when = since === undefined ? "" : `, for ${ago(since, now)}`;
  const said = wrapped(`${words[condition]}  ${clean(what)}: ${clean(why)}${when}`, columns, 4);
  const [first = "", ...rest] = said;
  const word = words[condition];
  return [
    first.startsWith(word) ? paint(styles[condition], word) + first.slice(word.length) : first,
    ...rest,
    ...(look === undefined ? [] : wrapped(`    ${clean(look)}`, columns, 4).map((line) => paint("dim", line))),
  ];
}

interface Table {
  readonly columns: number;
  /** How many lines there may be. */
  readonly room: number;
  readonly now: Date;
  readonly paint: Screen["paint"];
}

/** A line a part. Where there is no room for all, those that are well share lines, and then the others, too. */
function partLines(parts: List<Part>, table: Table): string[] {
  if (parts.length === 0) return [];
  if (parts.length + 1 <= table.room) return tableOf(parts, table);
  const loud = parts.filter(({ condition }) => condition !== "well");
  const shared = namesOf(parts, "well", table);
  if (loud.length > 0 && loud.length + 1 + shared.length <= table.room) return [...tableOf(loud, table), ...shared];
  return conditions.flatMap((condition) => namesOf(parts, condition, table));
}

/** The names of all parts in this condition. */
function namesOf(parts: List<Part>, condition: Condition, { columns, paint }: Table): string[] {
  const all = parts.filter((part) => part.condition === condition);
  if (all.length === 0) return [];
  const names = all.map(({ name, where }) => (where.length === 0 ? name : `${name} (${where.join(", ")})`));
  return labelled(words[condition], clean(byPlace(all) ?? names.join(", ")), columns, paint);
}

/** The names by where they run, which takes fewer words. */
function byPlace(parts: List<Part>): string | undefined {
  const places = new Map<string, string[]>();
  for (const { name, where } of parts) places.set(where.join("+"), [...(places.get(where.join("+")) ?? []), name]);
  if (places.size > 12) return undefined;
  return [...places].map(([place, names]) => `${place === "" ? "" : `${place}: `}${names.join(", ")}`).join("; ");
}

/** Columns that do not fit are left out from the right. */
function tableOf(parts: List<Part>, { columns, now, paint }: Table): string[] {
  const rows = parts.map((part) => ({
    condition: part.condition,
    cells: [
      words[part.condition],
      clean(part.name) + count(part),
      part.since === undefined ? "-" : ago(part.since, now),
      part.where.length === 0 ? "-" : clean(part.where.join(", ")),
      clean(short(part.image)) + (part.rehearses === true ? " (rehearses)" : ""),
    ],
  }));
  const head = ["", "part", "for", "where", "version"];
  const widths = head.map((title, index) =>
    Math.max(title.length, ...rows.map(({ cells }) => wide(cells[index] ?? ""))),
  );
  let shown = widths.length;
  const total = (): number => widths.slice(0, shown).reduce((sum, width) => sum + width + 2, -2);
  while (shown > 2 && total() > columns && total() - (widths[shown - 1] ?? 0) + 12 > columns) shown--;
  const over = total() - columns;
  if (over > 0) widths[shown - 1] = Math.max(8, (widths[shown - 1] ?? 0) - over);
  const line = (cells: List<string>): string =>
    cells
      .slice(0, shown)
      .map((cell, index) => fitted(cell, widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  return [
    paint("dim", line(head)),
    ...rows.map(({ condition, cells }) => {
      const text = line(cells);
      return paint(styles[condition], text.slice(0, wide(cells[0] ?? ""))) + text.slice(wide(cells[0] ?? ""));
    }),
  ];
}

function count({ replicas }: Part): string {
  return replicas === undefined ? "" : ` ${String(replicas.running)}/${String(replicas.wanted)}`;
}

/** `postgis:15-3.3` of a whole reference. */
function short(image = ""): string {
  return image.replace(/@sha256:.*/, "").replace(/^.*\//, "") || "-";
}

type Fact = readonly [label: string, text: string];

function facts(status: Status, now: Date): Fact[] {
  const { system, topology, url, deployed, rehearsing, certificates, backup } = status;
  const what = [system, topology].filter((each) => each !== undefined).join(" on ");
  const when = deployed === undefined ? [] : [`last changed ${ago(deployed, now)} ago`];
  const all = [what, url ?? "", ...when]
    .filter((each) => each !== "")
    .map(clean)
    .join(", ");
  return [
    ...(all === "" ? [] : [["stack", all] as const]),
    ...certificates.slice(0, 3).map((each): Fact => ["certificate", certificateText(each, now)]),
    ...(certificates.length > 3 ? [["", `and ${String(certificates.length - 3)} that end later`] as const] : []),
    ["backup", backup === undefined ? "none by this stack" : backupText(backup, now)],
    ...(rehearsing.length === 0 ? [] : [["rehearses", clean(rehearsing.join(", "))] as const]),
  ];
}

function certificateText({ host, from, at, begins, ends }: Certificate, now: Date): string {
  const left = Date.parse(ends) - now.getTime();
  const says = left < 0 ? `ended ${ago(ends, now)} ago` : `ends in ${duration(left)} (${ends.slice(0, 10)})`;
  const age = begins === undefined ? "" : `, ${ago(begins, now)} old`;
  return `${clean(host)} ${says}${age}, ${from === "served" ? `served at ${clean(at ?? "")}` : "by the state"}`;
}

function backupText({ lastRun, lastDrill, nextRun, place, from }: Backup, now: Date): string {
  const last = lastRun === undefined ? "no complete run known" : `last complete run ${ago(lastRun, now)} ago`;
  const when = lastDrill?.at === undefined ? "" : ` ${ago(lastDrill.at, now)} ago`;
  const drill = lastDrill === undefined ? "no drill known" : `drill${when} ${lastDrill.ok ? "restored it" : "FAILED"}`;
  const next = nextRun === undefined ? [] : [`next in ${duration(Math.max(0, Date.parse(nextRun) - now.getTime()))}`];
  const where = place === undefined || place === "" ? [] : [`into ${clean(place)}`];
  return [last, drill, ...next, ...where, ...(from === "log" ? ["by its log"] : [])].join(", ");
}

function labelled(label: string, text: string, columns: number, paint: Screen["paint"]): string[] {
  const indent = 13;
  if (columns < 50) return wrapped(`${label === "" ? "" : `${label}: `}${text}`, columns, 2);
  return wrapped(text, columns - indent, 0).map(
    (line, index) => paint("dim", (index === 0 ? label : "").padEnd(indent)) + line,
  );
}

/** How long ago. */
export function ago(time: string, now: Date): string {
  return duration(Math.max(0, now.getTime() - Date.parse(time)));
}

/** `4 s`, `23 min`, `5 h`, `12 days`: one number is enough for a person. */
export function duration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 120) return `${String(seconds)} s`;
  if (seconds < 7200) return `${String(Math.floor(seconds / 60))} min`;
  if (seconds < 172_800) return `${String(Math.floor(seconds / 3600))} h`;
  return `${String(Math.floor(seconds / 86_400))} days`;
}

/** Lines of at most `columns`, at spaces where there are some. Further lines are indented. */
export function wrapped(text: string, columns: number, indent: number): string[] {
  const lines: string[] = [];
  const lead = /^ */.exec(text)?.[0] ?? "";
  let line = lead;
  let empty = true;
  for (const word of text.trim().split(" ")) {
    let rest = word;
    if (!empty && wide(line) + 1 + wide(rest) > columns) {
      lines.push(line);
      line = " ".repeat(indent);
      empty = true;
    }
    while (wide(line) + wide(rest) + (empty ? 0 : 1) > columns) {
      const room = Math.max(1, columns - wide(line));
      const all = letters(rest);
      lines.push(line + all.slice(0, room).join(""));
      rest = all.slice(room).join("");
      line = " ".repeat(indent);
      empty = true;
    }
    line += (empty ? "" : " ") + rest;
    empty = false;
  }
  return [...lines, line];
}

const segmenter = new Intl.Segmenter("en");
/** What a person counts as letters, and a terminal mostly as cells. */
function letters(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

function wide(text: string): number {
  return letters(text).length;
}

function fitted(text: string, width: number): string {
  const all = letters(text);
  return all.length <= width ? text + " ".repeat(width - all.length) : `${all.slice(0, width - 1).join("")}…`;
}
