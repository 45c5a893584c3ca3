/** `arangod` as far as a deployment uses it. Not ArangoDB: README.md beside this says what it does. */
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";

import { type Agency, LocalAgency, RemoteAgency } from "./agency.ts";
import { Agent } from "./agent.ts";
import { hashed, isRoot, Tokens, whoIs } from "./auth.ts";
import { clusterRoute } from "./cluster.ts";
import { type AskShard, Collections } from "./collections.ts";
import { DbServer } from "./dbserver.ts";
import { Disk, identify } from "./disk.ts";
import { Fatal, Refused } from "./fatal.ts";
import { type Answer, type Asked, call, refusedBy, serve } from "./http.ts";
import { Options } from "./options.ts";
import type { Document } from "./shards.ts";
import type { Role, View } from "./state.ts";

const { env } = process;
const version = env.ARANGO_VERSION ?? "3.12.4";
const failedSeconds = Number(env.STAND_IN_FAILED_SECONDS ?? 10);
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString()} stand-in: ${line}\n`);
};

interface Running {
  readonly ready: () => boolean;
  readonly view: () => View | undefined;
  readonly route: (asked: Asked, who: string) => Promise<Answer | undefined>;
}

function main(): void {
  const options = new Options(process.argv.slice(2));
  if (options.is("version")) {
    process.stdout.write(`${version}\n\nplatform-topologies stand-in: true\n`);
    return;
  }
  say(`this is a stand-in for ArangoDB ${version}, not ArangoDB: it speaks what a deployment uses of it`);
  const disk = new Disk(options.text("database.directory") ?? "/var/lib/arangodb3");
  const role = roleOf(options);
  const authenticated = options.is("server.authentication", true);
  const secret = secretOf(options.text("server.jwt-secret-keyfile"));
  if (authenticated && secret === undefined && role !== "Single")
    throw new Fatal("--server.jwt-secret-keyfile is needed: the members of a cluster trust each other by it");
  const upgrade = options.is("database.auto-upgrade");
  const id = identify(disk, {
    prefix: ({ Agent: "AGNT", DBServer: "PRMR", Coordinator: "CRDN", Single: "SNGL" } as const)[role],
    fixed: options.text("agency.disaster-recovery-id"),
    mustExist: options.is("cluster.require-persisted-id"),
    version,
    upgrade,
  });
  if (upgrade) {
    say("the data is up to date; --database.auto-upgrade ends here");
    return;
  }
  const tokens = new Tokens(secret ?? id);
  const running = start(role, id, options, disk, tokens.member(id));
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    say("stopping");
    setTimeout(() => process.exit(0), 200);
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  const answer = async (asked: Asked): Promise<Answer> => {
    const { method, path } = asked;
    if (path === "/_admin/server/availability") {
      if (stopping || !running.ready()) throw new Refused(503, 503, "not available yet");
      return { status: 200, body: { error: false, code: 200, mode: "default" } };
    }
    if (method === "POST" && path === "/_open/auth") {
      const { username, password } = asked.body as { username: string; password: string };
      const view = running.view();
      if (view === undefined || !isRoot(username, password, view.state))
        throw new Refused(401, 11, "wrong credentials");
      return { status: 200, body: { jwt: tokens.user(username) } };
    }
    const who = authenticated ? whoIs(asked.authorization, tokens, running.view()?.state) : "root";
    if (method === "GET" && path === "/_api/version")
      return { status: 200, body: { server: "arango", license: "community", version, standIn: "platform-topologies" } };
    if (method === "GET" && path === "/_admin/server/role") return { status: 200, body: { role: role.toUpperCase() } };
    if (method === "GET" && path === "/_admin/server/id") return { status: 200, body: { id } };
    if (method === "DELETE" && path === "/_admin/shutdown") {
      stop();
      return { status: 200, body: "OK" };
    }
    const answered = await running.route(asked, who);
    if (answered === undefined) throw new Refused(404, 404, `the stand-in knows no ${method} ${path}`);
    return answered;
  };
  const port = Number(/:(\d+)$/.exec(options.text("server.endpoint") ?? "")?.[1] ?? 8529);
  serve(port, answer, say);
  say(`${role} ${id} listens on port ${String(port)}`);
}

function roleOf(options: Options): Role {
  if (options.is("agency.activate")) return "Agent";
  const role = options.text("cluster.my-role");
  if (role === undefined) return "Single";
  if (role === "DBSERVER" || role === "PRIMARY") return "DBServer";
  if (role === "COORDINATOR") return "Coordinator";
  throw new Fatal(`--cluster.my-role is DBSERVER or COORDINATOR, not ${role}`);
}

function secretOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const secret = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (secret === "" || /\s/.test(secret) || Buffer.byteLength(secret) > 64)
    throw new Fatal(`the JWT secret in ${path} has to have 1 to 64 bytes without white space`);
  return secret;
}

function start(role: Role, id: string, options: Options, disk: Disk, authorization: string): Running {
  const defaults = {
    replicationFactor: options.number("cluster.default-replication-factor", 1),
    systemReplicationFactor: role === "Single" ? 1 : options.number("cluster.system-replication-factor", 2),
    writeConcern: options.number("cluster.write-concern", 1),
  };
  if (role === "Agent") {
    const address = needed(options, "agency.my-address");
    const peers = options.all("agency.endpoint").filter((peer) => peer !== address);
    const size = options.number("agency.size", 1);
    if (peers.length + 1 !== size)
      throw new Fatal(`--agency.size is ${String(size)}, but there are ${String(peers.length + 1)} agents`);
    const agent = new Agent({ id, address, peers, authorization, disk, failedSeconds, say });
    const route = (asked: Asked, who: string): Promise<Answer | undefined> =>
      who === "member" ? agent.route(asked) : Promise.reject(new Refused(401, 11, "members only"));
    // Like a real agent this one is available before there is a majority. If three waited for each other, none would
    // be.
    return { ready: () => true, view: () => undefined, route };
  }
  // With an old view a coordinator's request fails and is tried again. A DB server would write a shard that another
  // leads.
  const fresh = role === "DBServer" ? failedSeconds * 500 : 60_000;
  const agents = options.all("cluster.agency-endpoint");
  const agency = role === "Single" ? new LocalAgency(disk, id) : new RemoteAgency(agents, authorization, id, fresh);
  const endpoint = role === "Single" ? "tcp://localhost:8529" : needed(options, "cluster.my-address");
  let registered = false;
  const registering = register(agency, id, role, endpoint).then(() => {
    registered = true;
  });
  const view = (): View | undefined => agency.view();
  const server = role === "Coordinator" ? undefined : new DbServer({ id, agency, authorization, disk, say });
  if (role === "DBServer")
    return {
      ready: () => registered,
      view,
      route: (asked, who) =>
        who === "member" && server !== undefined
          ? server.route(asked)
          : Promise.reject(new Refused(401, 11, "members only")),
    };
  const ask: AskShard = async ({ state }, request) => {
    if (server !== undefined) return server.ask(request);
    const leader = leaderOf(state, request.shard);
    const reply = await call(leader, authorization, "/_api/stand-in/shard", request, 10_000);
    if (reply.status !== 200) throw refusedBy(reply);
    return reply.body as readonly Document[];
  };
  const collections = new Collections(agency, ask, defaults);
  void registering.then(() => bootstrap(agency, collections, defaults.systemReplicationFactor));
  return {
    ready: () => registered && view()?.state.bootstrapped === true,
    view,
    route: async (asked) =>
      (await anotherPassword(asked, agency)) ?? (await clusterRoute(asked, agency)) ?? (await collections.route(asked)),
  };
}

function needed(options: Options, name: string): string {
  const value = options.text(name);
  if (value === undefined) throw new Fatal(`--${name} is needed`);
  return value;
}

function leaderOf(state: View["state"], shard: string): string {
  for (const collections of Object.values(state.databases))
    for (const { shards } of Object.values(collections)) {
      const leader = shards[shard]?.servers[0];
      if (leader !== undefined) return state.servers[leader]?.endpoint ?? "tcp://unknown.invalid";
    }
  throw new Refused(404, 1203, "collection or view not found");
}

async function register(agency: Agency, id: string, role: Role, endpoint: string): Promise<void> {
  await until(async () => {
    await agency.update((state) => {
      const shortName = state.servers[id]?.shortName ?? `${role}${String(++state.last).padStart(4, "0")}`;
      state.servers[id] = { role, endpoint, shortName, version };
    });
    return true;
  });
}

/** Makes the system database, and root with the password of the environment. One coordinator does it, once. */
async function bootstrap(agency: Agency, collections: Collections, copies: number): Promise<void> {
  await until(async () => {
    const view = agency.view();
    if (view === undefined) return false;
    if (view.state.bootstrapped) return true;
    const servers = Object.entries(view.state.servers).filter(
      ([id, { role }]) => role !== "Coordinator" && view.health[id] === "GOOD",
    );
    if (servers.length < copies) return false;
    await agency.update((state) => {
      if (state.bootstrapped) return;
      state.bootstrapped = true;
      state.root = hashed(env.ARANGODB_DEFAULT_ROOT_PASSWORD ?? "");
      collections.create(state, view.health, "_system");
    });
    say("the cluster is set up: system database, root");
    return true;
  });
}

/** `PATCH /_api/user/root`; undefined: the path is another. */
async function anotherPassword({ method, path, body }: Asked, agency: Agency): Promise<Answer | undefined> {
  if (method !== "PATCH" || path !== "/_api/user/root") return undefined;
  const { passwd } = body as { passwd: string };
  await agency.update((state) => {
    state.root = hashed(passwd);
  });
  return { status: 200, body: { error: false, code: 200, user: "root", active: true, extra: {} } };
}

async function until(attempt: () => Promise<boolean>): Promise<void> {
  while (!(await attempt().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 300));
}

function fail(error: unknown): never {
  process.stderr.write(
    `FATAL stand-in: ${error instanceof Error ? (error instanceof Fatal ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  );
  process.exit(1);
}
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
try {
  main();
} catch (error) {
  fail(error);
}
