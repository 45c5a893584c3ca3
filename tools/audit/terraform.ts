/**
 * What Terraform would call a stack's resources: a scanner of Terraform's plans reads Pulumi's state so. Bridged resources
 * are Terraform's in another spelling; the SDK's typings say what is a block and what is a map.
 */
import { Table } from "../simulate/table.ts";
import { clouds } from "../simulate/clouds.ts";

import type { Resource as Shapes, Shape, Type } from "../simulate/typings.ts";

/** As `pulumi stack export` has it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly custom?: boolean;
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** The URNs that a property's value came from. */
  readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
}

export interface PlannedResource {
  readonly urn: string;
  readonly address: string;
  readonly type: string;
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** By argument: the addresses that its value came from. */
  readonly references: Readonly<Record<string, readonly string[]>>;
}

/** Modules that Terraform names otherwise. */
const modules: Readonly<Record<string, string>> = { ec2: "", rds: "db_", servicediscovery: "service_discovery_" };

/** Terraform's type of an AWS token: `aws_ecs_service`. */
export function terraformType(token: string): string {
  if (token === "aws:lb/loadBalancer:LoadBalancer") return "aws_lb";
  const [, module = "", name = ""] = /^aws:(\w+)\/\w+:(\w+)$/.exec(token) ?? [];
  return `aws_${modules[module] ?? `${module}_`}${snake(name)}`;
}

/** Blocks that Terraform, too, names in the plural. */
const plural = new Set([
  ...["block_device_mappings", "dns_records", "log_publishing_options", "network_interfaces", "tag_specifications"],
]);

const snake = (text: string): string => text.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
const singular = (text: string): string =>
  plural.has(text)
    ? text
    : text
        .replace(/ies$/, "y")
        .replace(/(?<=s|x)es$/, "")
        .replace(/(?<!s)s$/, "");

/** A secret as the state has it. */
const secret = "4dabf18193072939515e22adb298388d";

class Spelling {
  readonly #shapes: Shapes;

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
  }

  block(shape: Shape, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(values)
        .filter(([key]) => !key.startsWith("__"))
        .map(([key, value]) => this.#argument(key, shape[key]?.type ?? "any", value)),
    );
  }

  #argument(key: string, type: Type, value: unknown): [string, unknown] {
    const name = argumentName(key, type);
    if (typeof value === "object" && value !== null && secret in value) return [name, "(secret)"];
    if (isBlocks(type) && Array.isArray(value)) return [name, value.map((each) => this.#nested(type.list, each))];
    return [name, isObject(type) ? [this.#nested(type, value)] : value];
  }

  #nested(type: Type, value: unknown): unknown {
    if (!isObject(type) || typeof value !== "object" || value === null) return value;
    return this.block(this.#shapes.types[type.object] ?? {}, value as Record<string, unknown>);
  }
}

/** `default_action` of `defaultActions`: a block is named in the singular, a list of texts as it is. */
function argumentName(key: string, type: Type = "any"): string {
  return isBlocks(type) ? singular(snake(key)) : snake(key);
}

function isBlocks(type: Type): type is { list: { object: string } } {
  return typeof type === "object" && "list" in type && isObject(type.list);
}

function isObject(type: Type): type is { object: string } {
  return typeof type === "object" && "object" in type;
}

/** A stack's AWS resources, as a plan that makes them all has them. */
export async function plannedOf(state: readonly StateResource[]): Promise<PlannedResource[]> {
  const cloud = await clouds.aws?.();
  if (cloud === undefined) throw new Error("no typings of AWS");
  const table = new Table(cloud);
  const ours = state.filter(({ type }) => /^aws:\w+\//.test(type));
  const addresses = new Map(ours.map(({ urn, type }) => [urn, `${terraformType(type)}.${named(urn)}`]));
  return Promise.all(
    ours.map(async ({ urn, type, inputs = {}, propertyDependencies = {} }) => {
      const shapes = await table.resource(type);
      if (shapes === undefined) throw new Error(`the SDK has no ${type}`);
      const references = Object.entries(propertyDependencies).map(([key, urns]) => [
        argumentName(key, shapes.inputs[key]?.type),
        urns.flatMap((of) => addresses.get(of) ?? []),
      ]);
      return {
        ...{ urn, address: addresses.get(urn) ?? "", type: terraformType(type), name: named(urn) },
        values: new Spelling(shapes).block(shapes.inputs, inputs),
        references: Object.fromEntries(references) as PlannedResource["references"],
      };
    }),
  );
}

/** A name that Terraform's addresses take. */
function named(urn: string): string {
  return (urn.split("::").at(-1) ?? "").replaceAll(/[^\w-]/g, "_");
}

/** The JSON of `terraform show`, for a plan that makes `resources`. */
export function planJson(resources: readonly PlannedResource[]): object {
  const head = ({ address, type, name }: PlannedResource) => ({ address, mode: "managed", type, name });
  return {
    format_version: "1.2",
    terraform_version: "1.11.0",
    planned_values: {
      root_module: {
        resources: resources.map((each) => ({ ...head(each), provider_name: provider, values: each.values })),
      },
    },
    resource_changes: resources.map((each) => ({
      ...{ ...head(each), provider_name: provider },
      change: { actions: ["create"], before: null, after: each.values, after_unknown: {} },
    })),
    configuration: {
      root_module: {
        resources: resources.map((each) => ({
          ...head(each),
          expressions: Object.fromEntries(
            Object.entries(each.references)
              .filter(([, addresses]) => addresses.length > 0)
              .map(([key, addresses]) => [
                key,
                { references: addresses.flatMap((address) => [`${address}.id`, address]) },
              ]),
          ),
        })),
      },
    },
  };
}

const provider = "registry.terraform.io/hashicorp/aws";
