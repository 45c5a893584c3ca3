/** The web API's stand-in: rows, events, and who it is, for tests through the edge. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { withNats } from "../checks/nats.ts";
import { withPostgres } from "../checks/postgres.ts";
import type { PyrusConfig } from "../config/pyrus.ts";
import type { Given, Handler } from "../role.ts";
import { bodyOf, send, sendJson } from "../server.ts";
import { subject } from "./pyrus-bind.ts";

/**
 * GET `/rehearsal/who`: the replica and its scheduler's ticks. POST, GET `/rehearsal/rows`: text in PostgreSQL. POST
 * `/rehearsal/events`: a text that every open websocket of `bind` gets. GET `/metrics`: what the edge must not show.
 */
export function webRoutes(config: PyrusConfig, { host }: Given): Handler {
  const { MAIN_CONN_STRING: main } = config.databases;
  return async (request, response, { pathname }) => {
    const asked = `${request.method ?? ""} ${pathname}`;
    switch (asked) {
      case "GET /metrics":
        send(response, 200, "text/plain", "rehearsal 1\n");
        return true;
      case "GET /rehearsal/who":
        sendJson(response, 200, { rehearsal: true, host, version: config.version });
        return true;
      case "GET /rehearsal/ticks": {
        const query =
          "select host, extract(epoch from at)::float8 as at from rehearsal_ticks order by id desc limit 200";
        const { rows } = await withPostgres(main, (client) => client.query(query));
        sendJson(response, 200, { ticks: rows.reverse() });
        return true;
      }
      case "GET /rehearsal/rows": {
        const query = "select body from rehearsal_rows order by id desc limit 1000";
        const { rows } = await withPostgres(main, (client) => client.query<{ body: string }>(query));
        sendJson(response, 200, { rows: rows.map(({ body }) => body).reverse() });
        return true;
      }
      case "POST /rehearsal/rows":
        return withText(request, response, async (text) => {
          await withPostgres(main, (client) => client.query("insert into rehearsal_rows (body) values ($1)", [text]));
        });
      case "POST /rehearsal/events":
        return withText(request, response, (text) =>
          withNats(config.nats, async (connection) => {
            connection.publish(subject, text);
            await connection.flush();
          }),
        );
      default:
        return false;
    }
  };
}

async function withText(
  request: IncomingMessage,
  response: ServerResponse,
  store: (text: string) => Promise<void>,
): Promise<true> {
  const text = await bodyOf(request, 4096);
  if (text === undefined || text === "") sendJson(response, 400, { error: "send 1 to 4096 bytes of text" });
  else {
    await store(text);
    sendJson(response, 201, { stored: true });
  }
  return true;
}
