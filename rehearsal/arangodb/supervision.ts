import { type Job, roomiest, type Shard, shardsOf, type State, type Status } from "./state.ts";

/** What the leading agent does about failed servers and jobs. Changes `state`, and returns what it did. */
export function supervise(state: State, health: Record<string, Status>, now: number): string[] {
  if (now < state.maintenanceUntil) return [];
  const said: string[] = [];
  const failed = Object.keys(state.servers).filter((id) => health[id] === "FAILED");
  for (const id of failed) if (!state.failed.includes(id)) said.push(`${nameOf(state, id)} has failed`);
  for (const id of state.failed)
    if (!failed.includes(id) && id in state.servers) said.push(`${nameOf(state, id)} is back`);
  state.failed = failed;
  for (const { id, shard, collection } of shardsOf(state)) {
    const leader = shard.servers[0] ?? "";
    if (health[leader] !== "GOOD" && failed.includes(leader)) {
      const next = shard.inSync.find((server) => server !== leader && health[server] === "GOOD");
      if (next !== undefined) {
        lead(shard, next);
        shard.inSync = shard.inSync.filter((server) => server !== leader);
        said.push(`${nameOf(state, next)} leads ${id} now`);
      }
    }
    // A failed follower's copy goes elsewhere, if there is a server without one.
    const lost = shard.servers.slice(1).find((server) => failed.includes(server) || !(server in state.servers));
    const [spare] = roomiest(state, health).filter((server) => !shard.servers.includes(server));
    if (spare !== undefined && (lost !== undefined || shard.servers.length < collection.replicationFactor)) {
      shard.servers = [...shard.servers.filter((server) => server !== lost), spare];
      shard.inSync = shard.inSync.filter((server) => server !== lost);
    }
  }
  for (const job of Object.values(state.jobs)) if (job.status === "Pending") cleanOut(state, health, job);
  return said;
}

/** One step of moving every shard off a server: a further copy first, then the old one goes. */
function cleanOut(state: State, health: Record<string, Status>, job: Job): void {
  const fail = (reason: string): void => {
    job.status = "Failed";
    job.reason = reason;
  };
  if (health[job.server] !== "GOOD") {
    fail("server is not in GOOD condition");
    return;
  }
  const targets = roomiest(state, health);
  const here = shardsOf(state).filter(({ shard }) => shard.servers.includes(job.server));
  for (const { collection, shard } of here) {
    const { replicationFactor } = collection;
    if (replicationFactor > targets.length) {
      fail(`${String(replicationFactor)} DB servers need to stay, ${String(targets.length)} would`);
      return;
    }
    const others = shard.inSync.filter((server) => server !== job.server);
    if (others.length >= Math.min(replicationFactor, shard.servers.length)) {
      const [next] = others;
      if (shard.servers[0] === job.server && next !== undefined) lead(shard, next);
      shard.servers = shard.servers.filter((server) => server !== job.server);
      shard.inSync = others;
    } else if (shard.servers.length <= replicationFactor) {
      const [target] = targets.filter((server) => !shard.servers.includes(server));
      if (target !== undefined) shard.servers.push(target);
    }
  }
  if (here.length > 0) return;
  job.status = "Finished";
  state.cleaned.push(job.server);
}

function lead(shard: Shard, next: string): void {
  shard.servers = [next, ...shard.servers.filter((server) => server !== next)];
}

export function nameOf(state: State, id: string): string {
  return state.servers[id]?.endpoint.replace(/^tcp:\/\/|:\d+$/g, "") ?? id;
}
