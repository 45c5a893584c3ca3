/** Arkindex saved, destroyed and brought back: in place, and as another stack; and a backup that cannot be made says so. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  arkindexConfig,
  arkindexStack,
  call,
  cleanUp,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
} from "../support/arkindex.ts";
import { succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-store";
const https = 18743;
const moved = "ark-moved";
const movedHttps = 18763;
const volume = `${name}-backup`;
const minutes = 60_000;

interface Outputs {
  readonly url: string;
  readonly ca: string;
  readonly passwords: Readonly<Record<string, string>>;
}
let stack: TestStack;
let second: TestStack | undefined;
let outputs: Outputs;
/** The times of the two backups. */
let [t1, t2] = ["", ""];

const config = (more = {}): Record<string, unknown> => arkindexConfig({ name, https, config: more });
const restoreOf = (at: string): object => ({ restore: { from: { volume }, stack: name, at } });

beforeAll(async () => {
  stack = await arkindexStack({ name, https });
  succeeded(await stack.up());
  outputs = (await stack.outputs()) as unknown as Outputs;
}, 5 * minutes);

afterAll(async () => {
  try {
    if (second) await cleanUp(second, moved);
  } finally {
    await cleanUp(stack, name);
  }
}, 5 * minutes);

async function addRow(body: string): Promise<void> {
  expect(await call(`${outputs.url}/rehearsal/rows`, outputs.ca, { method: "POST", body })).toMatchObject({
    status: 201,
  });
}

async function put(object: string, body: string): Promise<void> {
  const url = `${outputs.url}/rehearsal/objects/${object}`;
  expect(await call(url, outputs.ca, { method: "PUT", body })).toMatchObject({ status: 201 });
}

/** All rows, and the objects a, b, c: as the instance itself serves them. */
async function content({ url, ca }: Outputs): Promise<Record<string, unknown>> {
  const rows = await call(`${url}/rehearsal/rows`, ca);
  const found: Record<string, unknown> = { rows: (JSON.parse(rows.body) as { rows?: string[] }).rows };
  for (const object of ["a", "b", "c"]) {
    const { status, body } = await call(`${url}/rehearsal/objects/${object}`, ca);
    found[object] = status === 200 ? body : status;
  }
  return found;
}
const firstState = { rows: ["one"], a: "first", b: 404, c: "kept" };
/** Rows of a table that is larger than any buffer between the programs of a pipe. */
const large = "100000";
const secondState = { rows: ["one", "two"], a: "changed", b: "new", c: 404 };

async function inBackup(script: string): Promise<{ status: number; body: string }> {
  const { "backup-1": id = "" } = await containerIds(name);
  return inContainer({ container: id }, script);
}

const ofObjects = "export RCLONE_CONFIG=/run/backup/rclone/objects.conf";

/** Runs a backup now; answers its time. */
async function backup(): Promise<string> {
  const { status, body } = await inBackup("backup once");
  expect({ status, body }).toMatchObject({ status: 0 });
  return /backup (\S+) is complete/.exec(body)?.[1] ?? "";
}

async function psql(statement: string, on = name, { passwords } = outputs): Promise<string> {
  const script = `PGPASSWORD='${passwords.db ?? ""}' psql -At -h db-1 -U app arkindex -c "${statement}"`;
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: `${on}-data` }, script);
  expect({ status, body }).toMatchObject({ status: 0 });
  return body.trim();
}

async function each(workloads: readonly string[], act: "start" | "stop"): Promise<void> {
  const ids = await containerIds(name);
  await Promise.all(
    workloads.map((workload) => {
      const container = engine.getContainer(ids[workload] ?? "");
      if (act === "stop") return container.stop();
      return container.start().catch((error: unknown) => {
        if ((error as { statusCode?: number }).statusCode !== 304) throw error; // an `up` has started it
      });
    }),
  );
}

async function healthy(stackName: string, workload: string): Promise<void> {
  const { [workload]: id = "" } = await containerIds(stackName);
  await eventually(async () =>
    (await engine.getContainer(id).inspect()).State.Health?.Status === "healthy" ? true : undefined,
  );
}

test(
  "two backups, with changes in between; the list has both",
  async () => {
    await addRow("one");
    await psql(`CREATE TABLE large AS SELECT g AS id, md5(random()::text) AS body FROM generate_series(1, ${large}) g`);
    await put("a", "first");
    await put("c", "kept");
    expect(await content(outputs)).toEqual(firstState);
    t1 = await backup();
    await addRow("two");
    await put("a", "changed");
    await put("b", "new");
    await inBackup(`${ofObjects}; rclone deletefile objects:export/rehearsal/c`);
    expect(await content(outputs)).toEqual(secondState);
    t2 = await backup();
    expect(t1 < t2).toBe(true);
    expect((await inBackup("backup runs")).body.trim().split("\n").slice(-2)).toEqual([t1, t2]);
  },
  minutes,
);

