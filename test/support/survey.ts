/** A stack of one PostgreSQL on this machine's engine, README's program of one service: what is done behind its back. */
import { afterAll, beforeAll, expect } from "@jest/globals";

import { containerIds, inContainer, localImages, sweep } from "./arkindex.ts";
import { repo, succeeded, TestStack } from "./stack.ts";

export const name = "survey";
export const volume = `${name}-db-1`;
/** Longer than any of them takes: a test that gives up leaves the next one a stack that is half done. */
export const patience = 5 * 60_000;
/** Made before the first test of the file that imports this. */
export let stack: TestStack;

interface Options {
  readonly databases?: readonly string[];
  readonly disks?: Readonly<Record<string, string>>;
  readonly images?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly protect?: boolean;
}

export function program({
  databases = ["shop"],
  disks = {},
  images = {},
  name: called = name,
  protect = false,
}: Options = {}) {
  const site = { name: called, hostname: "survey.localhost", protect, disks, images: { ...localImages(), ...images } };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Postgres } from "${repo}/components/services/postgres.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("host", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const db = new Postgres("db", { on, databases: ${JSON.stringify(databases)}, clientTls: "never", gib: 1 });
export const { host, password } = db.given;
`;
}

export const config = { "pulumi:disable-default-providers": ["*"] };

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: program(), config });
  succeeded(await stack.up());
  await sql("CREATE TABLE t (x int); INSERT INTO t VALUES (7)");
}, patience);

afterAll(async () => {
  await stack.run(["state", "unprotect", "--all", "--yes"]);
  await stack.dispose();
}, patience);

export async function sql(statement: string, database = "shop"): Promise<string> {
  const { "db-1": container = "" } = await containerIds(name);
  const script = `PGPASSWORD="$(cat /run/postgres/password)" psql -At -h 127.0.0.1 -U postgres ${database} -c "${statement}"`;
  const { status, body } = await inContainer({ container }, script);
  if (status !== 0) throw new Error(body);
  return body.trim();
}

/** The preview says it, the `up` does it, and nothing is left to do. */
export async function heals(sentence: string): Promise<void> {
  expect(succeeded(await stack.preview())).toContain(sentence);
  expect(succeeded(await stack.up())).toContain(sentence);
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(await sql("SELECT x FROM t")).toBe("7");
}

/** Preview and `up` refuse it, one after the other as often as asked, with the sentence alone; the engine is as it was. */
export async function refuses(sentence: string | RegExp, by = stack, ups = 1): Promise<void> {
  const before = await containerIds(name);
  const outcomes = [await by.preview()];
  while (outcomes.length <= ups) outcomes.push(await by.up());
  for (const { code, output } of outcomes) {
    expect(output).toMatch(sentence);
    expect(output).not.toMatch(/error serializing|\n\s+at .*\.[jt]s:\d+/);
    expect(code).not.toBe(0);
  }
  expect(await containerIds(name)).toEqual(before);
}
