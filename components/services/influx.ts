import { createHash } from "node:crypto";

import { type ComponentResourceOptions, interpolate, type Output } from "@pulumi/pulumi";

import { drillHost } from "../core/backup.ts";
import type { Ask, File, List, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { toolbox, wishes } from "./recipe.ts";

const folder = "/run/influx";
const data = "/var/lib/influxdb";
const user = "app";

/**
 * One InfluxDB 1.x. `app` may read and write the asked databases and nothing else; the administrator's password stays
 * with the set-up. A changed retention is applied by the set-up, which runs again for other databases or periods.
 */
export const influx: Recipe<"influx"> = (p, name, ask) => {
  const host = `${name}-1`;
  const password = p.secret(`${name}-password`);
  const admin = p.secret(`${name}-admin-password`);
  const fleeting = Object.entries(ask.databases).flatMap(([database, { dump = true }]) => (dump ? [] : [database]));
  const dumped = fleeting.length < Object.keys(ask.databases).length;
  const statements = setup(ask.databases);
  const files = [
    curlLogin("admin.curl", "admin", admin),
    // In files: a command line can be read by every process of the machine.
    secretFile("admin.iql", interpolate`CREATE USER "admin" WITH PASSWORD '${admin}' WITH ALL PRIVILEGES`),
    secretFile("app.iql", interpolate`CREATE USER "${user}" WITH PASSWORD '${password}'`),
  ];
  const server = {
    ...wishes(ask, "influxdb"),
    tier: "data",
    cpu: 1,
    user: "999:999",
    ports: { api: { number: 8086, protocol: "http" } },
    health: { ready: { http: "api", path: "/ping" }, startSeconds: 1800, stopSeconds: 30 },
    command: ["influxd", "-config", `${folder}/influxdb.conf`],
  } as const;
  const drill = drillHost(host);
  const [first] = p.slots(name, { count: 1, order: "one-by-one" }, () => ({
    ...server,
    memoryMiB: 1024,
    files: [{ path: `${folder}/influxdb.conf`, content: conf(data) }],
    disk: {
      path: data,
      gib: ask.gib,
      backup: dumped
        ? {
            files: [...files, secretFile("admin-password", admin)],
            dump: dump(host, fleeting),
            restore: restore(host),
            drill: `${emptied(drill)}\nat=http://${drill}:8086\n${statements}\n${restore(drill)}\n${emptied(drill)}`,
            drillServer: {
              ...server,
              names: [],
              memoryMiB: 512,
              files: [{ path: `${folder}/influxdb.conf`, content: conf("/tmp/drill") }],
              replicas: 1,
            },
          }
        : { rebuilt: "measured again from now on" },
    },
  }));
  const made = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    once: createHash("sha256").update(statements).digest("hex").slice(0, 12),
    files,
    command: ["bash", "-euo", "pipefail", "-c", `at=http://${host}:8086\n${statements}`],
    seconds: 300,
    ...(ask.nodeLabels === undefined ? {} : { nodes: ask.nodeLabels }),
    after: first ? [first] : [],
  });
  return { host, port: 8086, members: [host], user, password, ready: made.ready };
};

/** What differs from the built-in defaults. Bodies: a restore writes more than 25 MB at a time. */
const conf = (at: string): string => `reporting-disabled = true
[meta]
  dir = "${at}/meta"
[data]
  dir = "${at}/data"
  wal-dir = "${at}/wal"
[http]
  auth-enabled = true
  log-enabled = false
  max-body-size = 0
`;

/**
 * The server answers 200 to a statement that fails, and says so in the body. Without any user it lets exactly one
 * statement pass: the one that makes an administrator.
 */
function setup(databases: Ask<"influx">["databases"]): string {
  const policies = Object.entries(databases).flatMap(([database, { keep }]) => {
    const policy = `RETENTION POLICY "keep" ON "${database}" DURATION ${keep} REPLICATION 1 SHARD DURATION 1d DEFAULT`;
    return [
      `ask --data-urlencode 'q=CREATE DATABASE "${database}"'`,
      `tell --data-urlencode 'q=CREATE ${policy}' | grep -q error && ask --data-urlencode 'q=ALTER ${policy}'`,
      `ask --data-urlencode 'q=GRANT ALL ON "${database}" TO "${user}"'`,
    ];
  });
  return `tell() { curl --silent --show-error --max-time 60 --request POST --config ${folder}/admin.curl "$@" "$at/query"; }
ask() {
  answer=$(tell "$@")
  case $answer in *'"error"'*) echo "InfluxDB: $answer" >&2; exit 1 ;; esac
}
users=$(tell --data-urlencode 'q=SHOW USERS')
case $users in
  *"create admin user first"*)
    made=$(curl --silent --show-error --request POST --data-urlencode q@${folder}/admin.iql "$at/query")
    case $made in *'"error"'*) echo "InfluxDB: the administrator could not be made" >&2; exit 1 ;; esac ;;
esac
ask --data-urlencode q@${folder}/app.iql
${policies.join("\n")}`;
}

const login = `INFLUX_PASSWORD_FILE=${folder}/admin-password; export INFLUX_PASSWORD_FILE`;

/** Every database, those that somebody else has made too. */
function dump(host: string, fleeting: List<string>): string {
  const omitted = fleeting.length > 0 ? ` | grep -vxE '${fleeting.join("|")}'` : "";
  return `${login}
points databases http://${host}:8086${omitted} > /tmp/databases || [ $? = 1 ]
while IFS= read -r name <&3; do
  points dump http://${host}:8086 "$name" | backup put "$(jq -rn --arg name "$name" '$name | @uri').points"
done 3< /tmp/databases
backup put databases < /tmp/databases`;
}

/** A backup never overwrites: a database with points is refused. */
function restore(host: string): string {
  return `${login}
backup get databases > /tmp/databases
while IFS= read -r name <&3; do
  backup get "$(jq -rn --arg name "$name" '$name | @uri').points" | points restore http://${host}:8086 "$name"
done 3< /tmp/databases`;
}

/** A server that has just started lets nobody in but the first administrator, and has nothing then. */
function emptied(host: string): string {
  return `${login}
until curl --silent --fail --max-time 5 http://${host}:8086/ping; do sleep 1; done
points empty http://${host}:8086 2> /dev/null || :`;
}

function secretFile(file: string, content: Output<string>): File {
  return { path: `${folder}/${file}`, content, secret: true };
}

function curlLogin(file: string, name: string, password: Output<string>): File {
  return secretFile(file, interpolate`user = "${name}:${password}"\n`);
}

/** InfluxDB 1.x, its databases with their retention, and a user for them. */
export class Influx extends Service<"influx"> {
  static readonly recipe = influx;

  constructor(name: string, args: ServiceArgs<"influx">, opts?: ComponentResourceOptions) {
    super("Influx", influx, name, args, opts);
  }
}