test.each([
  ["a store that has data", "latest", ["database arkindex has 5 tables: restore goes into an empty database only"]],
  [
    "a time of which there is no backup",
    "2020-01-01T00-00-00Z",
    ["no complete backup 2020-01-01T00-00-00Z in /backup/ark-store; there are:"],
  ],
])(
  "restore onto %s is refused, by the next up as well, and changes nothing",
  async (_, at, sentences) => {
    await stack.configure(config(restoreOf(at)));
    for (const { code, output } of [await stack.up(), await stack.up()]) {
      expect(code).not.toBe(0);
      for (const sentence of sentences) expect(output).toContain(sentence);
      expect(output).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
    }
    expect(await content(outputs)).toEqual(secondState);
  },
  3 * minutes,
);

test(
  "tables and objects destroyed: the newest backup brings them back in place",
  async () => {
    const writers = ["backend-1", "worker-1", "backup-1"];
    await each(writers.slice(0, 2), "stop");
    await psql("DROP TABLE large, rehearsal_rows, rehearsal_probe, rehearsal_migrations, rehearsal_system_workers");
    await inBackup(`${ofObjects}; for bucket in $(rclone lsf objects:); do rclone delete objects:$bucket; done`);
    await each(["backup-1"], "stop"); // its next run would be the newest backup, of nothing
    expect(await psql("SELECT count(*) FROM pg_tables WHERE tableowner = 'app'")).toBe("0");

    await stack.configure(config(restoreOf("latest")));
    try {
      succeeded(await stack.up());
    } finally {
      await each(writers, "start");
    }
    expect(await psql("SELECT count(*) FROM large")).toBe(large);
    for (const workload of writers) await healthy(name, workload);
    expect(await content(outputs)).toEqual(secondState);
    succeeded(await stack.preview(["--expect-no-changes"]));

    await stack.configure(config());
    succeeded(await stack.up());
    expect(await content(outputs)).toEqual(secondState);
  },
  5 * minutes,
);

test(
  "another stack, filled from the first backup, is the instance as it was then",
  async () => {
    second = await arkindexStack({ name: moved, https: movedHttps, config: { ...restoreOf(t1), backup: undefined } });
    succeeded(await second.up());
    const there = (await second.outputs()) as unknown as Outputs;
    expect(there.passwords.db).not.toBe(outputs.passwords.db);
    expect(await content(there)).toEqual(firstState);
    expect(await psql("SELECT count(*) FROM large", moved, there)).toBe(large);
    expect(await content(outputs)).toEqual(secondState);
    await cleanUp(second, moved);
    second = undefined;
  },
  5 * minutes,
);

test(
  "old backups go with the next run, the newest complete one never",
  async () => {
    const old = "2020-01-01T00-00-00Z";
    const make = `cd /backup/${name} && echo ${old} > runs/${old} && mkdir -p db-1/${old} objects-1/${old}
for folder in db-1 objects-1; do echo x > $folder/${old}/x; done`;
    expect(await inBackup(make)).toMatchObject({ status: 0 });
    const left = async (): Promise<string> =>
      (await inBackup(`cd /backup/${name} && find . -path '*${old}*' | sort`)).body;
    expect((await left()).trim().split("\n")).toHaveLength(5);
    const t3 = await backup();
    expect(await left()).toBe("");
    const runs = async (): Promise<string[]> => (await inBackup("backup runs")).body.trim().split("\n");
    expect(await runs()).toEqual(expect.arrayContaining([t1, t2, t3]));

    expect(await inBackup("KEEP_DAYS=0 backup once")).toMatchObject({ status: 0 });
    expect(await runs()).toHaveLength(1);
    const { body } = await inBackup(`ls /backup/${name}/db-1/$(backup runs)`);
    expect(body).toContain("arkindex.dump.00000");
  },
  minutes,
);

test(
  "a store that is away makes the backup unhealthy and no run; it recovers by itself",
  async () => {
    await stack.configure(config({ backup: { everyHours: 0.01, to: { volume } } }));
    succeeded(await stack.up());
    expect(await inBackup("backup healthy")).toMatchObject({ status: 0 });
    await each(["db-1"], "stop");
    try {
      const said = await eventually(async () => {
        const { status, body } = await inBackup("backup healthy");
        return status === 0 ? undefined : body;
      }, 90);
      expect(said).toContain("the last backup failed");
      const { "backup-1": id = "" } = await containerIds(name);
      await eventually(async () =>
        (await engine.getContainer(id).inspect()).State.Health?.Status === "unhealthy" ? true : undefined,
      );
      const log = (await engine.getContainer(id).logs({ stdout: true, stderr: true })).toString();
      expect(log).toContain("backup of db-1 failed");
      const before = (await inBackup("backup runs")).body;
      expect(await inBackup("backup once")).toMatchObject({ status: 1 });
      expect((await inBackup("backup runs")).body).toBe(before);
    } finally {
      await each(["db-1"], "start");
    }
    await eventually(async () => ((await inBackup("backup healthy")).status === 0 ? true : undefined), 200);
    await healthy(name, "backup-1");
  },
  6 * minutes,
);
