/** The comment: from recorded previews of the real engine, from hostile names, and at the forges' limits. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import { describe, expect, test } from "@jest/globals";

import { digestOf, digests, type Change, type Digest } from "../../comment/digest.ts";
import { keptOf, type Kept } from "../../comment/events.ts";
import { comment, marker, withoutLink } from "../../comment/render.ts";
import { redactor } from "../../comment/secrets.ts";
import { repo } from "../../tools/setup/paths.ts";
import { hostile } from "../support/hostile.ts";
import { password } from "../support/previewed.ts";

const limit = 65_536;

/** Each line goes through the reader's own filter, as on the day it was recorded. */
function recorded(name: string): Digest {
  const file = join(repo, "test/data/previews", `${name}.jsonl.gz`);
  const [head = "", ...lines] = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  const { exitCode, said } = JSON.parse(head) as { exitCode: number; said: string };
  const events = lines.map(keptOf).filter((event) => event !== undefined);
  expect(events).toHaveLength(lines.length);
  return digestOf({ stack: name, events, exitCode, said, redact: redactor([]) });
}

const names = (changes: readonly Change[], op: string): string[] =>
  changes.filter((each) => each.op === op).map(({ urn }) => urn.split("::").slice(2).join(" "));

const quiet: Digest = { stack: "quiet", failed: false, changes: [], unchanged: 3, violations: [], messages: [] };

