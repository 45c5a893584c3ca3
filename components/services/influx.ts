import { type ComponentResourceOptions, output, type Output } from "@pulumi/pulumi";

import { drillHost } from "../core/backup.ts";
import type { Ask, File, List, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { curlOption, influxIdentifier, influxString, shellWord } from "../core/syntax.ts";
import { fingerprint, named, openFiles, replaySeconds, toolbox, storeOptions } from "../core/recipe.ts";

const folder = "/run/influx";
const data = "/var/lib/influxdb";
const user = "app";

/**
 * One InfluxDB 1.x. The user `app` may read and write the asked databases and nothing else; only the set-up has the
 * administrator's password. The set-up runs again for other databases or another retention, and applies it.
 */
export const influx: Recipe<"influx"> = (p, name, ask) => {
  const slot = `${name}-1`;
  const host = p.address(slot);
  const password = p.secret(`${name}-password`, name);
  const admin = p.secret(`${name}-admin-password`);
  const keep = Object.values(ask.databases).map((database) => database.keep);
  named(`${name}.databases`, Object.keys(ask.databases), /^\w[\w.-]*$/, "letters, digits, dots and hyphens");
  named(`${name}.databases.keep`, keep, /^[1-9]\d*[dw]$/, "days or weeks, as 90d or 12w");
  const memoryMib = ask.memoryMib ?? 1024;
  const fleeting = Object.entries(ask.databases).flatMap(([database, { dump = true }]) => (dump ? [] : [database]));
  const dumped = fleeting.length < Object.keys(ask.databases).length;
  const statements = setup(ask.databases);
  const files = [
    curlLogin("admin.curl", "admin", admin),
    // In files, as every process of the machine can read a command line.
    secretFile("admin.iql", newUser("admin", admin, " WITH ALL PRIVILEGES")),
    secretFile("app.iql", newUser(user, password)),
    secretFile(
      "app-password.iql",
      password.apply((value) => `SET PASSWORD FOR "${user}" = ${influxString(value)}`),
    ),
  ];
  const server = {
    ...storeOptions(ask, "influxdb"),
    tier: "data",
    cpu: 1,
    user: "999:999",
    ports: { api: { number: 8086, protocol: "http" } },
    command: ["influxd", "-config", `${folder}/influxdb.conf`],
  } as const;
  const drill = p.address(drillHost(slot));
  const [first] = p.slots(name, { count: 1 }, () => ({
    ...server,
    memoryMib,
    files: [{ path: `${folder}/influxdb.conf`, content: conf(data, memoryMib) }],
    prepare,
    health: { ready: { command: ["sh", "-c", probe] }, startSeconds: replaySeconds, stopSeconds: 30 },
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
              memoryMib: 512,
              files: [{ path: `${folder}/influxdb.conf`, content: conf("/tmp/drill", 512) }],
              health: { ready: { http: "api", path: "/ping" }, startSeconds: 300, stopSeconds: 30 },
              replicas: 1,
            },
          }
        : { rebuilt: "measured again from now on" },
    },
  }));
  const made = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "data",
    trigger: fingerprint(output(statements), password),
    files,
    command: ["bash", "-euo", "pipefail", "-c", `at=http://${host}:8086\n${statements}`],
    seconds: 300,
    ...(ask.nodeLabels === undefined ? {} : { nodes: ask.nodeLabels }),
    after: first ? [first] : [],
  });
  return { host, port: 8086, members: [slot], user, password, ready: made.ready };
};

/**
 * What differs from the built-in defaults. The limit of a body is off: a restore writes more than 25 MB at a time. The
 * index is on disk: in memory it would hold every series that was ever kept, and refuse the 100,001st value of a tag.
 * The limit of the cache follows the container's memory.
 */
function conf(at: string, memoryMib: number): string {
  return `reporting-disabled = true
[meta]
  dir = "${at}/meta"
[data]
  dir = "${at}/data"
  wal-dir = "${at}/wal"
  index-version = "tsi1"
  cache-max-memory-size = ${String(Math.floor(memoryMib / 4) * 1024 * 1024)}
[http]
  auth-enabled = true
  log-enabled = false
  max-body-size = 0
`;
}

/** Shell that succeeds if the disk takes another MiB. */
const room = `{ head -c 1048576 /dev/zero >${data}/.room && rm ${data}/.room || { rm -f ${data}/.room; false; }; }`;

/**
 * Mends the disk before a start. On a full disk InfluxDB would start with an empty history. A power cut may leave a
 * list of series without its beginning, and InfluxDB would wait for ever: that database's lists are made anew from the
 * points. It may also cut a log short. InfluxDB looks for the log's end first and shortens it then: new writes would
 * lie behind a hole, and be lost at the next start. With an empty log behind that one, InfluxDB begins a new log.
 */
