/** What the agency keeps: of the real one's tree of keys, those that the stand-in needs. */
export type Role = "Agent" | "DBServer" | "Coordinator" | "Single";

export interface Member {
  role: Role;
  /** The address, as `tcp://dbserver-1:8529`. */
  endpoint: string;
  shortName: string;
  version: string;
}
/** `servers`: as planned, the leader first. `inSync`: those of them that have everything, the leader included. */
export interface Shard {
  servers: string[];
  inSync: string[];
}
export interface Collection {
  system: boolean;
  replicationFactor: number;
  writeConcern: number;
  shards: Record<string, Shard>;
}
export interface Job {
  server: string;
  status: "Pending" | "Finished" | "Failed";
  reason?: string;
}
export interface State {
  bootstrapped: boolean;
  /** The last number that was given to a short name or a shard. */
  last: number;
  /** Agents by address. An address that comes back with another id is a stranger. */
  pool: Record<string, string>;
  servers: Record<string, Member>;
  failed: string[];
  databases: Record<string, Record<string, Collection>>;
  jobs: Record<string, Job>;
  cleaned: string[];
  /** Supervision pauses until then, in milliseconds since 1970. */
  maintenanceUntil: number;
  root: { salt: string; hash: string };
}

export function emptyState(): State {
  return {
    bootstrapped: false,
    last: 0,
    pool: {},
    servers: {},
    failed: [],
    databases: {},
    jobs: {},
    cleaned: [],
    maintenanceUntil: 0,
    root: { salt: "", hash: "" },
  };
}

export type Status = "GOOD" | "BAD" | "FAILED";
/** What a member knows of the cluster. */
export interface View {
  index: number;
  state: State;
  health: Record<string, Status>;
}

export interface Placed {
  database: string;
  name: string;
  id: string;
  collection: Collection;
  shard: Shard;
}
export function shardsOf(state: State): Placed[] {
  return Object.entries(state.databases).flatMap(([database, collections]) =>
    Object.entries(collections).flatMap(([name, collection]) =>
      Object.entries(collection.shards).map(([id, shard]) => ({ database, name, id, collection, shard })),
    ),
  );
}

/** DB servers that may get another copy, those with the fewest copies first. */
export function roomiest(state: State, health: Record<string, Status>): string[] {
  const leaving = Object.values(state.jobs).flatMap(({ status, server }) => (status === "Pending" ? [server] : []));
  const load = (id: string): number => shardsOf(state).filter(({ shard }) => shard.servers.includes(id)).length;
  return Object.entries(state.servers)
    .filter(([, { role }]) => role === "DBServer" || role === "Single")
    .map(([id]) => id)
    .filter((id) => health[id] === "GOOD" && !leaving.includes(id) && !state.cleaned.includes(id))
    .sort((a, b) => load(a) - load(b) || a.localeCompare(b));
}
