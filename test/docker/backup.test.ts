/** The backup container's own programs with real servers, without a stack: what a run holds, what comes back, what a fault says. */
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import { scriptOf } from "../../components/core/backup.ts";
import type { Dump } from "../../components/core/contracts.ts";
import { planOf } from "../../components/core/recorder.ts";
import { siteOf } from "../../components/core/site.ts";
import { containerServices } from "../../components/services/index.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { drillCommand, postgresDump } from "../../components/services/postgres-backup.ts";
import { engine, eventually, localImage } from "../support/arkindex.ts";
import { runLabel } from "../support/run.ts";

const net = "backup-test";
const secret = "secretsecret";
const minutes = 60_000;

async function docker(args: readonly string[], input = ""): Promise<string> {
  const { failed, all, stdout } = await execa("docker", args, { input, reject: false, all: true });
  if (failed) throw new Error(all);
  return stdout;
}

/** A container of the test's network, called as its host is. */
async function serve(
  host: string,
  image: string,
  options: readonly string[],
  command: readonly string[],
): Promise<void> {
  const [entrypoint = "", ...rest] = command;
  const own = [
    "run",
    "--detach",
    "--label",
    runLabel,
    "--network",
    net,
    "--name",
    `${net}-${host}`,
    "--hostname",
    host,
  ];
  const named = ["--network-alias", host, "--memory", "1g", ...options, "--entrypoint", entrypoint, image];
  await docker([...own, ...named, ...rest]);
}

const inside = (host: string, line: string, input = ""): Promise<string> =>
  docker(["exec", "--interactive", `${net}-${host}`, "bash", "-c", line], input);
/** The same for what is to fail: what it said. */
const refused = async (host: string, line: string): Promise<string> => {
  const said = await inside(host, line).then(
    () => "it did not fail",
    (error: unknown) => (error as Error).message,
  );
  return said;
};
const psql = (host: string, database: string, sql: string): Promise<string> =>
  inside("backup", `PGPASSWORD=${secret} psql -XAt -v ON_ERROR_STOP=1 -h ${host} -U postgres -d ${database}`, sql);

function setup(host: string): string {
  const run = (database: string): string => `psql -Xq --host=${host} --username=postgres --dbname=${database}`;
  return `${run("postgres")} <<'SQL'
SELECT 'CREATE ROLE app LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') \\gexec
SELECT 'CREATE DATABASE arkindex OWNER app' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'arkindex') \\gexec
SQL
${run("arkindex")} --command='CREATE EXTENSION IF NOT EXISTS postgis'`;
}
const passwordFile = { path: "/tmp/secret", content: secret };
const postgresOf = (host: string): Dump =>
  postgresDump({ host, drill: "db-1-drill", passwordFile, ownerFile: passwordFile, setup });
const objects: Dump = {
  dump: "objects dump objects",
  check: "objects check objects",
  restore: "objects restore objects",
  drill: "objects drill objects",
  prune: "objects prune objects",
};

function s3(section: string, endpoint: string, key = "app"): string {
  return `[${section}]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\nregion = us-east-1\naccess_key_id = ${key}\nsecret_access_key = ${secret}\nno_check_bucket = true\n`;
}

/** Puts a file into the backup container. */
const place = (path: string, content: string): Promise<string> =>
  inside("backup", `mkdir -p "$(dirname ${path})" && cat > ${path}`, content);
const verbs = ["dump", "check", "restore", "drill", "prune"] as const;
/** A folder of scripts for each store, so that a test runs what it is about. */
const scripts = (store: string, dump: Dump): Promise<string> =>
  place(`/run/scripts-${store}/${store}`, scriptOf(dump, verbs));
const variables = (store: string, more = ""): string =>
  `export SCRIPTS=/run/scripts-${store} STATE=/tmp/${store} PLACE=/backup/${store} WHERE='the volume' EVERY_HOURS=24 KEEP_DAYS=14 DRILL_HOURS=168 ${more};`;
const pieces = "PART_BYTES=6291456";
const backup = (store: string, command: string, more = ""): Promise<string> =>
  inside("backup", `${variables(store, more)} backup ${command}`);

