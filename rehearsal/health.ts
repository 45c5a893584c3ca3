import net from "node:net";
import type { Health } from "./loop.ts";

/**
 * How `rehearse health` asks the running process: an abstract unix socket (the leading zero byte), which lives in the
 * container's network namespace and needs no file, so that a read-only root file system is no obstacle.
 */
const address = (): string => `\0${process.env.REHEARSAL_SOCKET ?? "platform-topologies.rehearsal"}`;

export function answerHealth(health: () => Health): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(JSON.stringify(health()));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address(), () => {
      resolve(server);
    });
  });
}

/** The exit code and the line to print. */
export function askHealth(): Promise<{ code: number; line: string }> {
  return new Promise((resolve) => {
    const fail = (line: string) => {
      resolve({ code: 1, line });
    };
    const socket = net.connect(address());
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(2000, () => {
      socket.destroy();
      fail("the rehearsal does not answer");
    });
    socket.on("error", () => {
      fail("the rehearsal is not running");
    });
    socket.on("data", (part: string) => (text += part));
    socket.on("end", () => {
      const answer = parse(text);
      if (answer === undefined) fail("the rehearsal gave no answer");
      else if (answer.ok) resolve({ code: 0, line: "healthy" });
      else fail(answer.failing.join("; "));
    });
  });
}

function parse(text: string): Health | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("ok" in value) || !("failing" in value)) return undefined;
    const failing: readonly unknown[] = Array.isArray(value.failing) ? value.failing : [];
    return { ok: value.ok === true, failing: failing.map(String) };
  } catch {
    return undefined;
  }
}
