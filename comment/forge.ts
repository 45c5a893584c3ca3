/** The one comment of a pull request, by the API of GitHub or GitLab: made, changed in place, or left as it is. */
import { setTimeout as sleep } from "node:timers/promises";

import { marker, withoutLink } from "./render.ts";

export interface Comment {
  readonly id: number;
  readonly author: string;
  readonly body: string;
}

export interface Forge {
  /** Characters of a comment. */
  readonly limit: number;
  /** Who the token is. */
  author(): Promise<string>;
  comments(): Promise<Comment[]>;
  create(body: string): Promise<unknown>;
  update(id: number, body: string): Promise<unknown>;
  remove(id: number): Promise<unknown>;
}

/** By its shape, as jest's sandbox has its own Error. */
export function messageOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("message" in error)) return String(error);
  const because = "cause" in error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : "";
  return `${String(error.message)}${because}`;
}

/** Undone, with the remedy. */
export class Refused extends Error {
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** Worth another try from the beginning, after so many seconds. */
class Later extends Error {
  readonly seconds: number;

  constructor(message: string, seconds: number) {
    super(message);
    this.seconds = seconds;
  }
}

/** Seconds that a limit may ask us to wait; more is an error. */
const longestWait = 300;
const tries = 4;

/**
 * Makes the comment say `body`. `always: false` makes none where there is none. Nothing is written if it says that already,
 * but for the link to the run. Throws Refused.
 */
export async function put(forge: Forge, body: string, always: boolean): Promise<"made" | "changed" | "kept" | "none"> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(forge, body, always);
    } catch (error) {
      if (!(error instanceof Later)) throw error;
      if (attempt === tries || error.seconds > longestWait) throw new Refused(error.message);
      // From the beginning: a write whose answer was lost may have been made.
      await sleep(error.seconds * 1000);
    }
  }
}

async function once(forge: Forge, body: string, always: boolean): Promise<"made" | "changed" | "kept" | "none"> {
  const author = await forge.author();
  const ours = (await forge.comments()).filter((each) => each.author === author && each.body.startsWith(marker));
  const [first, ...others] = ours.sort((a, b) => a.id - b.id);
  for (const { id } of others) await forge.remove(id); // two runs at once have made two
  if (first === undefined) {
    if (!always) return "none";
    await forge.create(body);
    return "made";
  }
  if (withoutLink(first.body) === withoutLink(body)) return "kept";
  await forge.update(first.id, body);
  return "changed";
}

export interface GitHub {
  /** `owner/name`. */
  readonly repository: string;
  readonly number: number;
  readonly token: string;
  /** Default: https://api.github.com. */
  readonly api?: string;
  /** Default: who the token is. A workflow's own token cannot ask, and is `github-actions[bot]`. */
  readonly author?: string;
}

