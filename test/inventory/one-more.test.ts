/** One member, agent, app or secret more: of what was there already, the registered inputs differ only where it is told. */
import { isDeepStrictEqual } from "node:util";

import { describe, expect, jest, test } from "@jest/globals";

import { type PlaceName, placeNames, places, systemNames, systemOn } from "../support/deployed.ts";
import { record, type Registered } from "../support/mocks.ts";
import { type Name, samples } from "../support/sketches.ts";

jest.setTimeout(120_000);
const farm = "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b";

const deploy = (system: Name, place: PlaceName, more: object, secrets: Record<string, string> = {}) =>
  record(() => {
    systemOn(system, "it", places[place]("on", { secrets }), more);
  });

const before = new Map<string, Promise<Registered[]>>();
function asItWas(system: Name, place: PlaceName): Promise<Registered[]> {
  const key = `${system} on ${place}`;
  const made = before.get(key) ?? deploy(system, place, {});
  before.set(key, made);
  return made;
}

/** Our provider's own diff leaves these out: what a log must not show, and where the engine is reached. */
const silent = ["redact", "host"];
const loud = (inputs: object): object =>
  Object.fromEntries(Object.entries(inputs).filter(([key]) => !silent.includes(key)));

/** The rest, and the same of a finalizer's job. */
function told({ inputs }: Registered): unknown {
  const { job, ...rest } = inputs;
  return { ...loud(rest), job: typeof job === "object" && job !== null ? loud(job) : job };
}

/** The names, without the system's, of what both have and is another; `gone` of what is there no longer. */
function changes(old: readonly Registered[], now: readonly Registered[]) {
  const byKey = new Map(now.map((each) => [`${each.type} ${each.name}`, each]));
  const found = { changed: new Set<string>(), gone: new Set<string>() };
  for (const each of old) {
    const after = byKey.get(`${each.type} ${each.name}`);
    if (after === undefined) found.gone.add(each.name);
    else if (!isDeepStrictEqual(told(each), told(after))) found.changed.add(each.name.replace(/^it-/, ""));
  }
  return { changed: [...found.changed].sort().join(" "), gone: [...found.gone].sort().join(" ") };
}

interface More {
  readonly what: string;
  readonly system: Name;
  readonly config: object;
  readonly secrets?: Record<string, string>;
  /** What changes, by the topologies that it is for. */
  readonly changed: Readonly<Partial<Record<PlaceName, string>>>;
}

/** On AWS what is new has an alarm, and the dashboard shows it. */
const nothing = { DockerHost: "", Swarm: "", AwsRegion: "alarms" };
/** On one host the edge knows each replica; a swarm's own name is enough. */
const replicas = (name: string) => ({ DockerHost: "edge", Swarm: name, AwsRegion: `${name} ${name}-tasks` });
const same = (names: string) => ({ DockerHost: names, Swarm: names, AwsRegion: `alarms ${names}` });
const rows: readonly More[] = [
  { what: "one DB server more", system: "arangodb", config: { dbservers: { count: 4 } }, changed: nothing },
  {
    ...{ what: "one coordinator more", system: "arangodb", config: { coordinators: { count: 4 } } },
    // Slots have no name in common: the edge knows each.
    changed: { DockerHost: "edge", Swarm: "edge-run-traefik-routes-routes-yml", AwsRegion: "alarms" },
  },
  {
    ...{ what: "one agent more", system: "arkindex", config: { agents: { gpu: { farm, machine: "gpu" } } } },
    ...{ secrets: { "ponosSeed-gpu": "seed" }, changed: { DockerHost: "", Swarm: "" } },
  },
  {
    ...{ what: "one agent more", system: "arkindex", config: { agents: { gpu: { farm } } } },
    ...{ secrets: { "ponosSeed-gpu": "seed" }, changed: { AwsRegion: "alarms" } },
  },
  {
    ...{ what: "two agents with GPUs more", system: "arkindex" },
    config: { agents: { gpu: { farm, gpus: 1, replicas: 2 } } },
    ...{ secrets: { "ponosSeed-gpu": "seed" }, changed: { AwsRegion: "alarms" } },
  },
  { what: "more backends", system: "arkindex", config: { backends: 3 }, changed: replicas("backend") },
  {
    ...{ what: "one service more", system: "media", changed: nothing },
    config: { services: { ...samples.media.services, stats: {} } },
  },
  {
    ...{ what: "one Cassandra more", system: "media", config: { nodes: 4 } },
    // Both name the members; the engine is told to ignore the repair's command.
    changed: same("cassandra-repair cassandra-setup"),
  },
  { what: "one replica more", system: "pyrus", config: { replicas: { "web-api": 2 } }, changed: replicas("web-api") },
  {
    ...{ what: "other nodes for one function", system: "pyrus", config: { nodes: { files: { disk: "fast" } } } },
    changed: { DockerHost: "", Swarm: "files" },
  },
  {
    ...{ what: "one app more", system: "shinyproxy" },
    config: { apps: { ...samples.shinyproxy.apps, more: { title: "More", image: "example/more:1" } } },
    // Its page, what may run, and the dashboard.
    changed: {
      DockerHost: "grafana-1 runner-1 shinyproxy-1",
      Swarm:
        "grafana-run-grafana-dashboards-shinyproxy-json runner-run-docker-proxy-policy-json shinyproxy-run-shinyproxy-application-yml",
    },
  },
];

test("every system has a row", () => {
  expect([...new Set(rows.map(({ system }) => system))].sort()).toEqual([...systemNames].sort());
});

describe.each(placeNames)("on %s", (place) => {
  test.each(rows.filter(({ changed }) => place in changed))(
    "$what of $system changes nothing else",
    async ({ system, config, secrets, changed }) => {
      // A secret that nothing reads is redacted in every log, and changes nothing at all.
      const now = await deploy(system, place, config, { unrelated: "secret", ...secrets });
      const old = await asItWas(system, place);
      expect(changes(old, now)).toEqual({ changed: changed[place], gone: "" });
    },
  );
});
