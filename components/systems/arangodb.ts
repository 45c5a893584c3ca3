import { z } from "zod";

import type { Container, Dump, File, Health, List, Member, Port, System } from "../core/contracts.ts";

/** Members of a role. A number in `retired` never comes back: its disk is lost, or it was taken out on purpose. */
function members(least: number, remedy: string) {
  return z
    .strictObject({
      count: z.int().min(least, remedy).max(99).default(3),
      retired: z.array(z.int().min(1)).default([]),
      memoryMiB: z.int().min(1024).default(4096),
      cpu: z.number().min(0.25).default(2),
      gib: z.int().min(1).default(20),
    })
    .prefault({});
}

/** Agents are three, fixed for life: ArangoDB keeps the agency's size and members from its first start. */
const agents = ["agent-1", "agent-2", "agent-3"] as const;
const copies = z.int().min(1).max(10);

export const arangodbConfig = z
  .strictObject({
    dbservers: members(1, "a DB server at least"),
    coordinators: members(2, "two coordinators at least, so that one may fail"),
    /** Copies of each shard unless a collection says otherwise. */
    replicationFactor: copies.default(3),
    /** Copies of the system collections. */
    systemReplicationFactor: copies.default(2),
    /** Copies that must be in sync for a write to be accepted. */
    writeConcern: copies.default(2),
    /** One agent whose disk was lost: it may come back empty under its own name, while the other two have quorum. */
    rebuild: z.array(z.enum(agents)).max(1, "one agent at a time: the other two are the quorum").default([]),
  })
  .superRefine(({ dbservers, replicationFactor, systemReplicationFactor, writeConcern }, context) => {
    const refuse = (key: string, input: number, message: string): void => {
      context.addIssue({ code: "custom", path: [key], input, message });
    };
    const { count } = dbservers;
    const few = `at most dbservers.count, which is ${String(count)}: each copy needs a server of its own`;
    if (replicationFactor > count) refuse("replicationFactor", replicationFactor, few);
    if (systemReplicationFactor > count) refuse("systemReplicationFactor", systemReplicationFactor, few);
    if (writeConcern > replicationFactor) {
      refuse("writeConcern", writeConcern, `at most replicationFactor, which is ${String(replicationFactor)}`);
    }
  });
export type ArangoDbConfig = z.output<typeof arangodbConfig>;

const disk = "/var/lib/arangodb3";
const jwt = "/run/arangodb/jwt";
const rootPassword = "/run/arangodb/root-password";
const netrc = "/run/arangodb/netrc";
const port = 8529;
const ports: Readonly<Record<"api", Port>> = { api: { number: port, protocol: "http" } };
const minute = 60;
const hour = 60 * minute;
const at = (host: string): string => `tcp://${host}:${String(port)}`;

/**
 * ArangoDB as a cluster: agency, DB servers, coordinators, in the order in which they start and are upgraded. Each
 * member is a slot, so that a failed one is replaced by itself and a lost one by a new name. Checked on paper; not
 * deployable yet.
 */
export const arangodb: System<ArangoDbConfig> = (p, c) => {
  const jwtFile = { path: jwt, content: p.secret("jwt"), secret: true }; // 32 characters; more than 64 are refused
  const password = p.secret("root-password");
  const passwordFile = { path: rootPassword, content: password, secret: true };
  const login = {
    path: netrc,
    content: password.apply((value) => `default login root password ${value}\n`),
    secret: true,
  };
  const server = { image: "arangodb", user: "0:0", ports, needs: ["max-map-count"], files: [jwtFile] } as const;

  const agency = p.slots("agent", { count: agents.length, order: "one-by-one" }, ({ name }) => ({
    ...server,
    tier: "data",
    ...sized({ cpu: 1, memoryMiB: 1024 }),
    command: arangod(
      "--agency.activate=true",
      `--agency.size=${String(agents.length)}`,
      "--agency.supervision=true",
      `--agency.my-address=${at(name)}`,
      ...agents.filter((peer) => peer !== name).map((peer) => `--agency.endpoint=${at(peer)}`),
    ),
    ...(c.rebuild.some((agent) => agent === name) ? {} : { prepare: neverEmpty(name, rebuild) }),
    health: available(5 * minute, minute),
    disk: {
      path: disk,
      gib: 10,
      marker,
      backup: name === agents[0] ? cluster([passwordFile, login]) : rebuilt("agents"),
    },
  }));

  const dbservers = p.slots("dbserver", ordered(c.dbservers), (m) => ({
    ...server,
    ...sized(c.dbservers),
    tier: "data",
    command: arangod(...joining(m, "DBSERVER")),
    prepare: `${neverEmpty(m.name)}\n${persisted}`,
    health: available(6 * hour, hour), // a large write-ahead log is replayed first
    disk: { path: disk, gib: c.dbservers.gib, marker, backup: rebuilt("DB servers") },
    leave: {
      image: "toolbox",
      tier: "data",
      cpu: 1,
      memoryMiB: 128,
      user: "65534:65534",
      files: [login],
      command: ["bash", "-euo", "pipefail", "-c", cleanOut(m.host)],
      seconds: 12 * hour,
    },
    after: agency,
  }));

  const coordinators = p.slots("coordinator", ordered(c.coordinators), (m) => ({
    ...server,
    ...sized(c.coordinators),
    tier: "data", // beside the other members; its route joins the edge to it
    names: ["coordinators"], // any of them, for clients inside
    files: [jwtFile, passwordFile],
    command: arangod(
      ...joining(m, "COORDINATOR"),
      `--cluster.default-replication-factor=${String(c.replicationFactor)}`,
      `--cluster.system-replication-factor=${String(c.systemReplicationFactor)}`,
      `--cluster.write-concern=${String(c.writeConcern)}`,
      `--javascript.app-path=${disk}/apps`,
    ),
    // Root has this password from the first bootstrap on, whichever coordinator does it; the image's own way is for
    // single servers. Exported here, no inspection of the container shows it.
    prepare: `${neverEmpty(m.name)}\n${persisted}\n${rootPasswordOf}`,
    routes: [
      {
        host: p.hostname,
        path: "/",
        port: "api",
        seconds: hour,
        pool: "coordinator",
        sticky: { cookie: "coordinator", seconds: hour },
      },
    ],
    health: available(hour, hour),
    disk: { path: disk, gib: c.coordinators.gib, marker, backup: rebuilt("coordinators") },
    after: dbservers,
  }));

  // The password's variable is documented for older revisions only: if this one ignores it, nobody gets to use the cluster.
  p.job("root-login", {
    image: "toolbox",
    tier: "data",
    cpu: 1,
    memoryMiB: 128,
    user: "65534:65534",
    files: [login],
    command: ["bash", "-euo", "pipefail", "-c", rootLogin],
    once: "1",
    seconds: 5 * minute,
    after: coordinators,
  });
};