describe("recorded previews", () => {
  test("everything is created", () => {
    const digest = recorded("create");
    expect(digest).toMatchObject({ failed: false, unchanged: 0 });
    expect(new Set(digest.changes.map(({ op }) => op))).toEqual(new Set(["create"]));
    expect(digest.changes).toHaveLength(9); // and the stack itself, which Pulumi counts, too
    expect(digest.cost?.before).toEqual({ dollars: 0, unpriced: [] });
    const text = comment([digest], { limit });
    expect(text).toMatch(/^\| `create` \| 9 \| – \| – \| – \| \$0 → \$\d+ \|$/m);
    expect(text).not.toContain("CAUTION");
    expect(text).toContain("+ create  aws:rds/instance:Instance  db\n");
  });

  test("nothing changes", () => {
    const digest = recorded("same");
    expect(digest).toMatchObject({ failed: false, changes: [], unchanged: 9, messages: [] });
    const text = comment([digest], { limit });
    expect(text).toMatch(/^\| `same` nothing changes \| – \| – \| – \| – \| \$\d+ \|$/m);
    expect(text).not.toContain("<details>");
  });

  test("an update, with the differences of the provider's resources and of our own", () => {
    const digest = recorded("update");
    expect(names(digest.changes, "update")).toEqual(["aws:ecs/service:Service app"]);
    expect(names(digest.changes, "replace")).toEqual([
      "aws:ecs/taskDefinition:TaskDefinition app",
      "platform-topologies:index:EcsGate app",
    ]);
    const text = comment([digest], { limit });
    expect(text).not.toContain("CAUTION"); // nothing of it holds data
    expect(text).toContain("-     desiredCount: 1\n+     desiredCount: 3\n");
    expect(text).toContain('-     memory (replaces): "512"\n+     memory (replaces): "1024"\n');
    // Inside the JSON of a task, and of a resource whose provider tells no differences.
    expect(text).toContain('+     containerDefinitions.app.image (replaces): "registry.example.com/app:1024"\n');
    expect(text).toContain("-     seconds: 301\n+     seconds: 303\n");
    expect(text).toContain("+     taskDefinition (replaces): (not known yet)\n");
    const { before, after } = digest.cost ?? { before: { dollars: 0 }, after: { dollars: 0 } };
    expect(after.dollars).toBeGreaterThan(before.dollars);
  });

  test("a replaced store is loud, and says which property asks for it", () => {
    const digest = recorded("replace");
    expect(names(digest.changes, "replace")).toEqual(["aws:rds/instance:Instance db"]);
    const text = comment([quiet, digest], { limit });
    expect(text).toContain("> **1 resource with data is replaced or deleted**\n");
    expect(text).toContain(
      "> - `replace`: **replaced** `db` (`aws:rds/instance:Instance`), because of `storageEncrypted`\n",
    );
    expect(text).toMatch(/^\| `replace` \| – \| – \| \*\*1\*\* \| – \|/m);
    expect(text.indexOf("CAUTION")).toBeLessThan(text.indexOf("| stack |"));
    expect(text).toContain("- replace (data)  aws:rds/instance:Instance  db\n");
    expect(text).toContain("-     storageEncrypted (replaces): true\n+     storageEncrypted (replaces): false\n");
  });

  test("a deleted store is loud", () => {
    const digest = recorded("delete");
    expect(names(digest.changes, "delete")).toEqual(["aws:rds/instance:Instance db"]);
    const text = comment([digest], { limit });
    expect(text).toContain(
      "> - `delete`: **deleted** `db` (`aws:rds/instance:Instance`): the program no longer has it\n",
    );
    expect(digest.cost?.after.dollars).toBeLessThan(digest.cost?.before.dollars ?? 0);
  });

  test("a preview that failed is a comment with the reason", () => {
    const digest = recorded("failed");
    expect(digest.failed).toBe(true);
    const text = comment([digest, recorded("same")], { limit });
    expect(text).toMatch(/^\| `failed` \*\*failed\*\* \|.*\| – \|$/m);
    expect(text).toContain("**`failed` failed**");
    expect(text).toContain("cannot connect to postgres://root:[secret]@db, nor with [secret]");
    expect(text.indexOf("| `failed`")).toBeLessThan(text.indexOf("| `same`"));
  });

  test("a broken policy, with its resource", () => {
    const digest = recorded("policy");
    expect(digest.failed).toBe(true);
    expect(digest.violations.map(({ level }) => level)).toContain("mandatory");
    const text = comment([digest], { limit });
    expect(text).toContain(
      "- `platform-topologies/database-private` (`mandatory`) in `policy` at `db`: " +
        "`RDS.2, CIS AWS 3.2.3: a database has no public address; db is not so`\n",
    );
    expect(text).not.toContain("preview failed"); // the engine's own last word, which has no reason in it
  });

  test("300 replaced disks fit, and it says how many are left out", () => {
    const digest = recorded("many");
    expect(digest.changes).toHaveLength(300);
    const text = comment([digest], { limit });
    expect(text.length).toBeLessThanOrEqual(limit);
    expect(text).toContain("**300 resources with data are replaced or deleted**");
    const loud = [...text.matchAll(/^> - `many`/gm)].length;
    expect(text).toContain(`> - and ${String(300 - loud)} further ones\n`);
    expect(comment([digest], { limit: 1_000_000 })).not.toMatch(/left out|further/);
  });

  test.each(["create", "same", "update", "replace", "delete", "failed", "policy", "many"])(
    "%s: no secret, no time, no unknown's id; the same twice, whatever the order of its events",
    (name) => {
      const text = gunzipSync(readFileSync(join(repo, "test/data/previews", `${name}.jsonl.gz`))).toString();
      expect(text).not.toContain(password);
      expect(text).not.toContain('"debug"');
      const shown = comment([recorded(name)], { limit });
      expect(shown).not.toMatch(/04da6b54|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}/);
      expect(shown).not.toMatch(/\d\d:\d\d:\d\d|\b1[67]\d{8}\b/);
      const [head = "", ...lines] = text.trimEnd().split("\n");
      const { exitCode, said } = JSON.parse(head) as { exitCode: number; said: string };
      const events = lines
        .map(keptOf)
        .filter((event) => event !== undefined)
        .reverse();
      const turned = digestOf({ stack: name, events, exitCode, said, redact: redactor([]) });
      expect(comment([turned], { limit })).toBe(shown);
    },
  );

  test("what a job passes on comes back as it was", () => {
    const stacks = ["update", "failed", "policy"].map(recorded);
    const { stacks: read } = digests.parse(JSON.parse(JSON.stringify({ version: 1, stacks })));
    expect(comment(read, { limit })).toBe(comment(stacks, { limit }));
  });
});

