/** Compares inputs with the typings, and says what is wrong in the words of the bridge that the real providers share. */
import { unknownValue } from "./wire.ts";

import type { Property, Resource, Shape, Type } from "./typings.ts";
import type { Bag } from "./wire.ts";

/** All that is wrong with the inputs of the resource `name`, one sentence each. */
export function problems(resource: Resource, name: string, inputs: Bag): string[] {
  return shapeProblems(resource, resource.inputs, inputs, name);
}

/** What the provider warns of: properties that will go. */
export function warnings(resource: Resource, inputs: Bag): string[] {
  return Object.keys(inputs).flatMap((key) => {
    const why = Object.hasOwn(resource.inputs, key) ? resource.inputs[key]?.deprecated : undefined;
    return why === undefined ? [] : [`${key} is deprecated: ${why}`];
  });
}

function shapeProblems(resource: Resource, shape: Shape, given: Bag, at: string): string[] {
  const unknown = Object.keys(given)
    .filter((key) => !Object.hasOwn(shape, key) && key !== "__defaults")
    .map((key) => `Invalid or unknown key. Examine values at '${at}.${key}'.`);
  const others = Object.entries(shape).flatMap(([key, property]) => {
    const value = Object.hasOwn(given, key) ? given[key] : undefined;
    if (value !== undefined && value !== null) return valueProblems(resource, property, value, `${at}.${key}`);
    return property.required
      ? [
          `Missing required argument. The argument "${snake(key)}" is required, but no definition was found. ` +
            `Examine values at '${at}.${key}'.`,
        ]
      : [];
  });
  return [...unknown, ...others];
}

function valueProblems(resource: Resource, property: Property, value: unknown, at: string): string[] {
  const { type, values } = property;
  return typeProblems(resource, type, values, value, at);
}

function typeProblems(
  resource: Resource,
  type: Type,
  values: readonly string[] | undefined,
  value: unknown,
  at: string,
): string[] {
  if (type === "any" || value === unknownValue) return [];
  if (typeof type === "string") return isOf(type, value) ? among(values, value, at) : [wrong(type, value, at)];
  if ("one" in type) {
    if (typeof value === "object") return [wrong("string", value, at)];
    return type.open ? [] : among(type.one.map(String), value, at);
  }
  if ("list" in type) {
    if (!Array.isArray(value)) return [wrong("list", value, at)];
    return value.flatMap((item, index) => typeProblems(resource, type.list, values, item, `${at}[${String(index)}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return [wrong("map" in type ? "map" : "object", value, at)];
  const entries = value as Bag;
  if ("map" in type)
    return Object.entries(entries).flatMap(([key, item]) =>
      typeProblems(resource, type.map, undefined, item, `${at}.${key}`),
    );
  const inside = shapeProblems(resource, resource.types[type.object] ?? {}, entries, at);
  if (inside.length > 0 || resource.keepsEmptyBlocks === true) return inside;
  return Object.keys(entries).every((key) => key === "__defaults") ? [empty(at)] : [];
}

/** The bridge turns texts into numbers and truth values, and back. */
function isOf(type: "string" | "number" | "boolean", value: unknown): boolean {
  if (type === "string") return typeof value !== "object";
  if (type === "number") return typeof value === "number" || (typeof value === "string" && /^-?[\d.]+$/.test(value));
  return typeof value === "boolean" || value === "true" || value === "false";
}

/** Tried with the real provider: `healthCheckCustomConfig: {}` was not sent, and the next preview replaced the service. */
function empty(at: string): string {
  return `The block is empty: the provider takes it for none, and sees a difference each time. Examine values at '${at}'.`;
}

function wrong(type: string, value: unknown, at: string): string {
  const have = Array.isArray(value) ? "list" : typeof value;
  return `Incorrect attribute value type. ${type} required, but have ${have}. Examine values at '${at}'.`;
}

/** Documentation writes `phoneNumber` where the API takes `phone_number`, so only letters and digits are compared. */
function among(values: readonly string[] | undefined, value: unknown, at: string): string[] {
  const bare = (text: string): string => text.replace(/_/g, "").toLowerCase();
  if (!values || values.some((each) => bare(each) === bare(String(value)))) return [];
  const list = values.map((each) => `"${each}"`).join(" ");
  return [`expected ${snake(last(at))} to be one of [${list}], got ${String(value)}. Examine values at '${at}'.`];
}

function last(at: string): string {
  return (at.split(".").at(-1) ?? "").replace(/\[\d+\]$/, "");
}

/** `taskDefinition` as `task_definition`: the provider's own spelling. */
export function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
