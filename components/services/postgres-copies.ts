import { drillHost } from "../core/backup.ts";
import type { Ask, Given, Platform, Ready } from "../core/contracts.ts";
import { numbered } from "../core/platform.ts";
import { quickNames } from "../core/recipe.ts";
import { etcd } from "./etcd.ts";
import { leaderProxy, oneLeads } from "./leader-proxy.ts";
import {
  api,
  askedOf,
  ctlEnv,
  memberCommand,
  memberFiles,
  type Patroni,
  prepare,
  probe,
  replicationLines,
  settingsFiles,
  settingsScript,
} from "./patroni.ts";
import { drillCommand, postgresDump } from "./postgres-backup.ts";
import { fetcher, health } from "./postgres-recovery.ts";
import { data, given, loginsOf, memory, optionsOf, password, saving, serverOf, setUp } from "./postgres-setup.ts";

const image = "postgres-ha";
const members = { count: 3 } as const;
/** The proxies' ports: whoever leads, and a replica, or the leader where there is none. */
const ports = { sql: 5432, replica: 5433 } as const;

/**
 * Three PostgreSQL servers, of which Patroni makes one the leader: each commit is on two before it is answered, and when
 * the leader is lost, one of the others leads within seconds. Clients call a pair of proxies. The first server has the
 * name and the disk of a single one, whose data become the cluster's. An application's own image needs Patroni in it.
 */
export function postgresCopies(p: Platform, name: string, ask: Ask<"postgres">): Given<"postgres"> {
  const logins = loginsOf(p, name);
  const { admin } = logins;
  const host = p.address(`${name}-proxy`);
  const all = numbered(name, members, p.address.bind(p));
  const slots = all.map((member) => member.name);
  const first = slots[0] ?? name;
  const { names, ...rest } = ask;

  const votes = etcd(p, `${name}-etcd`, slots, ask);
  const patroni: Patroni = {
    scope: name,
    etcd: votes,
    password: admin.value,
    apiPassword: p.secret(`${name}-api-password`),
  };
  const settings = p.job(`${name}-settings`, {
    image,
    tier: "data",
    cpu: 1,
    memoryMib: 128,
    user: "65534:65534",
    env: { ...votes.env, ...ctlEnv },
    files: settingsFiles(patroni, askedOf(ask, p.backedUp)),
    command: ["bash", "-euo", "pipefail", "-c", settingsScript(name)],
    trigger: JSON.stringify(askedOf(ask, p.backedUp)),
    seconds: 1800,
    after: [votes],
  });
  const after = [settings, ...withPatroni(p, name, ask)];

  const server = serverOf(rest, admin.file, image, replicationLines);
  const dump = {
    ...postgresDump({
      ...{ host, drill: p.address(drillHost(first)), replica: ports.replica },
      ...saving(first, logins, ask),
    }),
    drillServer: {
      ...server,
      ...memory(512),
      names: [],
      files: [...server.files, fetcher],
      command: drillCommand(password, optionsOf(ask), true),
      health: { ...server.health, ready: { command: health } },
      replicas: 1,
    },
  };
  const made = p.slots(name, members, (member) => ({
    ...server,
    ...memory(ask.memoryMib),
    env: { ...quickNames, ...ctlEnv },
    // The password's own file is for `initdb`, which only the first may call.
    files: [
      ...server.files.filter(({ path }) => path !== password || member.number === 1),
      ...memberFiles(patroni, member),
    ],
    prepare: prepare(member, ask.outputPlugins),
    command: memberCommand,
    start: "parallel" as const,
    ports: { ...server.ports, api: { number: api, protocol: "http" } },
    health: { ...server.health, ready: { command: ["bash", "-c", probe] } },
    disk: {
      path: data,
      gib: ask.gib,
      backup: member.number === 1 ? dump : { rebuilt: `a member on a new disk copies whoever leads ${name}` },
    },
    after,
  }));
  const proxy = leaderProxy(p, `${name}-proxy`, {
    hosts: all.map((member) => member.host),
    ways: {
      sql: way(ports.sql, "/primary", ...oneLeads("sql")),
      replica: way(ports.replica, "/replica?lag=16MB", "balance leastconn", "use_backend sql if { nbsrv eq 0 }"),
    },
    after: made,
    names,
    nodeLabels: ask.nodeLabels,
  });
  // A server that answers is not enough: what waits for the store needs its databases.
  const { ready } = p.job(`${name}-setup`, {
    ...setUp(host, ask, logins),
    after: [proxy],
  });
  return { host: names?.[0] ?? host, port: ports.sql, members: slots, ...given(name, ask, logins), ready };
}

function way(port: number, path: string, ...more: string[]) {
  const check = ["option httpchk OPTIONS " + path, "http-check expect status 200"];
  return { port, to: 5432, check: [...check, ...more], server: `port ${String(api)}` };
}

/** The application's own image is tried before it takes the place of one that works. */
function withPatroni(p: Platform, name: string, { image: own }: Ask<"postgres">): Ready[] {
  if (own === undefined) return [];
  const back = `say copies: { ${name}: 1 }`;
  const remedy = `${own} has no Patroni 4.1: add it as docs/ha.md says, or ${back}`;
  return [
    p.job(`${name}-image`, {
      image: own,
      tier: "data",
      cpu: 1,
      memoryMib: 128,
      user: "999:999",
      command: [
        "sh",
        "-euc",
        `PYTHONPATH=/opt/patroni python3 -c 'import psycopg2, etcd, patroni.version as found; print("Patroni", found.__version__); exit(found.__version__[:4] != "4.1.")' || { echo "${remedy}" >&2; exit 1; }
for each in bash initdb pg_rewind pg_verifybackup tar gzip; do
  command -v "$each" >/dev/null || { echo "${own} has no $each: docs/ha.md says what it needs; or ${back}" >&2; exit 1; }
done`,
      ],
      trigger: p.reference(own),
      seconds: 120,
    }),
  ];
}