export function gitHub({ repository, number, token, api = "https://api.github.com", author }: GitHub): Forge {
  const headers = {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${token}`,
    "x-github-api-version": "2022-11-28",
  };
  const issues = `${api}/repos/${repository}/issues`;
  const page = async (n: number): Promise<Page> => {
    const { json, link } = await call("GET", `${issues}/${String(number)}/comments?per_page=100&page=${String(n)}`, {
      headers,
    });
    return { json, more: link.includes('rel="next"') };
  };
  return {
    limit: 65_536,
    async author() {
      if (author !== undefined) return author;
      try {
        return textAt((await call("GET", `${api}/user`, { headers })).json, "login");
      } catch (error) {
        if (error instanceof Refused && error.status === 403) return "github-actions[bot]";
        throw error;
      }
    },
    comments: async () =>
      (await pages(page)).map((each) => ({
        ...{ id: numberAt(each, "id"), body: textAt(each, "body") },
        author: textAt(partOf(each, "user"), "login"),
      })),
    create: (body) => call("POST", `${issues}/${String(number)}/comments`, { headers, body: { body } }),
    update: (id, body) => call("PATCH", `${issues}/comments/${String(id)}`, { headers, body: { body } }),
    remove: (id) => call("DELETE", `${issues}/comments/${String(id)}`, { headers }),
  };
}

export interface GitLab {
  /** The id or the path of the project. */
  readonly project: string;
  readonly number: number;
  /** With the scope `api`: a job's own token may write no notes. */
  readonly token: string;
  /** Default: https://gitlab.com/api/v4. */
  readonly api?: string;
  readonly author?: string;
}

export function gitLab({ project, number, token, api = "https://gitlab.com/api/v4", author }: GitLab): Forge {
  const headers = { "private-token": token };
  const notes = `${api}/projects/${encodeURIComponent(project)}/merge_requests/${String(number)}/notes`;
  const page = async (n: number): Promise<Page> => {
    const url = `${notes}?per_page=100&page=${String(n)}&order_by=created_at&sort=asc`;
    const { json, next } = await call("GET", url, { headers });
    return { json, more: next !== "" };
  };
  return {
    limit: 1_000_000,
    author: async () => author ?? textAt((await call("GET", `${api}/user`, { headers })).json, "username"),
    comments: async () =>
      (await pages(page)).map((each) => ({
        ...{ id: numberAt(each, "id"), body: textAt(each, "body") },
        author: textAt(partOf(each, "author"), "username"),
      })),
    create: (body) => call("POST", notes, { headers, body: { body } }),
    update: (id, body) => call("PUT", `${notes}/${String(id)}`, { headers, body: { body } }),
    remove: (id) => call("DELETE", `${notes}/${String(id)}`, { headers }),
  };
}

interface Page {
  readonly json: unknown;
  readonly more: boolean;
}

async function pages(page: (n: number) => Promise<Page>): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let n = 1; ; n++) {
    const { json, more } = await page(n);
    if (!Array.isArray(json)) throw new Refused("the forge's list of comments is no list: is the API's address right?");
    all.push(...(json as unknown[]));
    if (!more) return all;
  }
}

interface Request {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: object;
}

interface Answer {
  readonly json: unknown;
  readonly link: string;
  /** GitLab's number of the next page; empty: this is the last. */
  readonly next: string;
}

async function call(method: string, url: string, { headers, body }: Request): Promise<Answer> {
  const path = new URL(url).pathname;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: { "user-agent": "platform-topologies", ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual", // a token goes to no other host
      signal: AbortSignal.timeout(60_000),
    });
  } catch (error) {
    throw new Later(`${method} ${path}: no answer (${messageOf(error)})`, 2);
  }
  const text = await response.text();
  const { status } = response;
  if (status >= 200 && status < 300)
    return {
      json: jsonOf(text),
      link: response.headers.get("link") ?? "",
      next: response.headers.get("x-next-page") ?? "",
    };
  const what = `${method} ${path}: ${String(status)} ${saidIn(text)}`;
  const wait = secondsOf(response);
  if (wait !== undefined) throw new Later(`${what}: the forge's limit of calls is reached; run it again later`, wait);
  if (status >= 500) throw new Later(what, 2);
  throw new Refused(`${what}${remedies[status] ?? ""}`, status);
}

const remedies: Readonly<Record<number, string>> = {
  301: ": it has moved, use its new name",
  307: ": it has moved, use its new name",
  308: ": it has moved, use its new name",
  401: ": the token is not valid",
  403: ": the token may not write comments. A pull request from a fork never may: docs/pull-requests.md, “Forks”",
  404: ": no such repository or pull request, or the token may not see it",
};

/** How long a forge asks to wait, in seconds; undefined: it does not. */
function secondsOf({ status, headers }: Response): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const after = headers.get("retry-after");
  if (after !== null && /^\d+$/.test(after)) return Number(after);
  const reset = headers.get("x-ratelimit-reset") ?? headers.get("ratelimit-reset");
  if (headers.get("x-ratelimit-remaining") === "0" && reset !== null)
    return Math.max(1, Number(reset) - Math.floor(Date.now() / 1000) + 1);
  return status === 429 ? 30 : undefined;
}

function saidIn(text: string): string {
  return textAt(jsonOf(text), "message").slice(0, 300);
}

/** Undefined for what is none: a proxy's page, or nothing. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function partOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

function textAt(value: unknown, key: string): string {
  const part = partOf(value, key);
  return typeof part === "string" ? part : "";
}

function numberAt(value: unknown, key: string): number {
  return Number(partOf(value, key));
}