/** Python with boto3 in the toolbox: a client `s3` of a store. */
const python = (host: string, lines: string): Promise<string> =>
  inside(
    "backup",
    "/usr/bin/python3 -",
    `import boto3, hashlib, io, json, os\ns3 = boto3.client("s3", endpoint_url="http://${host}:9000", region_name="us-east-1", aws_access_key_id="app", aws_secret_access_key="${secret}")\n${lines}`,
  );

beforeAll(async () => {
  await docker(["network", "create", "--label", runLabel, net]);
  const minio = ["--env", "MINIO_ROOT_USER=app", "--env", `MINIO_ROOT_PASSWORD=${secret}`];
  const hba = "local all all peer\nhost all all all scram-sha-256\n";
  const postgres = [
    "sh",
    "-c",
    `echo ${secret} > /tmp/secret; printf '${hba.replaceAll("\n", "\\n")}' > /tmp/hba; exec "$@"`,
    "sh",
  ];
  const cluster = drillCommand("/tmp/secret", ["-c", "listen_addresses=*", "-c", "hba_file=/tmp/hba"]);
  await Promise.all([
    serve(
      "backup",
      localImage("toolbox"),
      ["--user", "0:0", "--memory", "256m", "--memory-swap", "256m", "--cap-drop", "ALL", "--tmpfs", "/full:size=24m"],
      ["sleep", "3600"],
    ),
    ...["db-1", "db-1-drill"].map((host) =>
      serve(host, localImage("postgis"), ["--user", "999:999"], [...postgres, ...cluster]),
    ),
    ...["objects-1", "objects-2"].map((host) =>
      serve(host, localImage("minio"), minio, ["minio", "server", "/data", "--address", ":9000", "--quiet"]),
    ),
  ]);
  await place("/tmp/secret", secret);
  await place("/run/backup/rclone/objects.conf", s3("objects", "http://objects-1:9000"));
  await eventually(() => psql("db-1", "postgres", "SELECT 1"), 90);
  await eventually(() => python("objects-2", "s3.list_buckets()"), 90);
}, 5 * minutes);

afterAll(async () => {
  const ids = await docker(["ps", "--all", "--quiet", "--filter", `network=${net}`]);
  if (ids !== "") await docker(["rm", "--force", "--volumes", ...ids.split("\n")]);
  await docker(["network", "rm", net]);
}, minutes);

