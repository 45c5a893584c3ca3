/**
 * What Pyrus' applications and setup programs have in common: parameters in the main database, checks of the stores.
 */
import type { Check } from "../checks/check.ts";
import { type ElasticAccess, elasticsearch } from "../checks/elasticsearch.ts";
import { nats } from "../checks/nats.ts";
import { type PostgresAccess, sqlState, withPostgres, writeAndRead } from "../checks/postgres.ts";
import { bucket, s3Client } from "../checks/s3.ts";
import type { PyrusConfig } from "../config/pyrus.ts";
import { Refusal } from "../errors.ts";
import type { Given } from "../role.ts";

export const numbers = {
  licence: "100000",
  domain: "100001",
  elastic: "105119",
  elasticUser: "105120",
  elasticPassword: "105121",
};
/** Parameters of the object store. The real setup keeps them elsewhere, and we do not know where. */
export const s3Keys = ["s3.accessKey", "s3.secretKey", "s3.bucket", "s3.storageType", "s3.endpointUrl"] as const;
export const index = "rehearsal";

export type Parameters = ReadonlyMap<string, string>;

/** Everything that setup has written. @throws Refusal if setup has not run. */
export async function parametersOf({ databases, version }: PyrusConfig, { secrets }: Given): Promise<Parameters> {
  const missing = new Refusal(`setup has not run for version ${version}`);
  return withPostgres(databases.MAIN_CONN_STRING, async (client) => {
    try {
      const { rowCount } = await client.query("select 1 from rehearsal_version where version = $1", [version]);
      if (rowCount !== 1) throw missing;
      const { rows } = await client.query<{ id: string; value: string }>("select id, value from rehearsal_parameters");
      secrets.add(
        ...rows
          .filter(
            ({ id }) =>
              /secret|password|accessKey/i.test(id) || id === numbers.licence || id === numbers.elasticPassword,
          )
          .map(({ value }) => value),
      );
      return new Map(rows.map(({ id, value }) => [id, value]));
    } catch (error) {
      throw sqlState(error) === "42P01" ? missing : error;
    }
  });
}

export function parameter(parameters: Parameters, id: string): string {
  const value = parameters.get(id) ?? "";
  if (value === "") throw new Refusal(`setup has not set parameter ${id}`);
  return value;
}

export function elasticAccess(parameters: Parameters): ElasticAccess {
  const [url, user, password] = [numbers.elastic, numbers.elasticUser, numbers.elasticPassword].map((id) =>
    parameter(parameters, id),
  );
  return { url: url ?? "", user: user ?? "", password: password ?? "" };
}

/** The bucket and a client for it, from the parameters that `--configure-s3` has written. */
export function store(parameters: Parameters) {
  const [accessKeyId = "", secretAccessKey = "", name = "", type = "", endpoint = ""] = s3Keys.map((key) =>
    parameter(parameters, key),
  );
  if (type === "Azure")
    throw new Refusal("the rehearsal speaks S3; a store of type Azure is for the application itself");
  return { client: s3Client({ endpoint, region: "us-east-1", accessKeyId, secretAccessKey }), bucket: name, endpoint };
}

/** Signs in, writes a row and reads it back. */
export function database(name: string, access: PostgresAccess, host: string): Check {
  return {
    name,
    target: `${access.host}:${String(access.port)}/${access.name}`,
    required: true,
    run: () => withPostgres(access, (client) => writeAndRead(client, "rehearsal_probe", `${name} ${host}`)),
  };
}

export function databases({ databases: all }: PyrusConfig, host: string): Check[] {
  return [
    database("postgres:main", all.MAIN_CONN_STRING, host),
    database("postgres:files", all.FILES_CONN_STRING, host),
    database("postgres:private-logs", all.PRIVATE_LOGS_CONN_STRING, host),
    database("postgres:public-logs", all.PUBLIC_LOGS_CONN_STRING, host),
  ];
}

export function setup(config: PyrusConfig, given: Given): Check {
  const { host, port, name } = config.databases.MAIN_CONN_STRING;
  return {
    name: "setup",
    target: `${host}:${String(port)}/${name}`,
    required: true,
    run: async () => {
      const parameters = await parametersOf(config, given);
      parameter(parameters, numbers.licence);
      return `has run for version ${config.version}, domain ${parameter(parameters, numbers.domain)}`;
    },
  };
}

export function search(config: PyrusConfig, given: Given): Check {
  return elasticsearch(
    async () => elasticAccess(await parametersOf(config, given)),
    `parameter ${numbers.elastic}`,
    index,
    given.host,
  );
}

export function bus({ nats: access }: PyrusConfig, host: string): Check {
  return nats(access, host);
}

export function files(config: PyrusConfig, given: Given): Check {
  return {
    name: "s3",
    target: "as --configure-s3 said",
    required: true,
    run: async (signal) => {
      const { client, bucket: name, endpoint } = store(await parametersOf(config, given));
      try {
        return await bucket(client, endpoint, name, given.host).run(signal);
      } finally {
        client.destroy();
      }
    },
  };
}
