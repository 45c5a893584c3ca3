/** What users of these servers met in containers, tried on each server with its recipe's own words: docs/field.md. */
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, expect, test } from "@jest/globals";

import { elasticsearch } from "../../components/services/elasticsearch.ts";
import { nats } from "../../components/services/nats.ts";
import { postgres } from "../../components/services/postgres.ts";
import { rabbitmq } from "../../components/services/rabbitmq.ts";
import { solr } from "../../components/services/solr.ts";
import { traefik } from "../../components/edge/traefik.ts";
import type { Slot } from "../../components/core/contracts.ts";
import { type Asked, Server, slotOf, sweepServers } from "../support/recipe.ts";
import { site } from "../support/sketches.ts";
import { answered, once } from "../support/containers.ts";

const names = ["fb-nats-1", "fb-full-1", "fb-rabbit-1", "fb-search-2", "fb-blocked-1", "fb-solr-1", "fb-pg-1"];
const limit = 600_000; // a busy machine starts a JVM in minutes

afterAll(() => sweepServers(names), 60_000);

/** Passes when the health check does. */
async function healthy(server: Server): Promise<void> {
  for (let last = await server.check(); last.code !== 0; last = await server.check()) {
    const { State } = await server.container.inspect();
    if (!State.Running) throw new Error(`${last.said}\n${(await server.log()).slice(-1000)}`);
    await sleep(500);
  }
}

test.concurrent(
  "NATS: a stream is served by a store that was made smaller; one that cannot be read is no healthy start",
  async () => {
    const asked = (gib: number): Asked<"nats"> => ({
      recipe: nats,
      name: "fb-nats",
      ask: { nodes: 1, jetstreamGib: gib },
    });
    const stream = '{"name":"S","subjects":["s.>"],"storage":"file","max_bytes":2147483648}';
    let server = await Server.start("fb-nats-1", slotOf(asked(4)));
    await healthy(server);
    expect(await publish(server, "$JS.API.STREAM.CREATE.S", stream)).toContain('"did_create":true');
    expect(await publish(server, "s.a", "kept")).toMatch(/"seq": ?1/);
    server = await Server.start("fb-nats-1", slotOf(asked(1)));
    await healthy(server);
    expect(await publish(server, "$JS.API.STREAM.INFO.S", "")).toContain('"messages":1');
    const meta = "'/data/jetstream/$G/streams/S/meta.inf'";
    await server.sh(`cp ${meta} /data/kept && echo broken >${meta}`);
    server = await Server.start("fb-nats-1", slotOf(asked(1)));
    await answered(async () => {
      const { code, said } = await server.check();
      if (code === 0 || !said.includes("streams")) throw new Error(said);
      return said;
    });
    expect((await server.check()).said).toContain("1 streams are on the disk, 0 are served");
    await server.sh(`cp /data/kept ${meta}`);
    server = await Server.start("fb-nats-1", slotOf(asked(1)));
    await healthy(server);
    expect(await publish(server, "$JS.API.STREAM.INFO.S", "")).toContain('"messages":1');
  },
  limit,
);

test.concurrent(
  "a store with a full disk is not healthy, whatever its own health page says",
  async () => {
    const asked: Asked<"nats"> = { recipe: nats, name: "fb-full", ask: { nodes: 1, jetstreamGib: 1 } };
    const server = await Server.start("fb-full-1", slotOf(asked), { diskMib: 100 });
    await healthy(server);
    await server.run(["dd", "if=/dev/zero", "of=/data/fill", "bs=1M", "count=200"]);
    expect(await server.sh("wget -q -O - 'http://127.0.0.1:8222/healthz?js-enabled-only=true'")).toContain("ok");
    expect(await server.check()).toEqual({ code: 1, said: "its disk is full: 0 KiB are left on /data" });
  },
  limit,
);

