/**
 * Outputs that a cloud would have given: the inputs, and for all else something of the right type that looks right and
 * is the same in each run. An input is never copied into another output, as it may be a secret.
 */
import { unknownValue } from "./wire.ts";

import type { Making } from "./cloud.ts";
import type { Property, Resource, Type } from "./typings.ts";
import type { Bag } from "./wire.ts";

/** `special` has what the cloud says of this resource. */
export function outputsOf(resource: Resource, making: Making, special: Bag): Bag {
  const { inputs } = making;
  const outputs: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(resource.outputs)) {
    if (key === "id" || key === "urn") continue;
    const given = inputs[key];
    if (given !== undefined && given !== null) outputs[key] = given;
    else if (key in special) outputs[key] = special[key];
    else if (property.required || property.otherwise !== undefined)
      outputs[key] = made(resource, key, property, making, key in resource.inputs);
  }
  // What a state keeps besides, as the real one does: a write-only password.
  for (const [key, value] of Object.entries(inputs))
    if (!(key in outputs) && key !== "__defaults") outputs[key] = value;
  return outputs;
}

/** What a preview of a new resource knows: its inputs. */
export function previewOf(resource: Resource, inputs: Bag): Bag {
  const outputs: Record<string, unknown> = {};
  for (const [key, { required }] of Object.entries(resource.outputs)) {
    if (key === "id" || key === "urn") continue;
    if (inputs[key] !== undefined && inputs[key] !== null) outputs[key] = inputs[key];
    else if (required) outputs[key] = unknownValue;
  }
  return outputs;
}

function made(
  resource: Resource,
  key: string,
  { type, otherwise }: Property,
  making: Making,
  optional: boolean,
): unknown {
  if (type === "boolean") return otherwise === "true";
  if (type === "number") return otherwise !== undefined && /^\d+$/.test(otherwise) ? Number(otherwise) : 0;
  if (type === "string" || type === "any") return otherwise ?? text(key, making);
  if ("one" in type) return otherwise ?? String(type.one[0] ?? "");
  if ("map" in type) return {};
  // A list that nobody gave has one member if only the cloud makes it: programs take the first.
  if ("list" in type) return optional ? [] : [member(resource, key, type.list, making)];
  return member(resource, key, type, making);
}

function member(resource: Resource, key: string, type: Type, making: Making): unknown {
  if (typeof type !== "object" || !("object" in type))
    return made(resource, key.replace(/s$/, ""), { type }, making, true);
  const shape = resource.types[type.object] ?? {};
  return Object.fromEntries(
    Object.entries(shape).flatMap(([name, property]) =>
      property.required ? [[name, made(resource, `${key}.${name}`, property, making, true)]] : [],
    ),
  );
}

/** A text that looks like what the property's name says. */
function text(key: string, { config, digits }: Making): string {
  const name = key.split(".").at(-1) ?? key;
  if (/(?:date|time|at)$/i.test(name) && /[a-z](?:Date|Time|At)$/.test(name)) return "2026-01-01T00:00:00Z";
  if (/^(?:status|state)$|[a-z](?:Status|State)$/.test(name)) return "available";
  if (/^region$|[a-z]Region$/.test(name)) return config.region;
  if (/^(?:ownerId|accountId|registryId)$/.test(name)) return config.account;
  if (/(?:dnsName|domainName|endpoint|hostname|fqdn|address)$/i.test(name))
    return `${digits(key, 12)}.${config.region}.simulated`;
  if (/url$/i.test(name)) return `https://${digits(key, 12)}.${config.region}.simulated`;
  return digits(key, 17);
}
