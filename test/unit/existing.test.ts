/** What exists already: each client speaks to it as it is spoken to, and signing out leads where the provider wants it. */
import { describe, expect, test } from "@jest/globals";
import { isSecret, Output, output, secret } from "@pulumi/pulumi";
import { parse } from "yaml";

import type { Given, Kind } from "../../components/core/contracts.ts";
import { urlOf } from "../../components/core/endpoint.ts";
import { sentence } from "../../components/core/errors.ts";
import { checkExisting, type Existing, existingGiven } from "../../components/core/existing.ts";
import { defaultPort, recorded } from "../../components/core/kinds.ts";
import { containers, type Plan } from "../../components/core/plan.ts";
import { dryRun } from "../../components/core/recorder.ts";
import { planStack } from "../../components/deploy.ts";
import { containerServices } from "../../components/services/index.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { resolved } from "../support/hostile.ts";
import { type Name, names, plan, site } from "../support/sketches.ts";

const ca = "-----BEGIN CERTIFICATE-----\nof the company";
/** Every store of a system, on another machine and with TLS. */
function elsewhere(name: Name): Record<string, Existing> {
  return Object.fromEntries(
    plan(name).needs.flatMap(({ kind, name: need }): [string, Existing][] => {
      const host = `there-${need}.example.com`;
      if (kind === "containers" || kind === "oidc" || kind === "swarm") return [];
      if (kind === "objects")
        return [[need, { kind, api: "s3", url: `https://${host}`, ca, region: "eu", prefix: "" }]];
      return [[need, { kind: kind satisfies Exclude<Kind, "objects" | "oidc" | "containers">, host, user: "app", ca }]];
    }),
  );
}

async function texts(planned: Plan): Promise<{ name: string; text: string }[]> {
  return Promise.all(
    containers(planned).flatMap(([name, { files = [], env = {}, secretEnv = {}, command = [] }]) =>
      [...files.map(({ content }) => content), ...Object.values(env), ...Object.values(secretEnv), ...command].map(
        async (value) => ({ name, text: await read(output(value)) }),
      ),
    ),
  );
}
const read = (value: Output<string>) => new Promise<string>((resolve) => value.apply(resolve));

test.each(names.filter((name) => name !== "arangodb"))(
  "%s: nobody speaks plain http to a server with TLS",
  async (name) => {
    const planned = plan(name, {}, containerServices, site({ existing: elsewhere(name) }));
    const all = await texts(planned);
    expect(all.filter(({ text }) => text.includes("http://there-"))).toEqual([]);
    const https = all.filter(({ text }) => text.includes("https://there-"));
    expect(https.length).toBeGreaterThan(0);
  },
);

test.each(names)(
  "%s: a client is told of TLS, by a public authority as by a private one, or speaks none",
  async (name) => {
    const told = async (existing: Existing, need: string) =>
      JSON.stringify(await texts(plan(name, {}, containerServices, site({ existing: { [need]: existing } }))));
    for (const { kind, name: need, ask } of plan(name).needs) {
      if (kind === "objects" || kind === "oidc" || kind === "containers" || kind === "swarm") continue;
      const row = { kind, host: "there.example.com", user: "app" };
      const clientTls = "clientTls" in ask ? ask.clientTls : "verifies";
      const refused = checkExisting(plan(name).needs, { [need]: { ...row, tls: true } }).map(sentence);
      const noTls = refused.filter((problem) => problem.includes("speaks no TLS"));
      expect([need, noTls.length]).toEqual([need, clientTls === "never" ? 1 : 0]);
      const clear = await told(row, need);
      const [open, own] = [await told({ ...row, tls: true }, need), await told({ ...row, ca }, need)];
      // libpq needs no word of it.
      const silent = clientTls === "if-asked" || clientTls === "never";
      expect([need, open === clear, own === clear]).toEqual([need, silent, silent]);
    }
  },
);

test("a port or a login that the application cannot be told is refused", () => {
  const redis = { kind: "redis", host: "redis.example.com" } as const;
  const refused = (system: "arkindex" | "media", need: string, row: object) =>
    checkExisting(plan(system).needs, { [need]: { ...redis, ...row } }).map(sentence);
  expect(refused("arkindex", "redis", { port: 6379 })).toEqual([]);
  expect(refused("arkindex", "redis", { port: 6380, user: "ark" })).toEqual([
    "existing.redis.port = 6380: the application knows only 6379: let it answer there, or leave it to the stack",
    'existing.redis.user = "ark": the application signs in nowhere: name one without a login, or leave it to the stack',
  ]);
  expect(refused("media", "redis", { port: 6380, user: "media" })).toEqual([]);
});

