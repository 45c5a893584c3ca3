import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import * as pulumi from "@pulumi/pulumi";

import { messageOf } from "../ops/docker.ts";
import { local } from "../tools/setup/paths.ts";
import { parseConfig, type Settings } from "./config.ts";
import { checkAuthorities, warn } from "./core/certificates.ts";
import { check } from "./core/check.ts";
import type { Container, Dict, List } from "./core/contracts.ts";
import { listed, type Problem, refuse } from "./core/errors.ts";
import { at, nearest, own, stackName } from "./core/formats.ts";
import type { Image } from "./core/images.ts";
import { handedBy, handedOver, withHanded } from "./core/handover.ts";
import { outputsOf, stateOfStack } from "./core/known.ts";
import { endings, movedLines } from "./core/releases.ts";
import { type Retirable, withRetirements } from "./core/retirements.ts";
import { containers, imageKeys, type Plan } from "./core/plan.ts";
import { siteOf } from "./core/site.ts";
import type { OwnTopology, Site } from "./core/topology.ts";
import { checkValues } from "./core/values.ts";
import { mermaid } from "./picture/mermaid.ts";
import type { Picture } from "./picture/model.ts";
import { pictureOf } from "./picture/picture.ts";
import { encryptedKeys, plainSecrets } from "./plain-secrets.ts";
import { systems, type SystemSettings } from "./systems/index.ts";
import type { SystemComponent } from "./core/system.ts";
import type { Stack } from "./topologies/entry.ts";
import { topologies } from "./topologies/index.ts";
import { otherStack } from "./topologies/identity.ts";
import { roleOf } from "./topologies/swarm/placement.ts";

/** What a stack exports. */
export interface Outputs {
  readonly url: string;
  readonly rehearsing: readonly string[];
  readonly endpoints: SystemComponent<unknown>["endpoints"];
  readonly passwords: pulumi.Output<unknown>;
  /** The authority of the stack's own, if it has one. */
  readonly ca?: pulumi.Output<string>;
  readonly images: Readonly<Record<string, string>>;
  /** What another stack on this one's machines takes over. */
  readonly machines?: pulumi.Output<unknown>;
  readonly machineSecrets?: pulumi.Output<unknown>;
  /** Who supplies each need, and why. */
  readonly suppliers: Readonly<Record<string, string>>;
  /** Where things are, on a topology of several nodes. */
  readonly places: Readonly<Record<string, unknown>>;
  /** What was deployed, as Mermaid's text. It changes only with the shape, as by one replica more. */
  readonly picture: string;
}

export interface WholePlan {
  readonly settings: Settings;
  readonly system: SystemSettings;
  /** The topology's own part of the config. */
  readonly topology: object;
  readonly site: Site;
  readonly plan: Plan;
}

/** A stack as its config describes it, checked by a dry run. */
export interface StackPlan {
  readonly problems: readonly Problem[];
  /** What is right today, but needs care soon. */
  readonly warnings: readonly string[];
  /** The whole plan, if there are no problems; else as far as the config can be read. */
  readonly whole?: WholePlan;
  /** Images that it runs. Complete when there are no problems. */
  readonly images: readonly Image[];
  readonly containers: List<readonly [string, Container]>;
}

/** Reads and checks a whole config without any engine or provider. Everything that is wrong comes at once. */
export function planStack(raw: Readonly<Record<string, unknown>>, stack: string, now = new Date()): StackPlan {
  const { problems, settings, system, topology: read } = parseConfig(raw);
  const nothing = { warnings: [], images: [], containers: [] };
  if (settings === undefined || system === undefined) return { problems, ...nothing };
  const unsayable = checkValues(raw, settings);
  if (unsayable.length > 0) return { problems: [...problems, ...unsayable], ...nothing };
  const entry = systems[settings.system];
  const topology = own(topologies, settings.topology);
  if (topology === undefined) return { problems: [...problems, notBuilt(settings, entry.on)], ...nothing };
  // A part that cannot be read at all counts as an empty one, with its defaults.
  const config = read ?? topology.config.safeParse(undefined).data;
  if (config === undefined) return { problems, ...nothing };
  const { name = `${settings.system}-${stack}`, secrets } = settings;
  const named = stackName.safeParse(name).success;
  const site = siteOf({
    ...settings,
    built: built(),
    name: named ? name : "unnamed",
    ports: topology.ports(config),
  });
  const capabilities = topology.chosen?.(config) ?? topology.capabilities;
  const plan = entry.plan(system, { ...topology, capabilities, site, images: topology.runs?.(config) ?? [] });
  const placed = topology.check(config, { site, plan, secrets });
  const images = imageKeys(plan, capabilities.edge.by === "proxy")
    .map((key) => site.image(key))
    .filter((image): image is Image => !("remedy" in image));
  return {
    problems: [
      ...problems,
      ...(named ? [] : [nameless(name)]),
      ...(entry.on.includes(settings.topology) ? [] : [notBuilt(settings, entry.on)]),
      // A part that could not be read may ask for the secrets.
      ...(problems.length > 0 ? [] : checkSecrets(secrets, plan, topology.asks(config))),
      ...placed.problems,
      ...check(plan, { site, capabilities }),
    ],
    warnings: [...placed.warnings, ...authorities(settings, system), ...endings(images, settings.images, now)],
    whole: { settings, system, topology: config, site, plan },
    images,
    containers: containers(plan),
  };
}

