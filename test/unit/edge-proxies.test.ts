/** What both proxies are configured to do, by rules over the whole of a configuration. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import { output } from "@pulumi/pulumi";
import { parse } from "yaml";

import type { Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import type { PlannedRoute } from "../../components/core/plan.ts";
import { siteOf } from "../../components/core/site.ts";
import { edgeProxy } from "../../components/edge/edge.ts";
import { nginx, nginxProblems } from "../../components/edge/nginx.ts";
import type { EdgeArgs, EdgeTls } from "../../components/edge/proxy.ts";
import { traefik } from "../../components/edge/traefik.ts";
import { make } from "../../ops/authority.ts";
import { newFolder } from "../support/folder.ts";
import { resolved } from "../support/hostile.ts";

const host = "shop.example.com";
const route = (path: string, more: Partial<PlannedRoute> = {}): PlannedRoute => ({
  ...{ host, path, port: "web", to: "web", target: { number: 8000, protocol: "http" } },
  ...{ hosts: ["web-1", "web-2"], of: "replicas" },
  ...more,
});
const routes: readonly PlannedRoute[] = [
  route("/"),
  route("/api", { strip: "/api", hidden: ["/api/debug"], seconds: 300 }),
  route("/live", { websocket: true, sticky: { cookie: "stays", seconds: 600 } }),
  route("/files", { to: "files", hosts: ["files-1"], bodyMib: 512, target: { number: 9000, protocol: "http" } }),
  route("/only", {
    host: "objects.shop.example.com",
    to: "files",
    hosts: ["files-1"],
    check: { path: "/ok", port: 9001 },
  }),
];
const own: EdgeTls = { cert: "CERT", key: "KEY" };
const outside: EdgeTls = { ...own, trustedProxies: ["10.0.0.0/8", "fd00::1"] };
const acme: EdgeTls = { acme: { email: "a@example.com" } };

function args(tls: EdgeTls, more: Partial<EdgeArgs> = {}): EdgeArgs {
  const site = siteOf({ name: "shop", hostname: host, ...(tls === outside ? { ports: { http: 8080 } } : {}) });
  return { site, engine: "docker", routes, tls, backends: ({ hosts }) => ({ hosts, watch: false }), ...more };
}
const files = ({ files: all = [] }: Workload) =>
  Object.fromEntries(all.map(({ path, content }) => [path, typeof content === "string" ? content : ""]));

describe("both", () => {
  const both = { nginx, traefik } as const;
  test.each(["nginx", "traefik"] as const)(
    "%s: one small server without rights, which every routed name leads to",
    (proxy) => {
      const workload = edgeProxy({ proxy }, args(own));
      expect(workload).toEqual(
        expect.objectContaining({ image: proxy, tier: "edge", replicas: 1, cpu: 1, memoryMib: 256 }),
      );
      expect(workload.names).toEqual([host, "objects.shop.example.com"]);
      expect(workload.user).toMatch(/^[1-9]\d+:[1-9]\d+$/);
      expect(workload.ports).toEqual({
        http: { number: 80, protocol: "http" },
        https: { number: 443, protocol: "http" },
      });
      expect(workload.health).toMatchObject({ startSeconds: 60, stopSeconds: proxy === "nginx" ? 30 : 15 });
      expect(workload.command?.[0]).toBe(proxy);
    },
  );

  test.each(["nginx", "traefik"] as const)(
    "%s: its configuration and certificate are files; the key alone is a secret",
    (proxy) => {
      const { files: all = [] } = both[proxy](args(own));
      const folder = `/run/${proxy}`;
      const config = proxy === "nginx" ? `${folder}/nginx.conf` : `${folder}/routes/routes.yml`;
      expect(all.map(({ path, secret = false }) => [path, secret])).toEqual([
        ...[
          [config, false],
          [`${folder}/tls/cert.pem`, false],
          [`${folder}/tls/key.pem`, true],
          [`${folder}/tls/ends`, false],
        ],
      ]);
      expect(files(both[proxy](args(own)))).toMatchObject({
        [`${folder}/tls/cert.pem`]: "CERT",
        [`${folder}/tls/key.pem`]: "KEY",
      });
    },
  );

  test("each verifies what it serves under the stack's own name, by the file of its certificate", () => {
    const commands = [nginx, traefik].map((proxy) => {
      const { ready } = proxy(args(own)).health;
      return "command" in ready ? ready.command : [];
    });
    for (const command of commands) expect(command.slice(0, 2)).toEqual(["sh", "-c"]);
    const [first = "", second = ""] = commands.map((command) => command.at(-1));
    expect(first).toMatch(
      /--cacert \/run\/nginx\/tls\/cert\.pem --resolve shop\.example\.com:443:127\.0\.0\.1 .* https:\/\/shop\.example\.com:443\/$/,
    );
    expect(first).toContain("$(cat /run/nginx/tls/ends)");
    expect(first).toContain('http://127.0.0.1:8082/health && [ -n "$(find /tmp/nginx/alive -mmin -1)" ] && curl');
    expect(second).toContain("$(cat /run/traefik/tls/ends)");
    expect(second.split("\n").at(-1)).toBe(
      "traefik healthcheck --ping --ping.entryPoint=self --entryPoints.self.address=127.0.0.2:8082",
    );
  });

  test("behind what passes TCP on, the caller is whom a connection names first, if that comes from there", () => {
    const behind = { proxyProtocol: ["10.0.0.0/20", "10.0.16.0/20"], ownName: "edge.shop.internal" };
    const [plain, passed] = [{}, behind].map((more) => nginx(args(own, more)));
    const conf = files(passed ?? nginx(args(own)))["/run/nginx/nginx.conf"] ?? "";
    expect(conf.match(/listen 443 .*;/g)).toEqual([
      "listen 443 ssl http2 proxy_protocol default_server so_keepalive=60s::;",
      ...["listen 443 ssl http2 proxy_protocol;", "listen 443 ssl http2 proxy_protocol;"],
    ]);
    expect(conf).toContain(
      "  real_ip_header proxy_protocol;\n  set_real_ip_from 10.0.0.0/20;\n  set_real_ip_from 10.0.16.0/20;\n",
    );
    expect(conf).toContain("listen 80 default_server;"); // it only leads to https
    expect(JSON.stringify(passed?.health)).toContain("--haproxy-protocol --cacert");
    expect(passed?.prepare).toContain("dns() { getent ahostsv4 edge.shop.internal >/dev/null; }");
    expect(JSON.stringify(plain)).not.toMatch(/proxy_protocol|haproxy|keepalive=|real_ip|edge\.shop/);
    const flag = "--entryPoints.websecure.proxyProtocol.trustedIPs=10.0.0.0/20,10.0.16.0/20";
    expect(traefik(args(own, behind)).command).toContain(flag);
    expect(traefik(args(own)).command?.join()).not.toContain("proxyProtocol");
  });

  test("the end of a chain is that of the first to end, whenever it is known; what is no certificate has none", async () => {
    const until = async (days: number) => {
      const made = await make({ hostnames: [host] }, new Date(Date.now() - (397 - days) * 86_400_000));
      return (JSON.parse(JSON.stringify(made)) as { cert: string }).cert;
    };
    const [soon, late] = [await until(10), await until(100)];
    const ends = async (cert: EdgeTls & { cert: unknown }) =>
      Number(await resolved(nginx(args(cert)).files?.at(-1)?.content));
    const days = (seconds: number) => Math.round((seconds * 1000 - Date.now()) / 86_400_000);
    for (const chain of [soon + late, late + soon]) expect(days(await ends({ ...own, cert: chain }))).toBe(10);
    expect(days(await ends({ ...own, cert: output(late) }))).toBe(100);
    for (const cert of ["CERT", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
      expect([cert, nginx(args({ ...own, cert })).files?.at(-1)?.content]).toEqual([cert, ""]);
  });
});

describe("the health check of a certificate that ends", () => {
  /** Its end, what it says, and what the log has of it, `days` before. `again`: it has run a moment ago. */
  function health(days: number, again = false) {
    const folder = newFolder("ends");
    const { ready } = traefik(args(own)).health;
    const script = ("command" in ready ? (ready.command.at(-1) ?? "") : "")
      .replaceAll("/run/traefik/tls/ends", join(folder, "ends"))
      .replaceAll("/tmp/edge-warned", join(folder, "warned"))
      .replaceAll("/proc/1/fd/2", join(folder, "log"))
      .replaceAll(/traefik healthcheck .*/g, "true");
    writeFileSync(join(folder, "ends"), String(Math.floor(Date.now() / 1000 + days * 86_400)));
    writeFileSync(join(folder, "log"), "");
    if (again) writeFileSync(join(folder, "warned"), "");
    const { status, stdout } = spawnSync("sh", ["-c", script]);
    return [status, stdout.toString() !== "", readFileSync(join(folder, "log"), "utf8") !== ""];
  }
  test("says so for three weeks, in the log once a day", () => {
    expect(health(21.1)).toEqual([0, false, false]);
    expect(health(20.9)).toEqual([0, true, true]);
    expect(health(20.9, true)).toEqual([0, true, false]);
    expect(health(-0.1)).toEqual([1, true, true]);
  });
});

