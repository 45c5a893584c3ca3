/** Reads JSON of unknown shape. */
import { Refusal } from "./refusal.ts";

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function object(value: unknown, at: string): Json {
  if (isObject(value)) return value;
  if (value === undefined || value === null) return {};
  throw new Refusal(`${at} must be an object`, 400);
}

export function list(value: unknown, at: string): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  if (value === undefined || value === null) return [];
  throw new Refusal(`${at} must be a list`, 400);
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Whether an option says nothing: clients send unused ones as null, false, 0, "", [] or {}. */
export function empty(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(empty);
  if (isObject(value)) return Object.values(value).every(empty);
  return value === undefined || value === null || value === false || value === 0 || value === "";
}

/** Refuses all other keys that say anything: an option of a later engine is refused until somebody has looked at it. */
export function only(value: Json, at: string, keys: readonly string[]): void {
  const other = Object.keys(value).find((key) => !keys.includes(key) && !empty(value[key]));
  if (other !== undefined) throw new Refusal(`${at}.${other} is not allowed: apps are started without it`);
}