/**
 * One stack: read the config, run the system dry, ask the engine, and only then register the first resource.
 * @throws ConfigError with everything that is wrong.
 */
export async function deploy(): Promise<Outputs> {
  if (process.env.PULUMI_DEBUG_PROMISE_LEAKS === undefined) spare();
  const project = pulumi.getProject();
  const raw = rawConfig(project);
  const planned = await plannedWithRetirements(raw);
  const plain = plainSecrets(raw);
  refuse(withoutEncrypted([...planned.problems, ...plain.problems], encryptedKeys(project)));
  warn([...planned.warnings, ...plain.warnings]);
  const whole = wholeOf(planned);
  const { settings, system, plan } = whole;
  const { images } = planned;
  const topology = await checkedTopology(planned, { state: (await stateOfStack()) ?? [], component: settings.system });
  const on = topology.make(settings.topology, {});
  const made = systems[settings.system].make(settings.system, system, on, {});
  const handed = handedOver(plan.needs, made.supplied);
  return {
    url: made.url,
    rehearsing: rehearsed(images),
    endpoints: made.endpoints,
    passwords: pulumi.secret(made.passwords),
    // The SDK warns of each that is undefined.
    ...(on.ca === undefined ? {} : { ca: on.ca }),
    ...(handed === undefined ? {} : { machines: handed.machines, machineSecrets: handed.secrets }),
    suppliers: Object.fromEntries(
      plan.needs.map(({ name, kind, by, because }) => [name, `${kind}: ${by}, as ${because}`]),
    ),
    places: on.outputs ?? {},
    picture: mermaid(drawn(whole)),
    images: made.images,
  };
}

/** The plan of a config in which nothing was refused. */
export function wholeOf({ whole }: StackPlan): WholePlan {
  if (whole === undefined) throw new Error("a plan without problems is whole");
  return whole;
}

/**
 * Compares a plan with the state and with what runs, and returns its topology, to be made.
 * @throws ConfigError with everything that is wrong.
 */
export async function checkedTopology(
  planned: StackPlan,
  { state, component }: Pick<Stack, "state" | "component">,
): Promise<OwnTopology> {
  const { settings, topology: config, site, plan } = wholeOf(planned);
  const { images } = planned;
  const topology = own(topologies, settings.topology);
  if (topology === undefined) throw new Error("a plan without problems has its topology");
  refuse([...otherStack(state, { ...settings, name: site.name }), ...movedLines(state, images, settings.images)]);
  const stack = { site, plan, secrets: settings.secrets, state, component };
  refuse(await topology.preflight(config, stack, images));
  return topology.own(config, stack);
}

interface Frame {
  getFunctionName(): string | null;
  /** Node's typings leave it out. */
  toString(): string;
}

/**
 * Spares what the SDK does for those who debug it, a third of a large stack's time: it maps each stack through source
 * maps, though Node runs our files as they are; it writes out the stack of each of a resource's seventy promises; and it
 * sends the engine a message at each step of each resource. Errors keep their stacks.
 */
function spare(): void {
  Error.prepareStackTrace = (error, frames: readonly Frame[]) =>
    frames[0]?.getFunctionName() === "debuggablePromise"
      ? ""
      : [Error.prototype.toString.call(error), ...frames.map((frame) => `    at ${frame.toString()}`)].join("\n");
  Object.assign(pulumi.log, { debug: () => Promise.resolve() });
}

/** What a plan would make, to be drawn: `mermaid` makes text of it. */
export function drawn({ settings, topology: config, site, plan }: WholePlan): Picture {
  const topology = own(topologies, settings.topology);
  if (topology === undefined) throw new Error("a whole plan has its topology");
  return pictureOf({ ...topology, site }, plan, topology.where(config, { site, plan }));
}

/** The plan of a stack's config, with what the reconciler has replaced. */
export async function plannedWithRetirements(config: Dict<unknown>): Promise<StackPlan> {
  const { raw, refused } = await onMachines(config);
  const planned = planStack(raw, pulumi.getStack());
  if (refused !== undefined) return { ...planned, problems: [refused, ...planned.problems] };
  const { problems, whole } = planned;
  if (problems.length > 0 || whole === undefined) return planned;
  const { settings, site, topology } = whole;
  const { system } = settings;
  const place = topologies[settings.topology];
  const { retirable } = systems[system];
  const store = losable(whole.plan, retirable) ? place?.retirements?.(topology, site.name) : undefined;
  if (place === undefined || store === undefined) return planned;
  try {
    const { retirements } = await store.latest();
    // A slot that the operator has taken out meanwhile needs no disk.
    const history = retirements.history.filter(({ disk, member }) => disk !== true || whole.plan.slots.has(member));
    const now = withRetirements(raw, { ...retirements, history }, system, retirable);
    return planStack(now, pulumi.getStack());
  } catch (error) {
    // Whom nobody reaches is told in the preflight's words, by its key.
    const stack = { site, plan: whole.plan, secrets: settings.secrets, state: [], component: system };
    const told = await place.preflight(topology, stack, planned.images);
    const key = { key: "topology", value: settings.topology, remedy: messageOf(error) };
    return { ...planned, problems: told.length > 0 ? told : [key] };
  }
}

