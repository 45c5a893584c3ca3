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
  /** The stores that it makes anew, by the operator's word. */
  readonly anew?: readonly string[];
  /** It is refused before anything is done, so. */
  readonly refused?: RegExp;
}

const merged =
  (more: object) =>
  (now: unknown): unknown => ({ ...(now as object | undefined), ...more });
const inAws = (more: object) => ({ aws: merged(more) });
const inSystem = (system: string, more: object) => ({ [system]: merged(more) });

const twoZones: Change = {
  what: "two zones in the place of three",
  config: inAws({ zones: ["eu-central-1a", "eu-central-1b"] }),
};
const everywhere: readonly Change[] = [
  { what: "logs for 60 days in the place of 30", config: inAws({ logDays: 60 }) },
  { what: "another hostname", config: { hostname: () => "other.example.com" } },
  { what: "`protect: true`, with a way out in each zone", config: { protect: () => true } },
  twoZones,
];

const changes: Readonly<Record<string, readonly Change[]>> = {
  arkindex: [
    { what: "another version of the application", config: inSystem("arkindex", { version: "1.8.0" }) },
    { what: "a backend more", config: inSystem("arkindex", { backends: 3 }) },
    { what: "a larger disk of Solr's", config: inSystem("arkindex", { solrGib: 20 }) },
    { what: "a larger disk of PostgreSQL's", config: inSystem("arkindex", { postgresGib: 40 }) },
    { what: "another class of the database", config: inAws({ classes: { db: "db.m7g.large" } }) },
    { what: "another class of Solr's machine", config: inAws({ classes: { "solr-1": "t3.large" } }) },
    { what: "another password of the database", args: ["--replace", "**::arkindex-db-master"] },
    {
      what: "a new disk of Solr's, by the operator's word",
      config: { disks: () => ({ "solr-1": "2026-03-01" }) },
      anew: ["Volume arkindex-solr-1"],
    },
    {
      what: "Solr's disk as a snapshot has it, by the operator's word",
      config: { disks: () => ({ "solr-1": "snap-0123456789abcdef0" }) },
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
    { what: "a DB server more", config: inSystem("arangodb", { dbservers: { count: 4 } }) },
    ...everywhere.slice(2, 3),
    {
      ...twoZones,
      refused:
        /aws\.zones = .*eu-central-1a, eu-central-1b\W+the disk of agent-3 lies in eu-central-1c, and its machine/,
    },
  ],
  media: [{ what: "a Cassandra more", config: inSystem("media", { nodes: 4 }) }],
  pyrus: [
    { what: "another hostname", config: { hostname: () => "other.example.com" } },
    {
      what: "another private network",
      config: inAws({ cidr: "10.81.0.0/16" }),
      refused: /aws\.cidr = \W*10\.81\.0\.0\/16\W+the stack's network is 10\.80\.0\.0\/16: it stays/,
    },
    {
      what: "zones in another order",
      config: inAws({ zones: ["eu-central-1b", "eu-central-1a", "eu-central-1c"] }),
      refused: /aws\.zones = \W*eu-central-1b, .*: eu-central-1[ab] had another place in it: new ones come last/,
    },
  ],
};

const store =
  /aws:(rds\/instance:Instance|elasticache\/replicationGroup:ReplicationGroup|ebs\/volume:Volume|s3\/bucket:Bucket)::/;
const rows: string[] = [];

afterAll(() => {
  if (rows.length === 0) return;
  tellMarkdown(
    "2-changes",
    [
      "## What a change touches",
      "",
      "Resources, in a preview on the simulated cloud. A store here is a database, a cache, a disk or a bucket.",
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
  const config = simulatedConfig(`${system}-aws`);
  beforeAll(async () => {
    stack = await simulated(`${system}-aws`);
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
