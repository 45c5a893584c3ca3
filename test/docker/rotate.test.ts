/** Another password for the clients of each store that can have one, in a protected stack, with data: real servers. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, localImage, localImages, sweep } from "../support/arkindex.ts";
import { runLabels } from "../support/run.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "rotate";
const minutes = 60_000;
const stores = ["db", "redis", "objects", "influx", "search", "nats", "queue"] as const;
type Store = (typeof stores)[number];
let stack: TestStack;

function program(rotate: Readonly<Record<string, string>>, more: object = {}): string {
  const site = { ...{ name, hostname: "rotate.localhost", images: localImages(), rotate }, ...more };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Elasticsearch, Influx, Nats, ObjectStore, Postgres, RabbitMq, Redis } from "${repo}/components/index.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const common = { on, clientTls: "never", gib: 1 };
const db = new Postgres("db", { ...common, databases: ["shop"] }).given;
const redis = new Redis("redis", { ...common, clientAuth: true, keep: true, memoryMib: 16 }).given;
const objects = new ObjectStore("objects", { on, apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 }).given;
const influx = new Influx("influx", { ...common, databases: { usage: { keep: "7d" } }, memoryMib: 256 }).given;
const search = new Elasticsearch("search", { ...common, speaks: ["elasticsearch7"], nodes: 1, heapMib: 256 }).given;
const nats = new Nats("nats", { on, nodes: 1, jetstreamGib: 1 }).given;
const queue = new RabbitMq("queue", { on, nodes: 1, colocate: [], federate: [], exchanges: ["jobs"], memoryMib: 512 }).given;
const of = ({ password }) => password;
export const passwords = { db: of(db), redis: of(redis), objects: objects.secret, influx: of(influx), search: of(search), nats: of(nats), queue: of(queue) };
export const administrator = db.passwords["db-admin"];
`;
}

const curl = "curl -fsS -m 20";
const rabbit = `${curl} -u "app:$PASSWORD" -H 'content-type: application/json' http://queue-1:15672/api`;
/** What a client says with a password in $PASSWORD: it keeps something, and sees what was kept. */
const clients: Readonly<Record<Store, { readonly keep: string; readonly see: string }>> = {
  db: {
    keep: 'psql -w -h db-1 -U app shop -qXAtc "CREATE TABLE kept AS SELECT 7 AS n"',
    see: 'psql -w -h db-1 -U app shop -XAtc "SELECT n FROM kept"',
  },
  redis: { keep: "redis-cli -e -h redis-1 set kept 7", see: "redis-cli -e -h redis-1 get kept" },
  objects: { keep: "echo 7 | rclone rcat --quiet store:files/kept", see: "rclone cat --quiet store:files/kept" },
  influx: {
    keep: `${curl} -u "app:$PASSWORD" 'http://influx-1:8086/write?db=usage' --data-binary 'kept n=7'`,
    see: `${curl} -u "app:$PASSWORD" -G http://influx-1:8086/query --data-urlencode 'q=SELECT n FROM usage."keep".kept' | jq -M '.results[0].series[0].values[0][1]'`,
  },
  search: {
    keep: `${curl} -u "elastic:$PASSWORD" 'http://search-1:9200/kept/_doc/1?refresh=true' -H 'content-type: application/json' -d '{"n":7}'`,
    see: `${curl} -u "elastic:$PASSWORD" http://search-1:9200/kept/_doc/1 | jq -M ._source.n`,
  },
  queue: {
    keep: `${rabbit}/queues/%2F/kept -X PUT -d '{"durable":true}' && ${rabbit}/exchanges/%2F/amq.default/publish -d '{"properties":{"delivery_mode":2},"routing_key":"kept","payload":"7","payload_encoding":"string"}'`,
    see: `${rabbit}/queues/%2F/kept/get -d '{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}' | jq -Mr '.[0].payload'`,
  },
  nats: {
    keep: "true",
    see: `exec 3<>/dev/tcp/nats-1/4222 && read -r _ <&3 && printf 'CONNECT {"user":"app","pass":"%s","verbose":false}\\r\\nPING\\r\\n' "$PASSWORD" >&3 && read -r -t 10 said <&3 && [ "\${said%?}" = PONG ] && echo 7`,
  },
};

