/**
 * Java's properties format, as Cantaloupe reads it: `key = value`, `key: value` or `key value`, comments with # or !,
 * a backslash at the end of a line continues it, \t \n \r \f \uXXXX are escapes, any other escaped character is itself.
 */
export function parseProperties(text: string): Map<string, string> {
  const entries = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const split = /^((?:\\.|[^\\=: \t\f])*)(?:[ \t\f]*[=:][ \t\f]*|[ \t\f]+|$)(.*)$/s.exec(line);
    if (split !== null) entries.set(unescape(split[1] ?? ""), unescape(split[2] ?? ""));
  }
  return entries;
}

function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open: string | undefined;
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, "");
    if (open === undefined && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    const whole = (open ?? "") + line;
    // An odd number of backslashes at its end continues the line. In an even number all are escaped.
    const continues = (/\\*$/.exec(whole)?.[0].length ?? 0) % 2 === 1;
    open = continues ? whole.slice(0, -1) : undefined;
    if (!continues) lines.push(whole);
  }
  if (open !== undefined) lines.push(open);
  return lines;
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, char: string | undefined) =>
    hex !== undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : (escapes[char ?? ""] ?? char ?? ""),
  );
}