describe("PostgreSQL", () => {
  const operators = `CREATE ROLE metabase LOGIN PASSWORD 'm'; CREATE ROLE readers; GRANT readers TO metabase; CREATE ROLE "Odd role";
ALTER ROLE metabase IN DATABASE arkindex SET work_mem = '8MB';
ALTER DATABASE arkindex SET search_path = "$user", public, extra; GRANT CONNECT ON DATABASE arkindex TO metabase;
CREATE DATABASE "odd = 'name'" OWNER metabase;`;
  const own = `CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE TABLE doc (id serial PRIMARY KEY, body citext, h hstore, place geometry(Point, 4326)); ALTER TABLE doc OWNER TO app;
INSERT INTO doc (body, h, place) SELECT md5(g::text), 'a=>1', ST_SetSRID(ST_MakePoint(g, g), 4326) FROM generate_series(1, 1000) g;
GRANT SELECT ON doc TO metabase; GRANT SELECT (body) ON doc TO "Odd role";
CREATE SCHEMA extra AUTHORIZATION metabase; CREATE TABLE extra.own (id int); ALTER TABLE extra.own OWNER TO metabase;
CREATE TABLE admin_notes (t text); INSERT INTO admin_notes VALUES ('of the superuser'); CREATE TABLE "Odd.Näme" (i int);
ALTER TABLE doc ENABLE ROW LEVEL SECURITY; ALTER TABLE doc FORCE ROW LEVEL SECURITY; CREATE POLICY few ON doc TO metabase USING (id < 10);
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION from_afar CONNECTION 'host=nowhere dbname=x' PUBLICATION x WITH (connect = false);
CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''ddl''; END';
CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION ddl(); SELECT lo_from_bytea(4242, 'large');
CREATE TABLE part (a int) PARTITION BY LIST (a); CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1); INSERT INTO part VALUES (1);
INSERT INTO spatial_ref_sys VALUES (990001, 'x', 990001, 'x', 'x');`;
  const found = `SELECT count(*), min(body), min(h::text), ST_AsText(min(place::text)::geometry) FROM doc;
SELECT * FROM admin_notes; SELECT convert_from(lo_get(4242), 'utf8'); SELECT count(*) FROM part; SELECT srtext FROM spatial_ref_sys WHERE srid = 990001;
SELECT relname, relowner::regrole, array(SELECT unnest(relacl)::text ORDER BY 1), relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname IN ('doc', 'own', 'Odd.Näme') ORDER BY 1;
SELECT attacl FROM pg_attribute WHERE attrelid = 'doc'::regclass AND attname = 'body'; SELECT polname, polroles::regrole[] FROM pg_policy;
SELECT pubname FROM pg_publication; SELECT subname, subenabled FROM pg_subscription; SELECT evtname FROM pg_event_trigger; SELECT extname FROM pg_extension ORDER BY 1;
SELECT datname, datdba::regrole, array(SELECT unnest(datacl)::text ORDER BY 1) FROM pg_database WHERE datname ~ '^(ark|odd)' ORDER BY 1;
SELECT setconfig, setrole::regrole FROM pg_db_role_setting ORDER BY 1; SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1;
SELECT roleid::regrole, member::regrole FROM pg_auth_members WHERE member = 'metabase'::regrole;`;

  beforeAll(async () => {
    await scripts("db-1", postgresOf("db-1"));
    await place("/run/scripts-new/db-1", scriptOf(postgresOf("db-1-drill"), verbs));
    await inside("backup", `export PGPASSWORD=${secret}; ${setup("db-1")}`);
    await psql("db-1", "postgres", operators);
    await psql("db-1", "arkindex", own);
  }, minutes);

  test(
    "a run is restored into the throw-away server, which is empty before and after",
    async () => {
      expect(await backup("db-1", "once")).toMatch(/backup \S+ is complete/);
      await psql("db-1-drill", "postgres", "CREATE DATABASE left_by_a_killed_drill");
      expect(await backup("db-1", "drill")).toMatch(/can be restored/);
      expect(await psql("db-1-drill", "postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate")).toBe(
        "postgres",
      );
      expect(await backup("db-1", "status")).toMatch(/^run \S+: complete and checked[^]*^drill \S+: ok/m);
    },
    4 * minutes,
  );

  test(
    "roles, grants, extensions, settings and owners come back in another server; a full one is refused",
    async () => {
      await inside("backup", `export PGPASSWORD=${secret}; ${setup("db-1-drill")}`);
      const asNew = (command: string): string => `${variables("db-1", "SCRIPTS=/run/scripts-new")} backup ${command}`;
      await inside("backup", asNew("restore db-1 latest"));
      expect(await psql("db-1-drill", "arkindex", found)).toBe(await psql("db-1", "arkindex", found));
      expect(
        await psql(
          "db-1-drill",
          "postgres",
          "SELECT count(*) FROM pg_authid WHERE rolname = 'metabase' AND rolpassword IS NOT NULL",
        ),
      ).toBe("0");
      expect(await refused("backup", asNew("restore db-1 latest"))).toContain(
        "tables: restore goes into an empty database only",
      );
    },
    2 * minutes,
  );

  test(
    "what the place has lost or changed is found by the check, by the drill and by health",
    async () => {
      const file = `/backup/db-1/db-1/$(${variables("db-1")} backup runs | tail -n 1)/arkindex.dump.00000`;
      await inside("backup", `cp ${file} /tmp/whole; printf x | dd of=${file} bs=1 seek=5000 conv=notrunc`);
      expect(await refused("backup", `${variables("db-1")} backup drill`)).toMatch(/drill: db-1 cannot be restored/);
      await inside("backup", ": > /tmp/db-1/place");
      expect(await refused("backup", `${variables("db-1")} backup healthy`)).toMatch(/a backup cannot be restored: .+/);
      await inside("backup", `cp /tmp/whole ${file}`);
      // A new container knows it still; one with other scripts is to try them.
      const recalled = (script: string, by: string): Promise<string> =>
        inside(
          "backup",
          `${variables("db-1", `STATE=/tmp/${by} SCRIPTS=/run/scripts-${script}`)} backup recall; : > /tmp/${by}/place; backup healthy`,
        );
      await expect(recalled("db-1", "same")).rejects.toThrow("a backup cannot be restored");
      await recalled("new", "other");
      await backup("db-1", "drill");
      await backup("db-1", "healthy");
    },
    4 * minutes,
  );

  test(
    "a dump that dies leaves no run, and its words",
    async () => {
      const before = await backup("db-1", "runs");
      const said = await refused(
        "backup",
        `${variables("db-1")} export PGOPTIONS='-c statement_timeout=1'; backup once`,
      );
      expect(said).toContain("backup of db-1 failed");
      expect(await backup("db-1", "runs")).toBe(before);
      expect((await inside("backup", "ls -d /backup/db-1/db-1/2*")).split("\n")).toHaveLength(
        before.split("\n").length,
      );
    },
    2 * minutes,
  );
});

