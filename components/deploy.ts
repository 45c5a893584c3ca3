import * as pulumi from "@pulumi/pulumi";

import { said } from "../ops/docker.ts";
import { parseConfig, type Settings } from "./config.ts";
import { checkAuthorities, checkServer, type Verdict, warn } from "./core/certificates.ts";
import { check } from "./core/check.ts";
import type { Container, List } from "./core/contracts.ts";
import { listed, type Problem, refuse } from "./core/errors.ts";
import { at, nearest, own, stackName } from "./core/formats.ts";
import type { Image } from "./core/images.ts";
import { stateOfStack } from "./core/known.ts";
import { withRetired } from "./core/overlay.ts";
import { containers, imageKeys, type Plan, routesOf } from "./core/plan.ts";
import { endings, unasked as unaskedLines } from "./core/releases.ts";
import { siteOf } from "./core/site.ts";
import type { Site } from "./core/topology.ts";
import { checkValues } from "./core/values.ts";
import { encryptedKeys, plainSecrets } from "./plain-secrets.ts";
import { containerServices } from "./services/index.ts";
import { nginxProblems } from "./services/nginx.ts";
import { systems, type SystemSettings } from "./systems/index.ts";
import type { SystemComponent } from "./systems/system.ts";
import { topologies } from "./topologies/index.ts";
import { otherStack } from "./topologies/stamp.ts";

/** What a stack exports. */
export interface Outputs {
  readonly url: string;
  readonly rehearsing: readonly string[];
  readonly endpoints: SystemComponent<unknown>["endpoints"];
  readonly passwords: pulumi.Output<unknown>;
  readonly ca: pulumi.Output<string> | undefined;
  readonly images: Readonly<Record<string, string>>;
  /** Where things are, on a topology of several nodes. */
  readonly places: Readonly<Record<string, unknown>>;
}

/** A stack as its config describes it, checked on paper. */
export interface StackPlan {
  readonly problems: readonly Problem[];
  /** What is right today, and has to be seen to. */
  readonly warnings: readonly string[];
  readonly settings?: Settings;
  readonly system?: SystemSettings;
  readonly site?: Site;
  /** Images that it runs. Complete when there are no problems. */
  readonly images: readonly Image[];
  readonly containers: List<readonly [string, Container]>;
}

/** Reads and checks a whole config without any engine or provider. Everything that is wrong comes at once. */
export function planStack(raw: Readonly<Record<string, unknown>>, stack: string, now = new Date()): StackPlan {
  const { problems, settings, system } = parseConfig(raw);
  if (settings === undefined || system === undefined) return { problems, warnings: [], images: [], containers: [] };
  const unsayable = checkValues(raw, settings);
  if (unsayable.length > 0)
    return { problems: [...problems, ...unsayable], settings, system, warnings: [], images: [], containers: [] };
  const entry = systems[settings.system];
  const topology = own(topologies, settings.topology) ?? topologies.docker;
  const { name = `${settings.system}-${stack}` } = settings;
  const named = stackName.safeParse(name).success;
  const site = siteOf({
    ...settings,
    name: named ? name : "unnamed",
    ports: topology.ports(settings),
    engine: settings.topology === "swarm" ? "swarm" : "docker",
  });
  const plan = entry.plan(system, site, containerServices);
  const certificates = certificatesOf(settings, system, plan);
  const images = imageKeys(plan)
    .map((key) => site.image(key))
    .filter((image): image is Image => !("remedy" in image));
  return {
    problems: [
      ...problems,
      ...(named ? [] : [nameless(name)]),
      ...seenOn(settings, entry.on),
      ...ownKey(settings),
      ...certificates.problems,
      // What could not be read may be what asks for them.
      ...(problems.length > 0 ? [] : unasked(settings, plan)),
      ...topology.check(settings, containers(plan)),
      ...(plan.edge.proxy === "nginx" ? nginxProblems(settings.tls.mode, routesOf(plan)) : []),
      ...check(plan, site, topology.capabilities),
    ],
    warnings: [...certificates.warnings, ...endings(images, settings.images, now)],
    settings,
    system,
    site,
    images,
    containers: containers(plan),
  };
}

/**
 * One stack: read the config, run the system on paper, ask the engine, and only then register the first resource.
 * @throws ConfigError with everything that is wrong.
 */
