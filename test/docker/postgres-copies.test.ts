/** One PostgreSQL becomes three, and these lose their leader: real servers, with a ledger of what was acknowledged. */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import {
  containerIds,
  engine,
  eventually,
  inContainer,
  killProcess,
  localImage,
  localImages,
  sweep,
} from "../support/arkindex.ts";
import { later } from "../support/later.ts";
import { held, Ledger, type Row } from "../support/ledger.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "pg-copies";
const all = ["db-1", "db-2", "db-3"];
let stack: TestStack;
let ledger: Ledger | undefined;
const minutes = 60_000;

/** A PostgreSQL alone, asked for with these words. */
function program(ask: object): string {
  const site = {
    ...{ name, hostname: "copies.localhost", protect: false },
    images: { ...localImages(), "pyrus/pgsql-16": localImages()["postgres-cron"] },
  };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Postgres } from "${repo}/components/services/postgres.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const db = new Postgres("db", { on, ...${JSON.stringify({ databases: ["shop"], clientTls: "never", gib: 4, ...ask })} });
export const { host, password } = db.given;
`;
}

async function up(ask: object): Promise<void> {
  await stack.rewrite(program(ask));
  succeeded(await stack.up());
}

interface Member {
  readonly Member: string;
  readonly Role: string;
  readonly State: string;
}

async function run(part: string, script: string): Promise<string> {
  const { [part]: container = "" } = await containerIds(name);
  const { status, body } = await inContainer({ container }, script);
  if (status !== 0) throw new Error(`${part}: ${body}`);
  return body;
}

const sql = async (part: string, statement: string, database = "shop"): Promise<string> =>
  (await run(part, `psql -XAtq -U postgres -d ${database} -c "${statement}"`)).trim();

/** What Patroni says, by any member that answers. */
async function members(): Promise<Member[]> {
  for (const part of all) {
    try {
      return JSON.parse(await run(part, "timeout 8 patronictl list --format=json 2>/dev/null")) as Member[];
    } catch {
      // the next one
    }
  }
  return [];
}

async function leader(): Promise<string> {
  return eventually(async () => (await members()).find(({ Role }) => Role === "Leader")?.Member);
}

/** Waits until one leads and two copy it. */
async function whole(): Promise<void> {
  await eventually(async () => {
    const states = (await members()).map(({ State }) => State).sort();
    return states.join() === "running,streaming,streaming" ? true : undefined;
  }, 180);
}

/** The stack's own address, called from its network while something happens, and for some seconds more. */
async function written(what: string, seconds: number, happens: () => Promise<unknown>): Promise<readonly Row[]> {
  const { host, password } = (await stack.outputs()) as { host: string; password: string };
  ledger ??= new Ledger({ db: { kind: "postgres", host, user: "app", password, database: "shop" } });
  const where = { engine, image: localImage("postgres-ha"), networks: [`${name}-data`] };
  return ledger.during(where, what, async () => {
    await happens();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  });
}

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({
    program: program({ copies: 1 }),
    config: { "pulumi:disable-default-providers": ["*"] },
  });
}, 2 * minutes);

afterAll(async () => {
  await Ledger.sweep();
  await stack.dispose();
  await sweep(name);
}, 3 * minutes);

test(
  "one server's data are those of three, and a second preview is empty",
  async () => {
    succeeded(await stack.up());
    await sql("db-1", "CREATE TABLE before (n int); INSERT INTO before VALUES (1)");
    await up({ copies: 3 });
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect((await stack.outputs()).host).toBe("db-proxy");
    await whole();
    for (const member of all) expect(await sql(member, "SELECT n FROM before")).toBe("1");
  },
  10 * minutes,
);

test(
  "no secret is in the state, nor in what the engine shows of a container",
  async () => {
    const secrets = await generatedSecrets(stack);
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(["key", "caKey"]));
    const shown = await Promise.all(
      Object.values(await containerIds(name)).map((id) => engine.getContainer(id).inspect()),
    );
    expect(leaks(JSON.stringify(shown), secrets)).toEqual([]);
    expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
    // What runs in the containers, with arguments and environment, says none either.
    for (const part of ["db-1", "db-etcd-1"])
      expect(leaks(await run(part, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || :"), secrets)).toEqual(
        [],
      );
  },
  3 * minutes,
);

test("nobody without the certificate reads who leads, and nobody without the password commands a member", async () => {
  const ask = (words: string) =>
    inContainer({ image: localImage("toolbox"), network: `${name}-data` }, `curl -sk -m 10 ${words}`);
  const refused = await ask("https://db-etcd-1:2379/v3/kv/range -d '{}'");
  // curl notices it while it sends, or while it waits.
  expect([55, 56]).toContain(refused.status);
  expect(refused.body).toBe("");
  const code = "-o /dev/null -w '%{http_code}'";
  expect((await ask(`${code} http://db-1:8008/health`)).body).toBe("200");
  expect((await ask(`${code} -X POST -d '{}' http://db-1:8008/restart`)).body).toBe("401");
});

