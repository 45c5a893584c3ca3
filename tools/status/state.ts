/** A stack as `pulumi stack export` prints it. What is secret stays encrypted. */
import { z } from "zod";

import type { Dict, List } from "../../components/core/contracts.ts";
import type { Known } from "../../components/core/known.ts";

export interface Resource extends Known {
  /** The logical name. */
  readonly name: string;
  readonly id?: string | undefined;
  /** The URN and id of its provider. */
  readonly provider?: string | undefined;
}

export interface State {
  readonly resources: List<Resource>;
  /** When it was last written. */
  readonly deployed?: string | undefined;
  /** What an interrupted run was doing. */
  readonly pending: List<string>;
}

const resource = z
  .object({
    urn: z.string(),
    type: z.string(),
    id: z.string().optional(),
    provider: z.string().optional(),
    /** Left over by a replacement that was interrupted. */
    delete: z.boolean().optional(),
    outputs: z.record(z.string(), z.unknown()).nullish(),
  })
  .transform(({ outputs, ...rest }) => ({ ...rest, name: nameOf(rest.urn), outputs: outputs ?? {} }));

const exported = z.object({
  deployment: z
    .object({
      manifest: z.object({ time: z.string().optional() }).nullish(),
      resources: z.array(resource).nullish(),
      pending_operations: z.array(z.object({ type: z.string(), resource: z.object({ urn: z.string() }) })).nullish(),
    })
    .nullish(),
});

/** @throws if it is no stack. */
export function stateOf(text: string): State {
  const { deployment } = exported.parse(JSON.parse(text));
  return {
    resources: (deployment?.resources ?? []).filter((each) => each.delete !== true),
    deployed: deployment?.manifest?.time,
    pending: (deployment?.pending_operations ?? []).map(({ type, resource: { urn } }) => `${type} ${nameOf(urn)}`),
  };
}

export function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? urn;
}

export function ofType(state: State, ...types: readonly string[]): List<Resource> {
  return state.resources.filter(({ type }) => types.includes(type));
}

const identity = z.object({
  name: z.string(),
  topology: z.string(),
  system: z.string().optional(),
  owner: z.string().optional(),
});
export type Identity = z.infer<typeof identity>;

/** One for each topology of the program. */
export function identitiesOf(state: State): List<Identity> {
  return ofType(state, "platform-topologies:index:StackIdentity").flatMap(
    ({ outputs }) => identity.safeParse(outputs).data ?? [],
  );
}

/** Why something has the stack's labels that its state does not know. */
export function strangerTo(state: State, owner: string | undefined, place: "engine" | "swarm"): string {
  return identitiesOf(state).some((each) => each.owner !== undefined && each.owner === owner)
    ? `is on the ${place} and not in the state: an up runs now, or was interrupted`
    : "has this stack's name, and belongs to another state";
}

const texts = z.record(z.string(), z.string()).catch({});

export interface StackOutputs {
  readonly url: string | undefined;
  readonly rehearsing: List<string>;
  readonly images: Dict<string>;
  readonly suppliers: Dict<string>;
  readonly places: Dict<unknown>;
}

/** The stack's outputs, without what is secret. A program of somebody else's may have others. */
export function outputsIn(state: State): StackOutputs {
  const { url, rehearsing, images, suppliers, places } =
    ofType(state, "pulumi:pulumi:Stack").find(({ outputs }) => Object.keys(outputs).length > 0)?.outputs ?? {};
  return {
    url: z.string().optional().catch(undefined).parse(url),
    rehearsing: z.array(z.string()).catch([]).parse(rehearsing),
    images: texts.parse(images),
    suppliers: texts.parse(suppliers),
    places: plain(z.record(z.string(), z.unknown()).catch({}).parse(places)),
  };
}

const secretSign = "4dabf18193072939515e22adb298388d";

/** Without secrets: a program of somebody else's may have made a place one. */
function plain(values: Dict<unknown>): Dict<unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => !JSON.stringify(value ?? null).includes(secretSign)),
  );
}

/** The engines by the reference with which a resource names its provider. */
export function enginesOf(state: State): ReadonlyMap<string | undefined, unknown> {
  const providers = ofType(state, "pulumi:providers:docker");
  return new Map(providers.map(({ urn, id = "", outputs }) => [`${urn}::${id}`, outputs.host]));
}

export const dockerServices = "docker:index/service:Service";

/** ISO 8601; undefined for an engine's time of what has not happened (the year 1). */
export function time(given: string | undefined): string | undefined {
  const at = Date.parse(given ?? "");
  return Number.isNaN(at) || at <= 0 ? undefined : new Date(at).toISOString();
}

/** The machine's name for a person. `machine`: what it calls itself, if it was asked. */
export function placeOf(host: string, machine: string): string {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url === undefined || url.protocol === "unix:") return machine === "" ? host : machine;
  return machine === "" || machine === url.hostname ? url.hostname : `${machine} (${url.hostname})`;
}

/** Docker's own client for this engine, as one types it. */
export function cli(host: string): string {
  return host === "unix:///var/run/docker.sock" ? "docker" : `docker -H ${host}`;
}

/** Whether anything in the state is encrypted. */
export function hasSecrets(text: string): boolean {
  return text.includes(secretSign);
}
