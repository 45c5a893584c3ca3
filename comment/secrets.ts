/** What must not be shown: the stack's own secrets, this process' own, and what looks like one. */
import { spawn } from "node:child_process";

/** As the CLI is started. */
export interface Cli {
  /** Default: `pulumi` on PATH. */
  readonly pulumi: string;
  /** The program's folder. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Shorter ones would take ordinary words away. */
const shortest = 6;

const secretSign = "4dabf18193072939515e22adb298388d";

/** What secrets of common kinds look like, for those that nobody knows. */
const looks: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /(?<=:\/\/[^/\s:@]*:)[^/\s@]+(?=@)/g, // https://user:password@host
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|pul-[a-f0-9]{40})/g,
  /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/g,
  // In prose, as "a wrong passphrase: try again", there is no `=` and there are no quotes.
  /(?<=\b(?:password|passwd|passphrase|secret|token|api_?key)(?:=|["']\s*:\s*["']))[^\s"',;)}\]]{4,}/gi,
];

/** Variables whose value is one. */
const names = /PASSPHRASE$|PASSWORD|SECRET|TOKEN|ACCESS_KEY$|API_KEY/i;

/** Replaces every secret of `known`, also as JSON, URLs and base64 write it, and what looks like one. */
export function redactor(known: readonly string[]): (text: string) => string {
  const forms = [...new Set(known.filter((each) => each.length >= shortest).flatMap(formsOf))]
    .filter((form) => form.length >= shortest)
    .sort((a, b) => b.length - a.length); // one may be part of another
  return (text) => {
    let left = text;
    for (const form of forms) left = left.replaceAll(form, "[secret]");
    for (const look of looks) left = left.replaceAll(look, "[secret]");
    return left;
  };
}

function formsOf(value: string): string[] {
  // A message may quote a part of a key.
  const lines = value.includes("-----BEGIN ") ? value.split("\n").filter((line) => /^[\w+/=]{16,}$/.test(line)) : [];
  return [value, ...lines].flatMap((form) => [
    form,
    encodeURIComponent(form.replaceAll(/\p{Cs}/gu, "")),
    JSON.stringify(form).slice(1, -1),
    // Inside a longer text its base64 has three forms, by its place; both ends hang on the neighbours.
    ...[0, 1, 2].map((skip) => Buffer.from(form).subarray(skip).toString("base64").slice(0, -4)),
  ]);
}

/** The values of variables that are named as secrets are. */
export function secretsOfEnvironment(env: Cli["env"]): string[] {
  return Object.entries(env).flatMap(([name, value]) => (names.test(name) && value !== undefined ? [value] : []));
}

/**
 * The stack's secrets in plain text, in memory alone: those of its config and of its state. A command that fails (a new
 * stack, a wrong passphrase) knows none, and then the preview has not met them either.
 */
export async function secretsOfStack(cli: Cli, stack: readonly string[]): Promise<string[]> {
  const [config, state] = await Promise.all([
    ask(cli, ["config", "--json", "--show-secrets", ...stack]),
    // A stack's config file is no concern of its state, and `stack export` knows no flag for it.
    ask(cli, ["stack", "export", "--show-secrets", ...stack.slice(0, 2)]),
  ]);
  return [...secretsOfConfig(config), ...secretsOfState(state)];
}

function secretsOfConfig(config: unknown): string[] {
  if (typeof config !== "object" || config === null) return [];
  return Object.values(config).flatMap((each: unknown) => {
    if (typeof each !== "object" || each === null || !("secret" in each) || each.secret !== true) return [];
    return textsOf("objectValue" in each ? each.objectValue : "value" in each ? each.value : undefined);
  });
}

function secretsOfState(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  if (secretSign in value && "plaintext" in value && typeof value.plaintext === "string")
    return textsOf(JSON.parse(value.plaintext));
  return Object.values(value).flatMap(secretsOfState);
}

/** All texts in a value. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** What a command prints as JSON; undefined where it fails. */
function ask({ pulumi, cwd, env }: Cli, args: readonly string[]): Promise<unknown> {
  return new Promise((resolve) => {
    const child = spawn(pulumi, [...args, "--non-interactive"], { cwd, env, stdio: ["ignore", "pipe", "ignore"] });
    const read: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => read.push(chunk));
    child.on("error", () => {
      resolve(undefined);
    });
    child.on("close", (code) => {
      try {
        resolve(code === 0 ? JSON.parse(Buffer.concat(read).toString()) : undefined);
      } catch {
        resolve(undefined);
      }
    });
  });
}
