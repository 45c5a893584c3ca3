/** What of the state's stores a changed config would lose, shrink, or set to another version: none of it by the way. */
import type { Ask, Dict, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import { at, own } from "../../core/formats.ts";
import { type Known, logicalName } from "../../core/known.ts";
import type { Plan } from "../../core/plan.ts";
import type { Site } from "../../core/topology.ts";
import { swarmHosts } from "./check.ts";
import type { AwsConfig } from "./config.ts";
import { bucketName } from "./fit.ts";
import { databaseGib, postgresVersion } from "./sizes.ts";

type Settings = Pick<AwsConfig, "account" | "region"> & { readonly versions: Dict<string> };

/** A store as the state has it. `name`: the slot's, the machine's or the need's, as `disks` calls it. */
interface Store {
  readonly name: string;
  readonly what: string;
  readonly outputs: Dict<unknown>;
}

/** Everything that a preview has to refuse as long as the operator has not said the word for it. */
export function storeProblems(
  state: List<Known>,
  config: Settings,
  site: Site,
  plan: Plan,
  component: string,
): Problem[] {
  const stores = storesOf(state, config, site, component);
  return [...lost(stores, site, plan), ...smaller(stores, plan), ...otherVersion(stores, config.versions, plan)];
}

/** Stores are known by the names that AWS has for them; a pool of users, which has none, by its name in the program. */
function storesOf(state: List<Known>, { account, region }: Settings, { name: site }: Site, component: string): Store[] {
  const prefix = `${site}-`;
  const suffix = bucketName({ account, region }, "");
  return state.flatMap(({ type, urn, outputs }): Store[] => {
    const found = (what: string, full: unknown, begins = prefix): Store[] =>
      typeof full === "string" && full.startsWith(begins) ? [{ name: full.slice(begins.length), what, outputs }] : [];
    const logical = logicalName(urn);
    switch (type) {
      case "aws:ebs/volume:Volume":
        return found("disk", at(outputs, ["tags", "slot"]));
      case "aws:ec2/instance:Instance":
        return found("machine", at(outputs, ["tags", "Name"])).filter(({ name }) => !/^manager-\d+$/.test(name));
      case "aws:rds/instance:Instance":
        return found("database", logical, `${component}-`);
      case "aws:elasticache/replicationGroup:ReplicationGroup":
        return found("cache", logical, `${component}-`);
      case "aws:opensearch/domain:Domain":
        return found("search", logical, `${component}-`);
      case "aws:cognito/userPool:UserPool":
        return found("pool of users", logical, `${component}-`);
      case "aws:s3/bucket:Bucket":
        return found("bucket", typeof outputs.bucket === "string" ? outputs.bucket.replace(suffix, "") : undefined);
      default:
        return [];
    }
  });
}

/** A store that the config has no more: its data would go with it. */
function lost(stores: List<Store>, { disks }: Site, plan: Plan): Problem[] {
  const kept = new Set([
    ...plan.slots.keys(),
    ...plan.managed.keys(),
    ...swarmHosts(plan).map(({ name }) => name),
    ...bucketsOf(plan),
  ]);
  kept.add("records"); // of traffic, which are nobody's data
  return stores.flatMap(({ name, what }) => {
    if (kept.has(name) || own(disks, name) === "gone") return [];
    const remedy =
      `the config has no ${name} any more, and its ${what} would go with all that is on it: put it back; or, if it may ` +
      `go, say disks: { ${name}: gone }`;
    return [{ key: `disks.${name}`, remedy }];
  });
}

function bucketsOf({ managed }: Plan): string[] {
  return [...managed.values()].flatMap(({ kind, ask }) =>
    kind === "objects" ? Object.keys((ask as Ask<"objects">).buckets) : [],
  );
}

/** AWS makes a disk larger, and never smaller: it would say so in the middle of an `up`. */
function smaller(stores: List<Store>, { slots, managed }: Plan): Problem[] {
  return stores.flatMap(({ name, what, outputs }): Problem[] => {
    const ask = what === "database" ? (managed.get(name)?.ask as Ask<"postgres"> | undefined) : undefined;
    // A database's disk grows by itself, up to four times what was asked for: that is what tells the ask.
    const was = Number(what === "disk" ? outputs.size : outputs.maxAllocatedStorage) / (what === "disk" ? 1 : 4);
    const now = what === "disk" ? slots.get(name)?.disk.gib : ask && databaseGib(ask.gib);
    if (now === undefined || !(now < was)) return [];
    const remedy = `its disk has ${String(was)} GiB, and AWS makes none smaller: leave it, or take a new stack with \`restore\``;
    return [{ key: `${name}.gib`, value: now, remedy }];
  });
}

/** Another major version of PostgreSQL changes every file of the database, and nothing takes it back. */
function otherVersion(stores: List<Store>, versions: Dict<string>, { managed }: Plan): Problem[] {
  return stores.flatMap(({ name, what, outputs }): Problem[] => {
    if (what !== "database" || !managed.has(name)) return [];
    const was = String(outputs.engineVersion).split(".")[0] ?? "";
    const word = own(versions, name);
    const now = word ?? postgresVersion;
    const key = `aws.versions.${name}`;
    if (Number(now) < Number(was))
      return [
        { key, value: now, remedy: `the database is of PostgreSQL ${was}, and RDS goes back to none: name that` },
      ];
    if (word !== undefined || now === was) return [];
    const remedy =
      `the database is of PostgreSQL ${was}, and the default is now ${now}: name the first to stay, or the second to ` +
      "have it upgraded in place, which nothing takes back (docs/aws.md)";
    return [{ key, remedy }];
  });
}
