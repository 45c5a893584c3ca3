/** Text of others (names, values, messages) in Markdown: shown as it is, and never syntax. */

/** What cannot be seen, turns the direction of a line, or ends it: as an escape that is seen. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) => {
    if (letter === "\n") return "\\n";
    return `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** Inline code: no mark-up, mention, link or emoji is looked for in it. Not for a table, which a pipe would divide. */
export function code(text: string): string {
  const shown = visible(text);
  const ticks = "`".repeat(longestRun(shown) + 1);
  // A space at both ends is not shown.
  const space = shown.trim() === "" || /^[ `]|[ `]$/.test(shown) ? " " : "";
  return `${ticks}${space}${shown}${space}${ticks}`;
}

/** A block of lines that nothing inside can end. Each line has to be `visible` already. */
export function fence(language: string, lines: readonly string[]): { open: string; close: string } {
  const ticks = "`".repeat(lines.reduce((most, line) => Math.max(most, longestRun(line)), 2) + 1);
  return { open: `${ticks}${language}\n`, close: `${ticks}\n` };
}

function longestRun(text: string): number {
  return Array.from(text.matchAll(/`+/g)).reduce((most, [run]) => Math.max(most, run.length), 0);
}

/** The block whole. */
export function fenced(language: string, lines: readonly string[]): string {
  const { open, close } = fence(language, lines);
  return `${open}${lines.map((line) => `${line}\n`).join("")}${close}`;
}

/** `1 stack`, `2 stacks`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${String(n)} ${n === 1 ? one : many}`;
}
