/** What one change of a config touches, on the simulated cloud: counted, and no store is ever deleted or replaced by the way. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { project } from "../support/arkindex.ts";
import { tellMarkdown } from "../support/findings.ts";
import { simulated, simulatedConfig } from "../support/simulated.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { named } from "../support/urn.ts";

const minutes = 60_000;

interface Step {
  readonly op: string;
  readonly urn: string;
}

interface Change {
  readonly what: string;
  /** Keys of the config without the project's prefix, each changed from what it is. */
  readonly config?: Readonly<Record<string, (now: unknown) => unknown>>;
  /** Of `pulumi preview`. */
  readonly args?: readonly string[];
  /** The stores that it makes anew, or that go, by the operator's word. */
  readonly anew?: readonly string[];
  /** It is refused before anything is done, so. */
  readonly refused?: RegExp;
}

const merged =
  (more: object) =>
  (now: unknown): unknown => ({ ...(now as object | undefined), ...more });
const to = (value: unknown) => () => value;
const inAws = (more: object) => ({ aws: merged(more) });
const inSystem = (system: string, more: object) => ({ [system]: merged(more) });
const byWord = (words: object) => ({ disks: to(words) });
const password = (name: string): readonly string[] => ["--replace", `**::${name}`];

const [a, b, c] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] as const;
const smaller = (part: string, gib: number) =>
  new RegExp(`${part}\\.gib = .*its disk has ${String(gib)} GiB, and AWS makes none smaller`);
const kept = (...names: string[]) =>
  new RegExp(names.map((name) => `disks\\.${name}: the config has no ${name} any more, and its`).join("[^]*"));

const hostname: Change = { what: "another hostname", config: { hostname: to("other.example.com") } };
const protection: Change = { what: "`protect: true`, with a way out in each zone", config: { protect: to(true) } };
const logs: Change = { what: "logs for 60 days in the place of 30", config: inAws({ logDays: 60 }) };
const fewerZones: Change = { what: "two zones in the place of three", config: inAws({ zones: [a, b] }) };
const otherOrder: Change = {
  what: "zones in another order",
  config: inAws({ zones: [b, a, c] }),
  refused: /aws\.zones = \W*eu-central-1b, .*: eu-central-1[ab] had another place in it: new ones come last/,
};
const everywhere = [hostname, protection, logs] as const;

/** What of a ready stack's config is another one here: what the changes need to begin from. */
const bases: Readonly<Record<string, NonNullable<Change["config"]>>> = {
  arkindex: { ...inAws({ zones: [a, b] }), ...inSystem("arkindex", { postgresGib: 100 }) },
  machines: {
    ...inAws({ zones: [a, b] }),
    mirror: to("123456789012.dkr.ecr.eu-central-1.amazonaws.com/platforms"),
    machines: (now) => ({
      ...(now as object),
      workers: { apps: { count: 2, memoryMib: 7168 }, stores: { count: 2, keeps: true } },
      data: { db: { kind: "postgres", databases: ["app"] }, redis: { kind: "redis", tls: true } },
    }),
  },
};

const workers = (apps: object, stores: object = {}) =>
  inSystem("machines", {
    workers: { apps: { count: 2, memoryMib: 7168, ...apps }, stores: { count: 2, keeps: true, ...stores } },
  });

