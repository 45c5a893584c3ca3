/** The command: previews stacks, or takes what previews elsewhere found, and makes one comment of it. */
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { digests, stackName, type Digest } from "./digest.ts";
import { gitHub, gitLab, messageOf, put, type Forge } from "./forge.ts";
import { preview, type Wish } from "./preview.ts";
import { comment } from "./render.ts";
import type { Cli } from "./secrets.ts";

export const usage = `preview-comment [options] <stack>[=<config file>]… [-- <arguments of pulumi preview>]

Previews the stacks and makes one comment of what changes. Ends with 1 if a preview failed, with 2 if the comment could not be
written; it is made in either case.

  --output FILE              the comment as Markdown; "-" is stdout, where it goes if nothing else is asked for
  --github OWNER/NAME --pr N the comment of a pull request, made or changed in place; the token is GITHUB_TOKEN
  --gitlab PROJECT --mr N    the same for a merge request; the token is GITLAB_TOKEN, with the scope api
  --author LOGIN             whose comment it is, if it is not the token's own user
  --data FILE                what was found, without secrets, for a job that may write comments
  --from FILE                such a file in the place of previews; again for a further one
  --save-plans FOLDER        the plan of each stack, for \`pulumi up --plan FOLDER/<stack>.json\`
  --link URL                 the run, at the comment's end (default: this run's, on GitHub and GitLab)
  --note TEXT                a sentence at its beginning
  --cwd FOLDER               the program's folder (default: this one), from which a config file is named
  --pulumi FILE              the CLI (default: the one on PATH)`;

/** A wrong argument, with what would be right. */
export class Wrong extends Error {}

export interface Given {
  readonly options: {
    readonly output?: string;
    readonly github?: string;
    readonly pr?: string;
    readonly gitlab?: string;
    readonly mr?: string;
    readonly author?: string;
    readonly data?: string;
    readonly from?: readonly string[];
    readonly "save-plans"?: string;
    readonly link?: string;
    readonly note?: string;
    readonly cwd?: string;
    readonly pulumi?: string;
    readonly help?: boolean;
  };
  readonly wishes: readonly Wish[];
}

/** Throws Wrong. */
export function given(args: readonly string[]): Given {
  const end = args.indexOf("--");
  const [own, further] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
  const text = { type: "string" } as const;
  let parsed;
  try {
    parsed = parseArgs({
      args: [...own],
      allowPositionals: true,
      options: {
        ...{ output: text, github: text, pr: text, gitlab: text, mr: text, author: text, data: text, link: text },
        ...{ note: text, cwd: text, pulumi: text, "save-plans": text, from: { type: "string", multiple: true } },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new Wrong(`${messageOf(error)}\n\n${usage}`);
  }
  const { values: options, positionals } = parsed;
  const wishes = positionals.map((word) => wishOf(word, options["save-plans"], further));
  check(options, wishes, further);
  return { options, wishes };
}

function wishOf(word: string, plans: string | undefined, args: readonly string[]): Wish {
  const at = word.indexOf("=");
  const stack = at < 0 ? word : word.slice(0, at);
  if (!stackName.test(stack)) throw new Wrong(`${JSON.stringify(stack)} is no name of a stack\n\n${usage}`);
  return {
    stack,
    args,
    ...(at < 0 ? {} : { configFile: word.slice(at + 1) }),
    ...(plans === undefined ? {} : { plans: resolve(plans) }),
  };
}

function check(options: Given["options"], wishes: readonly Wish[], further: readonly string[]): void {
  const wrong = (sentence: string): never => {
    throw new Wrong(`${sentence}\n\n${usage}`);
  };
  if (options.help) return;
  // What the engine hides in its events it would show.
  const shows = further.find((each) =>
    /^(?:--show-secrets|--json|-j|--output|--event-log|--stack|-s)(?:=|$)/.test(each),
  );
  if (shows !== undefined) wrong(`${shows} is not for a comment: leave it out`);
  const names = wishes.map(({ stack }) => stack);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) wrong(`${twice} is named twice`);
  if (options.link !== undefined && !(URL.canParse(options.link) && /^https?:/.test(options.link)))
    wrong(`--link ${options.link}: use an address that begins with https://`);
  if (options.from !== undefined && wishes.length > 0) wrong("--from takes the place of previews: name no stack");
  if (options.github !== undefined && !/^[\w.-]+\/[\w.-]+$/.test(options.github))
    wrong(`--github ${options.github}: use owner/name`);
  for (const [forge, number] of [
    ["github", "pr"],
    ["gitlab", "mr"],
  ] as const) {
    if ((options[forge] === undefined) !== (options[number] === undefined))
      wrong(`--${forge} and --${number} go together`);
    if (options[number] !== undefined && !/^\d{1,9}$/.test(options[number]))
      wrong(`--${number} ${options[number]}: use its number`);
  }
  if (options.github !== undefined && options.gitlab !== undefined)
    wrong("--github or --gitlab: one comment, one forge");
}

export interface Around {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the comment and the words about it go. */
  readonly out: (text: string) => void;
  readonly say: (line: string) => void;
  readonly stop?: AbortSignal;
  /** How the CLI is started for a stack; default: as `--pulumi` and `--cwd` say. */
  readonly cli?: (wish: Wish) => Promise<Cli>;
}

/** Returns the exit code. Throws Wrong. */
export async function run({ options, wishes }: Given, around: Around): Promise<number> {
  const { out, say } = around;
  if (options.help) {
    out(`${usage}\n`);
    return 0;
  }
  const forge = forgeOf(options, around.env);
  const stacks = options.from === undefined ? await previews(wishes, options, around) : await read(options.from);
  const link = options.link ?? linkOf(around.env);
  const look = {
    ...(link === undefined ? {} : { link }),
    ...(options.note === undefined ? {} : { note: options.note }),
  };
  const undone: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      undone.push(what);
      say(`error: ${what}: ${messageOf(error)}`);
    }
  };
  // Other systems take less than GitHub or more: its limit is what a reader bears.
  const body = comment(stacks, { limit: forge?.limit ?? 65_536, ...look });
  const { data, output = forge === undefined && data === undefined ? "-" : undefined } = options;
  if (data !== undefined)
    await attempt(`--data ${data}`, () => writeFile(data, `${JSON.stringify({ version: 1, stacks }, null, 1)}\n`));
  if (output === "-") out(body);
  else if (output !== undefined) await attempt(`--output ${output}`, () => writeFile(output, body));
  if (forge !== undefined)
    await attempt("the comment was not written", async () => {
      const done = await put(forge, body, stacks.length > 0);
      say(said[done]);
    });
  return undone.length > 0 ? 2 : stacks.some(({ failed }) => failed) ? 1 : 0;
}

