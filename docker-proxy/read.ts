import { type Engine, whole } from "./engine.ts";
import { isObject, object, text } from "./json.ts";
import { Refusal } from "./refusal.ts";

const id = "[A-Za-z0-9][A-Za-z0-9_.-]*";
/** The paths that may be read, and how their answers are treated. `stream`: passed on as it comes. */
const readable: readonly (readonly [RegExp, "stream" | "json"])[] = [
  [/^\/_ping$/, "stream"],
  [/^\/(version|info|events)$/, "stream"],
  [/^\/(containers\/json|services|tasks|nodes|networks)$/, "json"],
  [new RegExp(`^/containers/${id}/json$`), "json"],
  [new RegExp(`^/containers/${id}/stats$`), "stream"],
  [new RegExp(`^/(services|tasks|nodes|networks)/${id}$`), "json"],
];

/** How the policy `read` answers a path. @throws Refusal */
export function readableAs(method: string, path: string): "stream" | "json" {
  if (method !== "GET" && method !== "HEAD")
    throw new Refusal(`${method} ${path} is not allowed: this proxy only reads`);
  const found = readable.find(([pattern]) => pattern.test(path));
  if (found === undefined)
    throw new Refusal(
      `${method} ${path} is not allowed: it reads containers, services, tasks, nodes, networks and events`,
    );
  return found[1];
}

/** Removes the values of environment variables: older images have passwords there. */
export function withoutValues(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutValues);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "Env" && Array.isArray(inner)
        ? inner.map((pair) => `${String(pair).split("=")[0] ?? ""}=`)
        : withoutValues(inner),
    ]),
  );
}

/** One event, flat, as Telegraf's JSON parser takes it. */
export interface Event {
  readonly type: string;
  readonly action: string;
  readonly scope: string;
  readonly name: string;
  readonly id: string;
  /** Nanoseconds since 1970, as text: Telegraf would round a number. */
  readonly time: string;
}

/**
 * The engine's events of the last `seconds`, of the whole swarm on a manager. Telegraf has no input for events, and
 * polls this. It keeps no state: an event that is asked for twice overwrites itself in InfluxDB, as its series and time
 * are the same.
 */
export async function recentEvents(engine: Engine, seconds: number, now = Date.now()): Promise<Event[]> {
  const [since, until] = [now / 1000 - seconds, now / 1000].map((at) => at.toFixed(3));
  const filters = encodeURIComponent(JSON.stringify({ type: ["container", "service", "node"] }));
  const answer = await engine.open("GET", `/events?since=${since ?? ""}&until=${until ?? ""}&filters=${filters}`);
  const lines = await whole(answer);
  // Without this, an engine in trouble looks like one on which nothing happens.
  if (answer.statusCode !== 200) throw new Refusal(`the engine gives no events: ${lines}`, answer.statusCode);
  return lines.split("\n").flatMap((line) => (line === "" ? [] : event(JSON.parse(line))));
}

function event(found: unknown): Event[] {
  const { Type, Action, Actor, timeNano, scope } = object(found, "event");
  const { ID, Attributes } = object(Actor, "Actor");
  // Most events of an engine are health checks and their shells, and nobody needs them.
  if (typeof Type !== "string" || typeof Action !== "string" || Action.startsWith("exec_")) return [];
  return [
    {
      type: Type,
      action: Action.split(":")[0] ?? "",
      scope: text(scope) ?? "local",
      name: text(object(Attributes, "Attributes").name) ?? "",
      id: text(ID) ?? "",
      time: String(timeNano),
    },
  ];
}