const changes: Readonly<Record<string, readonly Change[]>> = {
  arkindex: [
    { what: "another version of the application", config: inSystem("arkindex", { version: "1.8.0" }) },
    { what: "a backend more", config: inSystem("arkindex", { backends: 3 }) },
    { what: "a worker fewer", config: inSystem("arkindex", { workers: 1 }) },
    { what: "a larger disk of Solr's", config: inSystem("arkindex", { solrGib: 20 }) },
    { what: "a smaller disk of Solr's", config: inSystem("arkindex", { solrGib: 5 }), refused: smaller("solr-1", 10) },
    { what: "a larger disk of PostgreSQL's", config: inSystem("arkindex", { postgresGib: 150 }) },
    {
      what: "a smaller disk of PostgreSQL's",
      config: inSystem("arkindex", { postgresGib: 20 }),
      refused: smaller("db", 100),
    },
    { what: "another class of the database", config: inAws({ classes: { db: "db.m7g.large" } }) },
    { what: "another class of the cache", config: inAws({ classes: { redis: "cache.m7g.large" } }) },
    { what: "another class of Solr's machine", config: inAws({ classes: { "solr-1": "t3.large" } }) },
    { what: "PostgreSQL 16 in the place of 15, by the operator's word", config: inAws({ versions: { db: "16" } }) },
    { what: "another password of the database", args: password("arkindex-db-master") },
    { what: "another key of the application's", args: password("arkindex-secret-key") },
    { what: "a zone more, at the end", config: inAws({ zones: [a, b, c] }) },
    { ...otherOrder, config: inAws({ zones: [b, a] }) },
    {
      what: "a new disk of Solr's, by the operator's word",
      config: byWord({ "solr-1": "2026-03-01" }),
      anew: ["Volume arkindex-solr-1"],
    },
    {
      what: "a container in the place of the database",
      config: { data: to({ db: "container" }) },
      refused: kept("db"),
    },
    {
      what: "the same, by the operator's word",
      config: { data: to({ db: "container" }), ...byWord({ db: "gone" }) },
      anew: ["Instance arkindex-db"],
    },
    {
      what: "a container in the place of the cache",
      config: { data: to({ redis: "container" }) },
      refused: kept("redis"),
    },
    {
      what: "a container in the place of the buckets",
      config: { data: to({ objects: "container" }) },
      refused: kept("staging"),
    },
    {
      what: "Solr's disk as a snapshot has it, by the operator's word",
      config: byWord({ "solr-1": "snap-0123456789abcdef0" }),
      anew: ["Volume arkindex-solr-1"],
    },
    {
      what: "a key of its own",
      config: inAws({ kmsKey: "create" }),
      refused: /aws\.kmsKey = \W*create\W+what the stack keeps is encrypted with AWS' own keys: that stays/,
    },
    ...everywhere,
  ],
  arangodb: [
    {
      what: "a coordinator more",
      config: inSystem("arangodb", { coordinators: { count: 3, memoryMib: 512, cpu: 1 } }),
    },
    { what: "a DB server more", config: inSystem("arangodb", { dbservers: { count: 4, memoryMib: 1024, cpu: 1 } }) },
    {
      what: "a DB server that is retired for another",
      config: inSystem("arangodb", { dbservers: { count: 3, retired: [3], memoryMib: 1024, cpu: 1 } }),
      refused: kept("dbserver-3"),
    },
    {
      what: "the same, by the operator's word",
      config: {
        ...inSystem("arangodb", { dbservers: { count: 3, retired: [3], memoryMib: 1024, cpu: 1 } }),
        ...byWord({ "dbserver-3": "gone" }),
      },
      anew: ["Volume arangodb-dbserver-3"],
    },
    {
      what: "larger disks of the DB servers",
      config: inSystem("arangodb", { dbservers: { count: 3, memoryMib: 1024, cpu: 1, gib: 40 } }),
    },
    {
      what: "smaller disks of the DB servers",
      config: inSystem("arangodb", { dbservers: { count: 3, memoryMib: 1024, cpu: 1, gib: 10 } }),
      refused: smaller("dbserver-1", 20),
    },
    { what: "another class of one DB server", config: inAws({ classes: { "dbserver-1": "t3.large" } }) },
    { what: "another password of root", args: password("arangodb-root-password") },
    {
      ...fewerZones,
      refused:
        /aws\.zones = .*eu-central-1a, eu-central-1b\W+the disk of agent-3 lies in eu-central-1c, and its machine/,
    },
    otherOrder,
    ...everywhere,
  ],
  media: [
    { what: "another version of the applications", config: inSystem("media", { version: "2" }) },
    { what: "a Cassandra more", config: inSystem("media", { nodes: 4 }) },
    { what: "larger disks of Cassandra's", config: inSystem("media", { cassandraGib: 200 }) },
    {
      what: "smaller disks of Cassandra's",
      config: inSystem("media", { cassandraGib: 50 }),
      refused: smaller("cassandra-1", 100),
    },
    {
      what: "one search node in the place of three",
      config: inSystem("media", { searchNodes: 1 }),
      refused: kept("elasticsearch-2", "elasticsearch-3"),
    },
    { what: "another class of one Cassandra", config: inAws({ classes: { "cassandra-2": "m7i.2xlarge" } }) },
    { what: "a larger cache", config: inSystem("media", { redisMemoryMib: 2048 }) },
    { what: "another password of the cache", args: password("media-redis-token") },
    { what: "another password of Cassandra's", args: password("media-cassandra-password") },
    ...everywhere,
  ],
  pyrus: [
    { what: "another version of the applications", config: inSystem("pyrus", { version: "1.23.0" }) },
    { what: "a second web-api", config: inSystem("pyrus", { replicas: { "web-api": 2 } }) },
    { what: "a larger disk of PostgreSQL's", config: inSystem("pyrus", { postgresGib: 80 }) },
    {
      what: "a smaller disk of PostgreSQL's",
      config: inSystem("pyrus", { postgresGib: 20 }),
      refused: smaller("postgresql-1", 50),
    },
    { what: "another class of PostgreSQL's machine", config: inAws({ classes: { "postgresql-1": "t3.xlarge" } }) },
    { what: "another password of PostgreSQL's", args: password("pyrus-postgresql-password") },
    {
      what: "a container in the place of the buckets",
      config: { data: to({ objects: "container" }) },
      refused: /disks\.[a-z-]+: the config has no [a-z-]+ any more, and its bucket would go/,
    },
    fewerZones,
    { what: "another hostname", config: { hostname: () => "other.example.com" } },
    { what: "our own proxy in the balancer's place", config: inAws({ edge: "proxy" }) },
    {
      what: "another private network",
      config: inAws({ cidr: "10.81.0.0/16" }),
      refused: /aws\.cidr = \W*10\.81\.0\.0\/16\W+the stack's network is 10\.80\.0\.0\/16: it stays/,
    },
    otherOrder,
    ...everywhere,
  ],
  machines: [
    { what: "a worker more", config: workers({ count: 3 }) },
    { what: "a worker fewer", config: workers({ count: 1 }) },
    { what: "a worker with a disk more", config: workers({}, { count: 3 }) },
    { what: "a worker with a disk fewer", config: workers({}, { count: 1 }), refused: kept("stores-2") },
    {
      what: "the same, by the operator's word",
      config: { ...workers({}, { count: 1 }), ...byWord({ "stores-2": "gone" }) },
      anew: ["Instance machines-swarm-stores-2"],
    },
    { what: "two managers more", config: inSystem("machines", { managers: { count: 5 } }) },
    {
      what: "one manager in the place of three",
      config: inSystem("machines", { managers: { count: 1 } }),
      refused: /machines\.managers\.count = 1: of 3 managers a majority has to stay/,
    },
    { what: "larger managers", config: inSystem("machines", { managers: { count: 3, memoryMib: 7168 } }) },
    { what: "another class of the workers", config: inAws({ classes: { apps: "m7i.2xlarge" } }) },
    { what: "larger disks of the workers", config: workers({ gib: 100 }) },
    { what: "another label of the workers", config: workers({ labels: { size: "large" } }) },
    {
      what: "another key",
      config: inSystem("machines", { sshKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUTANOTHER you@example.com"] }),
    },
    { what: "a port more", config: inSystem("machines", { ports: [80, 443, 8443] }) },
    { what: "another group of users", config: inSystem("machines", { signIn: { groups: ["admins", "guests"] } }) },
    {
      what: "no pool of users any more",
      config: inSystem("machines", { signIn: undefined }),
      refused: kept("sign-in"),
    },
    { what: "PostgreSQL 17 in the place of 15, by the operator's word", config: inAws({ versions: { db: "17" } }) },
    { what: "another class of the cache", config: inAws({ classes: { redis: "cache.m7g.large" } }) },
    { what: "another password of the cache", args: password("machines-redis-token") },
    {
      what: "a zone more, at the end",
      config: inAws({ zones: [a, b, c] }),
      refused:
        /aws\.zones = .*: the disk of manager-3 lies in eu-central-1a, and its machine would be in eu-central-1c/,
    },
    ...everywhere,
  ],
};

/** A store here: what holds data. A manager of a swarm holds what the others hold, too. */
const store = new RegExp(
  [
    "aws:(rds/instance:Instance|elasticache/replicationGroup:ReplicationGroup|ebs/volume:Volume|opensearch/domain:Domain|s3/bucket:Bucket",
    "|cognito/userPool:UserPool|ec2/instance:Instance(?!::[^:]*-manager-))::",
  ].join(""),
);
const rows: string[] = [];

afterAll(() => {
  if (rows.length === 0) return;
  tellMarkdown(
    "2-changes",
    [
      "## What a change touches",
      "",
      "Resources, in a preview on the simulated cloud. A store here is a database, a cache, a bucket, a disk, a machine of a",
      "swarm that keeps its own, or a pool of users. Nothing but the operator's word deletes or replaces one.",
      "",
      "| stack | change | touched | made | updated | replaced | deleted | stores |",
      "| --- | --- | --: | --: | --: | --: | --: | --- |",
      ...rows,
      "",
    ].join("\n"),
  );
});

describe.each(Object.keys(changes))("%s", (system) => {
  let stack: TestStack;
  const ready = simulatedConfig(`${system}-aws`);
  const base = Object.entries(bases[system] ?? {}).map(([key, change]): [string, unknown] => {
    const full = `${project}:${key}`;
    return [full, change(ready[full])];
  });
  const config = { ...ready, ...Object.fromEntries(base) };
  beforeAll(async () => {
    stack = await simulated(`${system}-aws`);
    await stack.reconfigure(Object.fromEntries(base));
    succeeded(await stack.up());
  }, 10 * minutes);

  test.each((changes[system] ?? []).map((change) => [change.what, change] as const))(
    "%s",
    async (what, { config: over = {}, args = [], anew = [], refused }) => {
      const keys = Object.entries(over).map(([key, change]): [string, unknown] => {
        const full = `${project}:${key}`;
        return [full, change(config[full])];
      });
      await stack.reconfigure(Object.fromEntries(keys));
      const told = await stack.preview(["--json", ...args]);
      await stack.reconfigure(Object.fromEntries(keys.map(([key]) => [key, config[key]])));
      if (refused !== undefined) {
        rows.push(`| ${system} | ${what} | – | – | – | – | – | refused |`);
        expect(told.output).toMatch(refused);
        expect(told.code).not.toBe(0);
        return;
      }
      const steps = stepsOf(succeeded(told));
      const count = (op: string): number => steps.filter((step) => step.op === op).length;
      const stores = steps.filter(({ urn }) => store.test(urn));
      // All of a stack's are a number, not a list.
      const touched =
        stores.length > 3 ? [`${String(stores.length)} updated`] : stores.map(({ op, urn }) => `${named(urn)}: ${op}`);
      if (stores.length > 3) expect(new Set(stores.map(({ op }) => op))).toEqual(new Set(["update"]));
      const counts = [steps.length, count("create"), count("update"), count("replace"), count("delete")];
      expect(steps.length).toBeGreaterThan(0);
      rows.push(`| ${system} | ${what} | ${counts.map(String).join(" | ")} | ${touched.join(", ")} |`);
      const lost = steps.filter(({ op, urn }) => (op === "replace" || op === "delete") && store.test(urn));
      expect(lost.map(({ urn }) => named(urn))).toEqual(anew);
    },
    5 * minutes,
  );
});

/** One step a resource: a replacement's parts are one, and the providers and the stack are none. */
function stepsOf(output: string): Step[] {
  const { steps } = JSON.parse(output.slice(output.indexOf("\n{") + 1)) as { steps: Step[] };
  return steps.filter(
    ({ op, urn }) => !["create-replacement", "delete-replaced"].includes(op) && !urn.includes("::pulumi:"),
  );
}
