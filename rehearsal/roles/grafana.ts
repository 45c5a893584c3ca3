import { randomUUID } from "node:crypto";
import http from "node:http";

import { z } from "zod";

import { databaseOf, type Dashboard, type Datasource, provisioned } from "../config/grafana.ts";
import { readConfig } from "../config/file.ts";
import { explain, Refusal } from "../errors.ts";
import { type Answered, drawn, signIn } from "../grafana/page.ts";
import { inMemory, inPostgres } from "../grafana/sessions.ts";
import type { MakeRole } from "../role.ts";
import { bodyOf, send, sendJson } from "../server.ts";

const asked = z.object({
  queries: z.array(z.object({ refId: z.string(), datasource: z.object({ uid: z.string() }), query: z.string() })),
});
const influxAnswer = z.object({
  error: z.string().optional(),
  results: z
    .array(
      z.object({
        error: z.string().optional(),
        series: z
          .array(
            z.object({
              name: z.string(),
              tags: z.record(z.string(), z.string()).default({}),
              columns: z.array(z.string()),
              values: z.array(z.array(z.unknown())),
            }),
          )
          .optional(),
      }),
    )
    .default([]),
});

/**
 * Grafana's stand-in: reads provisioned data sources and dashboards, refuses what is malformed, and runs their queries
 * through the data sources. It draws them plainly. Paths and answers are those of Grafana's HTTP API.
 */
export const grafana: MakeRole = ({ env, secrets }) => {
  const { datasources, dashboards } = provisioned(env.GF_PATHS_PROVISIONING ?? "");
  const password = readConfig(env.GF_SECURITY_ADMIN_PASSWORD__FILE ?? "", "GF_SECURITY_ADMIN_PASSWORD__FILE").trim();
  secrets.add(password, ...datasources.map(({ secureJsonData }) => secureJsonData.password));
  const database = databaseOf(env);
  if (database) secrets.add(database.password);
  const sessions = database ? inPostgres(database) : inMemory();

  const sourceOf = (uid: string): Datasource => {
    const source = datasources.find((each) => each.uid === uid);
    if (source === undefined) throw new Refusal(`no data source ${uid}`);
    return source;
  };
  const answered = async (panel: Dashboard["panels"][number]): Promise<Answered> => {
    try {
      const all = panel.targets.map(async ({ datasource: { uid }, query, alias = "" }) =>
        (await influxql(sourceOf(uid), query)).map((series) => ({ ...series, name: named(alias, series) })),
      );
      return { panel, answer: (await Promise.all(all)).flat() };
    } catch (error) {
      return { panel, answer: secrets.scrub(explain("InfluxDB", error)) };
    }
  };

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? "/", "http://grafana").pathname;
    if (path === "/api/health") {
      sendJson(response, 200, { database: "ok", version: "stand-in" });
      return;
    }
    if (path === "/login" && request.method === "POST") {
      // Grafana's own page sends JSON by its script; the one of this stand-in is a plain form.
      const plain = request.headers["content-type"] === "application/x-www-form-urlencoded";
      const body = (await bodyOf(request, 4096)) ?? "";
      const given: unknown = plain ? Object.fromEntries(new URLSearchParams(body)) : JSON.parse(body);
      const form = z.object({ user: z.string(), password: z.string() }).parse(given);
      if (form.user !== "admin" || form.password !== password) {
        if (plain) page(response, 401, signIn(true));
        else sendJson(response, 401, { message: "Invalid username or password" });
        return;
      }
      const session = randomUUID();
      await sessions.add(session);
      response.setHeader("set-cookie", `grafana_session=${session}; Path=/; HttpOnly; SameSite=Lax; Secure`);
      if (plain) response.writeHead(303, { location: "/" }).end();
      else sendJson(response, 200, { message: "Logged in" });
      return;
    }
    if (path === "/login") {
      page(response, 200, signIn(false));
      return;
    }
    if (!(await sessions.has(/grafana_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1] ?? ""))) {
      if (path === "/" || path.startsWith("/d/")) response.writeHead(302, { location: "/login" }).end();
      else sendJson(response, 401, { message: "Unauthorized" });
      return;
    }
    if (path === "/api/search") {
      sendJson(
        response,
        200,
        dashboards.map(({ uid, title }) => ({ uid, title, type: "dash-db" })),
      );
      return;
    }
    const looked = dashboards.find(({ uid }, index) => path === `/d/${uid}` || (path === "/" && index === 0));
    if (looked !== undefined) {
      const panels = await Promise.all(looked.panels.map(answered));
      page(response, 200, secrets.scrub(drawn(looked, panels, Date.now())));
      return;
    }
    const found = dashboards.find(({ uid }) => path === `/api/dashboards/uid/${uid}`);
    if (found !== undefined) {
      sendJson(response, 200, { dashboard: found, meta: { provisioned: true } });
      return;
    }
    if (path === "/api/ds/query" && request.method === "POST") {
      const { queries } = asked.parse(JSON.parse((await bodyOf(request, 65_536)) ?? "{}"));
      const results = await Promise.all(
        queries.map(async ({ refId, datasource: { uid }, query }) => {
          return [refId, { status: 200, frames: frames(await influxql(sourceOf(uid), query)) }] as const;
        }),
      );
      sendJson(response, 200, { results: Object.fromEntries(results) });
      return;
    }
    sendJson(response, 404, { message: "Not found" });
  };

  return {
    name: "grafana",
    title: "Grafana",
    checks: [
      sessions.check,
      ...datasources.map((source) => ({
        name: source.uid,
        target: source.url,
        required: true,
        run: async () => {
          await influxql(source, "SHOW MEASUREMENTS LIMIT 1");
          return "asked through the data source";
        },
      })),
    ],
    listen: () => {
      const server = http.createServer((request, response) => {
        answer(request, response).catch((error: unknown) => {
          sendJson(response, error instanceof Refusal ? 400 : 500, {
            message: secrets.scrub(explain("grafana", error)),
          });
        });
      });
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(3000, resolve);
      });
    },
  };
};

