/** How each syntax writes a value: the quotes and escapes that its reader knows; what it cannot write is said, not shown. */
import { expect, test } from "@jest/globals";
import { parse } from "yaml";

import * as syntax from "../../components/core/syntax.ts";
import { checkValues } from "../../components/core/values.ts";

const raw = String.raw;

test.each<[string, (text: string) => string, (readonly [string, string])[]]>([
  [
    "a shell",
    syntax.shellWord,
    [
      ["", "''"],
      ["a b", "'a b'"],
      ["it's", raw`'it'\''s'`],
      ["''", raw`''\'''\'''`],
    ],
  ],
  [
    "SQL, a name",
    syntax.sqlIdentifier,
    [
      ["Order", '"Order"'],
      ['a"b"', '"a""b"""'],
    ],
  ],
  [
    "SQL, a string",
    syntax.sqlString,
    [
      ["a", "'a'"],
      ["o'b'", "'o''b'''"],
      ["\\", raw`'\'`],
    ],
  ],
  [
    "InfluxQL, a name",
    syntax.influxIdentifier,
    [
      ["a", '"a"'],
      [`"'\\\n\n`, raw`"\"\'\\\n\n"`],
    ],
  ],
  [
    "InfluxQL, a string",
    syntax.influxString,
    [
      ["a", "'a'"],
      [`"'\\\n\n`, raw`'\"\'\\\n\n'`],
    ],
  ],
  [
    "curl",
    (text) => syntax.curlOption("user", text),
    [
      ["a", 'user = "a"\n'],
      ['"\\\n\r\t', `user = ${raw`"\"\\\n\r\t"`}\n`],
    ],
  ],
  [
    "NATS",
    syntax.natsString,
    [
      ["a", '"a"'],
      ['""\\\n\n\r\t', raw`"\"\"\\\n\n\r\t"`],
    ],
  ],
  [
    "Redis",
    syntax.redisString,
    [
      ["a", '"a"'],
      ['"\\\n', raw`"\"\\\n"`],
      ["\0a\0", raw`"\x00a\x00"`],
    ],
  ],
  [
    "Telegraf",
    syntax.telegrafString,
    [
      ["a", '"a"'],
      ["$x$", raw`"\u0024x\u0024"`],
      ["\x7f\x7f", raw`"\u007f\u007f"`],
      ["@{a}:b", '"@{a}:b"'],
    ],
  ],
  [
    "Spring",
    syntax.springText,
    [
      ["a", "a"],
      ["$a", "$a"],
      ["${a}", "${platform-topologies.literal:$}{a}"],
      ["\\a", "\\a"],
      ["\\${", "${platform-topologies.literal:\\}${platform-topologies.literal:$}{"],
    ],
  ],
  [
    "Grafana",
    syntax.grafanaText,
    [
      ["a", "a"],
      ["$a$", "$$a$$"],
    ],
  ],
  [
    "a regular expression",
    syntax.regexText,
    [
      ["a_1", "a_1"],
      ["a.b-c", raw`a\.b\-c`],
      ["\\^$*+?()[]{}|/", raw`\\\^\$\*\+\?\(\)\[\]\{\}\|\/`],
    ],
  ],
])("%s", (_, write, cases) => {
  expect(cases.map(([value]) => write(value))).toEqual(cases.map(([, written]) => written));
});

test("lines of .properties: a backslash is two, a line end a letter, a blank at the beginning escaped", () => {
  expect(syntax.javaProperties({ a: "x", b: "y" })).toBe("a = x\nb = y\n");
  expect(syntax.javaProperties({ a: "\\\\\n\n\r\t" })).toBe(`a = ${raw`\\\\\n\n\r\t`}\n`);
  expect(syntax.javaProperties({ a: " x ", b: "\fx", c: "x y" })).toBe("a = \\ x \nb = \\\fx\nc = x y\n");
});

test("a connection string quotes all but plain words", () => {
  expect(syntax.dotNetConnection({ Host: "db-1.example.com", Port: "5432", "User Id": "a_b,c:d/e" })).toBe(
    "Host=db-1.example.com;Port=5432;User Id=a_b,c:d/e;",
  );
  for (const [value, written] of [
    ["", '""'],
    ["a b", '"a b"'],
    ['a"b"', '"a""b"""'],
    ["a;", '"a;"'],
    [";a", '";a"'],
  ] as const)
    expect(syntax.dotNetConnection({ P: value })).toBe(`P=${written};`);
});

test("YAML: plain words as they are, all else in quotes, keys too; nothing is folded, aliased or merged", () => {
  expect(syntax.yaml({ a: "plain word", b: "/x/y", size: 1, open: true, list: ["k=v, 2%"] })).toBe(
    "a: plain word\nb: /x/y\nsize: 1\nopen: true\nlist:\n  - k=v, 2%\n",
  );
  for (const quoted of ["a#b", "it's", " a", "-a", "&a", "*a", "{a}", "[a]", "a\tb", "!a", "~", "@a", "`a", "|", ""])
    expect(syntax.yaml([quoted])).toBe(`- ${JSON.stringify(quoted)}\n`);
  for (const text of ["yes", "no", "on", "null", "0777", "1e3", "12:30:00", "2026-01-31", "0x1f", "1_000", "="])
    for (const version of ["1.1", "1.2"] as const) expect(parse(syntax.yaml([text]), { version })).toEqual([text]);
  const long = `${"word ".repeat(60)}end`;
  expect(syntax.yaml({ long })).toBe(`long: ${long}\n`);
  const twice = { a: "x" };
  expect(syntax.yaml([twice, twice])).toBe("- a: x\n- a: x\n");
  expect(parse(syntax.yaml({ "<<": { a: 1 } }), { version: "1.2" })).toEqual({ "<<": { a: 1 } });
  expect(syntax.yaml(["\x7f\x80\x9f\u2028\u2029\ufeff\ufffe\uffff"])).toBe(
    raw`- "\u007f\u0080\u009f\u2028\u2029\ufeff\ufffe\uffff"` + "\n",
  );
  expect(syntax.yaml(["\xa0ü\ufdd0"])).toBe('- "\xa0ü\ufdd0"\n');
});

