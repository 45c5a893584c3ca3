/**
 * The JSON Schema of a stack's file: what editors complete and check in `stacks/*.yaml` and `Pulumi.*.yaml`. It is made of
 * the schemas that the program itself reads the config with. What ties several values together is the program's alone.
 */
import { z } from "zod";

import { commonConfig } from "../../components/config.ts";
import { systems } from "../../components/systems/index.ts";
import { topologies } from "../../components/topologies/index.ts";
import { type Doc, Sources, together } from "./docs.ts";

/** A schema as JSON Schema's draft 7 has it, which every editor knows. */
export interface Json {
  [keyword: string]: unknown;
  properties?: Record<string, Json | false>;
  additionalProperties?: Json | boolean;
  required?: string[];
}

const prefix = "platform-topologies:";
/** As `pulumi config set --secret` writes a value. */
const encrypted: Json = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};

/** The keys that each system has, and the own ones of each system and topology, with their comments. */
export function configSchemas(sources = new Sources()): {
  readonly shared: Json;
  readonly parts: Record<string, Json>;
} {
  const doc = together([sources.schema("commonConfig"), sources.arguments("SiteArgs")]);
  return {
    shared: described(jsonOf(commonConfig), doc),
    parts: { ...partsOf(systems, sources), ...partsOf(topologies, sources) },
  };
}

export function stackSchema(sources = new Sources()): Json {
  const { shared, parts } = configSchemas(sources);
  const { properties: keys = {}, required = [] } = shared;
  const known = { ...mapped(keys, ownForm), ...parts };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A stack of platform-topologies",
    description: "Made by `npm run schema` of the program's own schemas: change those.",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: mapped(known, (value) => value, prefix),
        // Pulumi's own keys, and those of other providers.
        patternProperties: { [`^(?!${prefix})[^:]+:`]: {} },
        additionalProperties: false,
        // Pulumi.yaml has defaults for the others.
        required: required.filter((key) => key === "hostname").map((key) => prefix + key),
        allOf: [
          ...Object.entries(systems).map(([name, { on }]) =>
            chosen("system", name, systems, parts, { [`${prefix}topology`]: { enum: [...on] } }),
          ),
          ...Object.keys(topologies).map((name) => chosen("topology", name, topologies, parts, {})),
        ],
      },
    },
    // Below `config` they would count; here nobody reads them.
    patternProperties: { [`^${prefix}`]: false },
    required: ["config"],
  };
}

/** With a system, or a topology, comes its own key, and no other's. */
function chosen(key: string, name: string, all: object, parts: Record<string, Json>, more: Record<string, Json>): Json {
  const others = Object.keys(all).filter((other) => other !== name);
  const needed = (parts[name]?.required ?? []).length > 0;
  return {
    if: { properties: { [prefix + key]: { const: name } }, required: [prefix + key] },
    then: {
      properties: { ...more, ...Object.fromEntries(others.map((other) => [prefix + other, false] as const)) },
      ...(needed ? { required: [prefix + name] } : {}),
    },
  };
}

/** The own keys of systems or topologies. Comments are above the schema's members, or those of the arguments. */
function partsOf(
  rows: Readonly<Record<string, { readonly config: z.ZodType }>>,
  sources: Sources,
): Record<string, Json> {
  const made = Object.entries(rows).map(([name, { config }]) => {
    const argumentsName = { docker: "DockerHostArgs", swarm: "SwarmArgs", aws: "AwsRegionArgs" }[name] ?? "";
    const doc = together([sources.schema(`${name}Config`), sources.arguments(argumentsName)]);
    const json = described(jsonOf(config), doc);
    // A key without a value is an empty part.
    return [name, (json.required ?? []).length > 0 ? json : { ...json, type: ["object", "null"] }] as const;
  });
  return Object.fromEntries(made);
}

function mapped<T>(values: Record<string, T>, change: (value: T, key: string) => T, before = ""): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [before + key, change(value, key)]));
}

/** A key as Pulumi writes it: `pulumi config set protect true` makes a text of it, and secrets are encrypted. */
function ownForm(value: Json | false, key: string): Json | false {
  if (value === false) return false;
  const { type, description, default: usual, ...rest } = value;
  const about = {
    ...(description === undefined ? {} : { description }),
    ...(usual === undefined ? {} : { default: usual }),
  };
  if (type === "boolean") return { ...about, enum: [true, false, "true", "false"] };
  if (type === "integer")
    return {
      ...about,
      anyOf: [
        { type, ...rest },
        { type: "string", pattern: "^\\d+$" },
      ],
    };
  if (key !== "secrets") return value;
  return { ...value, additionalProperties: { anyOf: [encrypted, value.additionalProperties ?? {}] } };
}

function jsonOf(schema: z.ZodType): Json {
  return z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const json = jsonSchema as Json;
      delete json.$schema;
      // Zod says of every whole number that JavaScript can hold it.
      if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
      if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
      explain(zodSchema, json);
    },
  }) as Json;
}

/** Puts the program's own sentence beside each pattern, for editors to show, and a pattern for a URL's scheme. */
function explain(schema: z.core.$ZodTypes, json: Json): void {
  if (schema._zod.def.type !== "string") return;
  const { def } = schema._zod;
  const own = "format" in def ? [def] : [];
  const checks = [...own, ...(def.checks ?? []).map((check) => check._zod.def)];
  const patterns = checks.flatMap((check) => {
    const { pattern, error, protocol } = check as Partial<z.core.$ZodURLDef>;
    const message = error?.({ code: "invalid_format", input: "" } as never);
    const text = typeof message === "string" ? message : message?.message;
    return [
      ...(pattern === undefined ? [] : [{ pattern: pattern.source, text }]),
      ...(protocol === undefined ? [] : [{ pattern: protocol.source.replace(/\$$/, ":"), text }]),
    ];
  });
  if (patterns.length === 0) return;
  delete json.pattern;
  delete json.allOf;
  const written = patterns.map(({ pattern, text }) => ({
    pattern,
    ...(text === undefined ? {} : { patternErrorMessage: text }),
  }));
  if (written.length === 1) Object.assign(json, written[0]);
  else json.allOf = written;
}

/** The schema with the comments as descriptions. */
function described(json: Json, doc: Doc): Json {
  const { properties, additionalProperties, items } = json;
  const forms = (["anyOf", "oneOf", "allOf"] as const).filter((key) => Array.isArray(json[key]));
  return {
    ...(doc.text === undefined ? {} : { description: doc.text }),
    ...json,
    ...(properties === undefined
      ? {}
      : {
          properties: mapped(properties, (inner, key) =>
            inner === false ? false : described(inner, doc.properties.get(key) ?? none),
          ),
        }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: described(additionalProperties, doc.inside ?? none) }
      : {}),
    ...(typeof items === "object" && items !== null ? { items: described(items as Json, doc.inside ?? none) } : {}),
    ...Object.fromEntries(
      forms.map((key) => [key, (json[key] as Json[]).map((form) => described(form, { ...doc, text: undefined }))]),
    ),
  };
}
const none: Doc = { properties: new Map() };