describe("nginx", () => {
  /** A directive: its words, and what is in its braces. */
  interface Directive {
    readonly words: readonly string[];
    readonly inner?: readonly Directive[];
  }
  /** nginx's syntax, as far as it occurs here. */
  function read(text: string): readonly Directive[] {
    const tokens = text.match(/#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|[^\s{};"'#]+/g) ?? [];
    const rest = tokens.filter((each) => !each.startsWith("#"));
    const block = (open: boolean): Directive[] => {
      const found: Directive[] = [];
      for (let words: string[] = []; ;) {
        const token = rest.shift();
        if (token === undefined || token === "}") {
          if ((token === "}") !== open || words.length > 0) throw new Error(`${words.join(" ")} does not end`);
          return found;
        }
        if (token === ";" || token === "{") {
          if (words.length === 0 && token === "{") throw new Error("a block without a name");
          if (words.length > 0) found.push(token === "{" ? { words, inner: block(true) } : { words });
          words = [];
        } else words.push(token);
      }
    };
    return block(false);
  }
  const conf = (more: Partial<EdgeArgs> = {}, tls: EdgeTls = own) =>
    read(files(nginx(args(tls, more)))["/run/nginx/nginx.conf"] ?? "");
  const each = (all: readonly Directive[]): readonly Directive[] =>
    all.flatMap((one) => [one, ...each(one.inner ?? [])]);
  const named = (all: readonly Directive[] = [], ...begin: string[]) =>
    all.filter(({ words }) => begin.every((word, at) => words[at] === word));
  const values = (all: readonly Directive[] | undefined, name: string) =>
    named(all, name).map(({ words }) => words.slice(1).join(" "));
  const http = (all: readonly Directive[]) => named(all, "http")[0]?.inner ?? [];
  const servers = (all: readonly Directive[]) => named(http(all), "server").map(({ inner = [] }) => inner);
  /** The server of a name, or the one that takes all others on a port. */
  const server = (all: readonly Directive[], name: string, listens = "") =>
    servers(all).find(
      (inner) => values(inner, "server_name").join() === name && values(inner, "listen").join().includes(listens),
    ) ?? [];
  const location = (all: readonly Directive[], path: string, of = host) =>
    named(server(all, of, "443"), "location").find(({ words }) => words.slice(1).join(" ") === path)?.inner;
  const below = (path: string) => `~ "^${path}(?:/|$)"`;
  const all = conf();
  const [trusted, alone] = [conf({}, outside), conf({ routes: [route("/a", { to: "a", hosts: ["a-1"] })] })];
  const proxied = (of: readonly Directive[]) =>
    each(of).filter(({ inner = [] }) => values(inner, "proxy_pass").length > 0);

  test.each([
    ["its own", all],
    ["behind others", trusted],
    ["with one route", alone],
  ])("%s: each variable is nginx' own or set", (_, of) => {
    const set = each(of).flatMap(({ words: [name = "", ...words], inner = [] }) => [
      ...(["map", "geo"].includes(name) ? [words.at(-1) ?? ""] : []),
      ...inner.flatMap((one) => [...one.words.join(" ").matchAll(/\(\?<(\w+)>/g)].map(([, group = ""]) => `$${group}`)),
    ]);
    const known = /^\$(http_\w+|remote_addr|realip_remote_addr|upstream_addr|request_uri|scheme|host|1)$/;
    const made = [...(nginx(args(own)).prepare ?? "").matchAll(/ '(\$leads_\w+)' '(\$answered_\w+)'/g)].flatMap(
      ([, ...both]) => both,
    );
    const used = each(of).flatMap(({ words }) => words.join(" ").match(/\$[a-z1]\w*/g) ?? []);
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter((name) => !known.test(name) && !set.includes(name) && !made.includes(name))).toEqual([]);
  });

  test("a route leads to an upstream that the loop keeps; a sticky one to that of its replica", () => {
    const upstreams = [
      ...(nginx(args(own)).prepare ?? "").matchAll(/^ {2}upstream (\S+) (\d+) '(.*)' '(.*)' '(.*)' (.*)$/gm),
    ];
    const of = stickyOf("web-8000-stays");
    expect(upstreams.map(([, ...words]) => words)).toEqual([
      ["web-8000", "8000", "", "", "", "web-1 web-2"],
      ["web-8000-stays", "8000", of.brought, of.leads, of.answered, "web-1 web-2"],
      ["files-9000", "9000", "", "", "", "files-1"],
      ["files-8000", "8000", "", "", "", "files-1"],
    ]);
    const passes = (path: string, at = host) => values(location(all, path, at), "proxy_pass");
    expect(passes("/")).toEqual(["http://web-8000"]);
    expect(passes(below("/live"))).toEqual([`http://${of.leads}`]);
    expect(passes(below("/files"))).toEqual(["http://files-9000"]);
    expect(passes(below("/only"), "objects.shop.example.com")).toEqual(["http://files-8000"]);
  });
  const stickyOf = (upstream: string) => {
    const id = upstream.replaceAll("-", "_2d");
    return {
      brought: `$brought_${id}`,
      leads: `$leads_${id}`,
      answered: `$answered_${id}`,
      cookie: `$cookie_for_${id}`,
    };
  };

  test("a visitor without a cookie, or with that of a lost replica, gets one for the path's time that no script reads", () => {
    const of = stickyOf("web-8000-stays");
    const maps = named(http(all), "map").map(
      ({ words, inner = [] }) => [words.slice(1), inner.map((one) => one.words)] as const,
    );
    const lines = (name: string) => maps.find(([[, to]]) => to === name)?.[1];
    expect(lines(of.brought)).toEqual([
      ["default", '""'],
      ['"~(?:^|;[ ]*)stays=(?<mark>[0-9a-f]{32})(?:;|$)"', "$mark"],
    ]);
    expect(lines(of.cookie)).toEqual([
      ["default", `"stays=${of.answered}; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"`],
      ['"~ $"', '""'],
      [String.raw`"~^([0-9a-f]+) \1$"`, '""'],
    ]);
    expect(maps.find(([[, to]]) => to === of.cookie)?.[0][0]).toBe(`"${of.brought} ${of.answered}"`);
    expect(values(location(all, below("/live")), "add_header")).toContain(`Set-Cookie ${of.cookie} always`);
    expect(
      each(conf({ routes: [route("/")] }))
        .map(({ words }) => words.join(" "))
        .join("\n"),
    ).not.toMatch(/brought_|Set-Cookie/);
  });

  test("each answer of a backend says that TLS is for ever, and that its type is its type", () => {
    expect(proxied(all)).toHaveLength(5);
    for (const { inner } of proxied(all)) {
      const headers = values(inner, "add_header");
      expect(headers).toContain('Strict-Transport-Security "max-age=31536000" always');
      expect(headers).toContain("X-Content-Type-Options nosniff always");
      expect(headers.some((each) => each.startsWith("Set-Cookie"))).toBe(
        values(inner, "proxy_pass").join().includes("$leads"),
      );
    }
    expect(values(http(all), "proxy_hide_header")).toEqual(["Strict-Transport-Security", "X-Content-Type-Options"]);
  });

  test("a request takes as long, and brings as much, as its route says; workers end no sooner", () => {
    const says = (path: string) => {
      const inner = location(all, path);
      return [
        "proxy_read_timeout",
        "proxy_send_timeout",
        "client_max_body_size",
        "proxy_request_buffering",
        "proxy_buffering",
        "rewrite",
      ].map((name) => values(inner, name).join());
    };
    expect(says("/")).toEqual(["60s", "60s", "", "", "", ""]);
    expect(says(below("/api"))).toEqual(["300s", "300s", "", "", "", '"^/api/?(.*)$" /$1 break']);
    expect(says(below("/files"))).toEqual(["60s", "60s", "512m", "off", "off", ""]);
    expect(values(http(all), "client_max_body_size")).toEqual(["250m"]);
    expect([values(all, "worker_shutdown_timeout"), values(alone, "worker_shutdown_timeout")]).toEqual([
      ["300s"],
      ["60s"],
    ]);
  });

  test("a location with a header of its own repeats all, and only a websocket's may upgrade", () => {
    const usual = values(http(all), "proxy_set_header");
    const names = usual.map((each) => each.split(" ")[0]);
    expect(names).toEqual(expect.arrayContaining(["Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto"]));
    for (const name of ["Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Server"]) expect(usual).toContain(`${name} ""`);
    expect(usual).toEqual(
      expect.arrayContaining([
        "X-Forwarded-For $remote_addr",
        "X-Forwarded-Host $http_host",
        "X-Forwarded-Port 443",
        "X-Forwarded-Proto https",
      ]),
    );
    for (const { words, inner } of proxied(all)) {
      const upgrade = ["Upgrade $http_upgrade", "Connection $connection_header"];
      expect(values(inner, "proxy_set_header")).toEqual(
        words.join(" ").includes("/live") ? [...usual, ...upgrade] : [],
      );
    }
  });

  test("what no route names is 404, on every port; http leads to https", () => {
    for (const port of ["80 default_server", "443 ssl http2 default_server"]) {
      const others = servers(all).find((inner) => values(inner, "listen").join() === port);
      expect(values(others, "return")).toEqual(["404"]);
    }
    const plain = servers(all).find((inner) => values(inner, "listen").join() === "80");
    expect([values(plain, "server_name"), values(plain, "return")]).toEqual([
      ...[["shop.example.com objects.shop.example.com"], ["308 https://$host$request_uri"]],
    ]);
    // One with a route of `/` has no need of it.
    expect(named(server(all, "objects.shop.example.com"), "location", "/")[0]?.inner).toEqual([
      { words: ["return", "404"] },
    ]);
    expect(named(server(all, host, "443"), "location", "/")).toHaveLength(1);
    expect(location(all, '~* "^/api/debug(?:[/;%]|$)"')).toEqual([{ words: ["return", "404"] }]);
    expect(values(server(all, host, "443"), "listen")).toEqual(["443 ssl http2"]);
  });

  test("who ends TLS in front is believed, by http alone; nobody else gets in there", () => {
    const of = http(trusted);
    expect([values(of, "set_real_ip_from"), values(of, "real_ip_header"), values(of, "real_ip_recursive")]).toEqual([
      ["10.0.0.0/8", "fd00::1"],
      ["X-Forwarded-For"],
      ["on"],
    ]);
    const geo = named(of, "geo")[0];
    expect([geo?.words, geo?.inner?.map(({ words }) => words)]).toEqual([
      ...[
        ["geo", "$realip_remote_addr", "$trusted"],
        [
          ["default", "0"],
          ["10.0.0.0/8", "1"],
          ["fd00::1", "1"],
        ],
      ],
    ]);
    const map = (to: string) => named(of, "map").find(({ words }) => words.at(-1) === to);
    expect(map("$stranger")).toEqual({
      words: ["map", '"$scheme $trusted"', "$stranger"],
      inner: [{ words: ["default", "0"] }, { words: ['"http 0"', "1"] }],
    });
    expect(map("$public_host")?.words[1]).toBe('"$trusted $http_x_forwarded_host"');
    expect(map("$public_host")?.inner).toEqual([
      { words: ["default", "$http_host"] },
      { words: ['"~^1 .+"', "$http_x_forwarded_host"] },
    ]);
    expect(values(of, "proxy_set_header")).toContain("X-Forwarded-Host $public_host");
    for (const name of [host, "objects.shop.example.com"]) {
      expect(values(server(trusted, name), "listen")).toEqual(["443 ssl http2", "80"]);
      expect(named(server(trusted, name), "if")).toEqual([
        { words: ["if", "($stranger)"], inner: [{ words: ["return", "403"] }] },
      ]);
    }
  });

  test("it serves its certificate, asks another replica when one is lost, and writes below its own folder alone", () => {
    const of = http(all);
    expect([values(of, "ssl_certificate"), values(of, "ssl_certificate_key"), values(of, "ssl_protocols")]).toEqual([
      ...[["/run/nginx/tls/cert.pem"], ["/run/nginx/tls/key.pem"], ["TLSv1.2 TLSv1.3"]],
    ]);
    expect(values(of, "proxy_next_upstream")).toEqual(["error timeout invalid_header http_502 http_503"]);
    const written = each(all).flatMap(({ words: [name = "", path = ""] }) =>
      /_temp_path$|^pid$|^include$/.test(name) ? [path] : [],
    );
    expect(written).toHaveLength(8);
    for (const path of written) expect(path).toMatch(/^\/tmp\/nginx\/[\w.]+$/);
    expect(new Set(written).size).toBe(8);
  });

  test("the upstreams that the loop writes are those that DNS has: each replica, or one that answers 503", () => {
    const folder = newFolder("nginx");
    const programs = {
      getent: `case $2 in web-1) a=10.0.0.2 ;; web-2) a=10.0.0.1 ;; *) exit 2 ;; esac\necho "$a STREAM $2"; echo "$a DGRAM $2"`,
      nginx: "exit 1", // an old one, which does not know newer settings
    };
    for (const [name, line] of Object.entries(programs))
      writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    writeFileSync(join(folder, "key"), "KEY");
    const prepare = nginx(args(own)).prepare ?? "";
    const once = prepare.slice(0, prepare.indexOf("\n(\n")); // without the loop
    expect(once.length).toBeLessThan(prepare.length);
    const script = once
      .replaceAll("/tmp/nginx", join(folder, "work"))
      .replaceAll("/run/nginx/tls/key.pem", join(folder, "key"));
    const { status } = spawnSync("sh", ["-c", script], { env: { PATH: `${folder}:${String(process.env.PATH)}` } });
    expect(status).toBe(0);
    const of = read(readFileSync(join(folder, "work/upstreams.conf"), "utf8"));
    const members = (name: string) => values(named(of, "upstream", name)[0]?.inner, "server");
    const [one, two] = ["10.0.0.1:8000 max_fails=0", "10.0.0.2:8000 max_fails=0"];
    expect(members("web-8000")).toEqual([one, two]);
    expect(members("files-9000")).toEqual([`unix:${folder}/work/nobody.sock`]);
    const leads = named(of, "map").find(({ words }) => words.at(-1) === stickyOf("web-8000-stays").leads)?.inner ?? [];
    expect(leads.map(({ words: [, upstream = ""] }) => members(upstream))).toEqual([
      [one, two],
      [one, `${two} backup`],
      [two, `${one} backup`],
    ]);
    for (const {
      words: [mark = ""],
    } of leads.slice(1))
      expect(mark).toMatch(/^[0-9a-f]{32}$/);
    expect(readFileSync(join(folder, "work/newer.conf"), "utf8")).toBe("");
  });

  test.each<[string, "local" | "own" | "acme" | "outside", PlannedRoute[], string[]]>([
    ["a certificate of its own making", "local", [...routes], []],
    ["one from the operator", "own", [...routes], []],
    ["TLS in front", "outside", [...routes], []],
    ["one that it would have to ask for", "acme", [], ['k = "acme": nginx gets no certificates']],
    [
      "a port that is not http",
      "own",
      [route("/", { target: { number: 1, protocol: "tcp" } })],
      ['web.routes = "tcp": nginx speaks http'],
    ],
    [
      "a cookie of two workloads",
      "own",
      ["a", "b", "b"].map((to) => route(`/${to}`, { to, sticky: { cookie: "s", seconds: 1 } })),
      ['routes.sticky.cookie = "s": two workloads'],
    ],
    [
      "a cookie of each",
      "own",
      ["a", "b"].map((to) => route(`/${to}`, { to, sticky: { cookie: to, seconds: 1 } })),
      [],
    ],
    [
      "a cookie of one workload's two routes",
      "own",
      ["a", "b"].map((path) => route(`/${path}`, { sticky: { cookie: "s", seconds: 1 } })),
      [],
    ],
  ])("%s: it can, or says that it cannot", (_, mode, asked, expected) => {
    const said = nginxProblems("k", mode, asked).map(sentence);
    expect(said.map((each, at) => (each.startsWith(expected[at] ?? "—") ? expected[at] : each))).toEqual(expected);
    const tls = mode === "acme" ? acme : own;
    const makes = () => nginx(args(tls, { routes: asked }));
    if (expected.length > 0) expect(makes).toThrow((expected[0] ?? "").split(" = ")[1]?.split(": ")[1]);
    else expect(makes).not.toThrow();
  });
});

describe("Traefik", () => {
  interface Router {
    readonly service: string;
    readonly entryPoints: readonly string[];
    readonly middlewares?: readonly string[];
    readonly tls?: object;
  }
  interface Balancer {
    readonly servers: readonly { readonly url: string }[];
    readonly serversTransport: string;
    readonly healthCheck?: object;
    readonly sticky?: object;
    readonly passHostHeader: boolean;
  }
  interface Dynamic {
    readonly http: {
      readonly routers: Readonly<Record<string, Router>>;
      readonly services: Readonly<Record<string, { readonly loadBalancer: Balancer }>>;
      readonly middlewares: Readonly<Record<string, Readonly<Record<string, object>>>>;
      readonly serversTransports: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    };
    readonly tls: Readonly<Record<string, unknown>>;
  }
  const dynamic = (tls: EdgeTls, more: Partial<EdgeArgs> = {}) =>
    parse(files(traefik(args(tls, more)))["/run/traefik/routes/routes.yml"] ?? "") as Dynamic;
  const flags = (tls: EdgeTls, more: Partial<EdgeArgs> = {}) => {
    const [program, ...rest] = traefik(args(tls, more)).command ?? [];
    expect(program).toBe("traefik");
    const named = rest.map(
      (each) => [/^--([^=]+)=/.exec(each)?.[1] ?? each, each.slice(each.indexOf("=") + 1)] as const,
    );
    return Object.fromEntries(named);
  };
  const modes = { own, outside, acme };

  test.each(Object.entries(modes))(
    "%s: whatever a router or a service names is there, and all that is there is named",
    (_, tls) => {
      const { routers, services, middlewares, serversTransports } = dynamic(tls).http;
      const given = flags(tls);
      const of = Object.values(routers);
      const sorted = (names: Iterable<string>) => [...new Set(names)].sort();
      expect(sorted(of.map(({ service }) => service).filter((name) => name !== "ping@internal"))).toEqual(
        sorted(Object.keys(services)),
      );
      expect(sorted(of.flatMap((each) => each.middlewares ?? []))).toEqual(sorted(Object.keys(middlewares)));
      const transports = Object.values(services).map(({ loadBalancer }) => loadBalancer.serversTransport);
      expect(sorted(transports)).toEqual(sorted(Object.keys(serversTransports)));
      const points = Object.keys(given).flatMap((flag) => /^entryPoints\.(\w+)\.address$/.exec(flag)?.[1] ?? []);
      const used = [...of.flatMap(({ entryPoints }) => entryPoints), given["ping.entryPoint"] ?? ""];
      expect(sorted([...used, "web"])).toEqual(sorted(points));
      for (const value of Object.values(given)) expect(value).not.toBe("");
    },
  );

  const service = (name: string, more: Partial<EdgeArgs> = {}) => dynamic(own, more).http.services[name]?.loadBalancer;
  test("a route has a server for each of its replicas, its time, and what its sessions and its path ask", () => {
    const { routers, middlewares, serversTransports } = dynamic(own).http;
    expect(service("web-0")?.servers.map(({ url }) => url)).toEqual(["http://web-1:8000", "http://web-2:8000"]);
    expect(service("files-3")?.servers.map(({ url }) => url)).toEqual(["http://files-1:9000"]);
    expect(service("web-2")?.sticky).toEqual({ cookie: { name: "stays", maxAge: 600, secure: true, httpOnly: true } });
    expect(service("web-0")).not.toHaveProperty("sticky");
    expect(service("web-0")?.passHostHeader).toBe(true);
    const times = Object.entries(serversTransports).map(([name, { forwardingTimeouts }]) => [
      name,
      (forwardingTimeouts as Record<string, string>).responseHeaderTimeout,
    ]);
    expect(Object.fromEntries(times)).toMatchObject({ "web-0": "60s", "web-1": "300s", "files-3": "60s" });
    for (const [name, { forwardingTimeouts }] of Object.entries(serversTransports))
      expect(forwardingTimeouts).toMatchObject({ dialTimeout: name === "self" ? "2s" : "4s" });
    expect(routers["web-0"]?.middlewares).toEqual(["headers", "retry"]);
    expect(routers["web-1"]?.middlewares).toEqual(["headers", "retry", "web-1-strip"]);
    expect(middlewares["web-1-strip"]).toEqual({ stripPrefix: { prefixes: ["/api"] } });
    for (const name of ["web-0", "web-1"]) expect(routers[name]).toMatchObject({ entryPoints: ["websecure"], tls: {} });
  });

  test("several servers are asked for their page if they have one; one alone is not; no connection to several is kept", () => {
    const check = { path: "/ok", port: 8001 };
    const of = (hosts: string[], more: Partial<PlannedRoute> = {}, watch = false) => {
      const asked = { routes: [route("/", { hosts, check, ...more })], backends: () => ({ hosts, watch }) };
      const { services, serversTransports } = dynamic(own, asked).http;
      return [services["web-0"]?.loadBalancer.healthCheck, serversTransports["web-0"]?.maxIdleConnsPerHost];
    };
    const asks = { ...check, interval: "2s", timeout: "2s" };
    const sticky = { cookie: "s", seconds: 1 };
    expect(of(["a"])).toEqual([undefined, undefined]);
    expect(of(["a", "b"])).toEqual([asks, -1]);
    expect(of(["tasks.a"], {}, true)).toEqual([undefined, -1]);
    expect(of(["tasks.a"], { sticky }, true)).toEqual([asks, -1]);
    expect(of(["a"], { sticky })).toEqual([undefined, undefined]);
    const none = { routes: [route("/")], backends: ({ hosts }: PlannedRoute) => ({ hosts, watch: false }) };
    expect(dynamic(own, none).http.services["web-0"]?.loadBalancer).not.toHaveProperty("healthCheck");
  });

  test("what a stranger claims is not passed on; a request that has been sent is never sent twice", () => {
    const { headers, retry } = dynamic(own).http.middlewares;
    expect(headers).toEqual({
      headers: {
        customRequestHeaders: { Forwarded: "", "X-Forwarded-Port": "443" },
        ...{ stsSeconds: 31536000, forceSTSHeader: false, contentTypeNosniff: true, browserXssFilter: false },
      },
    });
    expect(retry).toEqual({ retry: { attempts: 4, initialInterval: "100ms" } });
    const trusted = dynamic(outside).http.middlewares;
    expect(trusted.headers?.headers).toMatchObject({ forceSTSHeader: true });
    expect(trusted.outside).toEqual({
      headers: { customRequestHeaders: { "X-Forwarded-Proto": "https", "X-Real-Ip": "" } },
    });
  });

  test("it serves the given certificate to whoever asks for any name; with ACME only to who asks for its own", () => {
    const pair = { certFile: "/run/traefik/tls/cert.pem", keyFile: "/run/traefik/tls/key.pem" };
    const options = (sniStrict: boolean) => ({ default: { minVersion: "VersionTLS12", sniStrict } });
    const given = { certificates: [pair], stores: { default: { defaultCertificate: pair } }, options: options(false) };
    expect([own, outside, acme].map((tls) => dynamic(tls).tls)).toEqual([given, given, { options: options(true) }]);
    expect(Object.values(dynamic(acme).http.routers).map(({ tls }) => tls)).toEqual(
      routes.map(() => ({ certResolver: "acme" })),
    );
  });

  test("its own handshake goes to its own port, and verifies the file under the stack's name", () => {
    const { routers, services, serversTransports } = dynamic(own, {
      site: siteOf({ name: "shop", hostname: host, publicPort: 8443 }),
    }).http;
    expect(routers.self).toEqual({ rule: "Path(`/ping`)", entryPoints: ["self"], service: "self" });
    expect(routers["self-answers"]).toEqual({
      rule: "Host(`127.0.0.1`) && Path(`/ping`)",
      entryPoints: ["websecure"],
      service: "ping@internal",
      tls: {},
    });
    expect(services.self?.loadBalancer).toMatchObject({
      servers: [{ url: "https://127.0.0.1:8443" }],
      passHostHeader: false,
    });
    expect(serversTransports.self).toMatchObject({ serverName: host, rootCAs: ["/run/traefik/tls/cert.pem"] });
  });

  test("by its flags it redirects http, or serves those in front alone; it tells nobody of itself", () => {
    const same = {
      ...{ "log.level": "INFO", "global.checkNewVersion": "false", "global.sendAnonymousUsage": "false" },
      "providers.providersThrottleDuration": "200ms",
    };
    for (const tls of Object.values(modes)) {
      expect(flags(tls)).toMatchObject({
        ...{ ...same, "entryPoints.web.address": ":80", "entryPoints.websecure.address": ":443" },
        ...{ "providers.file.directory": "/run/traefik/routes", "providers.file.watch": "false" },
        "entryPoints.websecure.transport.respondingTimeouts.readTimeout": "0s",
      });
      const redirects = tls === outside ? {} : { to: "websecure", scheme: "https" };
      const found = Object.entries(flags(tls)).filter(([flag]) => flag.includes("redirections"));
      expect(Object.fromEntries(found.map(([flag, value]) => [flag.split(".").at(-1), value]))).toEqual(redirects);
      expect(flags(tls)["entryPoints.web.transport.respondingTimeouts.readTimeout"]).toBe(
        tls === outside ? "0s" : undefined,
      );
    }
    expect(Object.keys(flags(own)).some((flag) => flag.startsWith("certificatesResolvers"))).toBe(false);
  });

  test("ACME's account and certificates are on its disk, mended before it starts; the authority may be another", () => {
    const asks = (more: object) =>
      Object.entries(flags({ acme: { email: "a@example.com", ...more } })).filter(([flag]) =>
        flag.startsWith("certificatesResolvers.acme.acme."),
      );
    const usual = { email: "a@example.com", storage: "/data/acme.json", tlsChallenge: "true" };
    const plain = (found: [string, string][]) =>
      Object.fromEntries(found.map(([flag, value]) => [flag.split(".").at(-1) ?? "", value]));
    expect(plain(asks({}))).toEqual(usual);
    expect(plain(asks({ caServer: "https://ca.example.com" }))).toEqual({
      ...usual,
      caServer: "https://ca.example.com",
    });
    const workload = traefik(args(acme));
    expect([workload.user, Object.keys(files(workload))]).toEqual(["0:0", ["/run/traefik/routes/routes.yml"]]);
    expect(traefik(args(own)).prepare).toBeUndefined();
    expect(workload.prepare).not.toContain("while"); // what runs here has to end
    const folder = newFolder("acme");
    const after = (text: string) => {
      writeFileSync(join(folder, "acme.json"), text, { mode: 0o644 });
      const { status } = spawnSync("sh", ["-c", (workload.prepare ?? "exit 9").replaceAll("/data", folder)]);
      const left = ["acme.json", "acme.json.broken"].map((name) =>
        spawnSync("sh", ["-c", `ls -l ${folder}/${name} | cut -c 1-10; rm -f ${folder}/${name}`])
          .stdout.toString()
          .trim(),
      );
      return [status, ...left];
    };
    expect(after("{\n}\n")).toEqual([0, "-rw-------", ""]);
    expect(after('{\n  "a"')).toEqual([0, "", "-rw-------"]);
    expect(after("")).toEqual([0, "-rw-r--r--", ""]);
  });

  test("with sessions of replicas that come and go, the loop follows them; both prepare what they need", () => {
    const sticky = {
      routes: [route("/", { sticky: { cookie: "s", seconds: 1 } })],
      backends: () => ({ hosts: ["tasks.a"], watch: true }),
    };
    expect(traefik(args(own, sticky)).prepare).toContain("/run/traefik/routes/routes.yml");
    const both = traefik(args(acme, sticky)).prepare ?? "";
    expect(both.indexOf("acme.json")).toBeLessThan(both.indexOf("each-of"));
    expect(both).toContain("\nfi\n");
    expect(flags(own, sticky)).toMatchObject({
      "providers.file.directory": "/tmp/traefik",
      "providers.file.watch": "true",
    });
  });
});