describe("objects", () => {
  const seed = `
for bucket in ("export", "own"): s3.create_bucket(Bucket=bucket)
s3.put_bucket_policy(Bucket="own", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::own/*"]}]}))
s3.put_object(Bucket="export", Key="field", Body=b"img", ContentType="image/x-field", CacheControl="max-age=5", ContentDisposition='attachment; filename="a b.txt"', ContentLanguage="de", Metadata={"owner": "anna", "mtime": "1"}, Expires="Wed, 21 Oct 2037 07:28:00 GMT", Tagging="a=b%20c")
s3.put_object(Bucket="export", Key="zipped", Body=b"zz", ContentEncoding="gzip", ContentType="text/plain")
for key in ["a b", "ä/ö ü", "a", "a/b", "trailing/", "x%2Fy", "quote'\\"$\`", "tab\\tkey", "line\\nend", "+&=?#", "\\N{GRINNING FACE}", "l" * 200 + "/" + "m" * 200, "dots..x", "-dash", ".hidden", " lead", "trail ", "*?[x]", "a:b", "empty"]:
    s3.put_object(Bucket="export", Key=key, Body=b"" if key.endswith(("/", "empty")) else key.encode())
s3.upload_fileobj(io.BytesIO(os.urandom(18 << 20)), "own", "big", ExtraArgs={"ContentType": "video/mp4", "Metadata": {"k": "v"}})`;
  const all = `
found = []
for bucket in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
    try: found.append([bucket, json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])])
    except Exception: found.append([bucket, None])
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for key in [each["Key"] for each in page.get("Contents", [])]:
            got = s3.get_object(Bucket=bucket, Key=key)
            headers = {name: value for name, value in got["ResponseMetadata"]["HTTPHeaders"].items() if name in ("content-type", "content-length", "content-encoding", "content-disposition", "content-language", "cache-control", "expires") or name.startswith("x-amz-meta")}
            found.append([bucket, key, hashlib.md5(got["Body"].read()).hexdigest(), headers, s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]])
print(json.dumps(found))`;
  let saved: string;
  beforeAll(async () => {
    await scripts("objects-1", objects);
    await python("objects-1", seed);
    saved = await python("objects-1", all);
  }, minutes);

  test(
    "every key, type, metadata and tag comes back in another store, from before what has changed since",
    async () => {
      await backup("objects-1", "once", pieces); // an object of several parts
      const first = await backup("objects-1", "runs");
      await python(
        "objects-1",
        's3.put_object(Bucket="export", Key="field", Body=b"other")\ns3.delete_object(Bucket="export", Key="a")',
      );
      await backup("objects-1", "once", pieces);
      await backup("objects-1", "drill", pieces);
      await place("/run/backup/rclone/objects.conf", s3("objects", "http://objects-2:9000"));
      await backup("objects-1", `restore objects-1 ${first}`, pieces);
      expect(JSON.parse(await python("objects-2", all))).toEqual(JSON.parse(saved));
      expect(await refused("backup", `${variables("objects-1")} backup restore objects-1 latest`)).toContain(
        "restore goes into empty buckets only",
      );
      await place("/run/backup/rclone/objects.conf", s3("objects", "http://objects-1:9000"));
      // What no run needs goes.
      const content = (): Promise<string> => inside("backup", "ls /backup/objects-1/objects-1/content/*/* | wc -l");
      const before = Number(await content());
      await inside(
        "backup",
        `${variables("objects-1", pieces)} touch /backup/objects-1/objects-1/content/half; rm /backup/objects-1/runs/${first}; backup once`,
      );
      expect(Number(await content())).toBeLessThan(before);
    },
    4 * minutes,
  );

  test(
    "a full place: the run fails with the words, leaves nothing behind, and the older one can be restored",
    async () => {
      const full = "PLACE=/full/objects-1 STATE=/tmp/full";
      await backup("objects-1", "once", full);
      const used = (): Promise<string> => inside("backup", "du -s /full | cut -f 1");
      const before = Number(await used());
      await python("objects-1", 's3.put_object(Bucket="own", Key="more", Body=os.urandom(18 << 20))');
      expect(await refused("backup", `${variables("objects-1", full)} backup once`)).toContain(
        "No space left on device",
      );
      expect(Number(await used()) - before).toBeLessThan(100);
      await inside("backup", ": > /tmp/full/place");
      expect(await refused("backup", `${variables("objects-1", full)} backup healthy`)).toMatch(
        /the last backup failed: .*No space left on device/,
      );
      await backup("objects-1", "drill", full);
      await python("objects-1", 's3.delete_object(Bucket="own", Key="more")');
    },
    2 * minutes,
  );
});

