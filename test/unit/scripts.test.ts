/**
 * Scripts of containers and jobs. What they leave on a store's disk is whole or not there: a disk that is full takes a part of
 * it, and who reads that never starts again. And a question that a server does not answer must not pass for an empty answer. The shell takes
 * it for one wherever the question is part of a larger command, so its answer is kept first, and then read.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

const root = new URL("../..", import.meta.url).pathname;
/** What asks nobody: it counts, or reads this machine's own disk. */
const local = String.raw`(?:seq|cat|find|head|tail|awk|echo|ls|tr|date|jq -r 'keys)\b`;
const loses = [
  { what: "a loop over an answer", pattern: new RegExp(String.raw`\bfor \w+ in \$\((?!${local})`) },
  { what: "a test of whether there is an answer", pattern: new RegExp(String.raw`\[ -[nz] "?\$\((?!${local})`) },
  {
    what: "a filter that may find nothing, on an answer",
    pattern: /^\s*(?!\s|(?:\w+="?\$\()?(?:echo|grep|printf) )[^|]+\|(?!\|).*\bgrep\b.*\|\| (?:\[ \$\? = 1 \]|true|:)/,
  },
  { what: "words of an answer", pattern: /<<< ?"\$\(/ },
] as const;
/** No version is an answer: nothing is installed yet. */
const bears = `if [ -z "$(version || true)" ]; then`;

/** A file on a disk that is not put there under another name first. */
const inParts = /(?:>|\bcp \S+ |\btee )"?\$\{(?:data|disk|zoo|state)\}(?!\S*\.new\b)/;
/** What a start writes each time before it is read, or is there to be taken away. */
const eachStart = [
  ...["echo ${String(number)} >${zoo}/myid || exit 1", 'echo "$version" > ${disk}/.version'],
  ...[">${data}/.room", ">${data}/meta/node_key.pub"],
];

function scripts(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

describe.each([...scripts("components"), ...scripts("reconciler")])("%s", (file) => {
  const text = readFileSync(join(root, file), "utf8");
  const lines = text.split("\n");
  test.each(loses)("has not: $what", ({ pattern }) => {
    expect(lines.filter((line) => pattern.test(line) && !line.includes(bears))).toEqual([]);
  });
  test("has not: a file that a full disk may leave half on a store's disk", () => {
    const parts = lines.filter((line) => inParts.test(line) && !eachStart.some((each) => line.includes(each)));
    expect(parts).toEqual([]);
  });
  // `sh` of Debian 12 has no pipefail: of a pipe only the last command's failure counts.
  if (text.includes('["sh", "-euc"'))
    test("has not: an answer that goes right into a filter, without pipefail", () => {
      expect(lines.filter((line) => /\bcurl\b[^|]*\| jq(?!.*\|\|)/.test(line))).toEqual([]);
    });
});
