/** A stack's config in the making. The program itself says what is wrong with it. */
import { readFileSync } from "node:fs";

import { parse } from "yaml";

import { parseConfig } from "../../components/config.ts";
import type { Problem as Wrong } from "../../components/core/errors.ts";
import { sentence } from "../../components/core/errors.ts";
import { at, own } from "../../components/core/formats.ts";
import { planStack } from "../../components/deploy.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { localImages } from "../images/list.ts";
import { takesLocal } from "../setup/config.ts";
import { describe, Problem } from "../setup/problem.ts";
import { type Config, questions } from "./questions.ts";

/** A copy with a value at a path; undefined takes the key away, and what held it alone. */
export function withValue(config: Config, key: string, value: unknown): Config {
  const [first = "", ...rest] = key.split(".");
  const { [first]: inner, ...others } = config;
  const made = rest.length === 0 ? value : withValue(isConfig(inner) ? inner : {}, rest.join("."), value);
  const empty = value === undefined && isConfig(made) && Object.keys(made).length === 0;
  return made === undefined || empty ? others : { ...config, [first]: made };
}

const isConfig = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The config with an answer at its key. An answer is text, YAML, or a list with commas: the first of these that the program
 * takes there. `@path` is the text of a file.
 */
export function answered(config: Config, key: string, answer: string): { config: Config; wrong: string | undefined } {
  const text = answer.startsWith("@") ? contentOf(answer.slice(1)) : answer;
  const tried = [text, yamlOf(text), text.split(",").map((each) => each.trim())].map((value) => {
    const next = withValue(config, key, value);
    return { config: next, wrong: wrongAt(next, key) };
  });
  const right = tried.find(({ wrong }) => wrong === undefined);
  // Of several reasons that of the form which the schema has there: a list, or else the text.
  return (
    right ??
    tried.find(({ wrong }) => wrong !== undefined && !wrong.includes("Invalid input")) ?? {
      config,
      wrong: tried[0]?.wrong,
    }
  );
}

/** What the program says of the value at a key. */
export function wrongAt(config: Config, key: string): string | undefined {
  const found = parseConfig(config).problems.find((wrong) => wrong.key === key || wrong.key.startsWith(`${key}.`));
  return found === undefined ? undefined : sentence(found);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch (error) {
    throw new Problem(`${path} cannot be read: ${describe(error)}`);
  }
}

function yamlOf(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What `npm run new` may leave to the operator: secrets, and what only the operator has. */
export interface Verdict {
  readonly wrong: readonly Wrong[];
  readonly secrets: readonly string[];
  /** Images, and what has to be there already: each in a sentence. */
  readonly missing: readonly string[];
}

/** What is not wrong, only not there yet. */
export function later({ key, value }: Wrong): boolean {
  return value === undefined && /^(secrets|images|existing)\./.test(key);
}

/** What the program itself says of the whole config. */
export function verdictOf(config: Config, stack: string): Verdict {
  const { problems } = planStack(config, stack);
  const laptop = takesLocal(config) ? localImages.map(({ key }) => `images.${key}`) : []; // `up` has them built
  const said = problems.filter(({ key }) => !laptop.includes(key));
  return {
    wrong: said.filter((problem) => !later(problem)),
    secrets: said.filter(later).flatMap(({ key }) => (key.startsWith("secrets.") ? [key] : [])),
    missing: said.filter(later).flatMap((problem) => (problem.key.startsWith("secrets.") ? [] : [sentence(problem)])),
  };
}

/** Why a system does not run on a topology, in the topology's own words; undefined: it does. */
export function refusal(system: string, topology: string): string | undefined {
  const examples = questions.reduce<Config>(
    (config, { key, when, example, usual }) => {
      const answer = example ?? usual?.(config);
      if (answer === undefined || when?.(config) === false) return config;
      return answered(config, key, String(answer)).config;
    },
    { system, topology },
  );
  const { problems } = planStack(examples, "example");
  const { refuses = {} } = own(capabilities, topology) ?? {};
  const words: readonly unknown[] = Object.values(refuses);
  const found = problems.find(({ remedy }) => words.includes(remedy)) ?? problems.find(({ key }) => key === "topology");
  return found?.remedy;
}

/** The value at a key, as the config has it. */
export function valueAt(config: Config, key: string): unknown {
  return at(config, key.split("."));
}