test(
  "the leader's process is killed: writes go on, and no answered row is lost",
  async () => {
    const lost = await leader();
    const { [lost]: id = "" } = await containerIds(name);
    held(await written("the leader killed", 15, () => killProcess(engine.getContainer(id))), 15);
    await whole();
  },
  5 * minutes,
);

later(
  "the leader's machine is gone: another leads in time, and the old one follows it when it is back",
  async () => {
    const lost = await leader();
    const ids = await containerIds(name);
    const both = [lost, lost.replace("-", "-etcd-")].map((part) => engine.getContainer(ids[part] ?? ""));
    held(
      await written("the leader's machine gone", 25, async () => {
        await Promise.all(both.map((container) => container.kill()));
      }),
      20,
    );
    expect(await leader()).not.toBe(lost);
    const since = Math.floor(Date.now() / 1000);
    await Promise.all(both.map((container) => container.start()));
    await whole();
    // It was not copied anew: pg_rewind took back what only it had.
    const log = (await engine.getContainer(ids[lost] ?? "").logs({ stdout: true, stderr: true, since })).toString();
    expect(log).not.toContain("replica has been created using basebackup");
  },
  6 * minutes,
);

later(
  "a replica's machine is gone: nobody waits for a commit",
  async () => {
    const lead = await leader();
    const lost = all.find((member) => member !== lead) ?? "";
    const { [lost]: id = "" } = await containerIds(name);
    const container = engine.getContainer(id);
    held(await written("a replica's machine gone", 10, () => container.kill()), 5);
    await container.start();
    await whole();
  },
  4 * minutes,
);

later(
  "a member was away until the log that it lacks was gone: nobody waits for it, and reinit has it copy the leader",
  async () => {
    await up({ copies: 3, settings: { max_slot_wal_keep_size: "32MB" } });
    const lead = await leader();
    const lost = all.find((member) => member !== lead) ?? "";
    const slot = `FROM pg_replication_slots WHERE slot_name = '${lost.replace("-", "_")}'`;
    const { [lost]: id = "" } = await containerIds(name);
    const container = engine.getContainer(id);
    held(
      await written("a member away for long", 5, async () => {
        await container.kill();
        // PostgreSQL keeps 128 MB for whoever asks, and drops a slot's rest at a checkpoint.
        await run(
          lead,
          `for segment in $(seq 20); do
  psql -qU postgres -c "SELECT pg_logical_emit_message(true, 'fill', 'the log')" -c "SELECT pg_switch_wal()" >/dev/null
done
psql -qU postgres -c CHECKPOINT`,
        );
        await eventually(async () => (await sql(lead, `SELECT wal_status ${slot}`)) === "lost" || undefined);
        await container.start();
        await eventually(async () => {
          const log = (await container.logs({ stdout: true, stderr: true, tail: 50 })).toString();
          return /has already been removed|has been invalidated/.test(log) || undefined;
        }, 90);
      }),
      5,
    );
    expect((await members()).find(({ Member }) => Member === lost)?.State).not.toBe("streaming");
    held(
      await written("reinit", 5, async () => {
        const began = Date.now();
        await run(lead, `patronictl reinit db ${lost} --force`);
        await eventually(async () => {
          const now = (await members()).find(({ Member }) => Member === lost);
          return now?.State === "streaming" || undefined;
        }, 120);
        process.stdout.write(`${lost} copies again after ${String(Math.round((Date.now() - began) / 1000))} s\n`);
      }),
      5,
    );
    await whole();
    expect(await sql(lead, `SELECT wal_status ${slot}`)).not.toBe("lost");
  },
  8 * minutes,
);

