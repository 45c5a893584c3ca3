/** What follows from who signs the edge's certificate: secrets, ports, files, authorities, and what is refused. */
import { beforeAll, describe, expect, test } from "@jest/globals";
import { isSecret, output } from "@pulumi/pulumi";

import type { Platform, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { routesOf } from "../../components/core/plan.ts";
import { planOf } from "../../components/core/recorder.ts";
import { siteOf } from "../../components/core/site.ts";
import { containerServices } from "../../components/services/index.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { topologies } from "../../components/topologies/index.ts";
import {
  checkTls,
  edgeAuthority,
  edgeTls,
  publishedOn,
  signsItself,
  type Tls,
  type TlsConfig,
  tlsOf,
  tlsSecrets,
} from "../../components/topologies/tls.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { resolved } from "../support/hostile.ts";

const hostname = "shop.example.com";
const site = (more: Partial<Parameters<typeof siteOf>[0]> = {}) => siteOf({ name: "shop", hostname, ...more });
const web: Workload = {
  ...{ image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, replicas: 1 },
  health: { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 },
  ports: { web: { number: 80, protocol: "http" } },
  routes: [hostname, `api.${hostname}`].map((host) => ({ host, path: "/", port: "web" })),
};
const planned = (parts: (p: Platform) => void) =>
  planOf<object>(parts, {}, { site: site(), services: containerServices, capabilities: dockerCapabilities });
const plan = planned((p) => void p.run("web", web));
const routes = routesOf(plan);
const made = { cert: "CERT", key: "KEY" };

let whole: Made;
let bare: Made;
beforeAll(async () => {
  whole = await certificate({ name: hostname, hostnames: [hostname, `*.${hostname}`] });
  bare = await certificate({ name: hostname, hostnames: [hostname] });
});

const local = { mode: "local" } satisfies Tls;
const acme = { mode: "acme", email: "a@example.com" } satisfies Tls;
const outside = { mode: "outside", trustedProxies: ["10.0.0.0/8"] } satisfies Tls;
const own = (more: Partial<Extract<Tls, { mode: "own" }>> = {}): Tls => ({
  ...{ mode: "own", cert: whole.pem, key: whole.key },
  ...more,
});

test("only a certificate of the operator's own needs a secret: its key, which stays one", async () => {
  const config: TlsConfig = { mode: "own", cert: "CERT" };
  expect([config, local, acme, outside].map((tls) => tlsSecrets(tls))).toEqual([["tlsKey"], [], [], []]);
  expect(tlsOf(config, { tlsKey: "KEY" }, "plain")).toEqual({ ...config, key: "KEY" });
  expect(tlsOf(config, {}, "plain")).toEqual({ ...config, key: "" });
  const { key, ...rest } = tlsOf(config, { tlsKey: "KEY" }, "secret") as Extract<Tls, { mode: "own" }>;
  expect([rest, await isSecret(output(key)), await resolved(key)]).toEqual([config, true, "KEY"]);
  for (const tls of [local, acme, outside]) expect(tlsOf(tls as TlsConfig, { tlsKey: "KEY" }, "secret")).toEqual(tls);
});

test("http alone is published where TLS ends in front", () => {
  const ports = { http: 8080, https: 8443 };
  expect([local, acme, own()].map((tls) => publishedOn(ports, tls))).toEqual([ports, ports, ports]);
  expect(publishedOn(ports, outside)).toEqual({ http: 8080 });
});

test.each(["docker", "swarm"] as const)("a stack's config on %s is read so: its ports, its secrets", (topology) => {
  const row = topologies[topology];
  const config = (tls: object) =>
    row?.config.parse({ ...(topology === "swarm" ? { managers: ["tcp://m:2375"] } : {}), tls }) ?? {};
  expect(row?.ports(config(outside))).toEqual({ http: 80 });
  expect(row?.ports(config(local))).toEqual({ http: 80, https: 443 });
  expect(row?.asks(config({ mode: "own", cert: whole.pem }))).toEqual(["tlsKey"]);
  expect(row?.asks(config(local))).toEqual([]);
});

test("the stack has an authority where nobody else signs; callers trust that, or the one that is named", async () => {
  expect([local, outside, acme, own()].map(signsItself)).toEqual([true, true, false, false]);
  expect([local, outside, acme, own()].map(edgeAuthority)).toEqual([undefined, undefined, undefined, undefined]);
  expect(await resolved(edgeAuthority(own({ ca: "CA" })))).toBe("CA");
});

describe("the proxy's TLS", () => {
  test("is the stack's own certificate, with whom to believe where TLS ends in front", () => {
    expect(edgeTls(local, site(), routes, made)).toEqual(made);
    expect(edgeTls(outside, site(), routes, made)).toEqual({ ...made, trustedProxies: ["10.0.0.0/8"] });
    expect(() => edgeTls(local, site(), routes, undefined)).toThrow("made with the topology");
  });

  test("is ACME's, of the usual server unless another is named", () => {
    expect(edgeTls(acme, site(), routes, undefined)).toEqual({ acme: { email: "a@example.com" } });
    const caServer = "https://acme.example.com/directory";
    expect(edgeTls({ ...acme, caServer }, site(), routes, undefined)).toEqual({
      acme: { email: "a@example.com", caServer },
    });
  });

  test("is the operator's own pair, if it covers every routed name", async () => {
    expect(await resolved(edgeTls(own(), site(), routes, undefined))).toEqual({ cert: whole.pem, key: whole.key });
  });
});

describe("it is refused", () => {
  const said = (tls: Tls, at = site(), of = plan) => checkTls("docker", tls, at, of).problems.map(sentence);

  test("if a certificate does not cover the site's name and every routed one", () => {
    expect(said(own())).toEqual([]);
    expect(said(own({ cert: bare.pem, key: bare.key }))).toEqual([
      expect.stringMatching(/^docker\.tls\.cert: it does not cover api\.shop\.example\.com;/),
    ]);
    const api = planned((p) => void p.run("web", { ...web, routes: web.routes?.slice(1) ?? [] }));
    expect(said(own({ cert: bare.pem, key: bare.key }), site({ hostname: "other.example.com" }), api)).toEqual([
      expect.stringMatching(/^docker\.tls\.cert: it does not cover other\.example\.com, api\.shop\.example\.com;/),
    ]);
  });

  test("unless it is known only later, and without its key, which others ask for", () => {
    const { pem, key } = bare;
    for (const later of [
      { cert: Promise.resolve(pem), key },
      { cert: pem, key: Promise.resolve(key) },
    ])
      expect(said(own(later))).toEqual([]);
    expect(said(own({ key: "" }))).toEqual([]);
    expect(said(own({ key: bare.key }))).toEqual([expect.stringContaining("it is not the key of the certificate")]);
  });

  test("if ACME's challenge cannot arrive: by the port of the topology, or of the site", () => {
    const remedy = "ACME's challenge arrives on 443; use it, or tls.mode own";
    const behind = { ports: { http: 80, https: 8443 }, publicPort: 8444 };
    expect(said(acme)).toEqual([]);
    expect(said(acme, site({ ports: { http: 80, https: 8443 } }))).toEqual([`docker.ports.https = 8443: ${remedy}`]);
    expect(said(acme, site(behind))).toEqual([`publicPort = 8444: ${remedy}`]);
    expect(said(acme, site({ ...behind, publicPort: 443 }))).toEqual([]);
    expect(said(local, site(behind))).toEqual([]);
  });

  test("if the proxy cannot do it", () => {
    const nginx = planned((p) => {
      p.edge({ proxy: "nginx" });
      p.run("web", web);
    });
    expect(said(acme, site(), nginx)).toEqual([expect.stringMatching(/^docker\.tls\.mode/)]);
    for (const tls of [local, own(), outside]) expect(said(tls, site(), nginx)).toEqual([]);
  });

  test("with the warnings of a certificate that ends soon", async () => {
    const soon = await certificate({ name: hostname, hostnames: [hostname, `*.${hostname}`], to: 20 });
    expect(checkTls("docker", own({ cert: soon.pem, key: soon.key }), site(), plan).warnings).toHaveLength(1);
    expect(checkTls("docker", local, site(), plan).warnings).toEqual([]);
  });
});
