/**
 * `npm run picture -- --stack <stack> [--config-file <file>] [--svg <file>] [--mermaid <file>]`: draws what a config would
 * deploy. `npm run picture -- --docs` draws docs/pictures, one for each ready stack.
 */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

import { sentence } from "../../components/core/errors.ts";
import { drawn, planStack } from "../../components/deploy.ts";
import { mermaid } from "../../components/picture/mermaid.ts";
import type { Picture } from "../../components/picture/model.ts";
import { marked } from "../images/wanted.ts";
import { later } from "../new/config.ts";
import { svg } from "../picture/svg.ts";
import { configOf } from "../setup/config.ts";
import { repo } from "../setup/paths.ts";
import { describe, Problem } from "../setup/problem.ts";

const usage =
  "npm run picture -- --stack <stack> [--config-file <file>] [--svg <file>] [--mermaid <file>], or npm run picture -- --docs";
const folder = join(repo, "docs/pictures");

export async function run(args: readonly string[]): Promise<number> {
  const { stack, svg: image, mermaid: text, docs = false, ...rest } = read(args);
  if (docs) return drawAll();
  if (stack === undefined) throw new Problem(usage);
  const picture = await pictureOfFile(rest["config-file"] ?? `Pulumi.${stack}.yaml`, stack);
  if (image !== undefined) await written(image, await svg(picture));
  if (text !== undefined) await written(text, mermaid(picture));
  if (image === undefined && text === undefined) process.stdout.write(mermaid(picture));
  return 0;
}

/** What a stack's file describes. Images and secrets may still be missing: they have no place in a picture. */
export async function pictureOfFile(file: string, stack: string): Promise<Picture> {
  const { whole, problems } = planStack(marked(await configOf(file)), stack);
  const wrong = problems.filter((problem) => !later(problem));
  if (whole === undefined || wrong.length > 0)
    throw new Problem(`${file} cannot be drawn:\n${wrong.map((problem) => `  - ${sentence(problem)}`).join("\n")}`);
  return drawn(whole);
}

/** The pictures in docs/, by the file's name. */
async function docsPictures(): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  for (const file of (await readdir(join(repo, "stacks"))).sort()) {
    const stack = file.replace(/\.yaml$/, "");
    made.set(`${stack}.svg`, await svg(await pictureOfFile(join(repo, "stacks", file), stack)));
  }
  return made;
}

async function drawAll(): Promise<number> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of await docsPictures()) await written(join(folder, name), text);
  return 0;
}

async function written(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new Problem(`${path} cannot be written: ${describe(error)}`);
  }
  process.stdout.write(`wrote ${relative(process.cwd(), path)}\n`);
}

function read(args: readonly string[]) {
  const text = { type: "string" } as const;
  const options = { stack: text, "config-file": text, svg: text, mermaid: text, docs: { type: "boolean" } } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new Problem(`${usage}: ${describe(error)}`);
  }
}
