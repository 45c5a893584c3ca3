/** Compares a stack's state with its Docker hosts. Plain values in and out. */
import type { List } from "../../components/core/contracts.ts";
import { types } from "../../components/topologies/docker/look.ts";
import { marksOf, ownerLabel } from "../../components/topologies/survey.ts";
import type { Container, Host } from "./docker.ts";
import { type Around, type Finding, hour, type Part, type Seen } from "./model.ts";
import {
  cli,
  dockerServices,
  enginesOf,
  ofType,
  placeOf,
  type Resource,
  type State,
  strangerTo,
  time,
} from "./state.ts";

export interface Thing {
  readonly resource: Resource;
  readonly kind: string;
  /** Its name on the engine. */
  readonly called: string;
  readonly host: string;
}

/** Containers, networks and volumes of the state, with their engines. A swarm's are not among them. */
export function thingsOf(state: State): List<Thing> {
  const engines = enginesOf(state);
  const swarms = new Set(ofType(state, dockerServices).map(({ provider }) => provider));
  return state.resources.flatMap((resource): Thing[] => {
    const kind = types[resource.type];
    const { name, host = engines.get(resource.provider) } = resource.outputs;
    if (kind === undefined || kind === "image" || swarms.has(resource.provider)) return [];
    return typeof name === "string" && typeof host === "string" ? [{ resource, kind, called: name, host }] : [];
  });
}

export function judgeHosts(state: State, hosts: List<Host>, around: Around): Seen {
  const up = `\`npm run pulumi -- up --stack ${around.stack}\` makes it again`;
  const refs = new Map(
    ofType(state, "docker:index/remoteImage:RemoteImage").map(({ outputs }) => [outputs.imageId, outputs.name]),
  );
  const things = thingsOf(state);
  const parts: Part[] = [];
  const findings: Finding[] = hosts.flatMap(({ host, failed }): Finding[] =>
    failed === undefined ? [] : [{ condition: "unknown", what: host, why: failed, look: `\`${cli(host)} info\`` }],
  );
  for (const { resource, kind, called, host } of things) {
    const there = hosts.find((each) => each.host === host);
    if (there === undefined) continue;
    if (kind === "container") {
      const ref = refs.get(resource.outputs.image) ?? resource.outputs.image;
      const image = typeof ref === "string" ? ref : undefined;
      const rehearses = image !== undefined && around.rehearsing.includes(image);
      const name = { name: called, kind: "container", image, ...(rehearses ? { rehearses } : {}) } as const;
      parts.push({ ...name, ...partOf(resource, called, there, up, around) });
    } else if (there.failed === undefined && !(kind === "network" ? there.networks : there.volumes).includes(called)) {
      const look = kind === "volume" ? "docs/disks.md: bring it back, or take a new one by `disks`" : up;
      findings.push({ condition: "unwell", what: `${kind} ${called}`, why: "is not on its engine", look });
    }
  }
  return { parts, findings: [...findings, ...strangers(state, hosts, things)] };
}

type Judged = Pick<Part, "condition" | "where" | "since" | "why" | "look">;

function partOf(resource: Resource, called: string, there: Host, up: string, around: Around): Judged {
  const { host, failed, machine, containers } = there;
  const place = placeOf(host, machine);
  if (failed !== undefined) return { condition: "unknown", where: [], why: `its engine ${place} cannot be asked` };
  const found = containers.find(({ Name }) => Name.slice(1) === called);
  if (found === undefined) return { condition: "unwell", where: [], why: `is not on its engine ${place}`, look: up };
  const judged = { where: [place], look: `\`${cli(host)} logs --tail 50 ${called}\``, ...told(found, around) };
  if (marksOf(resource.outputs).owner !== found.Config.Labels[ownerLabel])
    return {
      ...judged,
      condition: "unwell",
      why: "belongs to another state",
      look: up.replace("makes", "says how to make"),
    };
  if (found.Id !== resource.id && judged.condition === "well")
    return { ...judged, condition: "care", why: "is another one than the state's: an up was interrupted", look: up };
  return judged.condition === "well" ? { ...judged, look: undefined } : judged;
}

/** What has the stack's labels, and is not in the state. A job's container is there while it runs. */
function strangers(state: State, hosts: List<Host>, things: List<Thing>): Finding[] {
  const jobs = ofType(state, "platform-topologies:index:Job").map(({ outputs }) => outputs.name);
  return hosts.flatMap(({ host, containers }) =>
    containers.flatMap(({ Name, Config }): Finding[] => {
      const what = Name.slice(1);
      if (jobs.includes(what) || things.some((each) => each.host === host && each.called === what)) return [];
      const why = strangerTo(state, Config.Labels[ownerLabel], "engine");
      return [{ condition: "care", what, why, look: `\`${cli(host)} inspect ${what}\`` }];
    }),
  );
}

interface Told {
  readonly condition: "unwell" | "care" | "well";
  readonly since?: string | undefined;
  readonly why?: string;
}

/** What an engine says of a container. */
export function told({ State, RestartCount, Config }: Container, { quote, now }: Pick<Around, "quote" | "now">): Told {
  const { Status, Health, StartedAt, FinishedAt, OOMKilled, Error } = State;
  const code = `exit code ${String(State.ExitCode)}${OOMKilled ? ", out of memory" : ""}`;
  const unwell = (why: string, since?: string): Told => ({ condition: "unwell", why, since });
  switch (Status) {
    case "restarting":
      return unwell(`its process ends again and again (${code}, ${String(RestartCount)} times)`, time(FinishedAt));
    case "exited":
    case "dead":
    case "removing":
      return unwell(`does not run (${code})`, time(FinishedAt));
    case "created":
      return unwell(`was never started${Error === "" ? "" : ` (${quote(Error)})`}`);
    case "paused":
      return unwell("is paused");
  }
  const log = Health?.Log ?? [];
  const said = quote(log.at(-1)?.Output ?? "");
  const words = said === "" ? "" : `: ${said}`;
  if (Health?.Status === "unhealthy") {
    const interval = (Config.Healthcheck?.Interval ?? 0) / 1e6;
    return unwell(`its health check fails${words}`, failingSince(Health.FailingStreak, log, interval));
  }
  if (Health?.Status === "starting")
    return { condition: "care", why: `starts: its health check has not passed yet${words}`, since: time(StartedAt) };
  const since = time(StartedAt);
  if (RestartCount > 0 && now.getTime() - Date.parse(StartedAt) < hour)
    return {
      condition: "care",
      why: `its process has ended, and was started anew (${String(RestartCount)} times)`,
      since,
    };
  return { condition: "well", since };
}

/** The engine keeps five probes. Of a longer row only the interval tells when it began. */
function failingSince(streak: number, log: List<{ readonly Start: string }>, interval: number): string | undefined {
  const first = streak === 0 ? undefined : log.at(-Math.min(streak, log.length));
  if (first === undefined) return undefined;
  const begun = Date.parse(first.Start) - Math.max(0, streak - log.length) * interval;
  return Number.isNaN(begun) ? undefined : new Date(begun).toISOString();
}
