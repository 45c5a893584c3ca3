/** The event service's stand-in: an event that arrives over NATS goes to every browser that listens. */
import { setTimeout as sleep } from "node:timers/promises";

import { WebSocketServer } from "ws";

import { natsConnection } from "../checks/nats.ts";
import type { PyrusConfig } from "../config/pyrus.ts";
import type { Given, Role } from "../role.ts";
import { send } from "../server.ts";

export const subject = "rehearsal.events";

/** The websocket under `/bind`: says its name first, echoes what it is sent, passes events on. */
export function events({ nats }: PyrusConfig, { host }: Given): Pick<Role, "handle" | "upgrade" | "work"> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });
  sockets.on("connection", (socket) => {
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer) => {
      socket.send(`echo ${data.toString()}`);
    });
    socket.send(`bind ${host}`);
  });
  return {
    handle: (request, response, { pathname }) => {
      if (pathname !== "/bind/metrics" || request.method !== "GET") return false;
      send(response, 200, "text/plain", "rehearsal 1\n");
      return true;
    },
    upgrade: (request, socket, head) => {
      if (request.url?.startsWith("/bind") !== true) {
        socket.destroy();
        return;
      }
      sockets.handleUpgrade(request, socket, head, (open) => {
        sockets.emit("connection", open, request);
      });
    },
    work: async () => {
      for (;;) {
        // The check of NATS reports the error.
        await listen().catch(() => undefined);
        await sleep(1000);
      }
    },
  };

  async function listen(): Promise<void> {
    const connection = await natsConnection(nats, false);
    for await (const message of connection.subscribe(subject))
      for (const socket of sockets.clients) socket.send(`event ${message.string()}`);
  }
}
