/** The swarm topology's pure parts: names, durations, constraints, hashes, and the edge's routes. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { execa } from "execa";
import fc from "fast-check";
import { parse } from "yaml";

import { siteOf } from "../../components/core/site.ts";
import type { PlannedRoute } from "../../components/core/plan.ts";
import { traefik } from "../../components/edge/traefik.ts";
import { watchScript } from "../../components/edge/traefik-watch.ts";
import { shortDuration } from "../../components/topologies/containers.ts";
import { backendsOf } from "../../components/topologies/swarm/edge.ts";
import { shortened } from "../../components/topologies/swarm/files.ts";
import { constraintsOf, roleOf, volumeNodeConstraints } from "../../components/topologies/swarm/placement.ts";
import { canonical } from "../../components/topologies/swarm/service.ts";

test.each([
  [0, "0s"],
  [5, "5s"],
  [60, "1m"],
  [90, "1m30s"],
  [3600, "1h"],
  [3660, "1h1m"],
  [3601, "1h0m1s"],
  [5405, "1h30m5s"],
])("%d seconds, as the provider reads them back: %s", (seconds, text) => {
  expect(shortDuration(seconds)).toBe(text);
});

test("a duration is the number of seconds that it says", () => {
  const units = { h: 3600, m: 60, s: 1 } as const;
  const back = (text: string) =>
    [...text.matchAll(/(\d+)([hms])/g)].reduce(
      (sum, [, n, unit]) => sum + Number(n) * units[unit as "h" | "m" | "s"],
      0,
    );
  fc.assert(fc.property(fc.nat(1e6), (seconds) => back(shortDuration(seconds)) === seconds));
});

test("constraints and volume nodes, from labels", () => {
  expect(constraintsOf({ role: "worker", disk: "fast" })).toEqual(["node.labels.disk==fast", "node.role==worker"]);
  expect(constraintsOf({})).toEqual([]);
  expect(volumeNodeConstraints({ role: "manager", zone: "a" })).toEqual({ labels: { zone: "a" }, role: "manager" });
  expect(volumeNodeConstraints({ zone: "a" })).toEqual({ labels: { zone: "a" } });
  expect(["dbserver-3", "db-1", "edge", "agent-gpu"].map(roleOf)).toEqual(["dbserver", "db", "edge", "agent-gpu"]);
});

test("the same spec has the same text, whatever the order of its keys; lists keep theirs", () => {
  expect(canonical({ b: [1, "x"], a: { d: null, c: true } })).toBe('{"a":{"c":true,"d":null},"b":[1,"x"]}');
  expect(canonical({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (spec) => {
      const turned = Object.fromEntries(Object.entries(spec).reverse());
      return canonical(spec) === canonical(turned);
    }),
  );
});

test("a long name ends in a hash of all of it, and stays within its length", () => {
  expect(shortened("arkindex-db", 56)).toBe("arkindex-db");
  const [a, b] = ["a", "b"].map((last) => shortened(`${"x".repeat(80)}${last}`, 56));
  expect([a?.length, b?.length]).toEqual([56, 56]);
  expect(a).not.toBe(b);
});

const route: PlannedRoute = {
  to: "web",
  host: "shop.example.com",
  path: "/",
  port: "http",
  target: { number: 8000, protocol: "http" },
  hosts: ["web-1", "web-2"],
  of: "replicas",
};
const check = { path: "/health", port: 8000 };
const site = siteOf({ name: "shop", hostname: "shop.example.com" });

function routesFile(routes: PlannedRoute[]) {
  const {
    files = [],
    prepare,
    command,
  } = traefik({
    site,
    engine: "swarm",
    routes,
    tls: { cert: "CERT", key: "KEY" },
    backends: backendsOf(site),
  });
  const content = typeof files[0]?.content === "string" ? files[0].content : "";
  const { http } = parse(content) as {
    http: { services: Record<string, { loadBalancer: object }>; serversTransports: Record<string, object> };
  };
  return {
    balancers: Object.values(http.services).map(({ loadBalancer }) => loadBalancer),
    http,
    prepare,
    command,
    content,
  };
}

test("a workload's replicas are one name, which DNS answers anew for each request", () => {
  const { balancers, http, prepare } = routesFile([{ ...route, check }]);
  expect(balancers[0]).toMatchObject({ servers: [{ url: "http://tasks.shop-web:8000" }] });
  // It would ask one replica at random and judge all by it.
  expect(balancers[0]).not.toHaveProperty("healthCheck");
  expect(Object.values(http.serversTransports)[0]).toMatchObject({ maxIdleConnsPerHost: -1 });
  expect(prepare).toBeUndefined();
});

test("slots of a pool are servers of their own, each asked for its health page", () => {
  const { balancers } = routesFile([{ ...route, check, of: "slots", hosts: ["web-1", "web-2"] }]);
  expect(balancers[0]).toMatchObject({
    servers: [{ url: "http://web-1:8000" }, { url: "http://web-2:8000" }],
    healthCheck: { path: "/health", port: 8000 },
  });
});

test("a sticky route has a server for each replica, from a file that the edge keeps up to date", () => {
  const { balancers, prepare, command } = routesFile([{ ...route, sticky: { cookie: "s", seconds: 60 } }]);
  expect(balancers[0]).toMatchObject({ servers: [{ url: "http://each-of.tasks.shop-web:8000" }] });
  expect(prepare).toContain("each-of.");
  expect(command).toContain("--providers.file.directory=/tmp/traefik");
  expect(command).toContain("--providers.file.watch=true");
});

const answers = {
  getent: (list: string) => `cat ${list} | sed 's/$/ STREAM tasks.shop-web/'; [ -s ${list} ]`,
  nslookup: (list: string) =>
    `printf 'Server:\\t127.0.0.11\\nAddress:\\t127.0.0.11:53\\n\\nNon-authoritative answer:\\n'; sed 's/^/Name:\\ttasks.shop-web\\nAddress: /' ${list}`,
};
test.each(["getent", "nslookup"] as const)(
  "the loop follows the addresses that %s gives, and keeps the last when there are none",
  async (client) => {
    const folder = await mkdtemp(join(tmpdir(), "watch-"));
    const end = new AbortController();
    try {
      const list = join(folder, "list");
      const other = client === "getent" ? "nslookup" : "getent";
      await writeFile(join(folder, client), `#!/bin/sh\n${answers[client](list)}\n`, { mode: 0o755 });
      await writeFile(join(folder, other), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
      const { content } = routesFile([{ ...route, sticky: { cookie: "s", seconds: 60 } }]);
      await writeFile(join(folder, "routes.yml"), content);
      await writeFile(list, "10.0.0.2\n10.0.0.1\n");
      // Its own folder in the place of the container's /tmp.
      const script = watchScript("TEMPLATE")
        .replaceAll("/tmp/", `${folder}/`)
        .replaceAll("TEMPLATE", join(folder, "routes.yml"));
      const loop = execa("sh", ["-c", script.replace(/ &$/, "")], {
        env: { PATH: `${folder}:${String(process.env.PATH)}` },
        reject: false,
        cancelSignal: end.signal,
        forceKillAfterDelay: 100,
        stdio: "ignore", // the shell's own children would keep a pipe open
      });
      const servers = async () => {
        const text = await readFile(join(folder, "traefik/routes.yml"), "utf8").catch(() => "");
        return [...text.matchAll(/url: (http:\S+)/g)].map(([, url]) => url);
      };
      const both = ["http://10.0.0.1:8000", "http://10.0.0.2:8000"];
      expect(await until(servers, both)).toEqual(both);
      await writeFile(list, "10.0.0.3\n");
      expect(await until(servers, ["http://10.0.0.3:8000"])).toEqual(["http://10.0.0.3:8000"]);
      await writeFile(list, "");
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(await servers()).toEqual(["http://10.0.0.3:8000"]);
      end.abort();
      await loop;
    } finally {
      end.abort();
      await rm(folder, { recursive: true, force: true });
    }
  },
  60_000,
);

async function until<T>(probe: () => Promise<T>, wanted: T): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = await probe();
    if (JSON.stringify(found) === JSON.stringify(wanted) || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
