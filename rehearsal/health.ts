import http from "node:http";
import type { Health } from "./loop.ts";

/**
 * How `rehearse health` asks the running process: an abstract unix socket (the leading zero byte), which lives in the
 * container's network namespace and needs no file, so that a read-only root file system is no obstacle. It speaks HTTP,
 * so that a probe is curl and not another Node: dozens of containers are asked every few seconds.
 */
const address = "\0platform-topologies.rehearsal";

export function answerHealth(health: () => Health): Promise<http.Server> {
  const server = http.createServer((_, answer) => {
    const { ok, failing } = health();
    answer.writeHead(ok ? 200 : 503, { connection: "close" }).end(`${ok ? "healthy" : failing.join("; ")}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      resolve(server);
    });
  });
}
