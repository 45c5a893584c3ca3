/**
 * How a value becomes a part of a text that some program reads. A value from the config, from a secret or from a store
 * that exists already never becomes syntax: whoever writes such a text uses the one function of that syntax, or passes
 * the value as an argument, a variable or a file.
 */
import { Document, Scalar, visit } from "yaml";

import type { Dict } from "./contracts.ts";

export { swarmText } from "../../ops/template.ts";

/** No text for a process may have it: arguments and variables end there. */
const nul = "\0";

function without(pattern: RegExp, text: string, where: string, what: string): string {
  // Never the text itself: it may be a password.
  if (pattern.test(text)) throw new Error(`a value for ${where} holds ${what}, which cannot be written there`);
  return text;
}

/** One word of a POSIX shell, whatever is in it. */
export function shellWord(text: string): string {
  return `'${without(/\0/, text, "a shell", "NUL").replaceAll("'", "'\\''")}'`;
}

/** An identifier of SQL, CQL's too, as it is written: upper case, reserved words and hyphens stay what they are. */
export function sqlIdentifier(text: string): string {
  return `"${without(/\0/, text, "SQL", "NUL").replaceAll('"', '""')}"`;
}

/** A string of SQL with standard_conforming_strings, CQL's too: only the quote itself is special. */
export function sqlString(text: string): string {
  return `'${without(/\0/, text, "SQL", "NUL").replaceAll("'", "''")}'`;
}

/** InfluxQL knows no escape for a carriage return, and takes a bare one for a line end. */
const influxText = (text: string): string =>
  without(/[\0\r]/, text, "InfluxQL", "NUL or a carriage return")
    .replaceAll(/["'\\]/g, "\\$&")
    .replaceAll("\n", "\\n");

export const influxIdentifier = (text: string): string => `"${influxText(text)}"`;
export const influxString = (text: string): string => `'${influxText(text)}'`;

const named: Dict<string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
/** In double quotes, with backslashes before `"` and `\`, and these letters for what breaks a line. */
const doubleQuoted = (text: string): string =>
  `"${text.replaceAll(/["\\]/g, "\\$&").replaceAll(/[\n\r\t]/g, (c) => named[c] ?? c)}"`;

/** A line of curl's configuration file. */
export function curlOption(option: string, text: string): string {
  return `${option} = ${doubleQuoted(without(/\0/, text, "curl", "NUL"))}\n`;
}

/** A string of NATS' configuration. */
export function natsString(text: string): string {
  return doubleQuoted(without(/\0/, text, "NATS' configuration", "NUL"));
}

/** An argument in redis.conf. */
export function redisString(text: string): string {
  return doubleQuoted(text).replaceAll(nul, "\\x00");
}

/**
 * A string of Telegraf's TOML. Telegraf puts variables of its environment into the text before it parses it, so the
 * text may show no `$`. It looks `@{store:key}` up in a store of secrets, and has no other way to write that.
 */
export function telegrafString(text: string): string {
  return JSON.stringify(without(/@\{\w+:\w+\}/, text, "Telegraf", "@{name:name}"))
    .replaceAll("\x7f", "\\u007f")
    .replaceAll("$", "\\u0024");
}

/**
 * Lines of a .properties file that Java's reader and Cantaloupe's own (PropertiesDocument, UTF-8) understand alike. A
 * backslash is written as two; other special characters of Java's may stand in a value as they are. Cantaloupe's reader
 * has no way to write a line end: it becomes Java's escape here, and values.ts refuses it where it is set.
 */
export function javaProperties(values: Dict<string>): string {
  const escaped = (text: string): string =>
    text
      .replaceAll("\\", "\\\\")
      .replaceAll(/[\n\r\t]/g, (c) => named[c] ?? c)
      .replace(/^[ \f]/, "\\$&");
  return Object.entries(values)
    .map(([key, value]) => `${key} = ${escaped(value)}\n`)
    .join("");
}

/** A connection string of .NET (DbConnectionStringBuilder): `key=value;`, with quotes around all but plain words. */
export function dotNetConnection(values: Dict<string>): string {
  return Object.entries(values)
    .map(([key, value]) => {
      const plain = /^[\w.,:/-]+$/.test(value);
      const text = without(/\0/, value, "a connection string", "NUL");
      return `${key}=${plain ? text : `"${text.replaceAll('"', '""')}"`};`;
    })
    .join("");
}

/** Text that every YAML reader takes for a string, unless it is a number, a date or a word such as `yes`. */
const plainYaml = /^[\w/][\w ./:@?&=+%,-]*$/;

/**
 * YAML that readers of 1.1 (Python's, Java's) and of 1.2 understand alike. 1.1 takes `yes`, `0777`, `12:30:00` and
 * `2026-01-31` for other types, so all text but plain words is in double quotes.
 */
export function yaml(value: unknown): string {
  const document = new Document(value, {
    version: "1.1",
    compat: "core",
    customTags: (tags) => tags.filter((tag) => typeof tag === "string" || tag.tag !== "tag:yaml.org,2002:merge"),
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === "string" && !plainYaml.test(scalar.value)) scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // 1.1 refuses some of these, and takes others for line ends.
  return document
    .toString({ lineWidth: 0 })
    .replaceAll(
      /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/**
 * Text for a configuration file that Spring reads. Spring resolves `${name}` in every value, and has an escape only
 * since 6.2. In every version a placeholder that nobody defines becomes its default.
 */
export function springText(text: string): string {
  return text.replaceAll(/\\(?=\\*\$\{)|\$(?=\{)/g, (special) => `\${platform-topologies.literal:${special}}`);
}

/** Text for a provisioning file: Grafana puts variables of its environment into every value. */
export function grafanaText(text: string): string {
  return text.replaceAll("$", "$$$$");
}

/** Applies `change` to each string in a value, but not to keys. */
export function eachString<T>(value: T, change: (text: string) => string): T {
  const changed = (one: unknown): unknown => {
    if (typeof one === "string") return change(one);
    if (Array.isArray(one)) return one.map(changed);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, changed(inner)]));
  };
  return changed(value) as T;
}

/** Text that rclone's configuration cannot hold: a value ends with its line, and `%(name)s` means another value. */
export const notForRclone = /[\0\r\n]|%\([^)]+\)s/;

/**
 * A section of rclone's configuration. Values are in backquotes, of which the last ends a value: blanks and quotes
 * stay.
 */
export function rcloneSection(name: string, values: Dict<string>): string {
  const lines = Object.entries(values).map(
    ([key, value]) => `${key} = \`${without(notForRclone, value, "rclone", "a line end or %(…)s")}\`\n`,
  );
  return `[${name}]\n${lines.join("")}`;
}

/** A regular expression (PCRE) that finds this text alone. */
export function regexText(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