test("an object store's scheme and port are those of its address", async () => {
  const endpoint = async (url: string) => {
    const existing = { objects: { kind: "objects", api: "s3", url, region: "eu", prefix: "" } } as const;
    const all = await texts(plan("arkindex", {}, containerServices, site({ existing })));
    const { text = "" } = all.find((each) => each.text.includes("S3Source.endpoint")) ?? {};
    return [...text.matchAll(/^S3(?:Source|Cache)\.endpoint = (.*)$/gm)].map(([, at]) => at);
  };
  for (const url of ["https://s3.example.com", "http://s3.example.com", "https://s3.example.com:9443"])
    expect(await endpoint(url)).toEqual([url, url]);
  expect(await endpoint("https://s3.example.com/")).toEqual(["https://s3.example.com", "https://s3.example.com"]);
  expect(await read(urlOf({ host: "fd00::1", port: 9200, tls: true }))).toBe("https://[fd00::1]:9200");
});

test("the authorities of an application: the edge's for the stack's own object store, the company's for its", async () => {
  const bundle = async (existing: Record<string, Existing>) => {
    const { workloads } = plan("arkindex", {}, containerServices, site({ existing }));
    const { files = [], env = {} } = workloads.get("backend") ?? {};
    const file = files.find(({ path }) => path.endsWith("/ca.pem"));
    const told = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"].map((name) => name in env);
    return [file === undefined ? undefined : await read(output(file.content)), ...told];
  };
  const objects = { kind: "objects", api: "s3", url: "https://s3.example.com", region: "eu", prefix: "" } as const;
  expect(await bundle({})).toEqual(["", true, true]); // the edge's: empty in a dry run
  // A public authority signed it: a bundle with the edge's alone would refuse it.
  expect(await bundle({ objects })).toEqual([undefined, false, false]);
  expect(await bundle({ objects: { ...objects, ca } })).toEqual([ca, true, true]);
  // A company's search does not make the store's public authority unknown.
  const solr = { kind: "solr", host: "solr.example.com", ca } as const;
  expect(await bundle({ objects, solr })).toEqual([ca, false, true]);
});

describe("signing out", () => {
  const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc";
  const logout = async (row: object, over = {}) => {
    const existing = { "sign-in": { kind: "oidc", issuer, clientId: "a b&c", ...row } } as Record<string, Existing>;
    const secrets = { "sign-inClientSecret": secret("s") };
    const all = await texts(plan("shinyproxy", {}, containerServices, site({ existing, secrets, ...over })));
    const { text = "" } = all.find((each) => each.text.includes("logout-url")) ?? {};
    return (parse(text) as { proxy: { openid: { "logout-url": string } } }).proxy.openid["logout-url"];
  };

  test("Cognito's own form, with the stack's address", async () => {
    expect(await logout({ domain: "https://login.example.com" })).toBe(
      "https://login.example.com/logout?client_id=a+b%26c&logout_uri=https%3A%2F%2Fmedia.example.com%2F",
    );
    expect(await logout({ domain: "https://login.example.com/" }, { publicPort: 8443 })).toContain(
      "logout?client_id=a+b%26c&logout_uri=https%3A%2F%2Fmedia.example.com%3A8443%2F",
    );
  });

  test("Keycloak's, and whatever the operator writes, as it is written", async () => {
    expect(await logout({ issuer: "https://keycloak.example.com/realms/main" })).toBe(
      "https://keycloak.example.com/realms/main/protocol/openid-connect/logout?client_id=a+b%26c&post_logout_redirect_uri=https%3A%2F%2Fmedia.example.com%2F",
    );
    const own =
      "https://keycloak.example.com/logout?id_token_hint=#{oidcUser.idToken.tokenValue}&post_logout_redirect_uri=x";
    expect(await logout({ issuer: "https://keycloak.example.com/realms/main", urls: { logout: own } })).toBe(own);
  });

  const config = (existing: object) =>
    planStack(
      {
        ...{ system: "shinyproxy", topology: "docker", hostname: "shiny.example.com", rehearsal: true, existing },
        ...{ shinyproxy: { apps: { demo: { title: "Demo", image: "example/demo:1" } } } },
        ...{ secrets: { "sign-inClientSecret": "s" } },
        images: Object.fromEntries(
          ["toolbox", "rehearsal", "docker-proxy"].map((key) => [key, `r.example.com/${key}:1`]),
        ),
      },
      "dev",
    ).problems.map(sentence);
  test("addresses are all four, or that for signing out alone", () => {
    const row = { kind: "oidc", issuer: "https://id.example.com", clientId: "shiny" };
    const url = "https://id.example.com/x?a=#{oidcUser.idToken.tokenValue}";
    expect(config({ "sign-in": { ...row, urls: { logout: url } } })).toEqual([]);
    expect(config({ "sign-in": { ...row, urls: { auth: url, token: url, keys: url, logout: url } } })).toEqual([]);
    expect(config({ "sign-in": { ...row, urls: { auth: url, logout: url } } }).join()).toContain(
      "addresses for auth, token, keys and logout, or for logout alone",
    );
    const cognito = { ...row, issuer, urls: { logout: url } };
    expect(config({ "sign-in": cognito }).join()).toContain("existing.sign-in.domain: Cognito's addresses");
  });

  test("an object store's address is no more than that", () => {
    const said = (url: string) =>
      config({ objects: { kind: "objects", url } }).filter((each) => each.startsWith("existing.objects.url"));
    expect(said("ftp://s3.example.com").join()).toContain("an address, as https://s3.example.com");
    expect(said("https://gateway.example.com/s3").join()).toContain("no path before them");
    expect(said("https://key:secret@s3.example.com").join()).toContain("without a user or password");
    expect(said("https://s3.example.com?x=1").join()).toContain("without a query");
  });
});