describe("events", () => {
  test.each([
    ["a debug event", { diagnosticEvent: { severity: "debug", message: password } }],
    ["one of another kind", { preludeEvent: { config: { "shop:password": password } } }],
    ["its times and numbers", { sequence: 1, timestamp: 2, stdoutEvent: { message: password } }],
  ])("%s is dropped", (_, event) => {
    expect(keptOf(JSON.stringify(event))).toBeUndefined();
  });

  test.each(["", "not an event", "{", "[]", '"text"', "null"])("%j is none", (line) => {
    expect(keptOf(line)).toBeUndefined();
  });
});

const step = (op: string, name: string, more: object = {}): Kept => {
  const event = keptOf(
    JSON.stringify({ resourcePreEvent: { metadata: { op, urn: `urn:pulumi:s::p::t:index:T::${name}`, ...more } } }),
  );
  if (event === undefined) throw new Error("not kept");
  return event;
};
const digest = (events: readonly Kept[], redact = redactor([]), exitCode = 0): Digest =>
  digestOf({ stack: "s", events, exitCode, said: "", redact });
const state = (inputs: object, more: object = {}): object => ({ inputs, outputs: inputs, ...more });

describe("changes", () => {
  test("a replacement has three steps, in any order, and its reasons in one", () => {
    const [old, now] = [state({ a: 1 }), state({ a: 2 })];
    const steps = [
      step("delete-replaced", "x", { old }),
      step("replace", "x", { old, new: now }),
      step("create-replacement", "x", { old, new: now, keys: ["a"], detailedDiff: null }),
    ];
    for (const events of [steps, [...steps].reverse()])
      expect(digest(events).changes).toMatchObject([
        { op: "replace", causes: ["a"], differences: [{ path: "a", before: "1", after: "2", replaces: true }] },
      ]);
  });

  test("one that follows another says so", () => {
    const [old, now] = [state({ a: 1 }, { protect: true }), state({ a: 1 }, { protect: true })];
    const { changes } = digest([step("create-replacement", "x", { old, new: now })]);
    expect(changes).toMatchObject([{ op: "replace", causes: [], precious: true }]);
    expect(comment([digest([step("replace", "x", { old, new: now })])], { limit })).toContain(
      "no property of its own asks for it, another resource's replacement does",
    );
  });

  test("what is left over from an interrupted replacement is no deletion", () => {
    const old = state({}, { delete: true });
    expect(digest([step("same", "x", { old }), step("delete", "x", { old })]).changes).toEqual([]);
  });

  test.each([
    ["secrets look alike", "[secret]", "[secret]", "!     a: a secret value\n"],
    ["one becomes a secret", "plain", "[secret]", '-     a: "plain"\n+     a: "[secret]"\n'],
    ["an object", { b: { c: 1 } }, { b: { c: 2 } }, "-     a.b.c: 1\n+     a.b.c: 2\n"],
    ["a list", [1, 2], [1, 3, 4], "-     a[1]: 2\n+     a[1]: 3\n+     a[2]: 4\n"],
    ["a key with dots", { "b.c": 1 }, { "b.c": 2 }, '-     a["b.c"]: 1\n+     a["b.c"]: 2\n'],
    ["another order is none", { b: 1, c: 2 }, { c: 2, b: 3 }, "-     a.b: 1\n+     a.b: 3\n"],
    ["the JSON of one", '{"b":1,"c":2}', '{"c":2,"b":3}', "-     a.b: 1\n+     a.b: 3\n"],
    [
      "members with names",
      [
        { name: "A", value: 1 },
        { name: "B", value: 2 },
      ],
      [
        { name: "0", value: 0 },
        { name: "B", value: 3 },
        { name: "A", value: 1 },
      ],
      '+     a.0: {"name":"0","value":0}\n-     a.B.value: 2\n+     a.B.value: 3\n',
    ],
    [
      "members with one name",
      [
        { name: "A", b: 1 },
        { name: "A", b: 2 },
      ],
      [
        { name: "A", b: 1 },
        { name: "A", b: 3 },
      ],
      "-     a[1].b: 2\n+     a[1].b: 3\n",
    ],
    ["texts are no members with names", ["x", "y"], ["y"], '-     a[0]: "x"\n+     a[0]: "y"\n-     a[1]: "y"\n'],
    ["the engine's own marks", { __defaults: [] }, { __defaults: ["x"], b: 1 }, "+     a.b: 1\n"],
  ])("%s", (_, before, after, shown) => {
    const detailedDiff = { a: { diffKind: "update", inputDiff: true } };
    const told = { old: state({ a: before }), new: state({ a: after }), detailedDiff };
    expect(comment([digest([step("update", "x", told)])], { limit })).toContain(`T  x\n${shown}`);
  });

  test("long values are cut around the place where they differ, and never through a secret", () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const text = (end: string): string => `${"x".repeat(150)}${secret}${"y".repeat(200)}${end}`;
    const told = { old: state({ a: text("1") }), new: state({ a: text("2") }) };
    const { changes } = digest([step("update", "x", told)], redactor([secret]));
    const { before = "", after = "" } = changes[0]?.differences[0] ?? {};
    expect([before, after].every((each) => each.length <= 162)).toBe(true);
    expect([before.at(-2), after.at(-2)]).toEqual(["1", "2"]);
    for (let at = 0; at + 8 <= secret.length; at++)
      expect(JSON.stringify(changes)).not.toContain(`x${secret.slice(0, 8)}`);
    expect(JSON.stringify(digest([step("update", "x", told)]).changes)).toContain("yyy");
  });

  test("a resource with very many properties shows the first, and how many more there are", () => {
    const of = (n: number): object => Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${String(i)}`, n]));
    const [change] = digest([step("update", "x", { old: state(of(1)), new: state(of(2)) })]).changes;
    expect([change?.differences.length, change?.more]).toEqual([60, 440]);
  });
});

test("a program that reports an error and ends well has not failed, as the CLI has it", () => {
  const event = keptOf(JSON.stringify({ diagnosticEvent: { severity: "error", message: "too few" } }));
  if (event === undefined) throw new Error("not kept");
  expect(digest([event]).failed).toBe(false);
  expect(comment([digest([event])], { limit })).toContain("**`s` reports an error**\n\n```\n  too few\n```\n");
  expect(comment([digest([event], redactor([]), 255)], { limit })).toContain("**`s` failed**\n\n```\n  too few\n```\n");
  expect(comment([digest([], redactor([]), 1)], { limit })).toContain("**`s` failed**, and Pulumi gave no reason.");
});

describe("secrets", () => {
  const pem = `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}\n${"B".repeat(64)}\n-----END PRIVATE KEY-----\n`;
  test.each([
    ["as it is", `wrong: ${password}!`, [password]],
    ["in a URL", `https://x/?p=${encodeURIComponent("p@ss w/rd")}`, ["p@ss w/rd"]],
    ["in JSON", JSON.stringify({ p: 'quo"te\\d' }), ['quo"te\\d']],
    ["in base64", Buffer.from(`user:${password}:x`).toString("base64"), [password]],
    ["a line of a key", `bad key ${"B".repeat(64)}`, [pem]],
  ])("%s", (_, text, known) => {
    const shown = redactor(known)(text);
    expect(shown).toContain("[secret]");
    for (const each of known) expect(shown).not.toContain(each);
    expect(shown.length).toBeLessThan(text.length);
  });

  test.each([
    ["postgres://root:hunter22@db/x", "postgres://root:[secret]@db/x"],
    ["key AKIAIOSFODNN7EXAMPLE", "key [secret]"],
    [`ghp_${"a1".repeat(18)}`, "[secret]"],
    [pem.trim(), "[secret]"],
    [pem.slice(0, 60), "[secret]"],
    ['{"password": "hunter22"}', '{"password": "[secret]"}'],
    ["PASSWORD=hunter22 x", "PASSWORD=[secret] x"],
    // No secrets:
    ["arn:aws:secretsmanager:eu-central-1:1:secret:shop-db-1", undefined],
    ["error: incorrect passphrase: try again", undefined],
    ["https://example.com:8080/a@b", undefined],
  ])("%j", (text, shown = text) => {
    expect(redactor([])(text)).toBe(shown);
  });
});