test.concurrent(
  "RabbitMQ: files for its connections on a host that gives 1024, a day for a message, and its alarms",
  async () => {
    const asked: Asked<"amqp"> = {
      ...{ recipe: rabbitmq, name: "fb-rabbit" },
      ask: { nodes: 1, colocate: [], federate: [], exchanges: [] },
    };
    const server = await Server.start("fb-rabbit-1", slotOf(asked), { openFiles: { soft: 1024, hard: 20_000 } });
    await healthy(server);
    const ctl = "rabbitmqctl -q -n rabbit@fb-rabbit-1";
    const facts = await server.sh(
      `${ctl} eval '{file_handle_cache:get_limit(), application:get_env(rabbit, consumer_timeout)}.'`,
    );
    expect(facts).toMatch(/\{19\d{3},\{ok,86400000\}\}/);
    await server.sh(`${ctl} set_vm_memory_high_watermark 0.00001`);
    await answered(async () => {
      const { code, said } = await server.check();
      if (code === 0) throw new Error("no alarm yet");
      return said;
    });
    // Its consumers are what brings it out of the alarm: a swarm must not kill it for that.
    expect(await server.run(probeOf(slotOf({ ...asked, engine: "swarm" })))).toEqual({ code: 0, said: "" });
  },
  limit,
);

test.concurrent(
  "Elasticsearch: the first of three that come back one by one does not wait for the others",
  async () => {
    const three: Asked<"elasticsearch"> = {
      ...{ recipe: elasticsearch, name: "fb-search" },
      ask: { speaks: ["elasticsearch7"], nodes: 3, gib: 1, heapMib: 256 },
    };
    const server = await Server.start("fb-search-2", quick(slotOf(three, 2)));
    await healthy(server);
    expect((await server.check()).code).toBe(1); // it has no master yet, and says so
    expect(await server.run(probeOf(slotOf({ ...three, engine: "swarm" }, 2)))).toMatchObject({ code: 0 });
  },
  limit,
);

test.concurrent(
  "Elasticsearch: indices that take no writes, as the disk is almost full",
  async () => {
    const one: Asked<"elasticsearch"> = {
      ...{ recipe: elasticsearch, name: "fb-blocked" },
      ask: { speaks: ["elasticsearch7"], nodes: 1, gib: 1, heapMib: 256 },
    };
    const server = await Server.start("fb-blocked-1", quick(slotOf(one)));
    await healthy(server);
    const put = (path: string, body: string): Promise<string> =>
      server.sh(
        `curl -sS -K /run/elasticsearch/curlrc -m 60 -XPUT -H 'content-type: application/json' 'http://127.0.0.1:9200/${path}' -d '${body}'`,
      );
    expect(await put("a/_doc/1", '{"x":1}')).toContain('"created"');
    expect((await server.check()).code).toBe(0);
    const marks = ["low", "high", "flood_stage"].map(
      (mark) => `"cluster.routing.allocation.disk.watermark.${mark}":"90000gb"`,
    );
    await put("_cluster/settings", `{"transient":{${marks.join()},"cluster.info.update.interval":"10s"}}`);
    await answered(async () => {
      const said = await put("a/_doc/2", '{"x":1}');
      if (!said.includes("read-only")) throw new Error(said);
      return said;
    });
    expect((await server.check()).said).toMatch(/^indices take no writes/);
  },
  limit,
);

