import { hostname } from "node:os";
import { setFlagsFromString } from "node:v8";
import { commandOf, type Command, pyrusApps, type PyrusApp, type JobName, type RoleName } from "./command.ts";
import { Refusal, explain } from "./errors.ts";
import type { Given, MakeRole } from "./role.ts";
import { Secrets } from "./secrets.ts";

const pyrusRole = async (): Promise<MakeRole> => (await import("./roles/pyrus-app.ts")).pyrusApp;
const pyrus = Object.fromEntries(pyrusApps.map((app) => [`pyrus-${app}`, pyrusRole])) as Record<
  `pyrus-${PyrusApp}`,
  typeof pyrusRole
>;

// Each role is imported in a function, so that a process loads the clients of its own role alone.
const roles: Readonly<Record<RoleName, () => Promise<MakeRole>>> = {
  "arkindex-backend": async () => (await import("./roles/arkindex-backend.ts")).arkindexBackend,
  "arkindex-worker": async () => (await import("./roles/arkindex-worker.ts")).arkindexWorker,
  cantaloupe: async () => (await import("./roles/cantaloupe.ts")).cantaloupe,
  "media-service": async () => (await import("./roles/media-service.ts")).mediaService,
  openid: async () => (await import("./roles/openid.ts")).openid,
  shinyproxy: async () => (await import("./roles/shinyproxy.ts")).shinyproxy,
  grafana: async () => (await import("./roles/grafana.ts")).grafana,
  "ponos-agent": async () => (await import("./roles/ponos-agent.ts")).ponosAgent,
  ...pyrus,
};

const jobs: Readonly<Record<JobName, () => Promise<(given: Given, say: (line: string) => void) => Promise<void>>>> = {
  migrate: async () => (await import("./roles/arkindex-jobs.ts")).migrate,
  update_system_workers: async () => (await import("./roles/arkindex-jobs.ts")).updateSystemWorkers,
  "media-schema": async () => (await import("./roles/media-jobs.ts")).mediaSchema,
  check: async () => (await import("./roles/arkindex-jobs.ts")).check,
  "pyrus-setup": async () => (await import("./roles/pyrus-setup.ts")).pyrusSetup,
  "pyrus-elastic-console": async () => (await import("./roles/pyrus-setup.ts")).pyrusElasticConsole,
};

// Saves a third of the memory: a stack has many of these processes, and their speed does not matter.
setFlagsFromString("--optimize-for-size");

const secrets = new Secrets();
const say = (line: string): void => {
  process.stdout.write(`${secrets.scrub(line)}\n`);
};

async function run(command: Command): Promise<void> {
  // As process 1 of a container this process ignores SIGTERM by default.
  process.once("SIGTERM", () => {
    if (command.kind === "job") process.exit(143);
    void import("./server.ts").then(({ finish }) => finish()).finally(() => process.exit(0));
  });
  process.once("SIGINT", () => process.exit(130));
  const { trustExtraAuthorities } = await import("./trust.ts");
  trustExtraAuthorities(process.env);
  const given: Given = { env: process.env, args: command.args, secrets, host: hostname() };
  if (command.kind === "job") {
    await (
      await jobs[command.job]()
    )(given, say);
    process.exit(0); // idle connections to the stores would keep it alive
  }
  const { start } = await import("./start.ts");
  await start((await roles[command.role]())(given), given, say);
}

function fail(error: unknown): never {
  process.stderr.write(`${secrets.scrub(explain("rehearsal", error))}\n`);
  process.exit(error instanceof Refusal ? 1 : 70);
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
try {
  run(commandOf(process.argv.slice(2), process.env)).catch(fail);
} catch (error) {
  fail(error);
}