/** What a forge makes of a comment: which lines are ours, and which stand in a block of code. */
function outside(text: string): string {
  let close: string | undefined;
  return text
    .split("\n")
    .filter((line) => {
      const ticks = /^(`{3,})[^`]*$/.exec(line)?.[1];
      if (close !== undefined) {
        // CommonMark: up to three spaces, as many ticks or more, and nothing else.
        if (new RegExp(`^ {0,3}\`{${String(close.length)},}\\s*$`).test(line)) close = undefined;
        return false;
      }
      close = ticks;
      return ticks === undefined;
    })
    .join("\n")
    .replaceAll(/(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)/g, "‹code›"); // spans do not nest, and end with as many ticks
}

const evil = [
  ...hostile.filter((each) => each.length < 1000),
  ...["`", "``", "```", "a`b``c```d````e", "`````", " `x` ", "~~~", "```\n@team\n```"],
  ...["|", "a|b", "a\\|b", "| --- | --- |", "</details>", "<script>alert(1)</script>", "<img src=x onerror=y>"],
  ...[
    marker,
    "-->",
    "<!--",
    `\n${marker}\n`,
    "@octocat",
    "@acme/owners",
    "#1",
    "GH-1",
    "acme/shop#1",
    "!1",
    "%1",
    "~bug",
  ],
  ...["/close", "\n/merge\n", "\n/approve", ":tada:", "https://evil.example", "www.evil.example", "a@evil.example"],
  ...["[x](https://evil.example)", "![x](https://evil.example/y.png)", "# title", "\n---\n", "- [ ] x", "> [!NOTE]"],
  ...["\u202eabc\u202c", "\u2066x\u2069", "a\u200bb", "\ufeff", "\u0000", "\u001b[31mred", "\ud800", "👩‍👩‍👧", "e\u0301"],
  ...["constructor", "__proto__", "a::b::c", "$", "\r\n", "\u2028", "\u0085", "&lt;b&gt;", "\\`x\\`", "**x**", "_x_"],
];