const prepare = `${openFiles}
if ! ${room}; then echo "the disk is full: InfluxDB would show nothing of what it has" >&2; exit 1; fi
for list in ${data}/data/*/_series/*/[0-9]*; do
  [ -e "$list" ] && [ "$(head -c 4 "$list" | tr -d '\\0')" != SSEG ] || continue
  database="\${list%/_series/*}"
  echo "$list has no beginning, as after a power cut: the series of $database are read from its points again" >&2
  rm -rf "$database/_series" "$database"/*/*/index "$database"/*/*/fields.idx
done
for log in ${data}/wal/*/*/*/; do
  last="$(ls "$log" 2>/dev/null | tail -n 1)"
  [ -n "$last" ] && [ -s "$log$last" ] || continue
  last="\${last#_}"
  : >"$log$(printf _%05d.wal "$(expr "\${last%.wal}" + 1)")"
done`;

/**
 * After one failed write, as on a full disk, InfluxDB writes no more until it is started again, even if there is room
 * again. Meanwhile it answers /ping, and answers queries from its memory. So the probe ends it as soon as there is
 * room.
 */
const probe = `now="$(curl -fsS -m 4 http://127.0.0.1:8086/debug/vars)" || exit 1
echo "$now" | grep '"tsm1_wal:' | grep -q '"writeErr":[1-9]' || exit 0
echo "InfluxDB cannot write"
if ${room}; then kill 1; fi
exit 1`;

/**
 * The server answers 200 to a statement that fails, and tells the failure in the body. While it has no user it accepts
 * exactly one statement: the one that makes an administrator.
 */
function setup(databases: Ask<"influx">["databases"]): string {
  const policies = Object.entries(databases).flatMap(([database, { keep }]) => {
    const on = influxIdentifier(database);
    const say = (how: string, statement: string) => `${how} --data-urlencode ${shellWord(`q=${statement}`)}`;
    const policy = `RETENTION POLICY "keep" ON ${on} DURATION ${keep} REPLICATION 1 SHARD DURATION ${shardOf(keep)} DEFAULT`;
    return [
      say("ask", `CREATE DATABASE ${on}`),
      `${say("tell", `CREATE ${policy}`)} | grep -q error && ${say("ask", `ALTER ${policy}`)}`,
      say("ask", `GRANT ALL ON ${on} TO "${user}"`),
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
case $users in
  *'["${user}",'*) ask --data-urlencode q@${folder}/app-password.iql ;;
  *) ask --data-urlencode q@${folder}/app.iql ;;
esac
${policies.join("\n")}`;
}

/**
 * How much time a shard has: 365 daily shards would each be a folder of indexes, with ten open files and a MiB of
 * memory.
 */
function shardOf(keep: string): string {
  const days = Number.parseInt(keep, 10) * (keep.endsWith("w") ? 7 : 1);
  return days > 180 ? "7d" : "1d";
}

const login = `INFLUX_PASSWORD_FILE=${folder}/admin-password; export INFLUX_PASSWORD_FILE`;

/** Dumps every database, whoever made it. */
function dump(host: string, fleeting: List<string>): string {
  const omitted = fleeting.map((each) => `-e ${shellWord(each)}`).join(" ");
  return `${login}
points databases http://${host}:8086 > /tmp/all
${omitted === "" ? "mv /tmp/all /tmp/databases" : `grep -vxF ${omitted} /tmp/all > /tmp/databases || [ $? = 1 ]`}
while IFS= read -r name <&3; do
  points dump http://${host}:8086 "$name" | backup put "$(jq -rn --arg name "$name" '$name | @uri').points"
done 3< /tmp/databases
backup put databases < /tmp/databases`;
}

/** Refuses a database with points: a restore never overwrites. */
function restore(host: string): string {
  return `${login}
backup get databases > /tmp/databases
while IFS= read -r name <&3; do
  backup get "$(jq -rn --arg name "$name" '$name | @uri').points" | points restore http://${host}:8086 "$name"
done 3< /tmp/databases`;
}

/** Empties the drill's server. A new server, which only lets a first administrator in, has nothing to empty. */
function emptied(host: string): string {
  return `${login}
until curl --silent --fail --max-time 5 http://${host}:8086/ping; do sleep 1; done
points empty http://${host}:8086 2> /dev/null || :`;
}

function secretFile(file: string, content: Output<string>): File {
  return { path: `${folder}/${file}`, content, secret: true };
}

function curlLogin(file: string, name: string, password: Output<string>): File {
  return secretFile(
    file,
    password.apply((value) => curlOption("user", `${name}:${value}`)),
  );
}

function newUser(name: string, password: Output<string>, more = ""): Output<string> {
  return password.apply((value) => `CREATE USER "${name}" WITH PASSWORD ${influxString(value)}${more}`);
}

/** InfluxDB 1.x, its databases with their retention, and a user for them. */
export class Influx extends Service<"influx"> {
  /** How containers supply it. */
  static readonly recipe = influx;

  constructor(name: string, args: ServiceArgs<"influx">, opts?: ComponentResourceOptions) {
    super("Influx", "influx", influx, name, args, opts);
  }
}
