import type { Engine } from "../../core/contracts.ts";
import type { ShinyProxyConfig } from "./config.ts";
import { databases } from "./influx.ts";

interface Panel {
  readonly title: string;
  readonly type: "timeseries" | "stat" | "table";
  readonly from: keyof typeof databases;
  readonly unit?: string;
  /** The panel's width, in columns of 24. */
  readonly width: number;
  /** InfluxQL queries, by the name of the line that each draws. */
  readonly queries: Readonly<Record<string, string>>;
}

const here = "$timeFilter";
const each = "GROUP BY time($__interval)";

/** One page: who has signed in, what they started, how the nodes are, what the engine did. */
export function dashboard(c: ShinyProxyConfig, engine: Engine): object {
  const panels = [...usage(c, engine), ...nodes, ...(engine === "swarm" ? services : containers), events];
  let [x, y] = [0, 0];
  return {
    uid: "shinyproxy",
    title: c.title,
    schemaVersion: 39,
    editable: false,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    panels: panels.map((panel, index) => {
      const height = panel.type === "stat" ? 4 : 8;
      if (x + panel.width > 24) [x, y] = [0, y + 8];
      const gridPos = { x, y, w: panel.width, h: height };
      x += panel.width;
      return { id: index + 1, gridPos, ...shown(panel) };
    }),
  };
}

function shown({ title, type, from, unit, queries }: Panel): object {
  const datasource = { type: "influxdb", uid: databases[from] };
  return {
    title,
    type,
    datasource,
    fieldConfig: { defaults: unit === undefined ? {} : { unit }, overrides: [] },
    targets: Object.entries(queries).map(([alias, query], at) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + at),
      datasource,
      rawQuery: true,
      query,
      alias,
      resultFormat: type === "table" ? "table" : "time_series",
    })),
  };
}

/** ShinyProxy writes `event`, tagged with the user and what happened, with the app's name as its field. */
function usage({ apps }: ShinyProxyConfig, engine: Engine): Panel[] {
  const event = (type: string, more = "") => `FROM "event" WHERE "type" = '${type}'${more} AND ${here}`;
  const running =
    engine === "swarm"
      ? `SELECT last("tasks_running") AS n FROM "docker_swarm" WHERE "service_name" =~ /^sp-service-/ AND ${here} ${each}, "service_name"`
      : `SELECT last("usage") / last("usage") AS n FROM "docker_container_mem" WHERE "container_name" =~ /^sp-container-/ AND ${here} ${each}, "container_name"`;
  return [
    {
      title: "Users",
      type: "stat",
      from: "usage",
      width: 4,
      queries: { users: `SELECT count(n) FROM (SELECT count("data") AS n ${event("Login")} GROUP BY "username")` },
    },
    {
      title: "Running apps",
      type: "timeseries",
      from: "metrics",
      width: 10,
      queries: { apps: `SELECT sum(n) FROM (${running}) ${each} fill(0)` },
    },
    {
      title: "Apps started",
      type: "timeseries",
      from: "usage",
      width: 10,
      queries: Object.fromEntries(
        Object.keys(apps).map((app) => [
          app,
          `SELECT count("data") ${event("ProxyStart", ` AND "data" = '${app}'`)} ${each} fill(0)`,
        ]),
      ),
    },
    {
      title: "Sign-ins",
      type: "timeseries",
      from: "usage",
      width: 12,
      queries: { $tag_username: `SELECT count("data") ${event("Login")} ${each}, "username" fill(0)` },
    },
    {
      title: "Apps started by user",
      type: "timeseries",
      from: "usage",
      width: 12,
      queries: { $tag_username: `SELECT count("data") ${event("ProxyStart")} ${each}, "username" fill(0)` },
    },
  ];
}

const perNode = (title: string, unit: string, select: string, from: string, more = ""): Panel => ({
  title,
  type: "timeseries",
  from: "metrics",
  unit,
  width: 12,
  queries: { $tag_host: `SELECT ${select} FROM "${from}" WHERE ${here}${more} ${each}, "host" fill(none)` },
});
const nodes: readonly Panel[] = [
  perNode("Processor", "percent", `100 - mean("usage_idle")`, "cpu", ` AND "cpu" = 'cpu-total'`),
  perNode("Load", "short", `mean("load1")`, "system"),
  perNode("Memory", "percent", `mean("used_percent")`, "mem"),
  perNode("Disk", "percent", `max("used_percent")`, "disk"),
];

const services: readonly Panel[] = [
  {
    title: "Services: tasks running, less those wanted",
    type: "timeseries",
    from: "metrics",
    width: 24,
    queries: {
      $tag_service_name: `SELECT last("tasks_running") - last("tasks_desired") FROM "docker_swarm" WHERE ${here} ${each}, "service_name" fill(none)`,
    },
  },
];

const containers: readonly Panel[] = [
  {
    title: "Memory of containers",
    type: "timeseries",
    from: "metrics",
    unit: "bytes",
    width: 24,
    queries: {
      $tag_container_name: `SELECT mean("usage") FROM "docker_container_mem" WHERE ${here} ${each}, "container_name" fill(none)`,
    },
  },
];

const events: Panel = {
  title: "Events",
  type: "table",
  from: "metrics",
  width: 24,
  queries: { events: `SELECT "type", "action", "name" FROM "docker_event" WHERE ${here} ORDER BY time DESC LIMIT 100` },
};
