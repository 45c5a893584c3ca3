/**
 * `docker-proxy <policy.json>`: Docker's API for one client, filtered and rewritten, on port 2375.
 * `docker-proxy health`: ends with 0 when the proxy and the engine behind it answer.
 */
import { readFileSync } from "node:fs";

const port = Number(process.env.PORT ?? 2375);
const socket = process.env.DOCKER_SOCKET ?? "/var/run/docker.sock";

function fail(message: string): never {
  process.stderr.write(`docker-proxy: ${message}\n`);
  process.exit(1);
}

async function health(): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${String(port)}/_ping`, { signal: AbortSignal.timeout(4000) }).catch(
    () => undefined,
  );
  if (answer === undefined) fail("does not answer");
  if (!answer.ok) fail(((await answer.json()) as { message: string }).message);
}

async function serve(file: string): Promise<void> {
  // Imported here: the probe, which runs every few seconds, needs none of these.
  const [{ Engine }, { policySchema }, { proxy }] = await Promise.all([
    import("./engine.ts"),
    import("./policy.ts"),
    import("./server.ts"),
  ]);
  const found = policySchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!found.success)
    fail(`${file}: ${found.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}`);
  const server = proxy(found.data, new Engine(socket));
  server.listen(port, () => process.stdout.write(`policy ${found.data.may} on port ${String(port)}\n`));
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));
}

const [argument = ""] = process.argv.slice(2);
if (argument === "health") await health();
else if (argument === "") fail("usage: docker-proxy <policy.json> | health");
else await serve(argument);