/** What a client prints in the stack's own networks, or that it was refused. */
async function client(store: Store, what: "keep" | "see", password: string): Promise<string> {
  const container = await engine.createContainer({
    Image: localImage("toolbox"),
    Entrypoint: ["bash", "-uo", "pipefail", "-c", clients[store][what]],
    Cmd: [],
    Tty: true, // one plain stream
    Labels: runLabels,
    Env: [
      ...[
        `PASSWORD=${password}`,
        `PGPASSWORD=${password}`,
        `REDISCLI_AUTH=${password}`,
        "PGCONNECT_TIMEOUT=5",
        "PAGER=cat",
      ],
      ...["RCLONE_CONFIG_STORE_TYPE=s3", "RCLONE_CONFIG_STORE_PROVIDER=Minio", "RCLONE_LOW_LEVEL_RETRIES=1"],
      ...["RCLONE_CONFIG_STORE_ENDPOINT=http://objects-1:9000", "RCLONE_CONFIG_STORE_ACCESS_KEY_ID=app"],
      ...[`RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY=${password}`, "RCLONE_RETRIES=1"],
    ],
    HostConfig: { NetworkMode: `${name}-data`, Init: true },
  });
  try {
    await engine.getNetwork(`${name}-app`).connect({ Container: container.id });
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    const said = (await container.logs({ stdout: true, stderr: true, follow: false })).toString().trim();
    return StatusCode === 0 ? said : `refused: ${said}`;
  } finally {
    await container.remove({ force: true });
  }
}

async function passwords(): Promise<Readonly<Record<Store, string>>> {
  return (await stack.outputs()).passwords as Record<Store, string>;
}

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: program({}), config: { "pulumi:disable-default-providers": ["*"] } });
  succeeded(await stack.up());
}, 15 * minutes);

afterAll(async () => {
  await stack.rewrite(program({}, { protect: false }));
  await stack.up();
  await stack.dispose();
  await sweep(name);
}, 10 * minutes);

test(
  "a word for each: its clients have another password, the old one is refused, all data are there",
  async () => {
    const old = await passwords();
    for (const store of stores) expect(await client(store, "keep", old[store])).not.toMatch(/^refused/);
    const made = await containerIds(name);
    const { administrator } = await stack.outputs();

    await stack.rewrite(program(Object.fromEntries(stores.map((store) => [store, "2026-03-01"]))));
    succeeded(await stack.up());
    const now = await passwords();
    const found = await Promise.all(
      stores.map(async (store) => [
        store,
        now[store] === old[store] ? "the same" : "another",
        await client(store, "see", now[store]),
        (await client(store, "see", old[store])).startsWith("refused"),
      ]),
    );
    expect(found).toEqual(stores.map((store) => [store, "another", "7", true]));
    succeeded(await stack.preview(["--expect-no-changes"]));

    // Who keeps its passwords inside goes on: only its set-up has run.
    const after = await containerIds(name);
    for (const part of ["db-1", "influx-1"]) expect([part, after[part]]).toEqual([part, made[part]]);
    expect(administrator).toMatch(/^\w{32}$/);
    expect(await stack.outputs()).toMatchObject({ administrator }); // as old as the disk

    // Neither the old nor the new one can be read by anybody.
    const before = Object.fromEntries(stores.map((store) => [`old ${store}`, old[store]]));
    const secrets = { ...(await generatedSecrets(stack)), ...now, ...before };
    const shown = await Promise.all(
      Object.values(await containerIds(name)).map((id) => engine.getContainer(id).inspect()),
    );
    expect(leaks(JSON.stringify(shown), secrets)).toEqual([]);
    expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
  },
  15 * minutes,
);

test(
  "the same word makes nothing, another one rotates that store alone",
  async () => {
    const old = await passwords();
    const words = Object.fromEntries(stores.map((store) => [store, "2026-03-01"]));
    await stack.rewrite(program({ ...words, db: "2026-04-01" }));
    const before = await containerIds(name);
    succeeded(await stack.up());
    const now = await passwords();
    expect(stores.filter((store) => now[store] !== old[store])).toEqual(["db"]);
    expect(await client("db", "see", now.db)).toBe("7");
    expect(await containerIds(name)).toEqual(before);
  },
  5 * minutes,
);
