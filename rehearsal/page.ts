import type { Health, Result } from "./loop.ts";
import type { Role } from "./role.ts";

/** Colours, type and frame of every page of ours. */
const base = `
:root { color-scheme: light dark; --ink: #1c2430; --dim: #66707f; --line: #e3e7ee; --paper: #fff; --ground: #f5f6f9;
  --good: #11713f; --good-ground: #e4f5ec; --bad: #b3261e; --bad-ground: #fce9e7; --wait: #8a6100; --wait-ground: #fdf3d9;
  --stripe: #f2b705; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --dim: #98a2b3; --line: #2b3341; --paper: #171c26;
  --ground: #0e1219; --good: #5fd397; --good-ground: #12301f; --bad: #ff8a80; --bad-ground: #3a1714; --wait: #f0c75e;
  --wait-ground: #33290f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "DejaVu Sans", sans-serif; }
.tape { height: 10px; background: repeating-linear-gradient(-45deg, var(--stripe) 0 14px, #1c2430 14px 28px); }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: baseline; }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.01em; }
.version { color: var(--dim); }
.chip { align-self: center; padding: .1rem .65rem; border-radius: 99px; background: var(--stripe); color: #1c2430;
  font-size: .8rem; font-weight: 600; }
.note { margin: .35rem 0 1.75rem; color: var(--dim); max-width: 44rem; }
footer { margin-top: 1.25rem; color: var(--dim); font-size: .85rem; }
a { color: inherit; }
`;
const style = `
.status { display: flex; gap: .9rem; align-items: center; padding: 1rem 1.25rem; border-radius: 12px; font-weight: 600;
  font-size: 1.1rem; }
.status.ok { background: var(--good-ground); color: var(--good); }
.status.no { background: var(--bad-ground); color: var(--bad); }
.status.wait { background: var(--wait-ground); color: var(--wait); }
.dot { flex: none; width: .7rem; height: .7rem; border-radius: 50%; background: currentColor; }
.card { margin-top: 1.25rem; background: var(--paper); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.row { display: grid; grid-template-columns: 13rem 1fr auto; gap: .25rem 1rem; padding: .65rem 1.25rem; }
.row + .row { border-top: 1px solid var(--line); }
.name { display: flex; gap: .65rem; align-items: baseline; font-weight: 600; overflow-wrap: anywhere; }
.ok .dot { color: var(--good); } .no .dot { color: var(--bad); } .wait .dot { color: var(--wait); }
.detail { overflow-wrap: anywhere; } .no .detail { color: var(--bad); }
.target { display: block; color: var(--dim); font: .8rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
.time { color: var(--dim); font-size: .8rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) { .row { grid-template-columns: 1fr auto; } .detail { grid-column: 1 / -1; grid-row: 2; } }
`;

export interface Shown {
  /** Plain text. */
  readonly title: string;
  readonly style: string;
  /** HTML. */
  readonly main: string;
  /** Seconds after which the browser asks again; absent: never. */
  readonly refresh?: number;
}

/** A whole page, self-contained; it reloads itself, so it needs no script. */
export function shown({ title, style, main, refresh }: Shown): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh === undefined ? "" : `<meta http-equiv="refresh" content="${String(refresh)}">`}
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${base}${style}</style>
</head>
<body>
<div class="tape"></div>
<main>
${main}
</main>
</body>
</html>
`;
}

export function page(role: Role, health: Health, results: readonly Result[], now: number): string {
  const version = role.version === undefined ? "" : `<span class="version">${escape(role.version)}</span>`;
  return shown({
    title: `${role.title} (rehearsal)`,
    style,
    refresh: 5,
    main: `<header><h1>${escape(role.title)}</h1>${version}<span class="chip">rehearsal</span></header>
<p class="note">A small stand-in runs in the place of the application and does with its configuration what the application
would do first. When everything below is green, the deployment is ready for it.</p>
${banner(health, results)}
<div class="card">
${results.map((result) => row(result, now)).join("\n")}
</div>
<footer>Tried every five seconds, every ten when all is well. The same for machines: <a href="/rehearsal.json">/rehearsal.json</a>,
<a href="/health">/health</a>.</footer>`,
  });
}

function banner(health: Health, results: readonly Result[]): string {
  const required = results.filter((r) => r.required);
  const count = required.length;
  if (health.ok)
    return status("ok", count === 1 ? "The dependency answers" : `All ${String(count)} dependencies answer`);
  if (required.some((r) => r.ok === undefined)) return status("wait", "Trying the dependencies");
  const names = required.filter((r) => r.ok === false).map((r) => escape(r.name));
  if (names.length === 0) return status("no", "The checks have not ended for a while");
  return status("no", `${String(names.length)} of ${String(count)} dependencies fail: ${names.join(", ")}`);
}

const status = (kind: string, text: string): string =>
  `<div class="status ${kind}" role="status"><span class="dot"></span>${text}</div>`;

function row(result: Result, now: number): string {
  const kind = result.ok === true ? "ok" : result.ok === undefined || !result.required ? "wait" : "no";
  const optional = result.required ? "" : " (optional)";
  const time = result.ok === undefined ? "" : `${String(result.ms)} ms<br>for ${ago(now - result.since)}`;
  return `<div class="row ${kind}">
<div class="name"><span class="dot"></span>${escape(result.name)}</div>
<div class="detail">${escape(result.detail)}<span class="target">${escape(result.target)}${optional}</span></div>
<div class="time">${time}</div>
</div>`;
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${String(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${String(minutes)} min` : `${String(Math.round(minutes / 60))} h`;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
export const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (char) => entities[char] ?? char);
