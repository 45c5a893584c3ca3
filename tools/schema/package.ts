/**
 * The schema of the Pulumi package: what SDKs for other languages are generated from. One component a system, whose inputs
 * are a stack's config, flat. No defaults: an SDK would send them, and an old one would keep an old default.
 */
import packageJson from "../../package.json" with { type: "json" };
import { systems } from "../../components/systems/index.ts";
import { topologies } from "../../components/topologies/index.ts";
import { configSchemas, type Json } from "./schema.ts";

const name = "platform-topologies";
/** A swarm's machines are handed to the stack on them, not to a program. */
const left = ["machines"];

/** A property, or a type, of a package's schema. */
type Spec = Readonly<Record<string, unknown>>;

export function packageSchema(): Spec {
  const { shared, parts } = configSchemas();
  const types = new Types();
  const keys = Object.entries(shared.properties ?? {}).filter(([key]) => key !== "system"); // the component says it
  const common = {
    ...types.properties("", Object.fromEntries(keys)),
    ...Object.fromEntries(
      Object.keys(topologies).map((topology) => [topology, types.property(pascal(topology), parts[topology] ?? {})]),
    ),
    // Another resource may make them, and each is a secret of its own.
    secrets: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "What the system asks for, by name. Each is kept as a secret. A preview need not know them.",
    },
  };
  const resources = Object.entries(systems)
    .filter(([system]) => !left.includes(system))
    .map(([system, { component, on }]) => {
      const own = parts[system] ?? {};
      const says = `One ${component}, with a topology as its child. It runs on ${on.join(", ")}. docs/importing.md has examples.`;
      const resource = {
        isComponent: true,
        description: says,
        inputProperties: { ...common, ...types.properties(component, own.properties ?? {}) },
        requiredInputs: ["hostname", ...(own.required ?? [])],
        properties: outputs,
        required: ["url", "endpoints", "passwords", "images", "rehearsing", "places"],
      };
      return [`${name}:index:${component}`, resource] as const;
    });
  return {
    ...{ name, version: packageJson.version, displayName: "Platform topologies", license: "Apache-2.0" },
    description:
      "Complete self-hosted platforms, each from one definition, on one Docker host, a swarm, a cloud, or several regions.",
    keywords: ["category/infrastructure", "kind/component"],
    resources: Object.fromEntries(resources),
    types: { ...types.made, ...endpointType },
    language: {
      // The package itself has the plain name: it is what a program in TypeScript imports.
      nodejs: {
        packageName: `${name}-sdk`,
        respectSchemaVersion: true,
        dependencies: { "@pulumi/pulumi": packageJson.peerDependencies["@pulumi/pulumi"] },
      },
      python: { respectSchemaVersion: true, pyproject: { enabled: true } },
      go: {
        respectSchemaVersion: true,
        generateResourceContainerTypes: true,
        importBasePath: `${name}/sdk/go/platformtopologies`,
      },
      csharp: { respectSchemaVersion: true },
      java: { basePackage: "platformtopologies" },
    },
  };
}

const texts = { type: "object", additionalProperties: { type: "string" } };
const outputs = {
  url: { type: "string", description: "The address that a browser opens." },
  endpoints: {
    type: "object",
    additionalProperties: { $ref: `#/types/${name}:index:Endpoint` },
    description: "Where each store answers inside the stack, by its name.",
  },
  passwords: { ...texts, secret: true, description: "Each store's password, by its name." },
  images: { ...texts, description: "The reference of each image that runs, by its key." },
  rehearsing: {
    type: "array",
    items: { type: "string" },
    description: "The keys of the images that only stand in for the real ones.",
  },
  places: {
    type: "object",
    additionalProperties: { $ref: "pulumi.json#/Any" },
    description: "What an operator wants to know of the place, as the nodes of a swarm.",
  },
  ca: { type: "string", description: "The authority of the stack's own, if it has one: PEM." },
};
const endpointType = {
  [`${name}:index:Endpoint`]: {
    type: "object",
    properties: { host: { type: "string" }, port: { type: "integer" }, user: { type: "string" } },
    required: ["host", "port"],
  },
};

/** Turns JSON Schema into the types of a package's schema: each object is one with a name. */
class Types {
  readonly made: Record<string, Spec> = {};

  properties(prefix: string, all: Record<string, Json | false>): Record<string, Spec> {
    return Object.fromEntries(
      Object.entries(all).flatMap(([key, json]) =>
        json === false ? [] : [[key, this.property(prefix + pascal(key), json)]],
      ),
    );
  }

  property(called: string, json: Json): Spec {
    const description = described(json);
    return { ...this.#type(called, json), plain: true, ...(description === "" ? {} : { description }) };
  }

  #type(called: string, json: Json): Spec {
    const forms = (json.anyOf ?? json.oneOf) as Json[] | undefined;
    if (forms !== undefined) return this.#union(called, forms);
    if (json.const !== undefined) return { type: typeof json.const };
    const type = [json.type].flat().find((each) => each !== "null");
    switch (type) {
      case "string":
      case "number":
      case "integer":
      case "boolean":
        return { type };
      case "array":
        return { type, items: { ...this.#type(called, (json.items ?? {}) as Json), plain: true } };
      case "object":
        return json.properties === undefined ? this.#record(called, json) : this.#object(called, json);
      default:
        return { $ref: "pulumi.json#/Any" };
    }
  }

  #record(called: string, { additionalProperties }: Json): Spec {
    const values = typeof additionalProperties === "object" ? additionalProperties : {};
    return { type: "object", additionalProperties: { ...this.#type(called, values), plain: true } };
  }

  #object(called: string, json: Json): Spec {
    const token = `${name}:index:${called}`;
    const { properties = {}, required = [], description } = json;
    // What has a default need not be said.
    const needed = required.filter((key) => at(properties[key])?.default === undefined);
    this.made[token] = {
      type: "object",
      ...(typeof description === "string" ? { description } : {}),
      properties: this.properties(called, properties),
      ...(needed.length > 0 ? { required: needed } : {}),
    };
    return { $ref: `#/types/${token}` };
  }

  /** The forms of a union are called after what tells them apart: a fixed value, or their first key. */
  #union(called: string, forms: Json[]): Spec {
    const types = forms.map((form) => {
      const { properties = {} } = form;
      const fixed = Object.values(properties).flatMap((value) => at(value)?.const ?? at(value)?.enum ?? []);
      const [first = ""] = [...fixed.map(String), ...Object.keys(properties)];
      return this.#type(called + pascal(first), form);
    });
    const different = [...new Map(types.map((type) => [JSON.stringify(type), type])).values()];
    return different.length === 1 ? (different[0] ?? {}) : { oneOf: different };
  }
}

function at(json: Json | false | undefined): Json | undefined {
  return json === false ? undefined : json;
}

/** The comment, and what of the schema no type can say. */
function described({ description, enum: values, default: usual, const: fixed }: Json): string {
  const text = typeof description === "string" ? description : "";
  const plain = ["string", "number", "boolean"].includes(typeof usual) && !/default/i.test(text);
  return [
    text,
    Array.isArray(values) ? `One of ${values.join(", ")}.` : "",
    typeof fixed === "string" ? `Always ${fixed}.` : "",
    plain ? `Default: ${JSON.stringify(usual).replaceAll('"', "")}.` : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** `s3-bucket` and `s3Bucket` are `S3Bucket`. */
function pascal(text: string): string {
  return text.replaceAll(/(^|[^a-zA-Z0-9])([a-zA-Z0-9])/g, (_, _before, letter: string) => letter.toUpperCase());
}
