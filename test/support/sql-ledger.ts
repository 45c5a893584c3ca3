/** Writes rows through a store's address, one after another, and tells which of those that were acknowledged are there. */
import process from "node:process";

/** What a writer has seen. */
export interface Ledger {
  /** Rows whose commit was answered. */
  readonly acknowledged: number;
  /** Tries that failed. */
  readonly errors: number;
  /** The longest time between two answered commits, in seconds. */
  readonly longestGap: number;
  /** Answered, and not there afterwards. */
  readonly lost: number;
}

/** Python, as the image of the servers has it. The row is written before the next begins: a lost one has no excuse. */
const writer = `
import json, os, sys, time
import psycopg2

who, seconds = sys.argv[1], float(sys.argv[2])
# As docs/ha.md tells clients: a connection by the proxy of a lost node is given up in seconds, not in hours.
patience = "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=5000"
dsn = "host=%s user=app dbname=shop connect_timeout=3 %s" % (sys.argv[3], patience)
def connected():
    made = psycopg2.connect(dsn, password=os.environ["WORD"])
    made.autocommit = True
    return made.cursor()
told, errors, gap, number, cursor = set(), 0, 0.0, 0, None
end = time.time() + seconds
last = time.time()
while time.time() < end:
    number += 1
    try:
        cursor = cursor or connected()
        cursor.execute("INSERT INTO ledger VALUES (%s, %s)", (who, number))
        told.add(number)
        gap, last = max(gap, time.time() - last), time.time()
        time.sleep(0.02)
    except psycopg2.Error:
        errors, cursor = errors + 1, None
        time.sleep(0.1)
gap = max(gap, time.time() - last)
for again in range(60):
    try:
        cursor = connected()
        cursor.execute("SELECT n FROM ledger WHERE who = %s", (who,))
        there = {row[0] for row in cursor.fetchall()}
        break
    except psycopg2.Error:
        time.sleep(1)
print(json.dumps({"acknowledged": len(told), "errors": errors, "longestGap": round(gap, 1), "lost": len(told - there)}))
`;

/** Where a writer writes: a database `shop` of `app`'s, from wherever `run` runs a shell script. */
export interface Written {
  readonly host: string;
  readonly password: string;
  /** Runs a shell script beside the servers, where there is Python with psycopg2. Returns what it prints. */
  readonly run: (script: string) => Promise<string>;
}

/** Writes for so many seconds into the table `ledger`, which has to be there. */
export async function ledger({ run, host, password }: Written, who: string, seconds: number): Promise<Ledger> {
  const script = `WORD='${password}' python3 - ${who} ${String(seconds)} ${host} <<'PYTHON'${writer}PYTHON`;
  const said = await run(script);
  const last = said.trim().split("\n").at(-1) ?? "";
  if (!last.startsWith("{")) throw new Error(said);
  return JSON.parse(last) as Ledger;
}

/**
 * Two writers for some seconds; what happens begins five seconds later.
 */
export async function written(
  to: Written,
  who: string,
  seconds: number,
  happens: () => Promise<unknown>,
): Promise<Ledger[]> {
  const both = Promise.all(["a", "b"].map((each) => ledger(to, `${who}-${each}`, seconds)));
  await new Promise((resolve) => setTimeout(resolve, 5000));
  await happens();
  const found = await both;
  process.stdout.write(`${who}: ${JSON.stringify(found)}\n`);
  return found;
}
