import { isApp } from "./app.ts";
import { container } from "./container.ts";
import type { Engine } from "./engine.ts";
import { empty, isObject, type Json, list, object, text } from "./json.ts";
import type { AppsPolicy } from "./policy.ts";
import { Refusal } from "./refusal.ts";
import { service } from "./service.ts";

/** The request that goes to the engine in the place of the client's, and how the client sees the answer. */
export interface Forward {
  readonly path: string;
  readonly query?: string;
  readonly body?: Json;
  /** Unset: the answer is passed on as it comes. */
  readonly show?: (answer: unknown) => unknown;
}

export interface Asked {
  readonly method: string;
  /** The path without the API's version. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Reads and parses the body, when a rule needs it. */
  readonly body: () => Promise<Json>;
}

type Rule = (asked: Asked, match: RegExpExecArray, policy: AppsPolicy, engine: Engine) => Promise<Forward> | Forward;

const id = "([A-Za-z0-9][A-Za-z0-9_.-]*)";
const rule = (method: string, path: string, does: Rule) => ({ method, pattern: new RegExp(`^${path}$`), does });
const pass: Rule = ({ path, query }) => ({ path, query: query.toString() });

/** Rules for every engine. */
const common = [
  rule("GET", "/_ping", pass),
  rule("HEAD", "/_ping", pass),
  rule("GET", "/version", pass),
  rule("GET", "/info", pass),
  rule("GET", "/containers/json", ({ query, path }, _, policy) => ({
    path,
    query: query.toString(),
    show: (found) => list(found, "containers").filter((one) => isObject(one) && isApp(one.Labels, policy)),
  })),
  rule("GET", `/containers/${id}/json`, async (_, [, ref], policy, engine) => ({
    path: `/containers/${await ownContainer(ref, policy, engine)}/json`,
  })),
  rule("GET", `/containers/${id}/logs`, async ({ query }, [, ref], policy, engine) => ({
    path: `/containers/${await ownContainer(ref, policy, engine)}/logs`,
    query: query.toString(),
  })),
];

const onSwarm = [
  // The answer leaves out the tokens with which a machine can join as a manager.
  rule("GET", "/swarm", ({ path }) => ({
    path,
    show: (swarm) => ({ ...object(swarm, "swarm"), JoinTokens: { Worker: "", Manager: "" } }),
  })),
  rule("POST", "/services/create", async ({ path, body }, _, policy) => ({
    path,
    body: service(await body(), policy),
  })),
  rule("GET", "/services", ({ path, query }, _, policy) => ({
    path,
    query: query.toString(),
    show: (found) =>
      list(found, "services").filter((one) => isObject(one) && isApp(object(one.Spec, "Spec").Labels, policy)),
  })),
  rule("GET", `/services/${id}`, async (_, [, ref], policy, engine) => ({
    path: `/services/${await ownService(ref, policy, engine)}`,
  })),
  rule("GET", `/services/${id}/logs`, async ({ query }, [, ref], policy, engine) => ({
    path: `/services/${await ownService(ref, policy, engine)}/logs`,
    query: query.toString(),
  })),
  rule("POST", `/services/${id}/update`, async ({ query, body }, [, ref], policy, engine) => ({
    path: `/services/${await ownService(ref, policy, engine)}/update`,
    query: new URLSearchParams({ version: query.get("version") ?? "" }).toString(),
    body: service(await body(), policy),
  })),
  rule("DELETE", `/services/${id}`, async (_, [, ref], policy, engine) => ({
    path: `/services/${await ownService(ref, policy, engine)}`,
  })),
  rule("GET", "/tasks", ({ path, query }, _, policy) => ({
    path,
    query: query.toString(),
    show: (found) => list(found, "tasks").filter((task) => isAppTask(task, policy)),
  })),
  rule("GET", `/tasks/${id}`, ({ path }, _, policy) => ({
    path,
    show: (task) => {
      if (isAppTask(task, policy)) return task;
      throw new Refusal("no such task of an app", 404);
    },
  })),
];

const onEngine = [
  rule("POST", "/containers/create", async ({ path, query, body }, _, policy) => {
    const name = query.get("name");
    return {
      path,
      ...(name === null ? {} : { query: new URLSearchParams({ name }).toString() }),
      body: container(await body(), policy),
    };
  }),
  ...["start", "stop", "kill", "wait"].map((verb) =>
    rule("POST", `/containers/${id}/${verb}`, async ({ query }, [, ref], policy, engine) => ({
      path: `/containers/${await ownContainer(ref, policy, engine)}/${verb}`,
      query: query.toString(),
    })),
  ),
  rule("DELETE", `/containers/${id}`, async ({ query }, [, ref], policy, engine) => ({
    path: `/containers/${await ownContainer(ref, policy, engine)}`,
    query: query.toString(),
  })),
  // ShinyProxy takes an app off its network before it removes it.
  rule("POST", `/networks/${id}/disconnect`, async ({ path, body }, _, policy, engine) => {
    const { Container, Force } = await body();
    return { path, body: { Container: await ownContainer(text(Container), policy, engine), Force: Force === true } };
  }),
  rule("GET", "/images/([A-Za-z0-9][A-Za-z0-9_.:/@-]*)/json", ({ path }, [, found], { images }) => {
    if (images.includes(found ?? "")) return { path };
    throw new Refusal(`image ${found ?? ""} is not one of the configured apps'`);
  }),
  rule("POST", "/images/create", ({ path, query }, _, { images }) => {
    const from = query.get("fromImage") ?? "";
    const tag = query.get("tag");
    const image = tag === null || tag === "" ? from : `${from}${tag.startsWith("sha256:") ? "@" : ":"}${tag}`;
    if (!images.includes(image) || !empty(query.get("fromSrc")))
      throw new Refusal(`image ${image} is not one of the configured apps'`);
    return { path, query: new URLSearchParams({ fromImage: image }).toString() };
  }),
];

/** The request to send, under the policy `run-apps`. @throws Refusal */
export async function forward(asked: Asked, policy: AppsPolicy, engine: Engine): Promise<Forward> {
  for (const { method, pattern, does } of [...common, ...(policy.engine === "swarm" ? onSwarm : onEngine)]) {
    const match = method === asked.method ? pattern.exec(asked.path) : null;
    if (match !== null) return does(asked, match, policy, engine);
  }
  throw new Refusal(`${asked.method} ${asked.path} is not allowed: this proxy runs users' apps and nothing else`);
}

/** The full id of an app's container. The request goes on with it, as a name could change in between. */
async function ownContainer(ref: string | undefined, policy: AppsPolicy, engine: Engine): Promise<string> {
  const found = await engine.find(`/containers/${ref ?? ""}/json`);
  const own = text(found?.Id);
  if (own !== undefined && isApp(object(found?.Config, "Config").Labels, policy)) return own;
  throw new Refusal(`no such container of an app: ${ref ?? ""}`, 404);
}

async function ownService(ref: string | undefined, policy: AppsPolicy, engine: Engine): Promise<string> {
  const found = await engine.find(`/services/${ref ?? ""}`);
  const own = text(found?.ID);
  if (own !== undefined && isApp(object(found?.Spec, "Spec").Labels, policy)) return own;
  throw new Refusal(`no such service of an app: ${ref ?? ""}`, 404);
}

function isAppTask(task: unknown, policy: AppsPolicy): boolean {
  return isObject(task) && isApp(object(object(task.Spec, "Spec").ContainerSpec, "ContainerSpec").Labels, policy);
}
