/** What a browser sees of Grafana's stand-in: a form to sign in, and a dashboard with its panels drawn plainly. */
import type { Dashboard } from "../config/grafana.ts";
import { escape, shown } from "../page.ts";

type Panel = Dashboard["panels"][number];

/** One line of a chart, or the rows of a table. */
export interface Series {
  readonly name: string;
  /** The first column is the time, in epoch milliseconds. */
  readonly columns: readonly string[];
  readonly values: readonly (readonly unknown[])[];
}

/** A panel with what its queries gave, or why they failed. */
export interface Answered {
  readonly panel: Panel;
  readonly answer: readonly Series[] | string;
}

const style = `
main { max-width: 80rem; }
.panels { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); gap: 1rem; --line-1: #1d4ed8; --line-2: #b45309;
  --line-3: #047857; --line-4: #7c3aed; --line-5: #be123c; --line-6: #475569; }
.panel { grid-column: span var(--columns); padding: .75rem 1rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 12px; }
h2 { margin: 0 0 .5rem; font-size: .95rem; }
.chart { display: block; width: 100%; height: 7rem; border-bottom: 1px solid var(--line); }
.chart polyline { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.range { display: flex; justify-content: space-between; color: var(--dim); font-size: .75rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; margin: .4rem 0 0; padding: 0; list-style: none; font-size: .8rem;
  overflow-wrap: anywhere; }
.legend i { display: inline-block; width: .9rem; height: .2rem; margin-right: .4rem; vertical-align: middle; }
.number { margin: 0; font-size: 2.5rem; font-weight: 600; line-height: 1.2; }
.none { color: var(--dim); } .wrong { color: var(--bad); overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: .8rem; }
th, td { padding: .2rem .5rem .2rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td + td, th { border-top: 0; } tr + tr td { border-top: 1px solid var(--line); }
form { display: grid; gap: .75rem; max-width: 20rem; }
input, button { width: 100%; font: inherit; padding: .4rem .6rem; border: 1px solid var(--dim); border-radius: 8px; background: var(--paper);
  color: var(--ink); }
button { font-weight: 600; }
@media (max-width: 40rem) { .panels { grid-template-columns: minmax(0, 1fr); } .panel { grid-column: 1; } }
@media (prefers-color-scheme: dark) { .panels { --line-1: #93c5fd; --line-2: #fbbf24; --line-3: #6ee7b7; --line-4: #c4b5fd;
  --line-5: #fda4af; --line-6: #cbd5e1; } }
`;
const lines = 6;
const chip = '<span class="chip">stand-in for Grafana</span>';

export function signIn(refused: boolean): string {
  return shown({
    title: "Sign in (stand-in for Grafana)",
    style,
    main: `<header><h1>Sign in</h1>${chip}</header>
<p class="note">The user is <b>admin</b>; the password is the stack's secret grafana-password.</p>
<form method="post" action="/login">
${refused ? '<span class="wrong" role="alert">Invalid username or password</span>' : ""}
<label>User<br><input name="user" autocomplete="username" required></label>
<label>Password<br><input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
</form>`,
  });
}

/** `now`: epoch milliseconds. The time that is drawn begins with the first value that is not zero. */
export function drawn({ title }: Dashboard, answered: readonly Answered[], now: number): string {
  const times = answered.flatMap(({ panel, answer }) =>
    typeof answer === "string" || panel.type !== "timeseries"
      ? []
      : answer.flatMap((series) => pointsOf(series).flatMap(([time, value]) => (value === 0 ? [] : [time]))),
  );
  const from = times.reduce((first, time) => Math.min(first, time), now - 60_000);
  return shown({
    title: `${title} (stand-in for Grafana)`,
    style,
    refresh: 30,
    main: `<header><h1>${escape(title)}</h1>${chip}</header>
<p class="note">The provisioned dashboard: its queries, asked through the provisioned data sources, and drawn plainly.</p>
<div class="panels">
${answered.map((each) => panelOf(each, from, now)).join("\n")}
</div>
<footer>The last ${String(Math.round((now - from) / 60_000))} min. Asked again every 30 seconds.</footer>`,
  });
}

