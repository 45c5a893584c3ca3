/** Rules for the parts of a system or of a recipe. Each gives the names of what breaks it. */
import { parse } from "yaml";

import { type Part, textsOf } from "./told.ts";

type Parts = ReadonlyMap<string, Part>;

/** The paths of all that says nothing: an empty text, list or map, or `false`. */
function nothingIn(value: unknown, path: string): string[] {
  if (value === "" || value === false) return [path];
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.entries(value).filter(([, one]) => one !== undefined);
  return inner.length === 0 ? [path] : inner.flatMap(([key, one]) => nothingIn(one, `${path}.${key}`));
}

/** Files of a known syntax, as trees, by part and path. */
function parsedFiles(parts: ReadonlyMap<string, Part>): (readonly [string, unknown])[] {
  return [...parts].flatMap(([part, { files = [] }]) =>
    files.flatMap(({ path, content }) =>
      /\.(json|ya?ml)$|\/nats\/login$/.test(path) ? [[`${part}${path}`, parse(content) as unknown] as const] : [],
    ),
  );
}

/** The files with which the backup runs a store's scripts. */
function filesOf(disk: Part["disk"]): NonNullable<Part["files"]> {
  return disk !== undefined && "dump" in disk.backup ? ((disk.backup.files as Part["files"]) ?? []) : [];
}
/** RabbitMQ gets hashes of its passwords, Garage keys that are made of one, ArangoDB's jobs what a secret signs. */
const isMadeOfOne = (path: string): boolean => /\/(definitions\.json|node-key|rpc-secret|member\.curl)$/.test(path);

/** Paths in our folders that a text names. */
const ours = /\/(run|etc\/postgres|usr\/share\/elasticsearch\/config\/certs)\/[\w./-]*\w/g;
function pathsIn(text: string): ReadonlySet<string> {
  const own = [...text.matchAll(ours)].map(([path]) => path);
  return new Set(own.filter((path) => !/^\/run\/(user\/|docker\.sock)/.test(path)));
}
/** Files beside one that their reader is told of. */
const unread = /\/run\/media\/\w+-ca\.pem$|\/run\/grafana\/(provisioning|dashboards)\//;

/** What a store's scripts name and do not have, or have and do not name. */
function lost(part: string, disk: Part["disk"]): string[] {
  if (disk === undefined || !("dump" in disk.backup)) return [];
  const { dump, check = "", restore, drill, prune = "" } = disk.backup;
  const named = pathsIn([dump, check, restore, drill, prune].join("\n"));
  const here = filesOf(disk).map(({ path }) => path);
  return [
    ...[...named].filter((path) => !here.includes(path)).map((path) => `${part}'s scripts have no ${path}`),
    ...here
      .filter((path) => !named.has(path) && !path.startsWith("/run/backup/rclone/"))
      .map((path) => `${part}'s scripts do not read ${path}`),
  ];
}

/** What may be empty: members are not alone, nobody waits for what exists already, some servers have no further names, some applications no files or ports. */
const mayBeEmpty =
  /\.alone$|\.after$|\.drillServer\.names$|^(async-worker|preview-generator)\.ports$|\.env\.MINIO_API_CORS_ALLOW_ORIGIN$/;
/** Within files: words of the servers' and the applications' own. */
const saidByFiles = new RegExp(
  [
    ...["config.yml.features.(signup|search|ingest)", "config.yml.(static|ingest.extra_buckets)", "agent.yml.docker"],
    ...["definitions.json.(parameters|policies)", "definitions.json.exchanges.*", "definitions.json.users.*tags"],
    ...["stores.json.*.tls", "policy.json.(volumes|shmMib)", "openid.json.users.demo", "login.(verbose|pedantic)"],
    ...[
      "shinyproxy.json.editable",
      "shinyproxy.json.panels.*fieldConfig.(defaults|overrides)",
      "files.yml.providers.0.(allowUiUpdates|disableDeletion)",
    ],
    ...["application.yml.proxy.stop-proxies-on-shutdown"],
  ]
    .map((each) => `(/${each.replaceAll(".", "\\.").replaceAll("*", ".*")}$)`)
    .join("|"),
);

/** What a part is told in so many words that say nothing. */
export function empty(parts: Parts): string[] {
  return [...parts].flatMap(([part, said]) => nothingIn(said, part)).filter((each) => !mayBeEmpty.test(each));
}

/** The same within its files. */
export function emptyInFiles(parts: Parts): string[] {
  return parsedFiles(parts)
    .flatMap(([path, tree]) => nothingIn(tree, path))
    .filter((each) => !saidByFiles.test(each));
}

