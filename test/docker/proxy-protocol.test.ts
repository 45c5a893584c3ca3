/** Both proxies behind what passes TCP on, as AWS' network load balancer does: each connection names its caller first. */
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Container } from "dockerode";

import type { PlannedRoute } from "../../components/core/plan.ts";
import { eventually, inContainer } from "../support/arkindex.ts";
import { NginxEdge } from "../support/nginx.ts";

const host = "passed-test.localhost";
const route: PlannedRoute = {
  ...{ host, path: "/", port: "web", to: "web", target: { number: 80, protocol: "http" } },
  ...{ hosts: ["web"], of: "replicas", websocket: true },
};

/** Version 2: a signature, `PROXY` over TCP and IPv4, twelve bytes: both addresses and ports. */
function header(caller: string): Buffer {
  const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
  const address = (text: string) => text.split(".").map(Number);
  return Buffer.from([
    ...[...signature, 0x21, 0x11, 0x00, 12],
    ...[...address(caller), ...address("10.80.0.7"), 0xc3, 0x50, 0x01, 0xbb],
  ]);
}

describe.each([
  ["nginx", 15071],
  ["traefik", 15073],
] as const)("%s", (proxy, https) => {
  let edge: NginxEdge;
  let web: Container;
  beforeAll(async () => {
    edge = await NginxEdge.create(`passed-${proxy}`, https, [route], { proxy, passed: true });
    web = await edge.backend("web", "web");
    await eventually(async () => ((await get(header("192.0.2.1"))).includes(" 200 ") ? true : undefined), 30);
  }, 60_000);
  afterAll(async () => {
    await edge.remove();
  }, 60_000);

  /** The whole answer to a request on a connection of its own that begins with these bytes; empty if it is refused. */
  async function get(first: Buffer | undefined): Promise<string> {
    const socket = connect(https, "127.0.0.1");
    await once(socket, "connect");
    if (first !== undefined) socket.write(first);
    const secure = connectTls({ socket, servername: host, ca: edge.ca });
    let answer = "";
    secure.on("data", (part: Buffer) => (answer += part.toString()));
    secure.on("secureConnect", () => {
      secure.write(`GET /a HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-For: 198.51.100.66\r\nConnection: close\r\n\r\n`);
    });
    await new Promise<void>((resolve) => {
      for (const event of ["close", "error"]) {
        socket.on(event, () => {
          resolve();
        });
        secure.on(event, () => {
          resolve();
        });
      }
    });
    return answer;
  }

  test("the application is told the caller's own address, whatever he says of himself", async () => {
    for (const caller of ["203.0.113.9", "198.51.100.7"]) {
      const answer = await get(header(caller));
      expect(answer).toContain('"x-forwarded-proto":"https"');
      expect(answer).toContain(`"x-forwarded-for":"${caller}"`);
      expect(answer).not.toContain("198.51.100.66");
    }
  });

  test("its health check, which comes from inside, passes", async () => {
    expect((await edge.health()).status).toBe(0);
  });

  test("whoever else reaches the port cannot say who calls", async () => {
    const script = `
      const socket = require("node:net").connect(${String(https)}, "edge", () => {
        socket.write(Buffer.from("${header("203.0.113.9").toString("hex")}", "hex"));
        const secure = require("node:tls").connect({ socket, servername: "${host}", rejectUnauthorized: false }, () =>
          secure.write("GET /a HTTP/1.1\\r\\nHost: ${host}\\r\\nConnection: close\\r\\n\\r\\n"));
        secure.pipe(process.stdout);
      });`;
    const { body } = await inContainer({ container: web.id }, `node -e '${script}'`);
    expect(body).toMatch(/"x-forwarded-for":"(?!203\.)[\d.]+"/);
  });
});
