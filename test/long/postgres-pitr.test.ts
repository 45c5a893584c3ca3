/** Three PostgreSQL servers brought back to a second: rows with their time, a failover, and a table that somebody drops. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import {
  cleanUp,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
  localImages,
  sweep,
} from "../support/arkindex.ts";
import { bucket, outsideStore, removeOutsideStore } from "../support/outside-store.ts";
import { runLabel } from "../support/run.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";
import { asOf, iso, ticksTable, ticksThere, ticksWriter } from "../support/ticks.ts";

const minutes = 60_000;
const [old, fresh] = ["pitr-old", "pitr-new"];
const store = `${old}-s3`;
const writer = `${old}-writer`;
const keys = { backupKey: "pitr-key-of-the-bucket", backupSecret: "pitr-secret-of-the-bucket" };
let endpoint: string;
let first: TestStack;
let second: TestStack | undefined;
/** Noted on the way: in the first timeline, and after the failover, before the table goes. */
const times = { first: 0, dropped: 0 };

/** A system of one store. */
function program(name: string, more: object): string {
  const port = name === old ? 19732 : 19742;
  const site = {
    ...{ name, hostname: `${name}.localhost`, ports: { http: port - 1, https: port } },
    ...{ protect: false, copies: 3, images: localImages(), secrets: keys, ...more },
  };
  return `import { z } from "${repo}/node_modules/zod/index.js";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const config = z.strictObject({});
const system = (platform) => void platform.need("postgres", "db", { databases: ["shop"], clientTls: "never", gib: 4 });
class Shop extends SystemComponent {
  constructor(name, args) {
    super("shop:index:Shop", system, config, name, args);
  }
}
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
export const { passwords } = new Shop("shop", { on });
`;
}
const stackOf = (name: string, more: object): Promise<TestStack> =>
  TestStack.create({ program: program(name, more), config: { "pulumi:disable-default-providers": ["*"] } });
const place = () => ({ s3: { endpoint, bucket, region: "us-east-1" } });
const restoreOf = (until: string): object => ({ restore: { from: place(), stack: old, at: "latest", until } });

async function run(name: string, part: string, script: string): Promise<string> {
  const { [part]: container = "" } = await containerIds(name);
  const { status, body } = await inContainer({ container }, script);
  if (status !== 0) throw new Error(`${part}: ${body}`);
  return body.trim();
}

/** By any member, as the one that leads. */
async function sql(name: string, statement: string): Promise<string> {
  const { passwords } = (await (name === old ? first : (second ?? first)).outputs()) as {
    passwords: { "db-admin": string };
  };
  const { "db-1": one = "", "db-2": two = "" } = await containerIds(name);
  const from = (await engine.getContainer(one).inspect()).State.Running ? one : two;
  const call = `PGPASSWORD='${passwords["db-admin"]}' psql -XAtq -v ON_ERROR_STOP=1 -h db-proxy -U postgres -d shop -c "${statement}"`;
  return eventually(async () => {
    const { status, body } = await inContainer({ container: from }, call);
    if (status !== 0) throw new Error(body);
    return body.trim();
  }, 180);
}

async function leader(): Promise<string> {
  return eventually(async () => {
    for (const part of ["db-1", "db-2", "db-3"]) {
      const list = await run(old, part, "timeout 8 patronictl list --format=json 2>/dev/null").catch(() => "[]");
      const found = (JSON.parse(list) as { Member: string; Role: string }[]).find(({ Role }) => Role === "Leader");
      if (found) return found.Member;
    }
    return undefined;
  });
}

const serverSeconds = async (): Promise<number> =>
  Number(await sql(old, "SELECT floor(extract(epoch FROM clock_timestamp()))"));
const pause = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const inBackup = (script: string): Promise<string> => run(old, "backup-1", script);

/** Each acknowledged row before that second is there, and none of a later one. */
async function isAsOf(seconds: number): Promise<void> {
  const there = await sql(fresh, ticksThere);
  asOf(seconds, (await execa("docker", ["logs", writer])).stdout, there);
}

beforeAll(async () => {
  await Promise.all([sweep(old), sweep(fresh), execa("docker", ["rm", "--force", writer], { reject: false })]);
  const { IPAM } = (await engine.getNetwork("bridge").inspect()) as { IPAM: { Config: { Gateway: string }[] } };
  const address = `${IPAM.Config[0]?.Gateway ?? ""}:9037`;
  ({ endpoint } = await outsideStore({
    ...{ name: store, address },
    keys: [
      ["root-of-pitr", "root-word-of-pitr"],
      [keys.backupKey, keys.backupSecret],
    ],
  }));
  first = await stackOf(old, { backup: { everyHours: 24, keepDays: 14, drillEveryHours: 168, to: place() } });
}, 5 * minutes);

afterAll(async () => {
  await execa("docker", ["rm", "--force", writer], { reject: false });
  try {
    if (second) await cleanUp(second, fresh);
  } finally {
    await cleanUp(first, old);
    await removeOutsideStore(store);
  }
}, 6 * minutes);

