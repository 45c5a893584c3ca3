import type { Agency } from "./agency.ts";
import { Refused } from "./fatal.ts";
import type { Answer, Asked } from "./http.ts";
import { type Collection, type Role, type Shard, shardsOf, type State, type View } from "./state.ts";

const maintenanceMinutes = 60;

/** A coordinator's `/_admin/cluster` and the inventory, as 3.12 answers them. undefined: the path is none of these. */
export async function clusterRoute(
  { method, path, body, query, database }: Asked,
  agency: Agency,
): Promise<Answer | undefined> {
  const view = agency.view();
  if (view === undefined) throw new Refused(503, 1505, "the agency does not answer");
  switch (`${method} ${path}`) {
    case "GET /_admin/cluster/health":
      return ok({ ClusterId: "stand-in", Health: health(view) });
    case "POST /_admin/cluster/cleanOutServer":
      return cleanOut(view, agency, body as { server: string });
    case "GET /_admin/cluster/queryAgencyJob": {
      const id = query.get("id") ?? "";
      const job = view.state.jobs[id];
      if (job === undefined) throw new Refused(404, 404, "job not found");
      return ok({ id, ...job });
    }
    case "POST /_admin/cluster/removeServer":
      return remove(agency, typeof body === "string" ? body : (body as { server: string }).server);
    case "GET /_admin/cluster/maintenance":
      return ok({ result: view.state.maintenanceUntil > Date.now() ? "Maintenance" : "Normal" });
    case "PUT /_admin/cluster/maintenance":
      return maintenance(agency, body);
    case "GET /_admin/cluster/shardDistribution":
      return ok({ results: distribution(view, database) });
    case "GET /_api/replication/clusterInventory":
      return ok({ collections: inventory(view, database) });
    default:
      return undefined;
  }
}

function ok(body: object): Answer {
  return { status: 200, body: { error: false, code: 200, ...body } };
}

const roles: Readonly<Record<Role, string>> = {
  Agent: "Agent",
  DBServer: "DBServer",
  Coordinator: "Coordinator",
  Single: "Single",
};

function health({ state, health: by }: View): object {
  const members = Object.entries(state.servers).map(([id, member]) => [
    id,
    {
      Endpoint: member.endpoint,
      Role: roles[member.role],
      Status: by[id] ?? "FAILED",
      ShortName: member.shortName,
      Version: member.version,
      Engine: "rocksdb",
      CanBeDeleted: mayGo(state, id, by[id] === "FAILED"),
    },
  ]);
  const agents = Object.entries(state.pool).map(([endpoint, id]) => [
    id,
    { Endpoint: endpoint, Role: "Agent", Status: by[id] ?? "FAILED", CanBeDeleted: false },
  ]);
  return Object.fromEntries([...agents, ...members]) as object;
}

function mayGo(state: State, id: string, failed: boolean): boolean {
  const used = shardsOf(state).some(({ shard }) => shard.servers.includes(id) || shard.inSync.includes(id));
  return failed && !used;
}

async function cleanOut(view: View, agency: Agency, { server }: { server: string }): Promise<Answer> {
  const id = idOf(view.state, server);
  if (view.state.servers[id]?.role !== "DBServer") throw new Refused(400, 400, "server is not a DBServer");
  let job = "";
  await agency.update((state) => {
    job = String(++state.last);
    state.jobs[job] = { server: id, status: "Pending" };
  });
  return { status: 202, body: { error: false, code: 202, id: job } };
}

/** Removes a server, but only if it has failed and has no shards. */
async function remove(agency: Agency, server: string): Promise<Answer> {
  const failed = agency.view()?.health ?? {};
  await agency.update((state) => {
    const id = idOf(state, server);
    if (!mayGo(state, id, failed[id] === "FAILED"))
      throw new Refused(412, 412, "the server is not failed, or it is still in use");
    state.servers = Object.fromEntries(Object.entries(state.servers).filter(([each]) => each !== id));
    state.failed = state.failed.filter((each) => each !== id);
    state.cleaned = state.cleaned.filter((each) => each !== id);
  });
  return ok({});
}

function idOf(state: State, server: string): string {
  const found = Object.entries(state.servers).find(([id, { shortName }]) => id === server || shortName === server);
  if (found === undefined) throw new Refused(404, 404, "server not found");
  return found[0];
}

async function maintenance(agency: Agency, body: unknown): Promise<Answer> {
  const seconds = body === "on" ? maintenanceMinutes * 60 : body === "off" ? 0 : Number(body);
  if (!Number.isFinite(seconds)) throw new Refused(400, 400, 'maintenance is "on", "off", or a number of seconds');
  await agency.update((state) => {
    state.maintenanceUntil = seconds === 0 ? 0 : Date.now() + seconds * 1000;
  });
  return ok({ warning: "the cluster supervision does not act in maintenance mode" });
}

function distribution({ state }: View, database: string): object {
  const named = ([leader = "", ...followers]: string[]): object => ({
    leader: state.servers[leader]?.shortName ?? leader,
    followers: followers.map((id) => state.servers[id]?.shortName ?? id),
  });
  const of = (collection: Collection, which: keyof Shard): object =>
    Object.fromEntries(Object.entries(collection.shards).map(([id, shard]) => [id, named(shard[which])]));
  return Object.fromEntries(
    Object.entries(state.databases[database] ?? {}).map(([name, collection]) => [
      name,
      { Plan: of(collection, "servers"), Current: of(collection, "inSync") },
    ]),
  );
}

/** `shards`: as planned, the leader first. `inSyncShards` is the stand-in's own, for the current state. */
function inventory({ state }: View, database: string): object[] {
  return Object.entries(state.databases[database] ?? {}).map(([name, collection]) => ({
    parameters: {
      name,
      isSystem: collection.system,
      replicationFactor: collection.replicationFactor,
      writeConcern: collection.writeConcern,
      shards: Object.fromEntries(Object.entries(collection.shards).map(([id, { servers }]) => [id, servers])),
    },
    allInSync: Object.values(collection.shards).every(({ servers, inSync }) =>
      servers.every((server) => inSync.includes(server)),
    ),
    isReady: true,
  }));
}
