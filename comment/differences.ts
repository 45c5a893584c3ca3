/** What changes in a resource, property by property, as texts that can be shown. */
import type { State, Step } from "./events.ts";

/** One property. A side that is unset has no such property. */
export interface Difference {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
  /** It asks for a replacement. */
  readonly replaces?: true;
}

type Path = readonly (string | number)[];

/** As the engine writes what is a secret, and what nobody knows before the `up`. */
const secret = "[secret]";
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** The engine's mark on a secret that it has not taken away itself. */
const secretSign = "4dabf18193072939515e22adb298388d";

/** Keys that the engine and its SDKs add to inputs. */
const internal = new Set(["__defaults", "__internal", "__meta", "__provider"]);

/** Characters of a value; the rest of a longer one is cut around the place where it differs. */
const longest = 160;

/**
 * What differs, sorted. A provider that says nothing of its own (ours cannot, by the SDK) has its inputs compared. A secret
 * is only said to be one.
 */
export function differencesOf(step: Step, redact: (text: string) => string): Difference[] {
  const told = (path: Path, before: unknown, after: unknown): Difference => pair(path, before, after, redact);
  const compare = (path: Path, before: unknown, after: unknown): Difference[] =>
    leaves(path, before, after).map((each) => told(...each));
  const paths = Object.entries(step.detailedDiff ?? {});
  const keys = step.keys ?? [];
  const found =
    paths.length === 0
      ? compare([], inputsOf(step.old), inputsOf(step.new))
      : paths.flatMap(([text, { inputDiff }]) => {
          const path = pathOf(text);
          const old = inputDiff ? inputsOf(step.old) : (step.old?.outputs ?? inputsOf(step.old));
          const [before, after] = [valueAt(old, path), valueAt(inputsOf(step.new), path)];
          const inside = compare(path, before, after);
          // A difference that the provider sees and the values do not show: two secrets, or a default of its own.
          return inside.length > 0 ? inside : [told(path, before, after)];
        });
  const replacing = paths.filter(([, { diffKind }]) => diffKind.endsWith("-replace")).map(([text]) => text);
  const asks = (path: string): boolean =>
    replacing.some((each) => begins(path, each)) || keys.some((key) => begins(path, key));
  return found
    .map((each) => (asks(each.path) ? { ...each, replaces: true as const } : each))
    .sort((a, b) => compareTexts(a.path, b.path));
}

/** By code units, which no locale changes. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function begins(path: string, start: string): boolean {
  return path === start || (path.startsWith(start) && /^[.[]/.test(path.slice(start.length)));
}

function inputsOf(state: State | null | undefined): Readonly<Record<string, unknown>> {
  return state?.inputs ?? {};
}

/** The places where two values differ, as deep as both go. */
function leaves(path: Path, before: unknown, after: unknown): [Path, unknown, unknown][] {
  if (same(before, after)) return [];
  const [old, now] = byName(partsOf(before), partsOf(after));
  if (old === undefined || now === undefined || Array.isArray(old) !== Array.isArray(now))
    return [[path, before, after]];
  const keys = Array.isArray(old)
    ? Array.from({ length: Math.max(old.length, (now as unknown[]).length) }, (_, index) => index)
    : [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((key) => !internal.has(key));
  return keys.flatMap((key) => leaves([...path, key], childOf(old, key), childOf(now, key)));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** With its keys in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => compareTexts(a, b))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

/** What can be looked into: an object, a list, or the JSON of one, as containers of a task are. */
function partsOf(value: unknown): object | undefined {
  if (typeof value === "object" && value !== null) return secretSign in value ? undefined : value;
  if (typeof value !== "string" || !/^\s*[{[]/.test(value)) return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Lists whose members have names, as variables and containers do, by these: a new first one changes no other. */
function byName(...lists: readonly (object | undefined)[]): (object | undefined)[] {
  const named = lists.map((list) => {
    if (!Array.isArray(list)) return undefined;
    const names = list.map((each: unknown) => childOf(each, "name"));
    const unique = new Set(names).size === names.length && names.every((name) => typeof name === "string");
    return unique ? Object.fromEntries(list.map((each: unknown, at) => [String(names[at]), each])) : undefined;
  });
  return named.every((each) => each !== undefined) ? named : [...lists];
}

function childOf(parts: unknown, key: string | number): unknown {
  if (typeof parts !== "object" || parts === null) return undefined;
  return Object.hasOwn(parts, key) ? (parts as Readonly<Record<string | number, unknown>>)[key] : undefined;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => childOf(at, key), value);
}

/** A secret goes before anything is cut: half of one is one. */
function pair(path: Path, before: unknown, after: unknown, redact: (text: string) => string): Difference {
  const [from, to] = [textOf(before), textOf(after)].map((text) => (text === undefined ? text : redact(text)));
  const [old, now] = cut(from, to);
  return {
    path: textOfPath(path),
    ...(old === undefined ? {} : { before: old }),
    ...(now === undefined ? {} : { after: now }),
  };
}

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (value === unknown) return "(not known yet)";
  return JSON.stringify(sorted(value), (_, each: unknown) =>
    typeof each === "object" && each !== null && secretSign in each ? secret : each,
  ).replaceAll(unknown, "(not known yet)");
}

/** Both around the first place where they differ, if one is too long to read. */
function cut(before: string | undefined, after: string | undefined): [string | undefined, string | undefined] {
  const long = [before, after].some((text) => text !== undefined && text.length > longest);
  if (!long) return [before, after];
  let same = 0;
  if (before !== undefined && after !== undefined)
    while (same < before.length && same < after.length && before[same] === after[same]) same++;
  const from = same > longest / 2 ? same - longest / 4 : 0;
  const shown = (text: string | undefined): string | undefined => {
    if (text === undefined || (from === 0 && text.length <= longest)) return text;
    const piece = text.slice(from, from + longest);
    return `${from === 0 ? "" : "…"}${piece}${from + longest < text.length ? "…" : ""}`;
  };
  return [shown(before), shown(after)];
}

/** `tags["a.b"].c[0]`, in the engine's own spelling. */
function pathOf(text: string): Path {
  return Array.from(text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g), ([, quoted, index, name]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/g, "$1");
    return index === undefined ? (name ?? "") : Number(index);
  });
}

function textOfPath(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${String(key)}]`;
      if (!/^[^.[\]"\s]+$/.test(key)) return `[${JSON.stringify(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join("");
}