function ordered({ count, retired }: ArangoDbConfig["dbservers"]) {
  return { count, retired, order: "one-by-one" } as const;
}

/** All roles. Command and configuration are ours: the image's entrypoint sets up a single server. */
function arangod(...options: List<string>): List<string> {
  return [
    "arangod",
    `--server.endpoint=tcp://0.0.0.0:${String(port)}`,
    "--server.authentication=true",
    `--server.jwt-secret-keyfile=${jwt}`,
    ...options,
  ];
}

function joining({ host }: Member, role: "DBSERVER" | "COORDINATOR"): List<string> {
  return [
    `--cluster.my-role=${role}`,
    `--cluster.my-address=${at(host)}`,
    ...agents.map((agent) => `--cluster.agency-endpoint=${at(agent)}`),
  ];
}

/** The server takes the machine's memory for its own: it does not see the container's limit. */
function sized({ cpu, memoryMiB }: { cpu: number; memoryMiB: number }): Pick<Container, "cpu" | "memoryMiB" | "env"> {
  return {
    cpu,
    memoryMiB,
    env: {
      ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY: String(memoryMiB * 1024 * 1024),
      ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES: String(Math.max(1, Math.floor(cpu))),
    },
  };
}

function available(startSeconds: number, stopSeconds: number): Health {
  return { ready: { http: "api", path: "/_admin/server/availability" }, startSeconds, stopSeconds };
}

const marker = ".disk";

/** A member that comes back without its data can replicate emptiness. */
function neverEmpty(name: string, remedy = "retire its number"): string {
  return `set -eu
[ -e ${disk}/ENGINE ] || [ -e ${disk}/${marker} ] || { echo "${name} has lost its data: ${remedy}" >&2; exit 1; }`;
}
const rebuild = "name it in arangodb.rebuild, alone, while the other two are healthy";

/** From the second start on, the server itself refuses a disk without its id. */
const persisted = `[ ! -e ${disk}/UUID ] || set -- "$@" --cluster.require-persisted-id=true`;

/** A statement of its own, so that a file that cannot be read stops the start: root would have no password. */
const rootPasswordOf = `ARANGODB_DEFAULT_ROOT_PASSWORD="$(cat ${rootPassword})"; export ARANGODB_DEFAULT_ROOT_PASSWORD`;

const api = `http://coordinators:${String(port)}`;
const curl = `curl -fsS --netrc-file ${netrc}`;

/** Moves every shard off a DB server; a replication factor that no longer fits makes it fail, and the server stays. */
function cleanOut(host: string): string {
  return `id=$(${curl} ${api}/_admin/cluster/health | jq -er '.Health | to_entries[] | select(.value.Endpoint == "${at(host)}") | .key')
job=$(${curl} -X POST -d "{\\"server\\":\\"$id\\"}" ${api}/_admin/cluster/cleanOutServer | jq -er .id)
while true; do
  status=$(${curl} "${api}/_admin/cluster/queryAgencyJob?id=$job" | jq -r .status)
  case "$status" in Finished) exit 0 ;; Failed) echo "the shards of ${host} cannot be moved: lower their replication factor, or keep it" >&2; exit 1 ;; esac
  sleep 5
done`;
}

/** With the password in, with none out. */
const rootLogin = `${curl} ${api}/_api/version
code=$(curl -sS -o /dev/null -w '%{http_code}' --user root: ${api}/_api/version)
[ "$code" = 401 ] || { echo "root has no password: change it before anything else" >&2; exit 1; }`;

function rebuilt(which: string) {
  return { rebuilt: `from the other ${which}; the cluster's dump is agent-1's` };
}

/** One dump of the whole cluster, through the coordinators. It hangs on agent-1 because that name is for life. */
function cluster(files: List<File>): Dump {
  const options = `--server.endpoint ${at("coordinators")} --server.username root --server.password "$(cat ${rootPassword})" --all-databases true --include-system-collections true`;
  return {
    files,
    dump: `arangodump ${options} --output-directory /tmp/arangodb --overwrite true
rclone copy /tmp/arangodb "$TO/$STAMP"`,
    restore: `${curl} ${api}/_api/database | jq -e '.result == ["_system"]' >/dev/null || { echo "the cluster has databases: restore goes into an empty one only" >&2; exit 1; }
rclone copy "$TO/$AT" /tmp/arangodb
arangorestore ${options} --input-directory /tmp/arangodb --create-database true`,
  };
}