function panelOf({ panel, answer }: Answered, from: number, to: number): string {
  const { title, type, gridPos } = panel;
  const inside =
    typeof answer === "string"
      ? `<p class="wrong">${escape(answer)}</p>`
      : type === "timeseries"
        ? chart(answer, panel.fieldConfig?.defaults.unit, from, to)
        : type === "stat"
          ? `<p class="number">${escape(lastOf(answer))}</p>`
          : table(answer);
  return `<section class="panel" style="--columns: ${String(gridPos.w)}"><h2>${escape(title)}</h2>${inside}</section>`;
}

const none = '<p class="none">No data</p>';

function pointsOf({ values }: Series): [time: number, value: number][] {
  return values.flatMap(([time, value]) =>
    typeof time === "number" && typeof value === "number" ? [[time, value]] : [],
  );
}

/** A line for each series, all on one scale, whose ends are written below and above. */
function chart(answer: readonly Series[], unit: string | undefined, from: number, to: number): string {
  const all = answer
    .map((series) => ({ name: series.name, points: pointsOf(series).filter(([time]) => time >= from) }))
    .filter(({ points }) => points.length > 0);
  if (all.length === 0) return none;
  const values = all.flatMap(({ points }) => points.map(([, value]) => value));
  const low = Math.min(0, ...values);
  const high = Math.max(...values, low + 1e-9);
  const at = (value: number): string => value.toFixed(1);
  const dot = (to - from) / 500;
  const colour = (index: number): string => `var(--line-${String((index % lines) + 1)})`;
  const drawnLines = all.map(({ points }, index) => {
    // One point alone is a short line: a line has two ends.
    const ends =
      points.length > 1 ? points : points.flatMap(([time, v]) => [-dot, dot].map((by) => [time + by, v] as const));
    const corners = ends.map(
      ([time, value]) => `${at(((time - from) / (to - from)) * 1000)},${at(100 - ((value - low) / (high - low)) * 98)}`,
    );
    return `<polyline style="stroke: ${colour(index)}" points="${corners.join(" ")}"/>`;
  });
  const legend = all.map(
    ({ name, points }, index) =>
      `<li><i style="background: ${colour(index)}"></i>${escape(name)}: ${withUnit(points.at(-1)?.[1] ?? 0, unit)}</li>`,
  );
  return `<div class="range"><span>${withUnit(high, unit)}</span></div>
<svg class="chart" viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">${drawnLines.join("")}</svg>
<div class="range"><span>${clock(from)}</span><span>${clock(to)} UTC</span></div>
<ul class="legend">${legend.join("")}</ul>`;
}

function withUnit(value: number, unit: string | undefined): string {
  if (unit === "bytes") return `${(value / 1024 / 1024).toFixed(0)} MiB`;
  const number = value.toFixed(Number.isInteger(value) ? 0 : 1);
  return unit === "percent" ? `${number} %` : number;
}

function lastOf(answer: readonly Series[]): string {
  const value = answer.at(-1)?.values.at(-1)?.at(-1);
  return typeof value === "number" || typeof value === "string" ? String(value) : "–";
}

const rows = 8;

function table([series]: readonly Series[]): string {
  if (series === undefined || series.values.length === 0) return none;
  const { columns, values } = series;
  const cell = (value: unknown, column: number): string => {
    if (column === 0 && typeof value === "number") return clock(value);
    return typeof value === "string" || typeof value === "number" ? escape(String(value)) : "";
  };
  const body = values
    .slice(0, rows)
    .map((row) => `<tr>${row.map((value, column) => `<td>${cell(value, column)}</td>`).join("")}</tr>`);
  const more = values.length > rows ? `<p class="none">and ${String(values.length - rows)} more</p>` : "";
  return `<table><tr>${columns.map((name) => `<th>${escape(name)}</th>`).join("")}</tr>${body.join("")}</table>${more}`;
}

const clock = (time: number): string => new Date(time).toISOString().slice(11, 19);
