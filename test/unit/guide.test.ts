/** docs/guide.md: what it quotes is said by the program, and where it leads is there. test/long/guide.test.ts runs it. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { repo } from "../../tools/setup/paths.ts";

const text = (path: string): string => readFileSync(join(repo, path), "utf8");
const page = text("docs/guide.md");

/** The chapter of sentences, a row for each. */
const rows = (page.split("\n## ").find((chapter) => chapter.startsWith("6.")) ?? "")
  .split("\n")
  .filter((line) => line.startsWith("| `"));
const quoted = rows.flatMap((row) => Array.from(row.split(" | ")[0]?.matchAll(/`([^`]+)`/g) ?? [], ([, one]) => one));

const sources = ["components/**/*.ts", "ops/**/*.ts", "tools/images/toolbox/*"]
  .flatMap((pattern) => globSync(pattern, { cwd: repo }))
  .filter((path) => /\.(ts|sh|py)$/.test(path))
  .map(text);

/** A quoted sentence as the sources have it: `…` is what they fill in, be it a template's or a shell's. */
function said(sentence: string): RegExp {
  const parts = sentence.split("…").map((part) => part.trim());
  const fixed = parts.filter((part) => /\w/.test(part)).map((part) => part.replaceAll(/[^\w ]/g, "\\$&"));
  return new RegExp(fixed.join("[^\\n]{0,120}?"));
}

test("the table of sentences has rows", () => {
  expect(rows.length).toBeGreaterThan(30);
  expect(quoted.length).toBeGreaterThanOrEqual(rows.length);
});

test.each(quoted.map((sentence = "") => [sentence]))("the sources say: %s", (sentence) => {
  expect(sources.filter((source) => said(sentence).test(source)).length).toBeGreaterThan(0);
});

test("a sentence that nobody says is found out", () => {
  for (const sentence of ["the volume … is on fire", "has lost its … umbrella"])
    expect(sources.filter((source) => said(sentence).test(source))).toEqual([]);
});

/** GitHub's anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");
const links = Array.from(
  page.matchAll(/\]\(([^)#]*)(?:#([^)]+))?\)/g),
  ([, path = "", to = ""]) => [path, to] as const,
);

test.each(links)("the link to %s#%s leads somewhere", (path, to) => {
  const there = path === "" ? page : text(join("docs", path));
  const headings = Array.from(there.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) => anchor(heading));
  if (to !== "") expect(headings).toContain(to);
});

test("each npm command is one of the package", () => {
  const { scripts } = JSON.parse(text("package.json")) as { scripts: object };
  const used = Array.from(page.matchAll(/npm run (?:-s )?([\w:-]+)/g), ([, name]) => name);
  expect(used.filter((name = "") => !Object.hasOwn(scripts, name))).toEqual([]);
});