describe("what exists has to be for the application", () => {
  const said = (existing: object, system = "arkindex") =>
    planStack(
      {
        ...{ system, topology: "docker", hostname: "a.example.com", rehearsal: true, existing },
        images: { toolbox: "r.example.com/t:1", rehearsal: "r.example.com/r:1" },
        secrets: system === "arkindex" && "db" in existing ? { dbPassword: "x" } : {},
      },
      "dev",
    )
      .problems.map(sentence)
      .filter((each) => each.startsWith("existing."));

  test("a client that speaks no TLS gets no store that takes nothing else; one that speaks it when asked does", () => {
    const never = "the application speaks no TLS to it: name one that takes plain text, or leave it to the stack";
    expect(said({ redis: { kind: "redis", host: "r.example.com", tls: true } })).toEqual([
      `existing.redis.tls: ${never}`,
    ]);
    expect(said({ db: { kind: "postgres", host: "p.example.com", user: "u", tls: true } })).toEqual([]);
    expect(said({ redis: { kind: "redis", host: "r.example.com", tls: true } }, "media")).toEqual([]);
  });

  test("an authority is for TLS", () => {
    const row = { kind: "redis", host: "r.example.com", tls: false, ca };
    expect(said({ redis: row }, "media")).toContain(
      "existing.redis.tls = false: an authority is for TLS: leave one of the two out",
    );
  });

  test("an application that knows its buckets by name gets no prefix", () => {
    const row = { kind: "objects", url: "https://s3.example.com", prefix: "ark-" };
    expect(said({ objects: row })).toEqual([
      'existing.objects.prefix = "ark-": the application knows its buckets by their bare names: leave it out, and make them under these',
    ]);
    expect(said({ objects: row }, "media")).toEqual([]);
  });
});