/** Whether the reconciler may have replaced one: others stand in for it, or its number may be another's by now. */
function losable({ slots }: Plan, retirable: Retirable = {}): boolean {
  return [...slots.keys()].some((slot) => !slot.endsWith("-1") || own(retirable, roleOf(slot)) !== undefined);
}

/** The config with what the stack of the machines hands over, where `swarm.machines` names one. */
async function onMachines(raw: Dict<unknown>): Promise<{ readonly raw: Dict<unknown>; readonly refused?: Problem }> {
  const value = at(raw, ["swarm", "machines"]);
  if (raw.topology !== "swarm" || typeof value !== "string") return { raw };
  const refused = (remedy: string) => ({ raw, refused: { key: "swarm.machines", value, remedy } });
  try {
    const handed = handedBy(await outputsOf(value));
    if (handed === undefined) return refused("has no machines yet: deploy it, with system: machines, before this one");
    const needs = planStack(raw, pulumi.getStack()).whole?.plan.needs ?? [];
    return { raw: withHanded(raw, handed, needs) };
  } catch (error) {
    return refused(`cannot be read (${messageOf(error)}): \`pulumi stack ls --all\` has the names`);
  }
}

/** The images that set-up built in the place of those that it could not pull. */
function built(): Dict<string> {
  const file = join(local, "images.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Dict<string>) : {};
}

/** The keys of images that only stand in for the real ones. */
export function rehearsed(images: readonly Image[]): string[] {
  return images
    .filter(({ rehearsing, standsIn: named, ref }) => rehearsing || named === true || standsIn(ref))
    .map(({ key }) => key);
}

/** Whether the image stands in for a server that set-up could not have: its tag says so. */
function standsIn(ref: string): boolean {
  return /:[^:/]*stand-in[^:/]*$/.test(ref);
}

/**
 * The stack's config as it was written: objects parsed, secrets decrypted (they go nowhere but into secret outputs).
 */
function rawConfig(project: string): Record<string, unknown> {
  const prefix = `${project}:`;
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), parsed(value)]),
  );
}

/** A value of the config, which Pulumi keeps as text. */
export function parsed(value: string): unknown {
  if (!/^(\{|\[|true$|false$|-?\d+(\.\d+)?$)/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Removes every text from the messages that is encrypted in the stack's file. */
function withoutEncrypted(problems: readonly Problem[], encrypted: readonly string[]): Problem[] {
  return problems.map(({ key, value, remedy }) =>
    value === undefined || encrypted.includes(key.split(".")[0] ?? "") ? { key, remedy } : { key, value, remedy },
  );
}

/** The problem of a stack's name without `name`: Pulumi takes names that networks, services and DNS do not. */
function nameless(value: string): Problem {
  const remedy =
    "comes from the stack's name, and is no DNS name: set `name` (lower-case letters, digits, hyphens; at most 31)";
  return { key: "name", value, remedy };
}

/** The warnings about authorities. Their problems are reported where they are read. */
function authorities({ existing }: Settings, system: SystemSettings): string[] {
  return [
    ...Object.entries(existing).map(([name, row]) => [`existing.${name}.ca`, at(row, ["ca"])] as const),
    ["pyrus.caCertificate", at(system, ["caCertificate"])] as const,
  ].flatMap(([key, ca]) => (typeof ca === "string" ? checkAuthorities(key, ca).warnings : []));
}

/** `asks`: what the topology needs. A mistyped name would leave its secret missing, or unused. */
function checkSecrets(secrets: Settings["secrets"], plan: Plan, asks: List<string>): Problem[] {
  const asked = [...plan.secrets, ...asks].sort();
  const missing = asks.filter((name) => !Object.hasOwn(secrets, name));
  return [
    ...missing.map((name) => ({
      key: `secrets.${name}`,
      remedy: `set it: pulumi config set --path --secret secrets.${name}`,
    })),
    ...Object.keys(secrets)
      .filter((name) => !asked.includes(name))
      .map((name) => ({
        key: `secrets.${name}`,
        remedy: `nothing asks for it${nearest(name, asked)}; ${asked.length === 0 ? "this config asks for none" : `asked for are ${listed(asked)}`}; remove it: pulumi config rm --path <key>`,
      })),
  ];
}

function notBuilt({ system, topology }: Settings, on: readonly string[]): Problem {
  return {
    key: "topology",
    value: topology,
    remedy: `${system} runs on ${on.join(", ")}; ${topology} is not built yet`,
  };
}
