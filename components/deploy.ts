import * as pulumi from "@pulumi/pulumi";

import { said } from "../ops/docker.ts";
import { parseConfig, type Settings } from "./config.ts";
import { check } from "./core/check.ts";
import type { Container, List } from "./core/contracts.ts";
import { type Problem, refuse } from "./core/errors.ts";
import type { Image } from "./core/images.ts";
import { stateOfStack } from "./core/known.ts";
import { withRetired } from "./core/overlay.ts";
import { containers, imageKeys, routesOf } from "./core/plan.ts";
import { siteOf } from "./core/site.ts";
import type { Site } from "./core/topology.ts";
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
  readonly settings?: Settings;
  readonly system?: SystemSettings;
  readonly site?: Site;
  /** Images that it runs. Complete when there are no problems. */
  readonly images: readonly Image[];
  readonly containers: List<readonly [string, Container]>;
}

/** Reads and checks a whole config without any engine or provider. Everything that is wrong comes at once. */
export function planStack(raw: Readonly<Record<string, unknown>>, stack: string): StackPlan {
  const { problems, settings, system } = parseConfig(raw);
  if (settings === undefined || system === undefined) return { problems, images: [], containers: [] };
  const entry = systems[settings.system];
  const topology = topologies[settings.topology] ?? topologies.docker;
  const { name = `${settings.system}-${stack}` } = settings;
  const site = siteOf({
    ...settings,
    name,
    ports: topology.ports(settings),
    engine: settings.topology === "swarm" ? "swarm" : "docker",
  });
  const plan = entry.plan(system, site, containerServices);
  return {
    problems: [
      ...problems,
      ...seenOn(settings, entry.on),
      ...ownKey(settings),
      ...topology.check(settings, containers(plan)),
      ...(plan.edge.proxy === "nginx" ? nginxProblems(settings.tls.mode, routesOf(plan)) : []),
      ...check(plan, site, topology.capabilities),
    ],
    settings,
    system,
    site,
    images: imageKeys(plan)
      .map((key) => site.image(key))
      .filter((image): image is Image => !("remedy" in image)),
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
  const { problems, settings, system, site, images, containers: planned } = await plannedWithOverlay();
  refuse([...problems, ...plainSecrets(settings)]);
  if (settings === undefined || system === undefined || site === undefined)
    throw new Error("a plan without problems is whole");
  const topology = topologies[settings.topology];
  if (topology === undefined) throw new Error("a plan without problems has its topology");
  refuse(otherStack((await stateOfStack()) ?? [], { ...settings, name: site.name }));
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
    const own = withRetired(raw[settings.system], overlay.retired, retirable);
    return planStack({ ...raw, [settings.system]: own }, pulumi.getStack());
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

/** Without --secret a value lies in the stack's file, and in every state from then on. */
function plainSecrets(settings: Settings | undefined): Problem[] {
  if (Object.keys(settings?.secrets ?? {}).length === 0) return [];
  // The engine tells the program which keys are encrypted by this variable (the SDK's runtime/config.ts).
  const encrypted = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  if (encrypted.includes(`${pulumi.getProject()}:secrets`)) return [];
  return [
    {
      key: "secrets",
      remedy: "in plain text: remove it, and set each with pulumi config set --path --secret secrets.<name>",
    },
  ];
}

function seenOn({ system, topology }: Settings, on: readonly string[]): Problem[] {
  const remedy = `${system} runs on ${on.join(", ")}; ${topology} is not built yet`;
  return on.includes(topology) ? [] : [{ key: "topology", value: topology, remedy }];
}

function ownKey({ tls, secrets }: Settings): Problem[] {
  const remedy = "the certificate's private key: pulumi config set --path --secret secrets.tlsKey";
  return tls.mode === "own" && secrets.tlsKey === undefined ? [{ key: "secrets.tlsKey", remedy }] : [];
}
