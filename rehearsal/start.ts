import type { Check } from "./checks/check.ts";
import { Refusal } from "./errors.ts";
import { answerHealth } from "./health.ts";
import { Loop } from "./loop.ts";
import { patience } from "./patience.ts";
import type { Given, Role } from "./role.ts";
import { serve } from "./server.ts";

/** Runs a role until SIGTERM, which ends it when no request waits for its answer. */
export async function start(role: Role, given: Given, say: (line: string) => void): Promise<void> {
  const { env, secrets } = given;
  const checks = env.REHEARSAL_FAIL === "unhealthy" ? [...role.checks, neverHealthy] : role.checks;
  const loop = new Loop(checks, { secrets, log: say, ...patient(patience(env)) });
  say(`rehearsing ${role.title}${role.version === undefined ? "" : ` ${role.version}`}`);
  try {
    await answerHealth(() => loop.health());
    await role.listen?.(loop, say);
    const port =
      role.listen !== undefined || (role.port === undefined && env.PORT === undefined)
        ? undefined
        : portFrom(env.PORT, role.port);
    if (port !== undefined) {
      await serve(role, loop, secrets, port);
      say(`listening on port ${String(port)}`);
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "EADDRINUSE") throw error;
    throw new Refusal("another rehearsal runs in this network namespace, or the port is taken");
  }
  loop.start();
  void role.work?.();
}

/** The defaults of `Loop`, `times` as long. */
function patient(times: number): { every: number; timeout: number; stale: number } {
  return { every: times * 5000, timeout: times * 8000, stale: times * 30_000 };
}

function portFrom(text: string | undefined, usual: number | undefined): number {
  const port = text === undefined ? usual : Number(text);
  if (port !== undefined && Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Refusal(`PORT is "${text ?? ""}"; it must be a port number`);
}

const neverHealthy: Check = {
  name: "rehearsal",
  target: "REHEARSAL_FAIL",
  required: true,
  run: () => Promise.reject(new Refusal("told by REHEARSAL_FAIL=unhealthy never to be healthy")),
};
