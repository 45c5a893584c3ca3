import { output, secret } from "@pulumi/pulumi";

import type { Given, Kind } from "./contracts.ts";

/** The port that clients of a kind expect. */
export const defaultPort: Readonly<Record<Exclude<Kind, "oidc" | "containers" | "swarm">, number>> = {
  postgres: 5432,
  redis: 6379,
  objects: 9000,
  solr: 8983,
  elasticsearch: 9200,
  nats: 4222,
  amqp: 5672,
  cql: 9042,
  influx: 8086,
};

/** In a dry run a kind without a recipe gives this: the right shape with empty values. */
export function recorded<K extends Kind>(kind: K, name: string): Given<K> {
  const nothing = secret("");
  const store = <P extends keyof typeof defaultPort>(of: P) =>
    ({ host: `${name}-1`, port: defaultPort[of], members: [`${name}-1`], ready: [] }) as const;
  const login = { user: name, password: nothing };
  const rows: { readonly [P in Kind]: () => Given<P> } = {
    postgres: () => ({ ...store("postgres"), ...login }),
    redis: () => store("redis"),
    objects: () => ({
      api: "s3",
      url: `https://${name}.invalid`,
      internal: store("objects"),
      region: "us-east-1",
      key: nothing,
      secret: nothing,
      bucket: (bucket) => bucket,
      ready: [],
    }),
    solr: () => store("solr"),
    elasticsearch: () => ({ ...store("elasticsearch"), ...login }),
    nats: () => ({ ...store("nats"), ...login }),
    amqp: () => ({ ...store("amqp"), ...login }),
    cql: () => ({ ...store("cql"), ...login }),
    influx: () => ({ ...store("influx"), ...login }),
    oidc: () => ({
      issuer: "https://issuer.invalid",
      urls: { auth: output(""), token: output(""), keys: output(""), logout: output("") },
      groupsClaim: "groups",
      clientId: output(""),
      clientSecret: nothing,
      ready: [],
    }),
    swarm: () => ({ managers: [], nodes: [], address: "", ready: [] }),
    containers: () => ({ engine: "docker", url: `http://${name}:2375`, networks: [], network: name, ready: [] }),
  };
  return rows[kind]();
}