describe("InfluxDB", () => {
  const policies = { usage: { keep: "90d" }, fleeting: { keep: "1d", dump: false } };
  const ask = { databases: policies, gib: 1 };
  const { slots } = planOf(
    (p) => void p.need("influx", "influx", ask),
    {},
    { site: siteOf({ name: "x", hostname: "x.test" }), capabilities: dockerCapabilities, services: containerServices },
  );
  const { backup: dump } = slots.get("influx-1")?.disk ?? { backup: { rebuilt: "" } };
  const query = (host: string, q: string, database = "usage"): Promise<string> =>
    inside(
      "backup",
      `curl -sS --get -u admin:${secret} --data-urlencode 'db=${database}' --data-urlencode "q=$(cat)" http://${host}:8086/query`,
      q,
    );
  const written = String.raw`odd\ na\,me,ta\ g=va\=lue,b=ü i=9007199254740993i,f=1,s="say \"a\\b\"",t=true 1700000000000000001
cpu,host=a f=0.1,g=1e300 ${String(Date.now())}000001`;

  beforeAll(async () => {
    if (!("dump" in dump)) throw new Error("nothing is dumped");
    await scripts("influx-1", dump);
    const conf = (folder: string): string =>
      `reporting-disabled = true\n[meta]\n  dir = "/tmp/${folder}/meta"\n[data]\n  dir = "/tmp/${folder}/data"\n  wal-dir = "/tmp/${folder}/wal"\n[http]\n  auth-enabled = true\n`;
    for (const host of ["influx-1", "influx-1-drill"])
      await serve(
        host,
        localImage("influxdb"),
        ["--user", "999:999"],
        ["sh", "-c", `printf '%s' '${conf("d")}' > /tmp/conf; exec influxd -config /tmp/conf`],
      );
    for (const [file, content] of [
      ["admin-password", secret],
      ["admin.curl", `user = "admin:${secret}"`],
      ["admin.iql", `CREATE USER "admin" WITH PASSWORD '${secret}' WITH ALL PRIVILEGES`],
      ["app.iql", `CREATE USER "app" WITH PASSWORD '${secret}'`],
    ] as const)
      await place(`/run/influx/${file}`, content);
    await eventually(() => inside("backup", "curl -fsS http://influx-1:8086/ping"), 60);
    await inside("backup", "curl -sS -X POST --data-urlencode q@/run/influx/admin.iql http://influx-1:8086/query");
    for (const database of ["usage", "fleeting", "operators own"])
      await inside(
        "backup",
        `curl -sS -u admin:${secret} --data-urlencode "q=CREATE DATABASE \\"${database}\\"" http://influx-1:8086/query`,
      );
    await inside(
      "backup",
      `curl -sS -u admin:${secret} --data-urlencode 'q=CREATE RETENTION POLICY "for ever" ON "usage" DURATION INF REPLICATION 1' http://influx-1:8086/query`,
    );
    for (const target of ["db=usage&rp=for%20ever", "db=operators%20own", "db=fleeting"])
      await inside(
        "backup",
        `curl -fsS -u admin:${secret} --data-binary @- 'http://influx-1:8086/write?${target}&precision=ns'`,
        written,
      );
  }, 2 * minutes);

  test(
    "every database and retention policy, odd names, whole and large numbers come back in the throw-away server",
    async () => {
      await backup("influx-1", "once");
      await backup("influx-1", "drill");
      const listed = await inside(
        "backup",
        `${variables("influx-1")} export AT=$(backup runs) TO=$PLACE/influx-1; backup get databases; backup get usage.points | gunzip`,
      );
      expect(listed).toMatch(/^usage$/m);
      expect(listed).toMatch(/^operators own$/m);
      expect(listed).not.toMatch(/^fleeting$/m);
      expect(listed).toContain("i=9007199254740993i");
      expect(await query("influx-1-drill", "SHOW DATABASES")).not.toContain("usage");
    },
    2 * minutes,
  );

  test(
    "the restore gives the same answers; a full database is refused",
    async () => {
      const again = (dump as Dump).restore.replaceAll("//influx-1:", "//influx-1-drill:");
      const asNew = `${variables("influx-1")} export AT=$(backup runs) TO=$PLACE/influx-1; bash -euo pipefail /tmp/again`;
      await place("/tmp/again", again);
      await inside("backup", asNew);
      for (const [q, database] of [
        ['SELECT * FROM "for ever"./.*/ GROUP BY *', "usage"],
        ["SELECT * FROM /.*/ GROUP BY *", "operators own"],
        ['SHOW RETENTION POLICIES ON "usage"', "usage"],
      ] as const) {
        const was = await query("influx-1", q, database);
        expect(was).toContain("values");
        expect(await query("influx-1-drill", q, database)).toBe(was);
      }
      expect(await refused("backup", asNew)).toContain("has points: restore goes into an empty database only");
    },
    2 * minutes,
  );
});

