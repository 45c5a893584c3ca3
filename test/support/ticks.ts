/** Rows of PostgreSQL with the server's time, five in a second, and which of them a server that was brought back has to have. */
import process from "node:process";

import { expect } from "@jest/globals";

export const ticksTable = "CREATE TABLE ticks (n serial PRIMARY KEY, at timestamptz); ALTER TABLE ticks OWNER TO app";

/** Python, with the role's password in $WORD. It says each row that was acknowledged. */
export const ticksWriter = `
import os, time
import psycopg2
dsn = "host=db-proxy user=app dbname=shop connect_timeout=3 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=5000"
cursor = None
while True:
    try:
        if cursor is None:
            made = psycopg2.connect(dsn, password=os.environ["WORD"])
            made.autocommit = True
            cursor = made.cursor()
        cursor.execute("INSERT INTO ticks (at) VALUES (clock_timestamp()) RETURNING n, extract(epoch FROM at)")
        n, at = cursor.fetchone()
        print(n, at, flush=True)
    except psycopg2.Error:
        cursor = None
    time.sleep(0.2)
`;

/** What is asked of the server that was brought back. */
export const ticksThere = "SELECT n, extract(epoch FROM at) FROM ticks ORDER BY n";

/** As `restore.until` has it. */
export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

/** Each row that was acknowledged before that second is there, and none of a later one. */
export function asOf(seconds: number, written: string, there: string): void {
  const rows = new Map(pairs(there, "|"));
  const all = pairs(written, " ");
  // Between a row's time and its commit's lie some milliseconds.
  const before = all.filter(([, at]) => at < seconds - 0.5);
  expect(before.length).toBeGreaterThan(50);
  expect(all.length).toBeGreaterThan(before.length + 20);
  expect(before.filter(([n]) => !rows.has(n))).toEqual([]);
  expect([...rows.values()].filter((at) => at > seconds)).toEqual([]);
  process.stdout.write(
    `as of ${iso(seconds)}: ${String(rows.size)} rows, ${String(before.length)} of them had to be there\n`,
  );
}

function pairs(text: string, between: string): [n: number, at: number][] {
  const lines = text.split("\n").map((line) => line.trim().split(between).map(Number));
  return lines.map(([n = 0, at = 0]) => [n, at]);
}