describe("hostile names and values", () => {
  test.each(evil.map((each) => [JSON.stringify(each), each] as const))("%s", (_, text) => {
    const told = {
      ...{ old: state({ [text]: text, a: text }, { protect: true }), new: state({ [text]: `${text}2`, a: 2 }) },
      keys: [text],
    };
    const policy = keptOf(
      JSON.stringify({
        policyEvent: {
          ...{ resourceUrn: `urn:pulumi:s::p::t::${text}`, message: text, policyName: text },
          ...{ policyPackName: text, enforcementLevel: "mandatory" },
        },
      }),
    );
    const error = keptOf(
      JSON.stringify({ diagnosticEvent: { severity: "error", message: text, urn: `u::p::t::${text}` } }),
    );
    const warning = keptOf(JSON.stringify({ diagnosticEvent: { severity: "warning", message: text } }));
    if (!policy || !error || !warning) throw new Error("not kept");
    const found = digest([step("create-replacement", text, told), policy, error, warning], redactor([]), 1);
    const look = { limit, note: text, link: `https://example.com/${text}` };
    const shown = comment(
      [{ ...found, cost: { before: { dollars: 0, unpriced: [] }, after: { dollars: 1, unpriced: [text] } } }],
      look,
    );

    expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    expect(shown.startsWith(`${marker}\n`)).toBe(true);
    // Beside code there is nothing but what we write ourselves.
    const harmless = comment([{ ...digest([step("create-replacement", "x", { ...told, keys: ["x"] })]) }], { limit });
    expect(harmless).toContain("CAUTION");
    const ours = outside(shown)
      .replace("## Preview", "")
      .replace(/\[the run\]\(<[^<>\s]*>\)/, "link");
    expect(ours).toMatch(/^[\w\s!"$()*,./:;<>=&|[\]{}‹›–→+-]*$/u);
    expect(ours.match(/<[^>]*>/g) ?? []).toEqual(
      expect.arrayContaining(["<details>", "<summary>", "<code>", "</code>", "</summary>", "</details>"]),
    );
    for (const word of ["octocat", "evil", "team", "script", "onerror", "close", "merge", "tada", "title"])
      expect(ours).not.toContain(word);
    const table = shown.split("\n").filter((line) => line.startsWith("|"));
    expect(new Set(table.map((line) => line.split("|").length))).toEqual(new Set([8]));
  });

  test("a file of a fork that names a stack otherwise than Pulumi would is refused", () => {
    for (const stack of ["a|b", "<b>", "`", "", "a b", "@x", "a/b/c/d"])
      expect(digests.safeParse({ version: 1, stacks: [{ ...quiet, stack }] }).success).toBe(false);
    expect(digests.safeParse({ version: 1, stacks: [{ ...quiet, stack: "acme/shop/pr-1.x_y" }] }).success).toBe(true);
  });
});

describe("limits", () => {
  const change = (n: number, size: number): Change => ({
    ...{ op: "update", urn: `urn:pulumi:s::p::t:index:T::r${String(n).padStart(4, "0")}`, precious: false },
    ...{ causes: [], more: 0, differences: [{ path: "a", before: "`".repeat(size), after: "\u{1f511}".repeat(size) }] },
  });
  const stack = (name: string, resources: number, size = 20): Digest => ({
    ...{ ...quiet, stack: name },
    changes: Array.from({ length: resources }, (_, n) => change(n, size)),
  });
  const shown = (text: string, name: string): number => {
    const block = text.split("<details>").find((each) => each.includes(`<code>${name}</code>`)) ?? "";
    return block.split("! update").length - 1;
  };

  test.each([2000, 10_000, 65_536, 1_000_000])("%i characters are never too few", (most) => {
    for (const stacks of [
      [stack("a", 3000)],
      Array.from({ length: 400 }, (_, n) => stack(`stack-${String(n)}`, 5)),
      [stack("a", 1), stack("b", 2000, 160), stack("c", 10)],
      Array.from({ length: 5 }, (_, n) => ({
        ...stack(`failed-${String(n)}`, 50),
        failed: true,
        messages: Array.from({ length: 50 }, (__, m) => ({
          severity: "error" as const,
          text: String(m).repeat(3000),
        })),
      })),
    ]) {
      const text = comment(stacks, { limit: most, link: "https://example.com/1" });
      expect(text.length).toBeLessThanOrEqual(most);
      expect(text.split("<details>").length).toBe(text.split("</details>").length);
      expect(text.endsWith("[the run](<https://example.com/1>)\n")).toBe(true);
    }
  });

  test("small stacks stay whole, a large one has whole resources and says what is missing", () => {
    const text = comment([stack("large", 3000), stack("small", 10), stack("tiny", 1)], { limit });
    expect([shown(text, "small"), shown(text, "tiny")]).toEqual([10, 1]);
    const some = shown(text, "large");
    expect(some).toBeGreaterThan(300);
    expect(text).toContain(
      `# left out, as the comment would be too long: ${String(3000 - some)} resources and messages\n`,
    );
    expect(text.length).toBeGreaterThan(limit * 0.9);
  });

  test("hundreds of stacks: those with changes come first, and it says how many more there are", () => {
    const many = Array.from({ length: 900 }, (_, n) => ({ ...quiet, stack: `quiet-${String(n)}` }));
    const text = comment([...many, stack("changed", 1)], { limit });
    const rows = text.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows[0]).toContain("`changed`");
    expect(text).toContain(`and ${String(901 - rows.length)} further stacks`);
  });

  test("no stack at all", () => {
    expect(comment([], { limit })).toBe(`${marker}\n## Preview\n\nThis change touches no stack.\n`);
  });

  test("the link alone makes no difference", () => {
    const [a, b] = ["1", "2"].map((run) => comment([quiet], { limit, link: `https://example.com/${run}` }));
    expect(a).not.toBe(b);
    expect(withoutLink(a ?? "")).toBe(withoutLink(b ?? ""));
    expect(withoutLink(a ?? "")).not.toBe(
      withoutLink(comment([{ ...quiet, unchanged: 3, stack: "other" }], { limit })),
    );
  });
});