test(
  "the first run has a base backup of a replica, and the log is saved from there on",
  async () => {
    succeeded(await first.up());
    await sql(old, ticksTable);
    await sql(old, "CREATE TABLE accounts AS SELECT g AS id FROM generate_series(1, 1000) g");
    const { passwords } = (await first.outputs()) as { passwords: { db: string } };
    const options = ["run", "--detach", "--label", runLabel, "--network", `${old}-data`, "--name", writer];
    await execa(
      "docker",
      [...options, "--env", "WORD", "--entrypoint", "python3", localImage("postgres-ha"), "-c", ticksWriter],
      {
        env: { WORD: passwords.db },
      },
    );
    const stamp = await eventually(async () => {
      const runs = await inBackup("backup runs");
      return runs === "" ? undefined : runs;
    }, 240);
    const files = await inBackup(
      `TO=$PLACE/db-1 AT=${stamp}; export TO AT; backup get base.tar.gz | tar -tz | grep -E '^(standby.signal|backup_manifest|PG_VERSION)$' | sort`,
    );
    expect(files.split("\n")).toEqual(["PG_VERSION", "backup_manifest", "standby.signal"]);
    succeeded(await first.preview(["--expect-no-changes"]));
  },
  10 * minutes,
);

test(
  "the log goes on through a failover and a bucket that is away, and says up to where it is saved",
  async () => {
    await pause(20);
    times.first = await serverSeconds();
    await pause(3);
    const lost = await leader();
    const { [lost]: id = "" } = await containerIds(old);
    await engine.getContainer(id).kill();
    await pause(15);
    await engine.getContainer(id).start();
    await engine.getContainer(store).pause();
    await sql(old, "SELECT pg_switch_wal()");
    await pause(60);
    await engine.getContainer(store).unpause();
    await pause(5);
    times.dropped = (await serverSeconds()) + 1;
    await pause(3);
    await sql(old, "DROP TABLE accounts");
    await pause(10);
    const saved = await eventually(async () => {
      const status = await inBackup("backup status");
      const upto = /^log of db-1: up to (\S+)/m.exec(status)?.[1] ?? "";
      return Date.parse(upto) / 1000 > times.dropped + 10 ? status : undefined;
    }, 120);
    expect(saved).toContain("health: well");
  },
  8 * minutes,
);

test(
  "a drill recovers the newest second, too",
  async () => {
    expect(await inBackup("backup drill 2>&1")).toContain("can be restored");
  },
  8 * minutes,
);

test(
  "a time before the first base backup, or after the end of the log, is refused in one sentence, twice",
  async () => {
    second = await stackOf(fresh, restoreOf("2020-01-01T00:00:00Z"));
    for (const until of ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"]) {
      await second.rewrite(program(fresh, restoreOf(until)));
      const { code, output } = await second.up();
      expect([until, code === 0]).toEqual([until, false]);
      expect(output).toMatch(
        new RegExp(`${until} is not among the times that can be restored: from 20\\S+Z to 20\\S+Z`),
      );
    }
  },
  10 * minutes,
);

test(
  "a new stack is as of the second before the table was dropped, after the failover",
  async () => {
    const stack = second ?? first;
    await stack.rewrite(program(fresh, restoreOf(iso(times.dropped))));
    const began = Date.now();
    succeeded(await stack.up());
    process.stdout.write(`restored in ${String(Math.round((Date.now() - began) / 1000))} s\n`);
    expect(await sql(fresh, "SELECT count(*) FROM accounts")).toBe("1000");
    await isAsOf(times.dropped);
    // The application's role owns its table again, with the new stack's password.
    expect(await sql(fresh, "SELECT tableowner FROM pg_tables WHERE tablename = 'ticks'")).toBe("app");
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  10 * minutes,
);

test(
  "in place it overwrites nothing; into emptied databases it brings a second of the first timeline",
  async () => {
    const stack = second ?? first;
    await stack.rewrite(program(fresh, restoreOf(iso(times.first))));
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(output).toContain("database shop has 2 tables: restore goes into an empty database only");
    await isAsOf(times.dropped);
    await sql(fresh, "DROP TABLE ticks, accounts");
    succeeded(await stack.up());
    await isAsOf(times.first);
    expect(await sql(fresh, "SELECT count(*) FROM accounts")).toBe("1000");
    await stack.rewrite(program(fresh, {}));
    succeeded(await stack.up());
    await isAsOf(times.first);
  },
  15 * minutes,
);

test(
  "no secret is in the states, in what the engine shows, in arguments, or in logs",
  async () => {
    for (const [name, stack] of [
      [old, first],
      [fresh, second ?? first],
    ] as const) {
      const secrets = { ...(await generatedSecrets(stack)), ...keys };
      const ids = await containerIds(name);
      const shown = await Promise.all(Object.values(ids).map((id) => engine.getContainer(id).inspect()));
      expect(leaks(JSON.stringify(shown), secrets)).toEqual([]);
      expect(leaks(JSON.stringify(await stack.state()), secrets)).toEqual([]);
      for (const [part, id] of Object.entries(ids)) {
        const { all } = await execa("docker", ["logs", id], { all: true });
        expect([part, leaks(all, secrets)]).toEqual([part, []]);
      }
    }
    const secrets = { ...(await generatedSecrets(first)), ...keys };
    // The servers never have the bucket's keys; where the backup has them, they are in files.
    const own = "cat /proc/[0-9]*/cmdline 2>/dev/null || :";
    for (const part of ["db-1", "db-2", "db-1-drill-1", "backup-1"])
      expect([part, leaks(await run(old, part, own), secrets)]).toEqual([part, []]);
    expect(leaks(await run(old, "db-1", "cat /run/postgres/* || :"), keys)).toEqual([]);
  },
  4 * minutes,
);
