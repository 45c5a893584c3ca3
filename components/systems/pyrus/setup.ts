/** The vendor's setup: programs of its own images, run as its chart runs them. */
import { interpolate } from "@pulumi/pulumi";

import type { Container, Given, Job, Platform, Ready } from "../../core/contracts.ts";
import { urlOf } from "../../core/endpoint.ts";
import { shellWord } from "../../core/syntax.ts";
import { fingerprint } from "../../core/recipe.ts";
import type { PyrusConfig } from "./config.ts";

export interface Stores {
  readonly main: Given<"postgres">;
  readonly logs: Given<"postgres">;
  readonly elastic: Given<"elasticsearch">;
  readonly nats: Given<"nats">;
  readonly objects: Given<"objects">;
}

/** Numbers of the vendor's parameters, kept in the main database. */
const parameter = {
  licence: "100000",
  domain: "100001",
  elastic: "105119",
  elasticUser: "105120",
  elasticPassword: "105121",
};
const tool = "dotnet Pyrus.DataMigrations.dll";
const version = `version() { ${tool} --version | sed -nr 's/.*version is ([0-9.]+).*/\\1/p'; }`;

/** Runs the steps one after another. Returns the last one, which every application waits for. */
export function setUp(p: Platform, c: PyrusConfig, stores: Stores, shared: Partial<Container>): Ready {
  let last: Ready = { ready: Object.values(stores).flatMap((store: Ready) => store.ready) };
  const step = (name: string, image: "setup" | "elastic-console", given: Partial<Job>): void => {
    last = p.job(name, {
      ...shared,
      image: `pyrus/${image}`,
      tier: "app",
      cpu: 1,
      memoryMib: 1024,
      trigger: c.version,
      seconds: 3600,
      after: [last],
      rehearsal: { REHEARSAL_ROLE: `pyrus-${image}`, REHEARSAL_VERSION: c.version },
      ...given,
    });
  };
  const script = (lines: string, secrets: Container["secretEnv"] = {}): Partial<Job> => ({
    command: ["/bin/bash", "-euc", `${version}\n${lines}`],
    secretEnv: { ...shared.secretEnv, ...secrets },
  });

  step("setup-database", "setup", script(create(c), { ADMIN_PASSWORD: p.configured("pyrusAdminPassword") }));
  step("setup-tracking", "setup", { args: ["-ct", "--start"], trigger: "1", onlyOnTrigger: true });
  step("setup-upgrade", "setup", script(upgrade(c)));
  const values = parameters(p, c, stores);
  step("setup-parameters", "setup", {
    ...script(
      [
        ...Object.entries(values.lines).map(([id, value]) => `${tool} --setup -id ${id} -v ${value}`),
        s3(c, stores),
      ].join("\n"),
      values.secrets,
    ),
    trigger: interpolate`${c.version} ${fingerprint(...Object.values(values.secrets))}`,
  });
  // These steps make the indices, and run once: later each release's update changes the indices.
  for (const flag of [since(c.version, 1, 24) ? "-ti" : "-it", "-in", "-ic", "-ip"])
    step(`setup-elastic${flag}`, "elastic-console", { args: [flag], trigger: "1", onlyOnTrigger: true });
  if (c.reindex !== undefined) {
    for (const flag of ["-rt", "-wgall", "-wcall", "-wpall", "-wnall"])
      step(`reindex${flag}`, "elastic-console", { args: [flag], trigger: c.reindex, onlyOnTrigger: true });
  }
  return last;
}

/** Leaves a database alone that has a version: an earlier release or a backup has filled it. */
function create({ adminEmail }: PyrusConfig): string {
  return `if [ -z "$(version || true)" ]; then
  ${tool} --create --skip --email ${shellWord(adminEmail)} --adminpassword "$ADMIN_PASSWORD"
fi`;
}

/** Updates to this release, as the vendor's chart does. A database at another release is refused afterwards. */
function upgrade({ version: wanted }: PyrusConfig): string {
  return `current="$(version)"
newest="$(printf '%s\\n' "$current" ${wanted} | sort -V | tail -n 1)"
if [ "$current" != "$newest" ]; then ${tool} --update --noninteractive; fi
current="$(version)"
[ "$current" = ${wanted} ] || { echo "the database is at version $current, this release is ${wanted}" >&2; exit 1; }`;
}

function parameters(p: Platform, c: PyrusConfig, { elastic, objects }: Stores) {
  const secrets = {
    LICENCE: p.configured("pyrusLicence"),
    ELASTIC_PASSWORD: elastic.password,
    ELASTIC_URL: urlOf(elastic),
    S3_KEY: objects.key,
    S3_SECRET: objects.secret,
  };
  const own = Object.fromEntries(Object.entries(c.parameters).map(([id, value]) => [id, shellWord(value)]));
  const lines = {
    [parameter.elastic]: '"$ELASTIC_URL"',
    [parameter.elasticUser]: shellWord(elastic.user),
    [parameter.elasticPassword]: '"$ELASTIC_PASSWORD"',
    [parameter.licence]: '"$LICENCE"',
    [parameter.domain]: shellWord(p.hostname),
    ...own,
  };
  return { lines, secrets };
}

function s3({ storageType }: PyrusConfig, { objects }: Stores): string {
  const type = storageType ?? (objects.api === "azure-blob" ? "Azure" : "MinIo");
  return `${tool} --configure-s3 --accessKey "$S3_KEY" --secretKey "$S3_SECRET" --bucket ${shellWord(objects.bucket("files"))} --storageType ${type} --endpointUrl ${shellWord(objects.url)}`;
}

function since(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split(".").map(Number);
  return first > major || (first === major && second >= minor);
}
