/** One comment for all stacks: what must not be missed first, a line a stack, the long part folded, never too long. */
import { atStake, titleOf, type Change, type Digest, type Op } from "./digest.ts";
import { code, count, fence, fenced, visible } from "./markdown.ts";
import { nameOf, pricesOf, typeOf } from "./prices.ts";

/** What a comment of ours begins with. */
export const marker = "<!-- platform-topologies:preview -->";

export interface Look {
  /** Characters that the forge takes. */
  readonly limit: number;
  /** The run that made it, for who wants all of it. */
  readonly link?: string;
  /** A sentence below the heading, plain text: where the preview comes from, as "a fork's own code". */
  readonly note?: string;
}

/** The parts of `limit` that what comes first may take at most, so that each leaves room for the next. */
const share = { stakes: 0.25, table: 0.25, problems: 0.25 };

/** For no stack at all: what it says where an earlier change touched one. */
export function comment(given: readonly Digest[], { limit, link, note }: Look): string {
  const stacks = [...given].sort(before);
  const head = [`${marker}\n## Preview\n`, ...(note === undefined ? [] : [`\n${code(note)}\n`])].join("");
  const foot = [
    ...(stacks.some(({ cost }) => cost) ? [`\n<sub>${costNote}</sub>\n`] : []),
    ...(link === undefined ? [] : [`\n${linkTo(link)}`]),
  ].join("");
  if (stacks.length === 0) return `${head}\nThis change touches no stack.\n${foot}`;
  const stakes = stakesOf(stacks, limit * share.stakes);
  const table = tableOf(stacks, limit * share.table);
  const problems = problemsOf(stacks, limit * share.problems);
  const first = `${head}${stakes}${table}${problems}`;
  return `${first}${detailsOf(stacks, limit - first.length - foot.length)}${foot}`;
}

const costNote = `A month, US dollars: ${pricesOf}, without what is paid by use (traffic, requests, logs, what is stored in buckets).`;

function linkTo(url: string): string {
  return `[the run](<${new URL(url).href.replaceAll(/[^\w:/?#@!$&'*+,;=.~%-]/g, encodeURIComponent)}>)\n`;
}

/** Without the link to its run, which alone is no reason for a new one. */
export function withoutLink(body: string): string {
  return body
    .replaceAll("\r\n", "\n")
    .replace(/\n\[the run\]\(<[^\n]*>\)\s*$/, "")
    .trimEnd();
}

function before(a: Digest, b: Digest): number {
  return rank(a) - rank(b) || (a.stack < b.stack ? -1 : a.stack > b.stack ? 1 : 0);
}

function rank({ failed, changes }: Digest): number {
  return failed ? 0 : changes.some(atStake) ? 1 : changes.length > 0 ? 2 : 3;
}

/** As many as fit, whole and in their order, and how many do not. */
function fit(parts: readonly string[], room: number): { text: string; left: number } {
  let text = "";
  for (const [index, part] of parts.entries()) {
    if (text.length + part.length > room) return { text, left: parts.length - index };
    text += part;
  }
  return { text, left: 0 };
}

function stakesOf(stacks: readonly Digest[], room: number): string {
  const lines = stacks.flatMap(({ stack, changes }) =>
    changes.filter(atStake).map((change) => `> - ${code(stack)}: ${sentence(change)}\n`),
  );
  if (lines.length === 0) return "";
  const title = `\n> [!CAUTION]\n> **${count(lines.length, "resource")} with data ${lines.length === 1 ? "is" : "are"} replaced or deleted**\n>\n`;
  const { text, left } = fit(lines, room - title.length - 100);
  return `${title}${text}${left === 0 ? "" : `> - and ${count(left, "further one")}\n`}`;
}

/** `**replaced** db (aws:rds/instance:Instance), because of a, b`. */
function sentence({ op, urn, causes }: Change): string {
  const what = `**${doing[op]}** ${code(nameOf(urn))} (${code(typeOf(urn))})`;
  if (op === "delete") return `${what}: the program no longer has it`;
  if (causes.length === 0) return `${what}: no property of its own asks for it, another resource's replacement does`;
  const shown = causes.slice(0, 5).map(code).join(", ");
  const more = causes.length > 5 ? ` and ${count(causes.length - 5, "further property", "further properties")}` : "";
  return `${what}, because of ${shown}${more}`;
}

const doing: Readonly<Record<Op, string>> = {
  ...{ replace: "replaced", delete: "deleted", update: "changed", import: "imported", create: "created" },
};

function tableOf(stacks: readonly Digest[], room: number): string {
  const priced = stacks.some(({ cost }) => cost);
  const title =
    `\n| stack | created | changed | replaced | deleted |${priced ? " a month |" : ""}\n` +
    `| --- | --: | --: | --: | --: |${priced ? " --- |" : ""}\n`;
  const rows = stacks.map((stack) => `| ${cells(stack).join(" | ")} |${priced ? ` ${costCell(stack)} |` : ""}\n`);
  const { text, left } = fit(rows, room - title.length - 100);
  return `${title}${text}${left === 0 ? "" : `\nand ${count(left, "further stack")}, of those with the fewest changes.\n`}`;
}

function cells({ stack, failed, changes }: Digest): string[] {
  const of = (...ops: readonly Op[]): string => {
    const n = changes.filter(({ op }) => ops.includes(op)).length;
    const loud = changes.some((each) => ops.includes(each.op) && atStake(each));
    return loud ? `**${String(n)}**` : n === 0 ? "–" : String(n);
  };
  const words = failed ? " **failed**" : changes.length === 0 ? " nothing changes" : "";
  return [`${code(stack)}${words}`, of("create"), of("update", "import"), of("replace"), of("delete")];
}