test("a section of rclone's configuration has a value a line, each in backquotes", () => {
  expect(syntax.rcloneSection("place", { type: "s3", key: ' a "b" ', back: "a`b" })).toBe(
    '[place]\ntype = `s3`\nkey = ` a "b" `\nback = `a`b`\n',
  );
  for (const value of ["50%", "%(a", "%()s", "%(a)"]) expect(syntax.rcloneSection("p", { k: value })).toContain(value);
});

test("each text in a value is changed, and nothing else: no key, no number, no nothing", () => {
  const upper = (text: string): string => text.toUpperCase();
  const value = { a: "x", list: ["y", { b: "z" }, 1, null], n: 1, t: true, none: null, no: undefined };
  expect(syntax.eachString(value, upper)).toStrictEqual({
    ...{ a: "X", list: ["Y", { b: "Z" }, 1, null], n: 1, t: true, none: null, no: undefined },
  });
  expect(syntax.eachString("x", upper)).toBe("X");
});

test("what a syntax cannot write is refused: where, and what, without the value", () => {
  const nul = "hunter2\0";
  const rclone = (value: string) => () => syntax.rcloneSection("p", { k: value });
  const refused: (readonly [() => string, string, string])[] = [
    [() => syntax.shellWord(nul), "a shell", "NUL"],
    [() => syntax.sqlIdentifier(nul), "SQL", "NUL"],
    [() => syntax.sqlString(nul), "SQL", "NUL"],
    [() => syntax.influxString(nul), "InfluxQL", "NUL or a carriage return"],
    [() => syntax.influxString("hunter2\r"), "InfluxQL", "NUL or a carriage return"],
    [() => syntax.curlOption("user", nul), "curl", "NUL"],
    [() => syntax.natsString(nul), "NATS' configuration", "NUL"],
    [() => syntax.dotNetConnection({ P: nul }), "a connection string", "NUL"],
    [() => syntax.telegrafString("hunter2@{ab:cd}"), "Telegraf", "@{name:name}"],
    ...["hunter2\0", "hunter2\n", "hunter2\r", "hunter2%(ab)s"].map(
      (value) => [rclone(value), "rclone", "a line end or %(…)s"] as const,
    ),
  ];
  for (const [write, where, what] of refused)
    expect(write).toThrow(new Error(`a value for ${where} holds ${what}, which cannot be written there`));
});

test.each<[string, string, string[]]>([
  ["AKIA123/+=", "word", []],
  ["a\\b", "it's", []],
  [" a", "x", ["backupKey"]],
  ["a\t", "x", ["backupKey"]],
  ["a", "a\nb", ["backupSecret"]],
  ["a", "a\x1fb", ["backupSecret"]],
  ["a\\\\b", "%(ab)s", ["backupKey", "backupSecret"]],
  ["a b", "50%", []],
])("the keys %j and %j of a place of backups: %j cannot be told", (backupKey, backupSecret, keys) => {
  const problems = checkValues({}, { secrets: { backupKey, backupSecret }, existing: {} });
  expect(problems).toEqual(
    keys.map((key) => ({
      key: `secrets.${key}`,
      remedy: expect.stringContaining("an object store's key is one line"),
    })),
  );
});

test("of what exists, the secrets are looked at by its kind", () => {
  const secrets = { xKey: " ", xSecret: "a\n", xPassword: "@{ab:cd}" };
  const of = (kind: string) =>
    checkValues({}, { secrets, existing: { x: { kind } as never } }).map(({ key, remedy }) => [
      key,
      remedy.split(":")[0],
    ]);
  const one = "an object store's key is one line, without a blank at its ends, two backslashes in a row or %(…)s";
  expect(of("objects")).toEqual([["secrets.xKey", one], ["secrets.xSecret", one]]); // prettier-ignore
  expect(of("influx")).toEqual([["secrets.xPassword", "Telegraf cannot be told @{name"]]);
  expect([of("redis"), checkValues({}, { secrets: {}, existing: { x: { kind: "objects" } as never } })]).toEqual([
    [],
    [],
  ]);
});

test("NUL is refused wherever it stands, with its place, and is not shown", () => {
  const config = { a: "fine", b: { c: ["x", "y\0"], d: null, e: 1 }, f: "\0" };
  expect(checkValues(config, { secrets: {}, existing: {} })).toEqual(
    ["b.c.1", "f"].map((key) => ({ key, remedy: "it holds the character NUL, which no program can be given" })),
  );
  expect(checkValues("\0", { secrets: {}, existing: {} })).toHaveLength(1);
  expect(checkValues(undefined, { secrets: {}, existing: {} })).toEqual([]);
});