later(
  "two machines of three are gone: all is there to read, no commit is answered until one of them is back",
  async () => {
    const lead = await leader();
    const replica = all.find((member) => member !== lead) ?? "";
    const ids = await containerIds(name);
    const machine = (member: string): Docker.Container[] =>
      [member, member.replace("-", "-etcd-")].map((part) => engine.getContainer(ids[part] ?? ""));
    const { host, password } = (await stack.outputs()) as { host: string; password: string };
    const read = async (): Promise<number> => {
      const client = { image: localImage("toolbox"), network: `${name}-data` };
      const ask = `PGPASSWORD='${password}' PGCONNECT_TIMEOUT=5 psql -XAtq -h ${host} -p 5433 -U app -d shop -c 'SELECT count(*) FROM ledger'`;
      const { status, body } = await inContainer(client, ask);
      return status === 0 ? Number(body.trim()) : 0;
    };
    let back = 0;
    const rows = await written("two machines of three gone", 20, async () => {
      await Promise.all([lead, replica].flatMap(machine).map((container) => container.kill()));
      const gone = Date.now();
      await eventually(async () => (await read()) > 0 || undefined, 40);
      process.stdout.write(`read by port 5433 after ${String(Math.round((Date.now() - gone) / 1000))} s\n`);
      await new Promise((resolve) => setTimeout(resolve, 30_000));
      expect(await read()).toBeGreaterThan(0);
      back = (Date.now() - gone) / 1000;
      await Promise.all(machine(replica).map((container) => container.start()));
    });
    const [{ gap } = { gap: 0 }] = held(rows, back + 30);
    process.stdout.write(`the first commit ${String(Math.round(gap - back))} s after one was back\n`);
    expect(gap).toBeGreaterThan(back - 5);
    await Promise.all(machine(lead).map((container) => container.start()));
    await whole();
  },
  8 * minutes,
);

later(
  "another setting reaches all members by restarts, and replaces none of them",
  async () => {
    const before = await containerIds(name);
    held(await written("another setting", 5, () => up({ copies: 3, settings: { max_connections: "120" } })), 15);
    expect(await containerIds(name)).toEqual(before);
    for (const member of all) expect(await sql(member, "SHOW max_connections")).toBe("120");
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  8 * minutes,
);

later(
  "an image without Patroni is refused before it takes the place of one that works",
  async () => {
    await stack.rewrite(program({ copies: 3, image: "toolbox" }));
    for (const round of [1, 2]) {
      const { code, output } = await stack.up();
      expect([round, code === 0]).toEqual([round, false]);
      expect(output).toContain("toolbox has no Patroni 4.1: add it as docs/ha.md says, or say copies: { db: 1 }");
    }
    await whole();
  },
  6 * minutes,
);

later(
  "the application's own image takes over member by member, and its slot outlives the leader",
  async () => {
    const ask = { copies: 3, image: "pyrus/pgsql-16", outputPlugins: ["wal2json"], settings: { wal_level: "logical" } };
    held(await written("another image", 5, () => up(ask)), 20);
    await whole();
    const first = await leader();
    // As an application does: nobody has told Patroni of it.
    await sql(first, "SELECT pg_create_logical_replication_slot('feed', 'wal2json')");
    await sql(first, "CREATE TABLE fed (said text); INSERT INTO fed VALUES ('fed')");
    await eventually(async () => {
      const there = await Promise.all(
        all.map((member) => sql(member, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'feed'")),
      );
      return there.join() === "1,1,1" ? true : undefined;
    }, 60);
    await whole();
    // A replica's copy serves once the leader needs no older rows than it.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    const { [first]: id = "" } = await containerIds(name);
    await killProcess(engine.getContainer(id));
    const second = await eventually(async () => {
      const now = (await members()).find(({ Role }) => Role === "Leader")?.Member;
      return now !== undefined && now !== first ? now : undefined;
    }, 60);
    expect(await sql(second, "SELECT data FROM pg_logical_slot_get_changes('feed', NULL, NULL)")).toContain("fed");
    await whole();
  },
  12 * minutes,
);