describe("what is given of what exists", () => {
  const configured = (name: string) => secret(`value of ${name}`);
  const given = async (existing: Existing) =>
    (await resolved(existingGiven("x", existing, configured, "https://home.example.com/"))) as Record<string, unknown>;

  test.each(["postgres", "redis", "solr", "elasticsearch", "nats", "amqp", "cql", "influx"] as const)(
    "%s: its address, the kind's own port, no TLS, and a login where there is a user",
    async (kind) => {
      const host = "s.example.com";
      const nothing = { host, port: defaultPort[kind], members: [], ready: [], user: "", password: "", tls: false };
      expect(await given({ kind, host })).toStrictEqual(nothing);
      const login = { user: "u", password: "value of xPassword" };
      expect(await given({ kind, host, port: 7, user: "u" })).toStrictEqual({ ...nothing, port: 7, ...login });
      expect(await given({ kind, host, tls: true })).toStrictEqual({ ...nothing, tls: true });
      expect(await given({ kind, host, ca })).toStrictEqual({ ...nothing, tls: true, ca });
      const { password } = existingGiven("x", { kind, host }, configured, "") as Given<"postgres">;
      expect(await isSecret(password)).toBe(true);
    },
  );

  test.each([
    ["https://s3.example.com", { host: "s3.example.com", port: 443, tls: true }],
    ["http://s3.example.com", { host: "s3.example.com", port: 80, tls: false }],
    ["https://s3.example.com:9443/", { host: "s3.example.com", port: 9443, tls: true }],
    ["http://10.0.0.1:9000", { host: "10.0.0.1", port: 9000, tls: false }],
  ])("an object store at %s: one address for browsers and containers, its buckets below a prefix", async (url, at) => {
    const row = { kind: "objects", api: "s3", url, region: "eu", prefix: "shop-" } as const;
    const { bucket, ...found } = await given(row);
    const internal = { ...at, members: [] };
    const keys = { key: "value of xKey", secret: "value of xSecret" };
    expect(found).toStrictEqual({ api: "s3", url, internal, region: "eu", ...keys, ready: [] });
    expect((bucket as (name: string) => string)("files")).toBe("shop-files");
    expect(await given({ ...row, ca })).toMatchObject({ internal: { ...internal, ca } });
  });

  test("an OpenID provider: its addresses as they are written, else as its makers have them", async () => {
    const issuer = "https://id.example.com/realms/main/";
    const row = { kind: "oidc", issuer, clientId: "c" } as const;
    const base = "https://id.example.com/realms/main/protocol/openid-connect";
    const home = "https%3A%2F%2Fhome.example.com%2F";
    const keycloak = {
      ...{ auth: `${base}/auth`, token: `${base}/token`, keys: `${base}/certs` },
      logout: `${base}/logout?client_id=c&post_logout_redirect_uri=${home}`,
    };
    const rest = { issuer, clientId: "c", clientSecret: "value of xClientSecret", ready: [] };
    expect(await given(row)).toStrictEqual({ ...rest, urls: keycloak, groupsClaim: "groups" });
    const cognito = {
      ...{ auth: "https://in.example.com/oauth2/authorize", token: "https://in.example.com/oauth2/token" },
      keys: "https://id.example.com/realms/main/.well-known/jwks.json",
      logout: `https://in.example.com/logout?client_id=c&logout_uri=${home}`,
    };
    for (const domain of ["https://in.example.com", "https://in.example.com/"])
      expect(await given({ ...row, domain })).toStrictEqual({ ...rest, urls: cognito, groupsClaim: "cognito:groups" });
    const own = { auth: "a", token: "t", keys: "k", logout: "l" };
    expect(await given({ ...row, urls: own, groupsClaim: "roles" })).toMatchObject({ urls: own, groupsClaim: "roles" });
    expect(await given({ ...row, urls: { logout: "l" } })).toMatchObject({ urls: { ...keycloak, logout: "l" } });
  });
});

describe("what exists is checked against what is needed", () => {
  const said = (row: Existing, ask: object = {}, kind: Kind = row.kind) =>
    checkExisting([{ kind, name: "x", ask }], { x: row }).map((each) => sentence(each).replace(/: .*/, ""));
  const host = "s.example.com";
  const redis = { kind: "redis", host } as const;

  test.each<[string, Existing, object, string[]]>([
    ["the usual port, said", { ...redis, port: 6379 }, { fixedPort: true }, []],
    ["the usual port, left out", redis, { fixedPort: true }, []],
    ["another port", { ...redis, port: 6380 }, { fixedPort: true }, ["existing.x.port = 6380"]],
    ["another port, which the client can be told", { ...redis, port: 6380 }, {}, []],
    ["a login", { ...redis, user: "u" }, { clientAuth: true }, []],
    ["a login that nobody gives", { ...redis, user: "u" }, { clientAuth: false }, ['existing.x.user = "u"']],
    ["no login", redis, { clientAuth: false }, []],
    ["TLS", { ...redis, tls: true }, { clientTls: "verifies" }, []],
    ["TLS for a client without", { ...redis, tls: true }, { clientTls: "never" }, ["existing.x.tls"]],
    ["plain text for a client without TLS", { ...redis, tls: false }, { clientTls: "never" }, []],
    ["TLS if asked", { ...redis, tls: true }, { clientTls: "if-asked" }, []],
  ])("%s", (_, row, ask, expected) => {
    expect(said(row, ask)).toEqual(expected);
  });

  test("an authority says that there is TLS; against it, it is refused alone", () => {
    const with_ = { ...redis, ca: "none" };
    expect(said(with_, { clientTls: "never" })).toEqual(["existing.x.ca", "existing.x.ca"]); // no certificate, and no TLS
    expect(said({ ...with_, tls: false, user: "u" }, { clientAuth: false })).toEqual([
      "existing.x.ca",
      "existing.x.tls = false",
    ]);
  });

  test("buckets with a prefix are not for who knows them by their bare names", () => {
    const row = { kind: "objects", api: "s3", url: "https://s3.example.com", region: "eu", prefix: "p-" } as const;
    expect(said(row, { fixedNames: true })).toEqual(['existing.x.prefix = "p-"']);
    expect([said(row), said({ ...row, prefix: "" }, { fixedNames: true })]).toEqual([[], []]);
  });

  test("another kind, or what nobody needs, is named with what is needed", () => {
    const needs = [
      { kind: "redis", name: "cache", ask: {} },
      { kind: "solr", name: "search", ask: {} },
    ] as const;
    expect(checkExisting(needs, { cache: { kind: "nats", host }, other: redis }).map(sentence)).toEqual([
      'existing.cache.kind = "nats": the system needs redis there',
      "existing.other: nothing here needs it; the system needs cache (redis), search (solr)",
    ]);
    expect(checkExisting(needs, {})).toEqual([]);
  });
});

