/**
 * `npm run release -- v1.2.3`: whether a tag may be a release, and its notes: the version's section in CHANGELOG.md, and what the
 * upgrade may replace (docs/upgrades.yaml).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { parse } from "yaml";
import { z } from "zod";

import { repo } from "../setup/paths.ts";
import { codeOf, Problem } from "../setup/problem.ts";

export async function run(args: readonly string[]): Promise<number> {
  const [tag, ...more] = args;
  if (tag === undefined || more.length > 0) throw new Problem("use `npm run release -- v<version>`");
  const text = (file: string): Promise<string> => readFile(join(repo, file), "utf8");
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await text("package.json")));
  const upgrades = await text("docs/upgrades.yaml").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  });
  process.stdout.write(notesOf(tag, { version, changelog: await text("CHANGELOG.md"), upgrades }));
  return 0;
}

export interface Sources {
  /** package.json's. */
  readonly version: string;
  readonly changelog: string;
  readonly upgrades: string;
}

/** A row says what it is about by `system`, `topology`, `type`, `name` and `does`; each may be missing. */
const rows = z
  .array(z.looseObject({ version: z.string(), why: z.string() }).catchall(z.union([z.string(), z.array(z.string())])))
  .nullable();

/** The notes of the tag's version. Throws a Problem that says what is not ready. */
export function notesOf(tag: string, { version, changelog, upgrades }: Sources): string {
  if (!/^v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(tag)) throw new Problem(`${tag} is no release: a tag, as v1.2.3`);
  if (tag !== `v${version}`)
    throw new Problem(
      `${tag} is not the version of package.json, ${version}: npm version ${tag.slice(1)} --no-git-tag-version`,
    );
  const { text, title } = sectionOf(changelog, version);
  if (title === undefined)
    throw new Problem(`CHANGELOG.md has no section ${version}: give Unreleased its name and date`);
  if (!/^\[.*\] - \d{4}-\d\d-\d\d$/.test(title))
    throw new Problem(`CHANGELOG.md: "${title}" has no date, as [${version}] - 2027-01-31`);
  if (text === "") throw new Problem(`CHANGELOG.md: the section ${version} is empty`);
  const replaced = (rows.parse(parse(upgrades)) ?? []).filter((row) => row.version === version);
  const lines = replaced.map((row) => {
    const parts = Object.entries(row).filter(([key]) => key !== "version" && key !== "why");
    return `- ${parts.map(([key, value]) => `${key} \`${[value].flat().join("`, `")}\``).join(", ")}: ${row.why}`;
  });
  return `${[text, ...(lines.length === 0 ? [] : ["### Replaced in a stack that is there", lines.join("\n")])].join("\n\n")}\n`;
}

/** The section of a version: its title without `## `, and what is below it up to the next one or the links. */
function sectionOf(changelog: string, version: string): { title?: string; text: string } {
  const parts = changelog.split(/^## /m).slice(1);
  const found = parts.find((part) => part.startsWith(`[${version}]`));
  if (found === undefined) return { text: "" };
  const [title = "", ...lines] = found.split("\n");
  const text = lines.join("\n").replaceAll(/^\[[^\]]+\]: .*$/gm, "");
  return { title: title.trim(), text: text.trim() };
}