describe("a place", () => {
  const conf = "/run/backup/rclone/place.conf";
  const at = "PLACE=place:backups/stack STATE=/tmp/s3 WHERE='the bucket backups'";
  beforeAll(() => scripts("small", { dump: "echo x | backup put x", restore: "backup get x", drill: "backup get x" }));
  afterAll(() => inside("backup", `rm ${conf}`));

  test.each([
    ["wrong keys", "http://objects-2:9000", "nobody", /InvalidAccessKeyId/],
    ["a bucket that is not there", "http://objects-2:9000", "app", /NoSuchBucket/],
    ["a host that is not there", "http://nowhere.invalid:9000", "app", /lookup nowhere.invalid/],
    ["a port where nobody listens", "http://objects-2:1", "app", /connection refused/],
  ])(
    "%s: health says so within seconds, in a sentence, and nothing else is tried",
    async (_, endpoint, key, words) => {
      await place(conf, s3("place", endpoint, key));
      const script = `${variables("small", at)} rm -rf $STATE; timeout 60 backup schedule > /dev/null 2>&1 & sleep 6; kill $!; backup healthy`;
      const said = await refused("backup", script);
      expect(said).toMatch(/^.*the bucket backups cannot be written: .*$/m);
      expect(said).toMatch(words);
      expect(said).not.toMatch(/line \d+/);
    },
    minutes,
  );

  test(
    "health passes while the first run goes on; a new container waits for the next one's time",
    async () => {
      await python("objects-2", 's3.create_bucket(Bucket="backups")');
      await place(conf, s3("place", "http://objects-2:9000"));
      await scripts("slow", { dump: "sleep 4; echo x | backup put x", restore: "backup get x", drill: "backup get x" });
      const begin = `${variables("slow", at)} rm -rf $STATE; timeout 60 backup schedule > /tmp/said 2>&1 & `;
      const healthy = "until backup healthy; do sleep 0.3; done 2>/dev/null";
      expect(await inside("backup", `${begin} ${healthy}; sleep 15; kill $!`)).toMatch(
        /about to begin|a backup is running since/,
      );
      const runs = await inside("backup", `${variables("slow", at)} backup runs`);
      expect(runs).toMatch(/^2\S+$/);
      await inside("backup", `${begin} ${healthy}; sleep 8; kill $!`);
      expect(await inside("backup", `${variables("slow", at)} backup runs`)).toBe(runs);
    },
    2 * minutes,
  );

  test(
    "a run that fails is tried again after a minute, then two: the next container knows it",
    async () => {
      await scripts("bad", { dump: "echo 'no such server' >&2; exit 1", restore: "", drill: "" });
      const bad = variables("bad", "PLACE=place:backups/bad STATE=/tmp/bad");
      for (const minutes of [1, 2, 4]) {
        await refused("backup", `${bad} backup once`);
        const wait = await inside("backup", `echo $(($(cat /tmp/bad/next-run) - $(date +%s)))`);
        expect(Math.abs(Number(wait) - 60 * minutes)).toBeLessThan(15);
      }
      await inside("backup", `${bad} rm -r /tmp/bad; backup recall`);
      expect(Number(await inside("backup", "echo $(($(cat /tmp/bad/next-run) - $(date +%s)))"))).toBeGreaterThan(120);
    },
    2 * minutes,
  );

  test(
    "a stream of any size: no object has more pieces than a store may take",
    async () => {
      const limit = 3;
      const [proxy, port] = await limited(limit);
      try {
        await place(conf, s3("place", `http://${await gateway()}:${String(port)}`));
        const stream = "head -c 60M /dev/urandom | tee >(sha256sum > /tmp/sum)";
        const names = "export TO=place:backups/stream STAMP=x AT=x PART_BYTES=33554432 RCLONE_CONFIG=/tmp/rclone.conf;";
        // As it was: 5 MiB a piece, without an end.
        expect(
          await refused(
            "backup",
            `backup runs; ${names} set -o pipefail; ${stream} | rclone rcat --retries 1 --low-level-retries 1 $TO/plain`,
          ),
        ).toContain("InvalidArgument");
        await inside(
          "backup",
          `${names} set -euo pipefail; ${stream} | backup put big; backup get big | sha256sum | diff - /tmp/sum`,
        );
      } finally {
        proxy.close();
      }
    },
    2 * minutes,
  );
});

