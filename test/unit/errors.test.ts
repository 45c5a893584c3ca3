/** What an operator reads of a mistake: one line with the key, what stands there, never a secret, and what would be right. */
import { describe, expect, test } from "@jest/globals";
import { RunError } from "@pulumi/pulumi";
import { z } from "zod";

import { ConfigError, listed, refuse, sentence, shortened } from "../../components/core/errors.ts";
import { parse, zodProblems } from "../../components/core/parse.ts";

describe("a sentence", () => {
  const of = (value: unknown, key = "k") => sentence({ key, value, remedy: "r" });

  test.each<[unknown, string]>([
    [undefined, "k: r"],
    ["text", 'k = "text": r'],
    ["", 'k = "": r'],
    [0, "k = 0: r"],
    [false, "k = false: r"],
    [null, "k = null: r"],
    [{ a: [1] }, 'k = {"a":[1]}: r'],
    ["a\nb", 'k = "a\\nb": r'],
    [() => 1, "k: r"], // JSON has none
    ["-----BEGIN PRIVATE KEY-----x", "k: r"],
    [["-----BEGIN EC PRIVATE KEY-----x"], "k: r"],
    ["-----BEGIN CERTIFICATE-----x", 'k = "-----BEGIN CERTIFICATE-----x": r'],
  ])("of %j", (value, expected) => {
    expect(of(value)).toBe(expected);
  });

  test.each([
    ["https://user:word@s3.example.com/a", "https://…@s3.example.com/a"],
    ["http://word@s3.example.com", "http://…@s3.example.com"],
    ["redis://user:word@r.example.com:1", "redis://user:…@r.example.com:1"],
    ["ssh://me@m.example.com", "ssh://me@m.example.com"], // a user is no password
    ["https://s3.example.com/@a", "https://s3.example.com/@a"],
    ["https://s3.example.com", "https://s3.example.com"],
    ["https://a:b@c https://d:e@f", "https://…@c https://…@f"],
  ])("of the address %s shows no password: %s", (address, shown) => {
    expect(of(address)).toBe(`k = ${JSON.stringify(shown)}: r`);
    expect(of([address])).toBe(`k = ${JSON.stringify([shown])}: r`);
  });

  test("is of one line, and of bounded length, whatever the key and the value are", () => {
    expect(of(1, 'a\nb"c')).toBe('a\\nb\\"c = 1: r');
    const long = of("v".repeat(1000), "k".repeat(1000));
    expect(long).toBe(`${"k".repeat(99)}… = "${"v".repeat(98)}…: r`);
  });
});

test("what is too long ends in three dots, as a text and as a list", () => {
  expect([shortened("abc", 3), shortened("abcd", 3), shortened("", 3)]).toEqual(["abc", "ab…", ""]);
  expect([shortened("x".repeat(100)), shortened("x".repeat(101))]).toEqual(["x".repeat(100), `${"x".repeat(99)}…`]);
  expect(listed(["one", "two"])).toBe("one, two");
  expect(listed(["one", "two"], 8)).toBe("one, two");
  expect(listed(["one", "two"], 7)).toBe("one, …");
  expect(listed(["one", "two", "three"], 9)).toBe("one, two, …");
  expect(listed(Array.from({ length: 30 }, () => "12345678")).length).toBeLessThan(153);
});

