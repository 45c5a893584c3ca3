/** What both proxies at the edge are told: paths, ports, TLS in front of them, their health. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";

import { sentence } from "../../components/core/errors.ts";
import { covers, hiddenOf, routeProblems } from "../../components/core/routes.ts";
import { siteOf } from "../../components/core/site.ts";
import type { PlannedRoute } from "../../components/core/plan.ts";
import { planStack } from "../../components/deploy.ts";
import { type EdgeArgs, type EdgeTls, publishedPorts } from "../../components/edge/proxy.ts";
import { nginx } from "../../components/edge/nginx.ts";
import { traefik } from "../../components/edge/traefik.ts";
import { make } from "../../ops/authority.ts";
import { newFolder } from "../support/folder.ts";

const host = "shop.example.com";
const route = (path: string, more: Partial<PlannedRoute> = {}): PlannedRoute => ({
  ...{ host, path, port: "web", to: "web", target: { number: 8000, protocol: "http" } },
  ...{ hosts: ["web-1"], of: "replicas" },
  ...more,
});
const own: EdgeTls = { cert: "CERT", key: "KEY" };
const outside: EdgeTls = { ...own, trustedProxies: ["10.0.0.0/8", "fd00::1"] };
const site = (more: Partial<Parameters<typeof siteOf>[0]> = {}) => siteOf({ name: "shop", hostname: host, ...more });
const behind = { ports: { http: 8080 } };

function edge(
  proxy: typeof traefik,
  routes: PlannedRoute[],
  tls = own,
  at = site(),
  engine: EdgeArgs["engine"] = "docker",
) {
  const workload = proxy({ site: at, engine, routes, tls, backends: ({ hosts }) => ({ hosts, watch: false }) });
  const [file] = workload.files ?? [];
  return { ...workload, text: typeof file?.content === "string" ? file.content : "" };
}
interface Dynamic {
  http: {
    routers: Record<string, { rule: string; priority?: number; entryPoints: string[]; middlewares?: string[] }>;
    middlewares: Record<string, Record<string, object>>;
    serversTransports: Record<string, object>;
  };
}
const dynamic = (routes: PlannedRoute[], tls = own, at = site()) =>
  (parse(edge(traefik, routes, tls, at).text) as Dynamic).http;
const locations = (routes: PlannedRoute[]) =>
  [...edge(nginx, routes).text.matchAll(/^ {4}location (.*) \{/gm)].map(([, of]) => of).slice(3); // after its own

describe("paths", () => {
  test.each([
    ["/avatar", "/avatar", true],
    ["/avatar", "/avatar/7", true],
    ["/avatar", "/avatars", false],
    ["/avatar/", "/avatar", true],
    ["/", "/avatar", true],
  ])("%s covers %s: %s", (base, path, yes) => {
    expect(covers(base, path)).toBe(yes);
  });

  test("a hidden path that is a route itself is none", () => {
    expect(hiddenOf([route("/", { hidden: ["/metrics", "/admin/"] }), route("/admin")])).toEqual(["/metrics"]);
  });

  test("both proxies: the longest first, a path and what is below it, hidden ones for the whole host", () => {
    const routes = [route("/", { hidden: ["/metrics"] }), route("/a.b/"), route("/metrics/open"), route("/a.b/c~d")];
    expect(locations(routes)).toEqual([
      '~ "^/metrics/open(?:/|$)"',
      String.raw`~* "^/metrics(?:[/;%]|$)"`,
      String.raw`~ "^/a\.b/c\~d(?:/|$)"`,
      String.raw`~ "^/a\.b(?:/|$)"`,
      "/",
    ]);
    const routers = Object.values(dynamic(routes).routers).slice(0, 4);
    expect(routers.map(({ rule, priority }) => [rule, priority])).toEqual([
      ["Host(`shop.example.com`) && !PathRegexp(`(?i)^/metrics(?:[/;%]|$)`)", 1],
      ["Host(`shop.example.com`) && (Path(`/a.b`) || PathPrefix(`/a.b/`))", 5],
      ["Host(`shop.example.com`) && (Path(`/metrics/open`) || PathPrefix(`/metrics/open/`))", 14],
      ["Host(`shop.example.com`) && (Path(`/a.b/c~d`) || PathPrefix(`/a.b/c~d/`))", 9],
    ]);
  });

  test("no two routes of one workload share a router", () => {
    const { routers } = dynamic([route("/a/b"), route("/a-b"), route("/a_b")]);
    expect(Object.values(routers).filter(({ rule }) => rule.includes(host))).toHaveLength(3);
  });

  const said = (more: Partial<PlannedRoute>) =>
    routeProblems("web", {
      ...{ image: "x", tier: "app", cpu: 1, memoryMib: 64, ports: { web: { number: 80, protocol: "http" } } },
      routes: [route("/", more)],
    }).map(sentence);
  test.each([
    "/a`b",
    "/a b",
    "/a{b}",
    '/a"b',
    "/a\\b",
    "/a\nb",
    "/ü",
    "/a%2fb",
    "/a?b",
    "/a'b",
    "/a;b",
    "/a$b",
    "/a#b",
    "/a//b",
    "/../b",
    "/a/.",
  ])("%j is no path", (path) => {
    for (const more of [{ path }, { hidden: [path] }, { strip: path }])
      expect(said(more).join()).toContain(`web.routes = ${JSON.stringify(path)}: a path has letters`);
  });
  test("what else would be syntax", () => {
    expect(said({ path: "x" })).toEqual(['web.routes = "x": a path begins with /']);
    expect(said({ sticky: { cookie: "a;b", seconds: 1 } })[0]).toContain("a cookie's name has");
    expect(said({ host: "a`b.example.com" })[0]).toContain("not a DNS name");
    expect(said({ path: "/apix", strip: "/api" })[0]).toContain("strip: not the beginning of /apix");
    expect(said({ path: "/a.b~c-_/", strip: "/a.b~c-_" })).toEqual([]);
    expect(said({ port: "api" })).toEqual(['web.routes = "api": no such port; it has web']);
  });
  const label = (length: number): string => "a".repeat(length);
  test.each([
    ["a", true],
    ["1.a-b.c", true],
    [label(63), true],
    [label(64), false],
    [[63, 63, 63, 61].map(label).join("."), true],
    [[63, 63, 63, 61, 1].map(label).join("."), false],
    ...["", "A.b", "-a", "a-", "a-.b", "a..b", ".a", "a.", "a b"].map((host): [string, boolean] => [host, false]),
  ])("%s is the name of a host: %s", (host, fine) => {
    expect(said({ host }).map((each) => each.replace(/^.*: not/, "not"))).toEqual(
      fine ? [] : ["not a DNS name: letters, digits, dots and inner hyphens"],
    );
  });
});

describe("ports", () => {
  test("the public port is where containers call the edge; the machine's own leads to it", () => {
    const at = site({ ports: { http: 8080, https: 8443 }, publicPort: 443 });
    expect(publishedPorts(at)).toEqual([
      { inside: 80, published: 8080 },
      { inside: 443, published: 8443 },
    ]);
    expect(edge(traefik, [route("/")], own, at).command).toContain("--entryPoints.websecure.address=:443");
    expect(edge(nginx, [route("/")], own, at).text).toContain("return 308 https://$host$request_uri;");
    const mapped = site({ publicPort: 9443 });
    expect(edge(nginx, [route("/")], own, mapped).text).toContain("return 308 https://$host:9443$request_uri;");
    expect(dynamic([route("/")], own, mapped).middlewares.headers?.headers).toMatchObject({
      customRequestHeaders: { "X-Forwarded-Port": "9443", Forwarded: "" },
    });
    expect(publishedPorts(site({ publicPort: 80 }))[0]).toEqual({ inside: 81, published: 80 });
    expect(publishedPorts(site(behind))).toEqual([{ inside: 80, published: 8080 }]);
  });
});

describe("TLS in front of the edge", () => {
  test("Traefik: no redirect; headers from those addresses alone, and nobody else gets in by http", () => {
    const { command } = edge(traefik, [route("/")], outside, site(behind));
    expect(command).toContain("--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.0/8,fd00::1");
    expect(command?.join(" ")).not.toContain("redirections");
    const { routers, middlewares } = dynamic([route("/")], outside, site(behind));
    expect(routers["web-0-web"]).toMatchObject({
      entryPoints: ["web"],
      middlewares: ["trusted", "outside", "headers", "retry"],
    });
    expect(routers["web-0-web"]).not.toHaveProperty("tls");
    expect(middlewares.trusted).toEqual({ ipAllowList: { sourceRange: ["10.0.0.0/8", "fd00::1"] } });
    expect(middlewares.outside?.headers).toMatchObject({ customRequestHeaders: { "X-Forwarded-Proto": "https" } });
  });

  test("nginx: the same", () => {
    const { text } = edge(nginx, [route("/")], outside, site(behind));
    expect(text).not.toContain("return 308");
    expect(text).toContain("set_real_ip_from 10.0.0.0/8;");
    expect(text).toContain("if ($stranger) { return 403; }");
    expect(edge(nginx, [route("/")]).text).not.toMatch(/real_ip|\$stranger|public_host/);
  });

  const planned = (change: object) => {
    const base = { system: "arkindex", topology: "docker", hostname: "a.example.com", rehearsal: true };
    const images = { toolbox: "r.example.com/toolbox:1", rehearsal: "r.example.com/rehearsal:1" };
    const { problems, whole } = planStack({ ...base, images, ...change }, "dev");
    return { said: problems.map(sentence), made: whole?.site };
  };
  const tls = (...trustedProxies: string[]) => ({ docker: { tls: { mode: "outside", trustedProxies } } });

  test.each<[string, object, string]>([
    ["nobody to trust", tls(), "docker.tls.trustedProxies = []: at least one"],
    ["all the world", tls("0.0.0.0/0"), 'docker.tls.trustedProxies.0 = "0.0.0.0/0": would believe half of the world'],
    ["all the world, IPv6", tls("::/0"), 'docker.tls.trustedProxies.0 = "::/0": would believe half of the world'],
    ["half the world", tls("10.0.0.0/8", "128.0.0.0/1"), "docker.tls.trustedProxies.1"],
    [
      "a name",
      tls("balancer.example.com"),
      'docker.tls.trustedProxies.0 = "balancer.example.com": an IP address or a network',
    ],
    ["syntax", tls("10.0.0.1;"), "an IP address or a network"],
    ["the health port", { publicPort: 8082 }, "publicPort = 8082: 8082 is the edge's own health port"],
    [
      "ACME behind another port",
      { publicPort: 8443, docker: { tls: { mode: "acme", email: "a@example.com" } } },
      "publicPort = 8443: ACME's challenge arrives on 443",
    ],
    [
      "ingress",
      { topology: "swarm", swarm: { publish: "ingress", ...tls("10.0.0.0/8").docker } },
      'swarm.publish = "ingress": hides who calls',
    ],
  ])("%s is refused", (_, change, sentenceOf) => {
    expect(planned(change).said.join("\n")).toContain(sentenceOf);
  });

  test("https is not published, and is 443 for browsers; ACME may be behind a NAT", () => {
    const { said, made } = planned(tls("10.0.0.0/8", "192.0.2.7", "fd00::/8"));
    expect([said, made?.ports, made?.publicPort]).toEqual([[], { http: 80 }, 443]);
    const ports = { http: 8080, https: 8443 };
    const nat = { publicPort: 443, docker: { ports, tls: { mode: "acme", email: "a@example.com" } } };
    expect(planned(nat).said).toEqual([]);
  });
});

describe("health", () => {
  const day = 24 * 3600 * 1000;
  /** The health check's script on the certificate of so many days to come, with `true` for the handshake. */
  const health = async (days: number, engine: EdgeArgs["engine"], handshake = "true") => {
    const made = await make({ hostnames: [host] }, new Date(Date.now() - (397 - days) * day));
    const { cert } = JSON.parse(JSON.stringify(made)) as { cert: string };
    const { files = [], health: asked } = edge(traefik, [route("/")], { cert, key: "KEY" }, site(), engine);
    const ends = files.find(({ path }) => path.endsWith("/ends"));
    const folder = newFolder("edge");
    writeFileSync(join(folder, "ends"), typeof ends?.content === "string" ? ends.content : "");
    const command = "command" in asked.ready ? asked.ready.command : [];
    const script = (command.at(-1) ?? "")
      .replaceAll("/run/traefik/tls/ends", join(folder, "ends"))
      .replaceAll("/tmp/edge-warned", join(folder, "warned"))
      .replaceAll("/proc/1/fd/2", join(folder, "log"))
      .replace(/traefik healthcheck --ping --ping.entryPoint=self \S+/, handshake)
      .replace(/traefik healthcheck --ping --ping.entryPoint=ping \S+/, "true");
    const { status, stdout } = spawnSync("sh", ["-c", script]);
    return [status, stdout.toString().trim()];
  };

  test("a certificate that nobody renews is said in time, and takes a swarm's edge never down", async () => {
    expect(await health(60, "docker")).toEqual([0, ""]);
    expect(await health(60, "docker", "false")).toEqual([1, ""]);
    const [status, text] = await health(10, "docker");
    expect([status, text]).toEqual([0, expect.stringMatching(/shop.example.com ends in (9|10) days: run pulumi up/)]);
    expect(await health(10, "docker", "false")).toMatchObject([1, expect.anything()]);
    const ended = expect.stringContaining("the certificate of shop.example.com has ended") as unknown;
    expect(await health(-3, "docker")).toEqual([1, ended]);
    for (const engine of ["swarm", "ecs"] as const) expect(await health(-3, engine)).toEqual([0, ended]);
  });

  test("each handshake is a new one: a kept connection verifies nothing, and delays Traefik's end", () => {
    expect(dynamic([route("/")]).serversTransports.self).toMatchObject({ maxIdleConnsPerHost: -1, disableHTTP2: true });
  });

  test("ACME's edge is alive before it has a certificate", () => {
    const tls: EdgeTls = { acme: { email: "a@example.com" } };
    const { health: asked } = edge(traefik, [route("/")], tls);
    expect(asked.ready).toMatchObject({ command: expect.arrayContaining(["--ping.entryPoint=ping"]) as unknown });
  });
});