/** No script, and nothing from elsewhere. */
function page(response: http.ServerResponse, status: number, body: string): void {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'";
  response.setHeader("content-security-policy", policy);
  send(response, status, "text/html; charset=utf-8", body);
}

/** The name of a line: `$tag_<name>` in its alias is the value of that tag. */
function named(alias: string, { name, tags }: { name: string; tags: Readonly<Record<string, string>> }): string {
  return alias.replaceAll(/\$tag_(\w+)/g, (_, tag: string) => tags[tag] ?? "") || name;
}

/** Sends a query as Grafana's backend does, with the macros filled in for the last hour. */
async function influxql({ url, user, jsonData, secureJsonData }: Datasource, query: string) {
  const filled = query.replaceAll("$timeFilter", "time > now() - 1h").replaceAll("$__interval", "10s");
  const answer = await fetch(
    `${url}/query?${new URLSearchParams({ db: jsonData.dbName, epoch: "ms", q: filled }).toString()}`,
    {
      headers: { authorization: `Basic ${Buffer.from(`${user}:${secureJsonData.password}`).toString("base64")}` },
      signal: AbortSignal.timeout(4000),
    },
  );
  const { error, results } = influxAnswer.parse(await answer.json());
  const failed = error ?? results.find((each) => each.error !== undefined)?.error;
  if (failed !== undefined) throw new Refusal(`InfluxDB: ${failed}`);
  return results.flatMap(({ series = [] }) => series);
}

function frames(series: Awaited<ReturnType<typeof influxql>>): object[] {
  return series.map(({ name, columns, values }) => ({
    schema: { name, fields: columns.map((column) => ({ name: column })) },
    data: { values: columns.map((_, at) => values.map((row) => row[at])) },
  }));
}