test("all mistakes come at once, counted, without a stack trace; none is no error", () => {
  expect(() => {
    refuse([]);
  }).not.toThrow();
  const problems = [
    { key: "a", value: 1, remedy: "more" },
    { key: "b", remedy: "less" },
  ];
  const thrown = (some: typeof problems | readonly [(typeof problems)[0]]): unknown => {
    try {
      refuse(some);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const error = thrown(problems);
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toBeInstanceOf(RunError);
  expect(error).toMatchObject({
    problems,
    message: "2 problems, nothing was changed:\n  - a = 1: more\n  - b: less",
    stack: "2 problems, nothing was changed:\n  - a = 1: more\n  - b: less",
  });
  expect(thrown([{ key: "a", value: 1, remedy: "more" }])).toMatchObject({
    message: "1 problem, nothing was changed:\n  - a = 1: more",
  });
});

describe("what a schema refuses", () => {
  const store = z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("sql"), port: z.number() }),
    z.strictObject({ kind: z.literal("s3"), bucket: z.string() }),
  ]);
  const schema = z.strictObject({
    name: z.string().default("x"),
    size: z.number("a number").optional(),
    mode: z.enum(["one", "two"]).optional(),
    inner: z.strictObject({ left: z.string(), right: z.string().optional() }).prefault({ left: "l" }),
    stores: z.record(z.string().regex(/^[a-z]+$/, "lower case"), store).optional(),
    list: z.array(z.strictObject({ deep: z.string() })).optional(),
    secrets: z.record(z.string(), z.string()).optional(),
    store: store.optional(),
  });
  const said = (raw: unknown, prefix?: string[]) => {
    const { error } = schema.safeParse(prefix === undefined ? raw : (raw as { at: unknown }).at);
    return error === undefined ? [] : zodProblems(error, schema, raw, prefix).map(sentence);
  };

  test.each<[string, object, string[]]>([
    ["nothing", {}, []],
    ["an unknown key", { siz: 1 }, ['siz: unknown key (did you mean "size"?); known are ALL']],
    ["two unknown keys", { foo: 1, baz: 2 }, ["foo: unknown key; known are ALL", "baz: unknown key; known are ALL"]],
    [
      "an unknown key inside",
      { inner: { left: "l", lefts: "m" } },
      ['inner.lefts: unknown key (did you mean "left"?); known are left, right'],
    ],
    [
      "an unknown key in a list",
      { list: [{ deep: "x" }, { deep: "x", deeper: 1 }] },
      ['list.1.deeper: unknown key (did you mean "deep"?); known are deep'],
    ],
    [
      "an unknown key of a form, by the kind that is named",
      { stores: { a: { kind: "s3", bucket: "b", port: 1 } }, store: { kind: "sql", port: 1, bucket: "b" } },
      ["stores.a.port: unknown key; known are kind, bucket", "store.bucket: unknown key; known are kind, port"],
    ],
    ["an unknown kind", { store: { kind: "nfs" } }, ['store.kind = "nfs": one of sql, s3']],
    ["a missing kind", { store: {} }, ["store.kind: missing: one of sql, s3"]],
    [
      "a key of the wrong form",
      { stores: { A: { kind: "sql", port: 1 } } },
      ['stores.A = {"kind":"sql","port":1}: lower case'],
    ],
    ["a wrong word", { mode: "three" }, ['mode = "three": Invalid option: expected one of "one"|"two"']],
    ["a wrong type, with words of its own", { size: "x" }, ['size = "x": a number']],
    ["a missing value", { inner: {} }, ["inner.left: missing: expected string"]],
    [
      "a number for a text",
      { name: 12 },
      [
        "name = 12: Invalid input: expected string, received number: put it in quotes, or pulumi config set --path --type string <key> <value>",
      ],
    ],
    [
      "a word that YAML reads otherwise",
      { name: true },
      [
        "name = true: Invalid input: expected string, received boolean: put it in quotes, or pulumi config set --path --type string <key> <value>",
      ],
    ],
    ["a list for a text", { name: [] }, ["name = []: Invalid input: expected string, received array"]],
    [
      "a secret of the wrong type",
      { secrets: { word: 12345 } },
      [
        "secrets.word: Invalid input: expected string, received number: put it in quotes, or pulumi config set --path --secret <key> <value>",
      ],
    ],
    ["a true for a number", { size: true }, ["size = true: a number"]],
  ])("%s", (_, raw, expected) => {
    const all = "name, size, mode, inner, stores, list, secrets, store";
    expect(said(raw)).toEqual(expected.map((each) => each.replace("ALL", all)));
  });

  test("below a key has that key before its own", () => {
    expect(said({ at: { size: "x", inner: { left: 1 } } }, ["at"])).toEqual([
      'at.size = "x": a number',
      expect.stringMatching(/^at\.inner\.left = 1: Invalid input: expected string, received number: put it in quotes/),
    ]);
    expect(said({ at: { store: { kind: "s3", bucket: "b", x: 1 } } }, ["at"])).toEqual([
      "at.store.x: unknown key; known are kind, bucket",
    ]);
  });

  test("is told by its own words where it is no matter of a type, also for a value that is missing", () => {
    const of = (own: z.ZodType, raw: unknown) => {
      const { error } = own.safeParse(raw);
      return error === undefined ? [] : zodProblems(error, own, raw).map(sentence);
    };
    expect(of(z.object({ mode: z.enum(["one", "two"]) }), {})).toEqual([
      'mode: Invalid option: expected one of "one"|"two"',
    ]);
    const either = z.object({ size: z.union([z.number(), z.boolean()], "a number or a flag") });
    expect(of(either, { size: "x" })).toEqual(['size = "x": a number or a flag']);
    // Within a form, the keys are those of what the form has there.
    const inner = z.strictObject({ left: z.string() });
    const forms = [z.strictObject({ kind: z.literal("a"), inner }), z.strictObject({ kind: z.literal("b") })] as const;
    const to = z.strictObject({ to: z.discriminatedUnion("kind", forms) });
    expect(of(to, { to: { kind: "a", inner: { left: "x", lefts: 1 } } })).toEqual([
      'to.inner.lefts: unknown key (did you mean "left"?); known are left',
    ]);
  });

  test("of an importer is an error, and what is right comes back with its defaults", () => {
    expect(parse(schema, { size: 2 })).toEqual({ name: "x", size: 2, inner: { left: "l" } });
    expect(() => parse(schema, { size: "x" })).toThrow('1 problem, nothing was changed:\n  - size = "x": a number');
  });
});
