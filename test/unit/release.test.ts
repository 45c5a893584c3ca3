/** Whether a tag may be a release, and what its notes are. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { notesOf, run, type Sources } from "../../tools/commands/release.ts";
import { repo } from "../../tools/setup/paths.ts";

const changelog = `# Changelog

## [Unreleased]

### Added

- What is to come.

## [1.2.0] - 2027-01-31

### Added

- A thing.

## [1.2.0-rc.1] - 2027-01-20

- A try.

## [1.1.0]

- No date.

## [1.0.1] - 2026-12-24

[1.0.1]: https://example.com
`;
const upgrades = `
- { version: 1.2.0, does: replace, system: arangodb, type: "docker:index/service:Service", why: "The edge is away for a second." }
- { version: 1.1.0, system: pyrus, why: "Of another version." }
`;
const notes = (tag: string, more: Partial<Sources> = {}) =>
  notesOf(tag, { version: tag.replace(/^v/, ""), changelog, upgrades: "", ...more });

test("a version's notes are its own section, with what it replaces", () => {
  expect(notes("v1.2.0")).toBe("### Added\n\n- A thing.\n");
  expect(notes("v1.2.0-rc.1")).toBe("- A try.\n");
  expect(notes("v1.2.0", { upgrades: "# none\n[]\n" })).toBe(notes("v1.2.0"));
  expect(notes("v1.2.0", { upgrades })).toBe(
    `${notes("v1.2.0")}
### Replaced in a stack that is there

- does \`replace\`, system \`arangodb\`, type \`docker:index/service:Service\`: The edge is away for a second.
`,
  );
});

test.each<[string, RegExp, Partial<Sources>]>([
  ["1.2.0", /^1\.2\.0 is no release: a tag, as v1\.2\.3$/, {}],
  ["v1.2", /^v1\.2 is no release/, {}],
  ["v1.2.0", /^v1\.2\.0 is not the version of package\.json, 1\.3\.0: npm version 1\.2\.0/, { version: "1.3.0" }],
  ["v1.3.0", /^CHANGELOG\.md has no section 1\.3\.0: give Unreleased its name and date$/, {}],
  ["v1.1.0", /^CHANGELOG\.md: "\[1\.1\.0\]" has no date, as \[1\.1\.0\] - 2027-01-31$/, {}],
  ["v1.0.1", /^CHANGELOG\.md: the section 1\.0\.1 is empty$/, {}],
])("%s is refused: %s", (tag, message, more) => {
  for (let round = 1; round <= 2; round++) expect(() => notes(tag, more)).toThrow(message);
});

test("what is refused is refused by the command, too", async () => {
  await expect(run([])).rejects.toThrow("use `npm run release -- v<version>`");
  await expect(run(["v0.0.0-none"])).rejects.toThrow("v0.0.0-none is not the version of package.json");
});

test("this checkout's own changelog has a place for what comes, and the package may be published by a runner alone", () => {
  expect(readFileSync(join(repo, "CHANGELOG.md"), "utf8")).toMatch(/^## \[Unreleased\]$/m);
  const manifest = JSON.parse(readFileSync(join(repo, "package.json"), "utf8")) as object;
  // npm refuses `provenance` where no runner's token vouches for it: a publish from somebody's machine ends there.
  expect(manifest).toMatchObject({ publishConfig: { access: "public", provenance: true } });
  expect(manifest).not.toHaveProperty("private");
});