export async function deploy(): Promise<Outputs> {
  // The SDK maps the stack of each resource through source maps, for half a second; Node runs our files as they are.
  Reflect.deleteProperty(Error, "prepareStackTrace");
  const { problems, warnings, settings, system, site, images, containers: planned } = await plannedWithOverlay();
  const project = pulumi.getProject();
  const secrets = plainSecrets(rawConfig(project));
  refuse(withoutEncrypted([...problems, ...secrets.problems], encryptedKeys(project)));
  warn([...warnings, ...secrets.warnings]);
  if (settings === undefined || system === undefined || site === undefined)
    throw new Error("a plan without problems is whole");
  const topology = topologies[settings.topology];
  if (topology === undefined) throw new Error("a plan without problems has its topology");
  const state = (await stateOfStack()) ?? [];
  refuse([...otherStack(state, { ...settings, name: site.name }), ...unaskedLines(state, images, settings.images)]);
  refuse(await topology.preflight(settings, site, images, planned));

  const on = await topology.make(settings, site, {});
  const made = systems[settings.system].make(settings.system, system, on, {});
  return {
    url: made.url,
    rehearsing: images
      .filter(({ rehearsing, standsIn: named, ref }) => rehearsing || named === true || standsIn(ref))
      .map(({ key }) => key),
    endpoints: made.endpoints,
    passwords: pulumi.secret(made.passwords),
    ca: on.ca,
    places: on.outputs ?? {},
    images: Object.fromEntries(images.map(({ key, ref }) => [key, ref])),
  };
}

/** The plan, with the members that the reconciler has retired taken out. */
async function plannedWithOverlay(): Promise<StackPlan> {
  const raw = rawConfig(pulumi.getProject());
  const planned = planStack(raw, pulumi.getStack());
  const { problems, settings, site } = planned;
  if (problems.length > 0 || settings === undefined || site === undefined) return planned;
  const { retirable } = systems[settings.system];
  const store = retirable && topologies[settings.topology]?.overlay?.(settings, site.name);
  if (retirable === undefined || store === undefined) return planned;
  try {
    const { overlay } = await store.latest();
    const asked = withRetired(raw[settings.system], overlay.retired, retirable);
    return planStack({ ...raw, [settings.system]: asked }, pulumi.getStack());
  } catch (error) {
    return { ...planned, problems: [{ key: "topology", value: settings.topology, remedy: said(error) }] };
  }
}

/** Set-up says so in the tag of what it builds in the place of a server that it cannot have. */
function standsIn(ref: string): boolean {
  return /:[^:/]*stand-in[^:/]*$/.test(ref);
}

/** The stack's config as it was written: objects parsed, secrets decrypted (they go nowhere but into secret outputs). */
export function rawConfig(project: string): Record<string, unknown> {
  const prefix = `${project}:`;
  return Object.fromEntries(
    Object.entries(pulumi.runtime.allConfig())
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), parsed(value)]),
  );
}

function parsed(value: string): unknown {
  if (!/^(\{|\[|true$|false$|-?\d+(\.\d+)?$)/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** What is encrypted in the stack's file is in no message, wherever it stands. */
function withoutEncrypted(problems: readonly Problem[], encrypted: readonly string[]): Problem[] {
  return problems.map(({ key, value, remedy }) =>
    value === undefined || encrypted.includes(key.split(".")[0] ?? "") ? { key, remedy } : { key, value, remedy },
  );
}

/** The stack's own name, where the config has none: Pulumi takes more than networks, services and DNS do. */
function nameless(value: string): Problem {
  const remedy =
    "comes from the stack's name, and is no DNS name: set `name` (lower-case letters, digits, hyphens; at most 31)";
  return { key: "name", value, remedy };
}

/** Of authorities the warnings alone: what is wrong with one is said where it is read. */
function certificatesOf({ tls, secrets, hostname, existing }: Settings, system: SystemSettings, plan: Plan): Verdict {
  const names = [...new Set([hostname, ...routesOf(plan).map(({ host }) => host)])];
  const server =
    tls.mode === "own" ? checkServer("tls.cert", tls.cert, secrets.tlsKey, names) : { problems: [], warnings: [] };
  const authorities = [
    ...Object.entries(existing).map(([name, row]) => [`existing.${name}.ca`, at(row, ["ca"])] as const),
    ["pyrus.caCertificate", at(system, ["caCertificate"])] as const,
  ].flatMap(([key, ca]) => (typeof ca === "string" ? checkAuthorities(key, ca).warnings : []));
  return { problems: server.problems, warnings: [...server.warnings, ...authorities] };
}

/** A mistyped name would be missed by what asks for the right one, or by nothing at all. */
function unasked({ secrets, tls }: Settings, plan: Plan): Problem[] {
  const asked = [...plan.secrets, ...(tls.mode === "own" ? ["tlsKey"] : [])].sort();
  return Object.keys(secrets)
    .filter((name) => !asked.includes(name))
    .map((name) => ({
      key: `secrets.${name}`,
      remedy: `nothing asks for it${nearest(name, asked)}; ${asked.length === 0 ? "this config asks for none" : `asked for are ${listed(asked)}`}; remove it: pulumi config rm --path <key>`,
    }));
}

function seenOn({ system, topology }: Settings, on: readonly string[]): Problem[] {
  const remedy = `${system} runs on ${on.join(", ")}; ${topology} is not built yet`;
  return on.includes(topology) ? [] : [{ key: "topology", value: topology, remedy }];
}

function ownKey({ tls, secrets }: Settings): Problem[] {
  const remedy = "the certificate's private key: pulumi config set --path --secret secrets.tlsKey";
  return tls.mode === "own" && secrets.tlsKey === undefined ? [{ key: "secrets.tlsKey", remedy }] : [];
}
