/**
 * Which secrets of a stack's config lie in plain text. The engine tells a program only which top keys hold anything
 * encrypted (PULUMI_CONFIG_SECRET_KEYS), not which leaves: for these the stack's own file is read, as Pulumi writes it
 * (`{secure: …}` in the place of a value, anywhere in a tree).
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import process from "node:process";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { listed, type Problem } from "./core/errors.ts";
import { at } from "./core/formats.ts";

const remedy =
  "in plain text: set it again, and another one, with pulumi config set --path --secret <key>; who has read the file knows this one";

type Path = readonly string[];

/** Secrets in plain text, and a warning if we could not look. */
export interface Findings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** Looks at the running program's own stack. */
export function plainSecrets(raw: Readonly<Record<string, unknown>>): Findings {
  const project = pulumi.getProject();
  const holding = encryptedKeys(project);
  try {
    const files = configFiles(pulumi.getStack());
    const written = files && [configIn(files.stack, project), defaultsIn(files.project, project)];
    return judge(raw, holding, written, files?.stack);
  } catch {
    return judge(raw, holding, undefined); // a file that cannot be read counts as not found
  }
}

/** The project's keys with anything encrypted in them (the SDK's runtime/config.ts reads the same variable). */
export function encryptedKeys(project: string): string[] {
  const keys = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  const prefix = `${project}:`;
  return keys.flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
}

/**
 * `holding`: top keys with anything encrypted in them. `written`: what the stack's file and the project's say, as
 * trees; undefined: they were not found.
 */
export function judge(
  raw: Readonly<Record<string, unknown>>,
  holding: readonly string[],
  written: readonly unknown[] | undefined,
  file = "the stack's file",
): Findings {
  const problems: Problem[] = [];
  const unseen: string[] = [];
  const all = secretPaths(raw);
  for (const path of all) {
    const [top = ""] = path;
    const key = path.join(".");
    const state = !holding.includes(top) ? "plain" : leaves(raw[top]) === 1 ? "encrypted" : stateIn(written, path);
    if (state === "plain") problems.push({ key, remedy });
    if (state === "unknown") unseen.push(key);
  }
  const where = written === undefined ? "the stack's file was not found, or not read" : `${file} does not have them`;
  return {
    problems,
    warnings:
      unseen.length === 0
        ? []
        : [
            `whether ${listed(unseen)} are encrypted could not be looked at, as ${where}: see that each has \`secure:\``,
          ],
  };
}

/** Every leaf of `secrets`, and variables of ShinyProxy's apps with names of secrets. */
function secretPaths(raw: Readonly<Record<string, unknown>>): Path[] {
  const apps = at(raw, ["shinyproxy", "apps"]);
  const named = /pass(word|wd|phrase)|secret|token|credential|private_?key|api_?key|access_?key/i;
  const variables = Object.entries(isTree(apps) ? apps : {}).flatMap(([app, value]) =>
    paths(at(value, ["env"]), ["shinyproxy", "apps", app, "env"]).filter((path) => named.test(path.at(-1) ?? "")),
  );
  return [...paths(raw.secrets, ["secrets"]), ...variables];
}

function paths(value: unknown, here: Path): Path[] {
  if (value === undefined || (isTree(value) && Object.keys(value).length === 0)) return [];
  return isTree(value) ? Object.entries(value).flatMap(([key, inner]) => paths(inner, [...here, key])) : [here];
}

function leaves(value: unknown): number {
  return paths(value, []).length;
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** As in Pulumi, the first file that has the path decides. */
function stateIn(written: readonly unknown[] | undefined, path: Path): "plain" | "encrypted" | "unknown" {
  for (const tree of written ?? []) {
    const depth = path.findIndex((_, index) => isSecure(at(tree, path.slice(0, index + 1))));
    if (depth >= 0) return "encrypted";
    if (at(tree, path) !== undefined) return "plain";
  }
  return "unknown";
}

function isSecure(value: unknown): boolean {
  return isTree(value) && Object.keys(value).length === 1 && typeof value.secure === "string";
}

/** The `config` of a file of Pulumi's, by names without the project's. */
function configIn(file: string, project: string): Readonly<Record<string, unknown>> {
  if (!existsSync(file)) return {};
  // JSON is YAML.
  const config = at(parse(readFileSync(file, "utf8").replace(/^\uFEFF/, "")), ["config"]);
  const prefix = `${project}:`;
  return Object.fromEntries(
    Object.entries(isTree(config) ? config : {}).map(([key, value]) => [
      key.startsWith(prefix) ? key.slice(prefix.length) : key,
      value,
    ]),
  );
}

/** In a project's file a value may be inside a description of its key. */
function defaultsIn(file: string, project: string): unknown {
  return Object.fromEntries(
    Object.entries(configIn(file, project)).map(([key, described]) => [
      key,
      at(described, ["value"]) ?? at(described, ["default"]) ?? described,
    ]),
  );
}

/**
 * The stack's file: what `--config-file` says, else Pulumi.<stack>.yaml beside the project's, or in its folder for
 * them.
 */
function configFiles(stack: string): { readonly stack: string; readonly project: string } | undefined {
  const project = projectFile();
  if (project === undefined) return undefined;
  const described: unknown = parse(readFileSync(project, "utf8"));
  const moved = at(described, ["stackConfigDir"]) ?? at(described, ["config"]);
  const folder = join(dirname(project), typeof moved === "string" ? moved : ".");
  const usual = join(folder, `Pulumi.${stack.replaceAll("/", "-")}${extname(project)}`);
  return { stack: namedByCaller(dirname(project)) ?? usual, project };
}

function projectFile(): string | undefined {
  const root = process.env.PULUMI_NODEJS_ROOT_DIRECTORY;
  for (let folder = resolve(root ?? "."); ; folder = dirname(folder)) {
    const found = ["json", "yaml", "yml"].map((end) => join(folder, `Pulumi.${end}`)).find((file) => existsSync(file));
    if (found !== undefined || folder === dirname(folder)) return found;
  }
}

/**
 * `--config-file` of the Pulumi that runs this program. No variable tells it, so we ask the processes above this one.
 */
function namedByCaller(root: string): string | undefined {
  let pid = process.ppid;
  for (let above = 0; above < 8 && pid > 1; above++) {
    const found = processOf(pid, root);
    if (found === undefined) return undefined;
    const flag = found.args.findIndex((arg) => arg === "--config-file" || arg.startsWith("--config-file="));
    const value = found.args[flag]?.split("=").slice(1).join("=");
    if (flag > 0)
      return resolve(found.folder, value === undefined || value === "" ? (found.args[flag + 1] ?? "") : value);
    pid = found.parent;
  }
  return undefined;
}

/** A process, by /proc, or else by ps. ps does not tell its folder, so the project's folder is the best guess. */
function processOf(pid: number, root: string): { args: readonly string[]; folder: string; parent: number } | undefined {
  try {
    if (existsSync("/proc/self/stat")) {
      const at = `/proc/${String(pid)}`;
      const parent = Number(/\) \S (\d+)/.exec(readFileSync(`${at}/stat`, "utf8"))?.[1]);
      return { args: readFileSync(`${at}/cmdline`, "utf8").split("\0"), folder: readlinkSync(`${at}/cwd`), parent };
    }
    const listed = execFileSync("ps", ["-ww", "-o", "ppid=,command=", "-p", String(pid)], { encoding: "utf8" });
    const [parent, ...args] = listed.trim().split(/\s+/);
    return { args, folder: root, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
