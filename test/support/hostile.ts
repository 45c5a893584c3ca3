/**
 * Values that break a text into which they are pasted, and a reader of each syntax, written from the syntax' own rules.
 */
import { output } from "@pulumi/pulumi";

/** Line ends in each form, blanks at both ends, the special characters of every syntax, and long texts. */
export const hostile: readonly string[] = [
  ...["o'brien", '"', "`id`", "$x $(id) ${HOME} ${env:HOME}", "$$", "\\", "a\\", "\\n", "a\\\\b", "${a:b}${", "\\${x}"],
  ...["pa{{ss}}word", "{{.Node.Hostname}}", "{{", "{{{", "}}", '{{"{{"}}', "{{- x -}}"],
  ...["%", "%s%n", "%(name)s", "#x", "a #b", ";x", "a;b=c", "=", ":", "a: b", "- a", "[x]", "@{a:b}", "@#&?/+%41"],
  ...["\t", "a\tb", "\n", "a\nb", "a\r\nb", "a\rb", "\nSQL\nid\n", "'; DROP TABLE x; --", "' OR 1=1", "x\n[y]\nz = 1"],
  ...[" lead", "trail ", "  ", "yes", "null", "0777", "12:30:00", "2026-01-31", "1e3", "0o17", "~", "=", "<<"],
  ...[
    "ü€漢字",
    "🔑",
    "\u202eabc",
    "\u2028x\u0085y\ufeff",
    "\x7f\x80\x01",
    "x".repeat(10_000),
    "'\"\\$`{{".repeat(1000),
  ],
];

/** The value of an Output. */
export const resolved = (value: unknown): Promise<unknown> =>
  new Promise((done) => {
    output({ value }).apply(({ value: plain }) => {
      done(plain);
    });
  });

/** .properties by the rules of java.util.Properties. */
export { parseProperties as javaProperties } from "../../rehearsal/config/properties.ts";

/**
 * .properties as Cantaloupe 4.1 and later read them (PropertiesDocument): it reads lines, trims them, and takes runs of
 * backslashes for one.
 */
export function cantaloupeProperties(text: string): Map<string, string> {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== "");
  return new Map(
    lines.map((line) => {
      const at = line.indexOf("=");
      return [
        line.slice(0, at).trim(),
        line
          .slice(at + 1)
          .trim()
          .replaceAll(/\\+/g, "\\"),
      ];
    }),
  );
}

/** A connection string by DbConnectionOptions' own pattern, which has to match as a whole. */
export function dotNet(text: string): Record<string, string> {
  const key = String.raw`(?<key>(?:[^=\s\p{Cc}]|\s+[^=\s\p{Cc}]|\s+==|==)+)`;
  const value = String.raw`(?<value>"(?:[^"\0]|"")*"|'(?:[^'\0]|'')*'|(?!["'\s])(?:[^;\s\p{Cc}]|\s+[^;\s\p{Cc}])*(?<!["']))`;
  const pair = new RegExp(String.raw`[\s;]*(?![\s;])${key}\s*=(?!=)\s*${value}\s*(?:;|$)`, "uy");
  const found: Record<string, string> = {};
  while (pair.lastIndex < text.length) {
    const { groups } = pair.exec(text) ?? {};
    if (groups === undefined) throw new Error("not a connection string");
    const { key: name = "", value: given = "" } = groups;
    const quote = /^(["'])[^]*\1$/.exec(given)?.[1];
    found[name] = quote === undefined ? given : given.slice(1, -1).replaceAll(quote + quote, quote);
  }
  return found;
}

/** InfluxQL's ScanString: the whole text has to be one string. */
export function influxString(text: string): string {
  const [quote = "", ...rest] = text.replaceAll(/\r\n?/g, "\n");
  let said = "";
  for (let at = 0; at < rest.length; at++) {
    const letter = rest[at] ?? "";
    if (letter === quote) {
      if (at !== rest.length - 1) throw new Error("it ends early");
      return said;
    }
    if (letter === "\n" || letter === "\0") throw new Error("bad string");
    if (letter !== "\\") said += letter;
    else {
      const escaped = rest[++at] ?? "";
      if (!"n\\\"'".includes(escaped)) throw new Error("bad escape");
      said += escaped === "n" ? "\n" : escaped;
    }
  }
  throw new Error("it does not end");
}

/** A word in double quotes on one line, as curl, NATS and Redis read it. `letters`: the escapes that they know. */
export function doubleQuoted(text: string, letters: Readonly<Record<string, string>>): string {
  const inner = /^"((?:[^"\\\r\n]|\\.)*)"$/u.exec(text)?.[1];
  if (inner === undefined) throw new Error("not one quoted word");
  return inner.replaceAll(/\\(x[0-9a-f]{2}|.)/gu, (_, code: string) => {
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const letter = letters[code];
    if (letter === undefined) throw new Error(`unknown escape ${code}`);
    return letter;
  });
}
const common = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };
export const curlString = (text: string): string => doubleQuoted(text, common);
export const natsString = (text: string): string => doubleQuoted(text, common);
export const redisString = (text: string): string => doubleQuoted(text, { ...common, b: "\b", a: "\x07" });

/** Telegraf: variables first, then TOML, whose basic strings are JSON's, then references to stores of secrets. */
export function telegrafString(text: string): string {
  // eslint-disable-next-line no-control-regex -- TOML allows none of these as they are
  if (/\$|[\x00-\x1f\x7f]/.test(text)) throw new Error("a variable, or no TOML");
  const value = JSON.parse(text) as string;
  if (/@\{\w+:\w+\}/.test(value)) throw new Error("a reference to a store of secrets");
  return value;
}

/** goconfig's rules, as rclone reads a section. */
export function rcloneSection(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line.trim() !== "" && !/^[#;[]/.test(line.trim()))
      .map((line) => {
        const at = line.search(/[=:]/);
        const right = line.slice(at + 1).trim();
        const quote = /^(`|"""|")/.exec(right.length >= 2 ? right : "")?.[1] ?? "";
        const end = right.lastIndexOf(quote);
        const value = quote === "" ? right : right.slice(quote.length, end);
        if (/%\([^)]+\)s/.test(value)) throw new Error("a reference to another key");
        return [line.slice(0, at).trim(), value] as const;
      }),
  );
}

/** Spring's placeholders: each has its default, as nobody defines one. */
export function spring(text: string): string {
  return text.replaceAll(/\$\{([^{}]*)\}/g, (_, inside: string) => {
    const at = inside.indexOf(":");
    if (at < 0) throw new Error(`could not resolve placeholder ${inside}`);
    return inside.slice(at + 1);
  });
}

/** Grafana's provisioning: `$$` is a dollar; a dollar before anything else begins a variable. */
export function grafana(text: string): string {
  return text
    .split("$$")
    .map((part) => {
      if (part.includes("$")) throw new Error("a variable");
      return part;
    })
    .join("$");
}

/** Go's text/template, as far as it may occur: a string in an action. */
export function goTemplate(text: string, nodeName = "?"): string {
  return text.replaceAll(/\{\{(.*?)\}\}|\{\{/gs, (_, action: string | undefined) => {
    const literal = /^"([^"\\\n]*)"$/.exec(action ?? "")?.[1];
    if (literal === undefined && action !== ".Node.Hostname") throw new Error("an action");
    return literal ?? nodeName;
  });
}