function costCell({ cost, failed }: Digest): string {
  if (cost === undefined || failed) return "–";
  const [from, to] = [Math.round(cost.before.dollars), Math.round(cost.after.dollars)];
  const dollars = (n: number): string => `$${String(n)}`;
  const change = from === to ? dollars(to) : `${dollars(from)} → ${dollars(to)}`;
  const unpriced = cost.after.unpriced.length;
  return unpriced === 0 ? change : `${change}, and ${count(unpriced, "resource")} without a price`;
}

function problemsOf(stacks: readonly Digest[], room: number): string {
  const parts = stacks.flatMap(({ stack, failed, messages, violations }) => {
    const errors = messages.filter(({ severity }) => severity === "error");
    return [
      ...(failed && errors.length + violations.length === 0
        ? [`\n**${code(stack)} failed**, and Pulumi gave no reason.\n`]
        : []),
      ...errors.map(
        ({ urn, text }) =>
          `\n**${code(stack)} ${failed ? "failed" : "reports an error"}**${urn === undefined ? "" : ` at ${code(nameOf(urn))}`}\n\n` +
          fenced("", linesOf(text)),
      ),
    ];
  });
  const broken = stacks.flatMap(({ stack, violations }) =>
    violations.map(
      ({ pack, policy, level, urn, text }) =>
        `- ${code(`${pack}/${policy}`)} (${code(level)}) in ${code(stack)}${urn === "" ? "" : ` at ${code(nameOf(urn))}`}: ` +
        `${code(text.replaceAll(/\s*\n\s*/g, "; "))}\n`,
    ),
  );
  if (broken[0] !== undefined) broken[0] = `\n**Policies**\n\n${broken[0]}`;
  const { text, left } = fit([...parts, ...broken], room - 100);
  return `${text}${left === 0 ? "" : `\nand ${count(left, "further message")}.\n`}`;
}

/** Each line begins with two spaces: no forge takes it for a command. */
function linesOf(text: string): string[] {
  return text.split("\n").map((line) => `  ${visible(line)}`);
}

/** The smallest ones whole first; what is too long then has its most important resources. */
function detailsOf(stacks: readonly Digest[], room: number): string {
  const blocks = stacks
    .map((digest, index) => ({ index, ...blockOf(digest) }))
    .filter(({ entries }) => entries.length > 0);
  const texts = new Map<number, string>();
  let [left, waiting] = [room, blocks.length];
  for (const block of [...blocks].sort((a, b) => a.size - b.size)) {
    const text = folded(block, Math.floor(left / waiting));
    texts.set(block.index, text);
    left -= text.length;
    waiting -= 1;
  }
  return blocks.map(({ index }) => texts.get(index) ?? "").join("");
}

interface Block {
  readonly open: string;
  readonly entries: readonly string[];
  readonly close: string;
  /** All of it. */
  readonly size: number;
}

function blockOf({ stack, changes, unchanged, messages, cost }: Digest): Block {
  const entries = [
    ...changes.map((change) => linesOfChange(change)),
    ...messages
      .filter(({ severity }) => severity === "warning")
      .map(({ urn, text }) => [`# warning${urn === undefined ? "" : `: ${visible(titleOf(urn))}`}`, ...linesOf(text)]),
    ...(cost?.after.unpriced ?? []).map((each) => [`# no price: ${visible(each)}`]),
  ];
  const ticks = fence("diff", entries.flat());
  const counted = `${count(changes.length, "change")}, ${String(unchanged)} unchanged`;
  const open = `\n<details><summary><code>${stack}</code>: ${counted}</summary>\n\n${ticks.open}`;
  const close = `${ticks.close}\n</details>\n`;
  const texts = entries.map((lines) => lines.map((line) => `${line}\n`).join(""));
  const size = open.length + close.length + texts.reduce((total, text) => total + text.length, 0);
  return { open, entries: texts, close, size };
}

/** The block, or as many whole resources as there is room for; nothing where there is none at all. */
function folded({ open, entries, close, size }: Block, room: number): string {
  if (size <= room) return `${open}${entries.join("")}${close}`;
  const { text, left } = fit(entries, room - open.length - close.length - 120);
  const sentence = `# left out, as the comment would be too long: ${count(left, "resource or message", "resources and messages")}\n`;
  const whole = `${open}${text}${sentence}${close}`;
  return whole.length <= room ? whole : "";
}

const signs: Readonly<Record<Op, string>> = { replace: "-", delete: "-", update: "!", import: "!", create: "+" };

function linesOfChange(change: Change): string[] {
  const { op, urn, causes, differences, more, precious } = change;
  const data = precious && atStake(change) ? " (data)" : "";
  return [
    `${signs[op]} ${op}${data}  ${visible(titleOf(urn))}`,
    ...differences.flatMap(({ path, before, after, replaces }) => {
      const name = `${visible(path)}${replaces ? " (replaces)" : ""}`;
      // Equal ones are secrets, or a default that only the provider knows.
      if (before === after)
        return [`!     ${name}: ${before === undefined ? "as the provider says" : secretOr(before)}`];
      return [
        ...(before === undefined ? [] : [`-     ${name}: ${visible(before)}`]),
        ...(after === undefined ? [] : [`+     ${name}: ${visible(after)}`]),
      ];
    }),
    ...(more === 0 ? [] : [`#     and ${count(more, "further property", "further properties")}`]),
    ...(op === "replace" && causes.length === 0 && differences.length === 0
      ? ["#     follows another resource's replacement"]
      : []),
  ];
}

function secretOr(text: string): string {
  return text.includes("[secret]") ? "a secret value" : visible(text);
}