/** In front of the store: one that takes so many pieces of an object. */
async function limited(pieces: number): Promise<[Server, number]> {
  const address =
    (await engine.getContainer(`${net}-objects-2`).inspect()).NetworkSettings.Networks[net]?.IPAddress ?? "";
  const proxy = createServer((asked, answer) => {
    if (Number(new URL(asked.url ?? "", "http://x").searchParams.get("partNumber")) > pieces) {
      asked.resume().on("end", () => {
        answer.writeHead(400, { "content-type": "application/xml" });
        answer.end(
          `<Error><Code>InvalidArgument</Code><Message>Part number must be an integer between 1 and ${String(pieces)}, inclusive</Message></Error>`,
        );
      });
      return;
    }
    const { method = "GET", url: path = "/", headers } = asked;
    const on = request({ host: address, port: 9000, method, path, headers }, (said) => {
      answer.writeHead(said.statusCode ?? 500, said.headers);
      said.pipe(answer);
    });
    on.on("error", () => answer.destroy());
    asked.pipe(on);
  });
  await new Promise<void>((resolve) => proxy.listen(0, resolve));
  return [proxy, (proxy.address() as AddressInfo).port];
}

async function gateway(): Promise<string> {
  const { IPAM } = (await engine.getNetwork(net).inspect()) as { IPAM: { Config: { Gateway: string }[] } };
  return IPAM.Config[0]?.Gateway ?? "";
}