test.each([
  [{ host: "a", port: 80 }, "http://a"],
  [{ host: "a", port: 443 }, "http://a:443"],
  [{ host: "a", port: 443, tls: true }, "https://a"],
  [{ host: "a", port: 80, tls: true }, "https://a:80"],
  [{ host: "fd00::1", port: 80 }, "http://[fd00::1]"],
  [{ host: "[fd00::1]", port: 81 }, "http://[fd00::1]:81"],
])("the address of %j is %s", async (endpoint, url) => {
  expect(await read(urlOf(endpoint))).toBe(url);
});

test("in a dry run a kind that nobody makes gives what its recipe would: the same properties, of the same types", async () => {
  const asked = names.flatMap((name) => plan(name).needs);
  const kinds = [...new Set(asked.map(({ kind }) => kind))].sort();
  expect(kinds).toHaveLength(11);
  for (const kind of kinds) {
    const { ask } = asked.find((each) => each.kind === kind) ?? {};
    const given: Record<string, unknown>[] = [];
    const place = { site: site(), services: containerServices, capabilities: capabilities.docker };
    dryRun((p) => void given.push({ ...p.need(kind, "x", ask as never) }), place);
    const [real = {}] = given;
    const nothing: Record<string, unknown> = { ...recorded(kind, "x") };
    const shape = (value: unknown): unknown =>
      Output.isInstance(value) ? "output" : Array.isArray(value) ? "list" : typeof value;
    for (const [key, value] of Object.entries(nothing)) {
      if (kind !== "oidc" || key === "ready") expect([kind, key, shape(value)]).toEqual([kind, key, shape(real[key])]);
      if (["password", "secret", "key", "clientSecret"].includes(key))
        expect([kind, key, await isSecret(value as Output<string>), await read(output(value as string))]).toEqual([
          kind,
          key,
          true,
          "",
        ]);
    }
    for (const each of ["host", "url", "user", "members", "api", "bucket", "internal", "network", "networks", "issuer"])
      if (each in real) expect([kind, each, each in nothing || kind === "redis"]).toEqual([kind, each, true]);
    expect(nothing.ready).toEqual([]);
    if ("port" in nothing) {
      expect(nothing).toMatchObject({ host: "x-1", members: ["x-1"], port: defaultPort[kind as "redis"] });
      expect([kind, nothing.port]).toEqual([kind, real.port]);
    }
    if ("user" in nothing) expect(nothing.user).toBe("x");
  }
});

test("in a dry run addresses are addresses, and a bucket has its own name", async () => {
  const objects = recorded("objects", "x");
  expect(objects).toMatchObject({ api: "s3", internal: { host: "x-1", port: 9000, members: ["x-1"] } });
  expect([objects.bucket("files"), objects.region]).toEqual(["files", "us-east-1"]);
  const { issuer, urls, groupsClaim } = recorded("oidc", "x");
  const containers = recorded("containers", "x");
  for (const url of [objects.url, issuer, containers.url])
    expect(typeof url === "string" && URL.canParse(url)).toBe(true);
  expect(new URL(containers.url).hostname).toBe("x");
  expect(await resolved(urls)).toEqual({ auth: "", token: "", keys: "", logout: "" });
  expect([groupsClaim, containers.engine, containers.networks]).toEqual(["groups", "docker", []]);
});