test.concurrent(
  "Solr: an index that a power cut broke is not healthy, though Solr itself is; an empty log of ZooKeeper's is no matter",
  async () => {
    const asked: Asked<"solr"> = { recipe: solr, name: "fb-solr", ask: { collections: ["a"], gib: 1, memoryMib: 400 } };
    const server = await Server.start("fb-solr-1", slotOf(asked));
    await healthy(server);
    await server.sh(
      "curl -fsS 'http://127.0.0.1:8983/solr/admin/collections?action=CREATE&name=a&numShards=1&replicationFactor=1&collection.configName=_default'",
    );
    await server.sh(
      "curl -fsS -H 'content-type: application/json' 'http://127.0.0.1:8983/solr/a/update?commit=true' -d '[{\"id\":\"1\"}]'",
    );
    await server.sh(
      "for file in /var/solr/data/*/data/index/segments_* /var/solr/data/zoo_data/version-2/log.ffff; do : > $file; done",
    );
    await server.container.kill();
    await server.container.start();
    const page = "curl -fsS http://127.0.0.1:8983/solr/admin/info/health";
    await answered(() => server.sh(page));
    expect((await server.check()).code).toBe(1);
    expect(await server.sh(page)).toContain("OK");
  },
  limit,
);

test.concurrent(
  "PostgreSQL: a slot that nobody reads does not fill the disk; another release's disk is named",
  async () => {
    const asked: Asked<"postgres"> = {
      ...{ recipe: postgres, name: "fb-pg" },
      ask: {
        ...{ databases: [], clientTls: "never", gib: 0.125, image: "postgres-cron", outputPlugins: ["wal2json"] },
        settings: { wal_level: "logical", max_wal_size: "32MB", min_wal_size: "32MB" },
      },
    };
    const server = await Server.start("fb-pg-1", slotOf(asked));
    await healthy(server);
    const sql = (line: string): Promise<string> => server.sh(`psql -At -c "${line}"`);
    await sql("select pg_create_logical_replication_slot('gone', 'wal2json')");
    await sql("create table t as select repeat('x', 1000) from generate_series(1, 200000)");
    await sql("checkpoint");
    expect(await sql("select wal_status from pg_replication_slots")).toBe("lost");
    await server.sh("echo 14 > /var/lib/postgresql/data/pgdata/PG_VERSION");
    await server.container.restart();
    await answered(async () => {
      if (!(await server.log()).includes("this disk is of PostgreSQL 14")) throw new Error("not yet");
      return "";
    });
  },
  limit,
);

test.concurrent(
  "Traefik: the file of its certificates is its own again, or set aside where it is not whole",
  async () => {
    const backends = () => ({ hosts: [], watch: false });
    const { prepare = "" } = traefik({
      ...{ site: site(), engine: "docker", routes: [], backends },
      tls: { acme: { email: "a@example.com" } },
    });
    const line = `mkdir -p /data && printf '{\\n}\\n' > /data/acme.json && chmod 644 /data/acme.json
(${prepare})
stat -c %a /data/acme.json; printf '{\\n  "acme": {' > /data/acme.json
(${prepare}) 2>&1; ls /data`;
    expect(await once("traefik", line, { user: "0:0" })).toMatch(
      /^600\n.*acme.json is not whole[^\n]*\nacme.json.broken$/,
    );
  },
  limit,
);

/** Publishes in NATS' own protocol and gives what is answered. */
async function publish(server: Server, subject: string, body: string): Promise<string> {
  const login = '{"user":"app","pass":"secret","verbose":false,"pedantic":false,"lang":"bash","version":"1"}';
  const words = `exec 3<>/dev/tcp/127.0.0.1/4222
printf 'CONNECT %s\\r\\nSUB answer 1\\r\\nPUB %s answer %s\\r\\n%s\\r\\n' '${login}' '${subject}' ${String(body.length)} '${body}' >&3
while IFS= read -r -t 10 line <&3; do case "$line" in {*) echo "$line"; exit ;; esac; done`;
  return (await server.run(["bash", "-c", words])).said;
}

/** A JVM that starts sooner. */
function quick(slot: Slot): Slot {
  return { ...slot, env: { ...slot.env, ES_JAVA_OPTS: "-Xms256m -Xmx256m -XX:TieredStopAtLevel=1" } };
}

function probeOf({ health: { ready } }: Slot): readonly string[] {
  if (!("command" in ready)) throw new Error("asked by another way");
  return ready.command;
}