/** Secrets that are anywhere but in a secret file or variable, and files that are called secret and hold none. */
export function misplacedSecrets(parts: Parts): string[] {
  const held = (text: string): boolean => text.includes("word-of-");
  return [...parts].flatMap(([part, said]) => {
    const { command = [], args = [], prepare = "", env = {}, health = {}, files = [], disk } = said;
    const open = [...command, ...args, prepare, ...Object.values(env), JSON.stringify(health)];
    return [
      ...open.filter(held).map((text) => `${part}: ${text}`),
      ...[...files, ...filesOf(disk)]
        .filter(({ path, content, secret = false }) => (held(content) || isMadeOfOne(path)) !== secret)
        .map(({ path }) => `${part}: ${path}`),
    ];
  });
}

/** Files that a part is told of and does not have, or has and is not told of. */
export function lostFiles(parts: Parts): string[] {
  return [...parts].flatMap(([part, said]) => {
    const { files = [], health, disk } = said;
    const here = files.map(({ path }) => path);
    const named = pathsIn([...textsOf(said), JSON.stringify(health ?? {})].join("\n"));
    return [
      ...[...named]
        .filter((path) => !here.some((file) => file === path || file.startsWith(`${path}/`)))
        .map((path) => `${part} has no ${path}`),
      ...here
        .filter((path) => !named.has(path) && !unread.test(`${part}${path}`))
        .map((path) => `${part} is not told of ${path}`),
      ...lost(part, disk),
    ];
  });
}

/** All that a part waits for, and what those wait for. */
function closure(parts: Parts, part: string, seen = new Set<string>()): ReadonlySet<string> {
  for (const each of parts.get(part)?.after ?? [])
    if (!seen.has(each)) {
      seen.add(each);
      closure(parts, each, seen);
    }
  return seen;
}

/**
 * Parts that are told of a store and start before it; members of one store may know each other, and a proxy before them
 * asks each whether it is there: it waits for one.
 */
export function tooEarly(parts: Parts): string[] {
  const role = (name: string): string => name.replace(/-\d+(-le(ave|ft))?$/, "");
  const stores = [...parts].filter(([, { disk }]) => disk !== undefined);
  return [...parts].flatMap(([part, said]) => {
    if (/-le(ave|ft)$/.test(part)) return [];
    const texts = textsOf(said).join("\n");
    const before = closure(parts, part);
    const one = part.endsWith("-proxy") ? new Set([...before].map(role)) : new Set<string>();
    return stores
      .filter(([store]) => role(store) !== role(part) && !before.has(store) && !one.has(role(store)))
      .filter(([store, { names = [] }]) =>
        [store, ...names].some((name) => new RegExp(`(?<![\\w.-])${name}(?![\\w.-])`).test(texts)),
      )
      .map(([store]) => `${part} does not wait for ${store}`);
  });
}

/** The scripts that save a store, by the store and what they do. */
function scriptsOf(parts: Parts): (readonly [string, string])[] {
  return [...parts].flatMap(([part, { disk }]) =>
    disk !== undefined && "dump" in disk.backup
      ? (["dump", "check", "restore", "drill", "prune"] as const).flatMap((verb) => {
          const text = "dump" in disk.backup ? disk.backup[verb] : undefined;
          return text === undefined ? [] : [[`${part}'s ${verb}`, text] as const];
        })
      : [],
  );
}

/** Functions of a store's scripts that are called in one of them which does not define them. */
export function undefinedCalls(parts: Parts): string[] {
  const scripts = scriptsOf(parts);
  const functions = new Set(
    scripts.flatMap(([, text]) => [...text.matchAll(/^(\w+)\(\) \{/gm)].map(([, name = ""]) => name)),
  );
  return scripts.flatMap(([script, text]) =>
    [...functions]
      .filter((name) =>
        new RegExp(`(^|[|({;&] ?|\\b(then|do|if|!) )${name}( |$)`, "m").test(text.replaceAll(/'[^']*'/g, "''")),
      )
      .filter((name) => !new RegExp(`^${name}\\(\\) `, "m").test(text))
      .map((name) => `${script} calls ${name}, which it does not define`),
  );
}

/** Texts in which a value of the program's own has got lost, or a loop over nothing. */
export function garbled(parts: Parts): string[] {
  const texts = [
    ...[...parts].flatMap(([part, said]) =>
      [...textsOf(said), JSON.stringify(said.health ?? {})].map((text) => [part, text] as const),
    ),
    ...scriptsOf(parts),
  ];
  return texts.flatMap(([where, text]) => {
    const found = /\bundefined\b|\[object |\bNaN\b|\bin\s*; do/.exec(text)?.[0];
    return found === undefined ? [] : [`${where}: ${found}`];
  });
}
