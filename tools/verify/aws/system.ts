/**
 * What docs/aws.md assumes of AWS and no emulator can answer, as a small system: each check is a part whose own gate, or a
 * job that ends well only if AWS does as we think.
 */
import { type ComponentResourceOptions, output } from "@pulumi/pulumi";
import { z } from "zod";

import type { Job, Platform, Ready, System } from "../../../components/core/contracts.ts";
import { type SystemArgs, SystemComponent } from "../../../components/core/system.ts";

/** The names of the parts, each with what is true if it came up. */
export const checks = {
  server: "a task whose user is nobody listens on port 80, by net.ipv4.ip_unprivileged_port_start",
  "port-80": "another task reaches that port by a name of one label: the network's search domain is the tasks' own",
  files: "a first container writes a task's secret into a folder in memory, which the server can read and not change",
  "disk-1": "a group of one gives its machine the network interface and the disk that were made for it",
  "disk-address": "that machine answers at the address of its interface, by its name",
  "no-way-out": "a task of the data tier reaches nothing outside, and pulled its image, secret and log all the same",
  zones: "an endpoint in one zone serves tasks in every zone, and their addresses are private ones",
  cache: "ElastiCache takes a client without TLS, and one with it, on one port",
  database: "RDS refuses plain text, and takes a client that speaks TLS when it is asked to",
  bucket: "S3 gives the account's own space of bucket names, and the key of the store reads and writes there",
  missing: "a name that is not there is told at once",
  found: "a name that was missing is found within a minute after it is there",
} as const;
export type Check = keyof typeof checks;

const nobody = "65534:65534";
const own = { image: "toolbox", cpu: 0.25, memoryMib: 512, user: nobody } as const;

/** Serves an empty folder on `port`. */
const serving = (port: number): string[] => ["python3", "-m", "http.server", String(port), "--directory", "/mnt"];

const health = { startSeconds: 300, stopSeconds: 10 };
const answers = (port: number) => ({
  ...health,
  ready: { command: ["curl", "-sfo", "/dev/null", `http://127.0.0.1:${String(port)}/`] },
});

/** `set -e` does not see a command that fails under `!`. */
const fails = 'fails() { if "$@"; then echo "this ended well: $*"; exit 1; fi; }';

/** `script`: bash that ends well if it is so; its last lines are in the error if not. */
function check(p: Platform, name: Check, script: string, job: Partial<Job> = {}): Ready {
  return p.job(name, {
    ...own,
    tier: "app",
    command: ["bash", "-euc", `${fails}\n${script}`],
    seconds: 600,
    trigger: "once",
    ...job,
  });
}

const verify: System<object> = (p) => {
  const secret = p.secret("word");
  const missing = check(p, "missing", "fails getent hosts late");
  const server = p.run("server", {
    ...{ ...own, tier: "app", replicas: 2 },
    ...{ command: serving(80), ports: { http: { number: 80, protocol: "http" } } },
    health: answers(80),
  });
  check(p, "port-80", "curl -sSf --max-time 20 -o /dev/null http://server/", { after: [server] });
  check(
    p,
    "files",
    `[ "$(wc -c < /run/verify/word)" = 32 ]\nfails sh -c "echo other > /run/verify/word"\nfails touch /run/verify/other\n[ "$(id -u)" = 65534 ]`,
    { files: [{ path: "/run/verify/word", content: secret, secret: true }] },
  );
  const disk = p.slots("disk", { count: 1 }, () => ({
    ...{ ...own, tier: "data", user: nobody },
    command: serving(8080),
    ports: { http: { number: 8080, protocol: "http" } },
    health: { ...answers(8080), startSeconds: 900 },
    disk: { path: "/data", gib: 1, backup: { rebuilt: "it holds nothing" } },
  }));
  check(p, "disk-address", "curl -sSf --max-time 20 -o /dev/null http://disk-1:8080/", { after: disk });
  check(p, "no-way-out", "fails curl -sS --max-time 10 -o /dev/null https://www.amazon.com/", { tier: "data" });
  // The replicas are spread over the zones; the endpoints of an unprotected stack are in the first.
  p.run("zones", {
    ...{ ...own, tier: "app", replicas: 3, prepare: zonesScript },
    ...{ command: serving(8080), ports: { http: { number: 8080, protocol: "http" } } },
    health: answers(8080),
  });
  const cache = p.need("redis", "redis", { clientTls: "never", clientAuth: false, keep: false, memoryMib: 100 });
  check(
    p,
    "cache",
    `host=$(cat /run/verify/host)\nredis-cli -h "$host" ping | grep -x PONG\nredis-cli -h "$host" --tls --cacert /etc/ssl/certs/ca-certificates.crt ping | grep -x PONG`,
    { tier: "data", files: [{ path: "/run/verify/host", content: output(cache.host) }], after: [cache] },
  );
  const database = p.need("postgres", "db", { databases: ["verify"], clientTls: "if-asked", gib: 20 });
  check(
    p,
    "database",
    `export PGHOST=$(cat /run/verify/host) PGUSER=app PGDATABASE=verify PGPASSWORD=$(cat /run/verify/password)
fails env PGSSLMODE=disable psql -c 'select 1'
psql -Atc 'select ssl from pg_stat_ssl where pid = pg_backend_pid()' | grep -x t`,
    {
      tier: "data",
      files: [
        { path: "/run/verify/host", content: output(database.host) },
        { path: "/run/verify/password", content: database.password, secret: true },
      ],
      after: [database],
    },
  );
  const objects = p.need("objects", "store", { apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 });
  check(p, "bucket", `python3 -c '${bucketScript}'`, {
    env: { AWS_DEFAULT_REGION: objects.region, BUCKET: objects.bucket("files") },
    files: [
      { path: "/run/verify/key", content: objects.key, secret: true },
      { path: "/run/verify/secret", content: objects.secret, secret: true },
    ],
    after: [objects],
  });
  // It is made after somebody has asked for it in vain.
  const late = p.run("late", {
    ...{ ...own, tier: "app", replicas: 1, after: [missing] },
    ...{ command: serving(8080), ports: { http: { number: 8080, protocol: "http" } } },
    health: answers(8080),
  });
  check(p, "found", "for second in $(seq 60); do getent hosts late && exit; sleep 1; done; exit 1", { after: [late] });
};

/** `prepare` of a server: without an answer of the endpoint's it does not start. */
const zonesScript = `zone=$(curl -sSf "$ECS_CONTAINER_METADATA_URI_V4/task" | jq -r .AvailabilityZone)
address=$(getent ahostsv4 "logs.\${zone%?}.amazonaws.com" | awk 'NR == 1 { print $1 }')
echo "in $zone the endpoint of the logs is $address"
case $address in 10.*) ;; *) exit 1 ;; esac
curl -sS --max-time 20 -o /dev/null "https://logs.\${zone%?}.amazonaws.com/" || exit 1`;

const bucketScript = `import boto3, os
read = lambda name: open("/run/verify/" + name).read()
s3 = boto3.client("s3", aws_access_key_id=read("key"), aws_secret_access_key=read("secret"))
bucket = os.environ["BUCKET"]
s3.put_object(Bucket=bucket, Key="verify", Body=b"1")
assert s3.get_object(Bucket=bucket, Key="verify")["Body"].read() == b"1"
s3.delete_object(Bucket=bucket, Key="verify")`;

const schema = z.looseObject({});

export class Verify extends SystemComponent<object> {
  constructor(name: string, args: SystemArgs<typeof schema>, opts?: ComponentResourceOptions) {
    super("Verify", verify, schema, name, args, opts);
  }
}
