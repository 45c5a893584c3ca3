/** A system as a program in any language asks for it: one component, whose inputs are a stack's config, flat. */
import * as pulumi from "@pulumi/pulumi";

import { commonConfig } from "./config.ts";
import { warn } from "./core/certificates.ts";
import type { Dict } from "./core/contracts.ts";
import { ConfigError, type Problem, refuse } from "./core/errors.ts";
import { tokenOf } from "./core/formats.ts";
import { knownOf, stateOfStack } from "./core/known.ts";
import { checkedTopology, plannedWithRetirements, rehearsed, type StackPlan, wholeOf } from "./deploy.ts";
import { type SystemName, systems } from "./systems/index.ts";
import { topologies } from "./topologies/index.ts";

/** What the component's outputs are in every language. Each is in the package's schema, too. */
export interface Constructed {
  readonly urn: pulumi.Output<string>;
  readonly state: Dict<unknown>;
}

/**
 * Checks the whole config, and makes the system with a topology as its child.
 * @throws ConfigError with everything that is wrong; nothing has been registered then.
 */
export async function construct(
  token: string,
  name: string,
  inputs: Dict<unknown>,
  options: pulumi.ComponentResourceOptions,
): Promise<Constructed> {
  const system = systemOf(token);
  const { plain, secrets } = await settled(inputs);
  return flat(system, async () => {
    const planned = withSecrets(await plannedWithRetirements(configOf(system, plain)), secrets);
    refuse(planned.problems);
    warn(planned.warnings);
    const whole = wholeOf(planned);
    const state = knownOf((await stateOfStack()) ?? [], name);
    const topology = await checkedTopology(planned, { state, component: name });
    const made = systems[system].make(name, whole.system, topology, options);
    const { url, endpoints, images, on } = made;
    return {
      urn: made.urn,
      state: {
        ...{ url, endpoints, images, rehearsing: rehearsed(planned.images), places: on.outputs ?? {} },
        // One secret: a map of secrets is an empty map for a YAML program.
        passwords: pulumi.secret(pulumi.output(made.passwords)),
        ...(on.ca === undefined ? {} : { ca: on.ca }),
      },
    };
  });
}

/** `platform-topologies:index:ArangoDb` is `arangodb` in a stack's config. */
function systemOf(token: string): SystemName {
  const found = Object.entries(systems).find(([, { component }]) => token === tokenOf(component));
  if (found === undefined)
    throw new ConfigError([{ key: "type", value: token, remedy: "no component of this package" }]);
  return found[0] as SystemName;
}

/** The config of a stack that would be the same: the system's own keys are below its name there. */
function configOf(system: SystemName, plain: Dict<unknown>): Dict<unknown> {
  const shared = new Set([...Object.keys(commonConfig.shape), ...Object.keys(topologies)]);
  const part = (ours: boolean) => Object.fromEntries(Object.entries(plain).filter(([key]) => shared.has(key) === ours));
  return { topology: "docker", ...part(true), system, [system]: part(false) };
}

/** Says the keys as the program has them, and without the CLI's commands for a stack's config. */
async function flat<T>(system: SystemName, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.problems.map((problem) => asInput(system, problem)));
  }
}

function asInput(system: SystemName, { key, remedy, ...value }: Problem): Problem {
  return {
    ...value,
    key: key.startsWith(`${system}.`) ? key.slice(system.length + 1) : key,
    remedy: remedy.replace(/(:|, or) pulumi config (set|rm) .*$/, ""),
  };
}

interface Settled {
  readonly plain: Dict<unknown>;
  /** Every secret as it came, with what it depends on. */
  readonly secrets: Dict<pulumi.Output<string>>;
}

/** In the place of a secret that another resource has yet to make. */
const later = "a preview does not know it yet";

/** Plain values decide the shape, so they have to be known, in a preview, too. Secrets may come later. */
async function settled(inputs: Dict<unknown>): Promise<Settled> {
  const { secrets: given, ...rest } = inputs;
  const problems: Problem[] = [];
  const plain = (await open(rest, [], problems)) as Dict<unknown>;
  refuse(problems);
  const whole = pulumi.Output.isInstance(given) ? await valueOf(given) : given;
  if (whole === unknown) refuse([{ key: "secrets", remedy: "their names are not known yet: give a map of secrets" }]);
  const rows = Object.entries((whole ?? {}) as Dict<string>);
  const known = await Promise.all(
    rows.map(async ([name, value]) => {
      const found = await valueOf(pulumi.output(value));
      return [name, found === unknown ? later : found] as const;
    }),
  );
  const secrets = Object.fromEntries(rows.map(([name, value]) => [name, pulumi.secret(pulumi.output(value))]));
  return { plain: { ...plain, ...(rows.length === 0 ? {} : { secrets: Object.fromEntries(known) }) }, secrets };
}

async function open(value: unknown, path: readonly string[], problems: Problem[]): Promise<unknown> {
  if (pulumi.Output.isInstance(value)) {
    const found = await valueOf(value);
    if (found !== unknown) return open(found, path, problems);
    const remedy = "is not known yet, and decides what is made: give a plain value, or deploy what makes it first";
    problems.push({ key: path.join("."), remedy });
    return undefined;
  }
  if (Array.isArray(value))
    return Promise.all(value.map((item: unknown, index) => open(item, [...path, String(index)], problems)));
  if (typeof value !== "object" || value === null) return value;
  const rows = Object.entries(value).map(
    async ([key, inner]: [string, unknown]) => [key, await open(inner, [...path, key], problems)] as const,
  );
  return Object.fromEntries(await Promise.all(rows));
}

const unknown = Symbol("unknown");

/** What the SDK knows of an output, and tells its own functions alone. */
interface Told {
  readonly isKnown: Promise<boolean>;
  promise(): Promise<unknown>;
}

async function valueOf(output: pulumi.Output<unknown>): Promise<unknown> {
  const told = output as unknown as Told;
  return (await told.isKnown) ? told.promise() : unknown;
}

/** The plan with the secrets as the program gave them: one that is not known yet has no value of ours. */
function withSecrets(planned: StackPlan, secrets: Dict<pulumi.Output<string>>): StackPlan {
  const { whole } = planned;
  return whole === undefined ? planned : { ...planned, whole: { ...whole, site: { ...whole.site, secrets } } };
}