const said = {
  made: "the comment is made",
  changed: "the comment is changed",
  kept: "the comment says that already",
  none: "no stack is touched, and there is no comment that says otherwise",
};

async function previews(wishes: readonly Wish[], options: Given["options"], around: Around): Promise<Digest[]> {
  const own = { pulumi: options.pulumi ?? "pulumi", cwd: options.cwd ?? process.cwd(), env: around.env };
  const found: Digest[] = [];
  for (const wish of wishes) {
    around.say(`previewing ${wish.stack}`);
    const cli = (await around.cli?.(wish)) ?? own;
    found.push(await preview(wish, cli, around.stop));
    if (around.stop?.aborted) throw new Wrong("stopped: no comment is made of half of it");
  }
  return found;
}

/** Files that others may have written: each is checked, and nothing of it is taken for syntax. */
async function read(files: readonly string[]): Promise<Digest[]> {
  const found: Digest[] = [];
  for (const file of files) {
    let json: unknown;
    try {
      json = JSON.parse(await readFile(file, "utf8"));
    } catch (error) {
      throw new Wrong(`--from ${file}: ${messageOf(error)}`);
    }
    const { data, error } = digests.safeParse(json);
    if (data === undefined)
      throw new Wrong(`--from ${file}: ${error.issues[0]?.path.join(".") ?? ""}: it is not what --data writes`);
    found.push(...data.stacks);
  }
  return found;
}

function forgeOf(options: Given["options"], env: Around["env"]): Forge | undefined {
  const author = options.author === undefined ? {} : { author: options.author };
  if (options.github !== undefined) {
    const token = env.GITHUB_TOKEN ?? env.GH_TOKEN;
    if (token === undefined || token === "") throw new Wrong("--github: GITHUB_TOKEN is not set");
    const api = env.GITHUB_API_URL;
    return gitHub({
      ...{ repository: options.github, number: Number(options.pr), token, ...author },
      ...(api === undefined ? {} : { api }),
    });
  }
  if (options.gitlab === undefined) return undefined;
  const token = env.GITLAB_TOKEN;
  if (token === undefined || token === "") throw new Wrong("--gitlab: GITLAB_TOKEN is not set");
  const api = env.CI_API_V4_URL;
  return gitLab({
    ...{ project: options.gitlab, number: Number(options.mr), token, ...author },
    ...(api === undefined ? {} : { api }),
  });
}

function linkOf(env: Around["env"]): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: id, CI_JOB_URL: job } = env;
  if (server !== undefined && repository !== undefined && id !== undefined)
    return `${server}/${repository}/actions/runs/${id}`;
  return job;
}
