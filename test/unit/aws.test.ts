/** What AWS is asked for, as plain values: sizes, ranges, rules, task definitions, and what is refused. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import type { Ask, Container, Health, Workload } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { imageLock } from "../../components/core/image-lock.ts";
import type { Image } from "../../components/core/images.ts";
import type { Plan, PlannedRoute } from "../../components/core/plan.ts";
import { siteOf } from "../../components/core/site.ts";
import { planStack } from "../../components/deploy.ts";
import { subnetRange, tiers, unfitNetwork } from "../../components/topologies/aws/addresses.ts";
import { awsWith } from "../../components/topologies/aws/capabilities.ts";
import { checkAws } from "../../components/topologies/aws/check.ts";
import { awsArgs } from "../../components/topologies/aws/config.ts";
import {
  containerDefinitions,
  type DefinitionParts,
  fileKey,
  fileVolumes,
} from "../../components/topologies/aws/definition.ts";
import { bucketName } from "../../components/topologies/aws/fit.ts";
import { lookBack } from "../../components/topologies/aws/look-back.ts";
import { awsManaged } from "../../components/topologies/aws/managed.ts";
import { checkRules, priorityOf, rulesOf } from "../../components/topologies/aws/rules.ts";
import {
  cacheClass,
  databaseClass,
  hasGpus,
  machineClass,
  ownClass,
  postgresVersion,
  searchClass,
  taskSize,
} from "../../components/topologies/aws/sizes.ts";
import { overlap, rangeOf } from "../../components/topologies/subnets.ts";
import { certificate } from "../support/certificates.ts";
import { protecting } from "../support/protected.ts";
import { planReady, readyConfig } from "../support/ready.ts";

const root = join(import.meta.dirname, "../..");

describe("sizes", () => {
  /** The developer guide's table, written out by hand. */
  const sold = new Map([
    ["256", [512, 1024, 2048]],
    ["512", [1024, 2048, 3072, 4096]],
    ["1024", [2048, 3072, 4096, 5120, 6144, 7168, 8192]],
  ]);

  test.each([
    [0.25, 256, "256", "512"],
    [0.25, 1025, "256", "2048"],
    [0.5, 256, "512", "1024"],
    [1, 1024, "1024", "2048"],
    [1, 2049, "1024", "3072"],
    [1, 9000, "2048", "9216"],
    [2, 1024, "2048", "4096"],
    [16, 122_880, "16384", "122880"],
  ])("%d cores and %d MiB are a task of %s units and %s MiB", (cores, memory, cpu, size) => {
    expect(taskSize(cores, memory)).toEqual({ cpu, memory: size });
  });

  test.each([
    [17, 1024],
    [1, 122_881],
  ])("%d cores and %d MiB are for no task", (cores, memory) => {
    expect(taskSize(cores, memory)).toBeUndefined();
  });

  test("a task holds what is asked, and small ones are of the sizes that are sold", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 16, noNaN: true }),
        fc.integer({ min: 1, max: 122_880 }),
        (cores, memory) => {
          const size = taskSize(cores, memory);
          expect(Number(size?.cpu)).toBeGreaterThanOrEqual(cores * 1024 - 0.001);
          expect(Number(size?.memory)).toBeGreaterThanOrEqual(memory);
          const memories = sold.get(size?.cpu ?? "");
          if (memories) expect(memories).toContain(Number(size?.memory));
        },
      ),
    );
  });

  test("a machine has room for its own system; stores are the smallest that hold the ask", () => {
    expect(machineClass(1, 1536)).toBe("t3.small");
    expect(machineClass(1, 1537)).toBe("t3.medium");
    expect(machineClass(3, 512)).toBe("t3.xlarge");
    expect(machineClass(33, 512)).toBeUndefined();
    expect(ownClass({ cpu: 1, memoryMib: 1024 })).toBe("t3.small");
    const room = { cpu: 1, memoryMib: 6144, gib: 100, gpus: 0 };
    expect(ownClass({ cpu: 1, memoryMib: 1024, room })).toBe("t3.large");
    expect(ownClass({ cpu: 1, memoryMib: 1024, room: { ...room, gpus: 1 } })).toBe("g4dn.xlarge");
    expect(databaseClass(1024)).toBe("db.t4g.micro");
    expect(databaseClass(1025)).toBe("db.t4g.small");
    expect(cacheClass(384)).toBe("cache.t4g.micro");
    expect(cacheClass(385)).toBe("cache.t4g.small");
    expect(searchClass(1024, 100)).toBe("t3.small.search");
    expect(searchClass(1025, 100)).toBe("t3.medium.search");
    expect(searchClass(1024, 101)).toBe("t3.medium.search");
    expect(searchClass(1024, 201)).toBe("m6g.large.search");
    expect(searchClass(32_769, 1)).toBeUndefined();
    expect(searchClass(1024, 6145)).toBeUndefined();
  });
});

describe("sizes with GPUs", () => {
  test.each<[string | undefined, number, number, { gpus: number; gpuMib?: number }]>([
    ["g4dn.xlarge", 1, 1024, { gpus: 1 }],
    ["g4dn.xlarge", 4, 15_872, { gpus: 1, gpuMib: 16_384 }],
    ["g4dn.2xlarge", 4, 15_873, { gpus: 1 }],
    ["g6.xlarge", 4, 1024, { gpus: 1, gpuMib: 16_385 }],
    ["g6.xlarge", 4, 1024, { gpus: 1, gpuMib: 22_888 }],
    ["g6e.xlarge", 4, 1024, { gpus: 1, gpuMib: 22_889 }],
    ["g4dn.12xlarge", 1, 1024, { gpus: 2 }],
    ["g6.12xlarge", 1, 1024, { gpus: 4, gpuMib: 20_000 }],
    ["g6.48xlarge", 1, 1024, { gpus: 5 }],
    ["g6e.48xlarge", 192, 1024, { gpus: 8, gpuMib: 45_776 }],
    [undefined, 1, 1024, { gpus: 9 }],
    [undefined, 1, 1024, { gpus: 1, gpuMib: 45_777 }],
    [undefined, 193, 1024, { gpus: 1 }],
  ])("%s is the cheapest with %d cores, %d MiB and %j", (size, cores, memoryMib, gpus) => {
    expect(machineClass(cores, memoryMib, gpus)).toBe(size);
  });

  test("are known by their name: NVIDIA's, on a processor that runs our images", () => {
    const with_ = [
      "g4dn.xlarge",
      "g5.xlarge",
      "g6e.48xlarge",
      "gr6.4xlarge",
      "g7e.2xlarge",
      "p5.4xlarge",
      "p6-b200.48xlarge",
    ];
    expect(with_.filter((size) => !hasGpus(size))).toEqual([]);
    const without = ["t3.large", "g4ad.xlarge", "g5g.xlarge", "m7i.2xlarge", "inf2.xlarge", "r6g.large", "c6gn.large"];
    expect(without.filter(hasGpus)).toEqual([]);
  });
});

describe("the private network", () => {
  test.each(["10.80.0.0/16", "172.20.16.0/20", "192.168.0.0/18"])(
    "the parts of %s lie in it, apart from each other",
    (cidr) => {
      expect(unfitNetwork(cidr)).toBeUndefined();
      const whole = rangeOf(cidr);
      const parts = tiers.flatMap((tier) => [0, 1, 2].map((zone) => rangeOf(subnetRange(cidr, tier, zone))));
      for (const [index, part] of parts.entries()) {
        expect(part?.first).toBeGreaterThanOrEqual(whole?.first ?? 0);
        expect(part?.last).toBeLessThanOrEqual(whole?.last ?? 0);
        for (const other of parts.slice(index + 1)) expect(part && other && overlap(part, other)).toBe(false);
      }
    },
  );

  test("a part's range follows from its tier and zone alone", () => {
    expect(subnetRange("10.80.0.0/16", "edge", 0)).toBe("10.80.0.0/20");
    expect(subnetRange("10.80.0.0/16", "app", 1)).toBe("10.80.80.0/20");
    expect(subnetRange("10.80.0.0/16", "data", 2)).toBe("10.80.160.0/20");
  });

  test.each([
    ["8.8.0.0/16", "a part of 10.0.0.0/8"],
    ["10.0.0.0/8", "from /16 to /20"],
    ["10.0.0.0/21", "from /16 to /20"],
    ["10.0.1.0/16", "its last 16 bits have to be zero"],
    ["172.17.0.0/16", "the machines' own engines have"],
  ])("%s: %s", (cidr, remedy) => {
    expect(unfitNetwork(cidr)).toContain(remedy);
  });
});

const route = (over: Partial<PlannedRoute>): PlannedRoute => ({
  host: "a.example.com",
  path: "/",
  port: "web",
  to: "web",
  target: { number: 80, protocol: "http" },
  hosts: ["web-1"],
  of: "replicas",
  ...over,
});

describe("the balancer's rules", () => {
  test("the longest path comes first, and what is hidden before what shows it", () => {
    const rules = rulesOf([
      route({}),
      route({ path: "/api/", to: "api" }),
      route({ path: "/api/v1/", to: "v1", hidden: ["/api/v1/metrics"] }),
    ]);
    const order = [...rules].sort((a, b) => a.priority - b.priority);
    expect(order.map(({ pattern, route: to }) => [pattern, to?.to])).toEqual([
      ["/api/v1/metrics*", undefined],
      ["/api/v1/*", "v1"],
      ["/api/*", "api"],
      ["/*", "web"],
    ]);
  });

  test("a number follows from host and path alone, and is one that the balancer has", () => {
    const path = fc.string({ minLength: 1, maxLength: 127, unit: fc.constantFrom("a", "b", "c", "/") });
    fc.assert(
      fc.property(fc.domain(), path, (host, text) => {
        const number = priorityOf(host, text);
        expect(number).toBe(priorityOf(host, text));
        expect(number).toBeGreaterThanOrEqual(1);
        expect(number).toBeLessThanOrEqual(50_000);
        expect(priorityOf(host, `${text}a`)).toBeLessThan(number);
      }),
    );
  });

  test("what the balancer does not take is said of each route", () => {
    const problems = checkRules([route({ path: "/a*b" }), route({ path: `/${"x".repeat(127)}` })]).map(sentence);
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain("takes * and ? for any characters");
    expect(problems[1]).toContain("at most 127 characters");
  });

  test("of two paths that meet in a number one has another, whatever their order; nobody else moves", () => {
    const twins = twinsOf();
    const others = Array.from({ length: 90 }, (_, each) => `/${String(each + 500)}`);
    const numbers = (paths: readonly string[]): Record<string, number> =>
      Object.fromEntries(
        rulesOf(paths.map((path) => route({ path, to: path.slice(1) })))
          .map(({ pattern, priority }) => [pattern, priority] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    const both = numbers([...twins, "/"]);
    expect(new Set(Object.values(both)).size).toBe(3);
    expect(numbers(["/", ...twins.toReversed()])).toEqual(both);
    const many = numbers(others);
    expect(new Set(Object.values(many)).size).toBe(90);
    expect(both["/*"]).toBe(priorityOf("a.example.com", "/"));
    for (const hostname of ["a.example.com", "b.example.org", "pyrus.example.net"])
      expect(planReady("pyrus-aws", { hostname }).problems).toEqual([]);
  });

  test("a hundred rules are the most", () => {
    const many = (count: number) => Array.from({ length: count }, (_, each) => route({ path: `/${"p".repeat(each)}` }));
    expect(checkRules(many(100))).toEqual([]);
    expect(checkRules(many(101)).map(sentence)).toEqual(["routes = 101: a balancer has at most 100 rules"]);
  });
});

describe("the edge of one's choice", () => {
  const zones = ["eu-central-1a", "eu-central-1b"];
  const mirror = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub";
  /** What is refused of one workload with so many routes, or so. */
  const said = (
    edge: "balancer" | "proxy",
    proxy: "nginx" | "traefik",
    count: number,
    more: Partial<Workload> = {},
    at = mirror,
  ): string[] => {
    const web: Workload = {
      ...{ image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, replicas: 1 },
      health: { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 },
      ports: { web: { number: 80, protocol: "http" } },
      routes: Array.from({ length: count }, (_, each) => ({
        ...{ host: "a.example.com", path: `/${"p".repeat(each)}`, port: "web" },
      })),
      ...more,
    };
    const plan: Plan = {
      ...{ needs: [], workloads: new Map([["web", web]]), slots: new Map(), jobs: new Map(), managed: new Map() },
      ...{
        rotates: new Set(),
        secrets: new Set(),
        repeated: new Set(),
        images: new Set(),
        edge: { proxy },
        waits: new Map(),
        dumps: [],
      },
    };
    const site = siteOf({ name: "s", hostname: "a.example.com", mirror: at });
    const args = awsArgs.parse({ account: "123456789012", region: "eu-central-1", zones, edge });
    return checkAws({ ...args, tls: { mode: "local" } }, site, plan).problems.map(sentence);
  };

  test("what the balancer cannot take, and our own proxy can, says so", () => {
    expect(said("balancer", "nginx", 100)).toEqual([]);
    expect(said("balancer", "nginx", 101)).toEqual([
      "routes = 101: a balancer has at most 100 rules; or choose our own proxy, which takes it: aws: {edge: proxy}",
    ]);
    expect(said("proxy", "nginx", 101)).toEqual([]);
    const long = { routes: [{ host: "a.example.com", path: `/${"x".repeat(127)}`, port: "web" }] };
    expect(said("balancer", "traefik", 1, long)).toEqual([expect.stringMatching(/at most 127 .*edge: proxy}$/)]);
    expect(said("proxy", "traefik", 1, long)).toEqual([]);
  });

  test("our own proxy's configuration fits into one secret, or is refused; then the balancer names no way out", () => {
    for (const proxy of ["nginx", "traefik"] as const) {
      const refused = said("proxy", proxy, 400);
      expect(refused).toEqual([
        expect.stringMatching(
          /^routes = 400: the proxy's configuration for them has \d+ bytes, and one secret carries 56000/,
        ),
      ]);
      expect(said("balancer", proxy, 400).filter((each) => each.includes("edge: proxy"))).toEqual([]);
    }
  });

  test("DNS names eight replicas at once", () => {
    expect(said("proxy", "nginx", 1, { replicas: 8 })).toEqual([]);
    const nine =
      "web.replicas = 9: our own proxy finds at most 8 behind a route, as DNS names no more at once: choose aws: {edge: balancer}";
    expect(said("proxy", "traefik", 1, { replicas: 9 })).toEqual([nine]);
    expect(said("proxy", "traefik", 1, { replicas: { min: 1, max: 9 } })).toEqual([nine]);
    expect(said("proxy", "nginx", 0, { replicas: 9 })).toEqual([]);
    expect(said("balancer", "nginx", 1, { replicas: 9 })).toEqual([]);
  });

  test("what nginx cannot do is refused, and so are images that the proxies do not reach", () => {
    const sticky = (seconds: number) => ({ cookie: "stays", seconds });
    const route = { host: "a.example.com", port: "web" };
    const shared = {
      ports: { web: { number: 80, protocol: "http" }, other: { number: 81, protocol: "http" } },
      routes: [
        { ...route, path: "/", sticky: sticky(1) },
        { ...route, path: "/b", port: "other", sticky: sticky(1) },
      ],
    } as const;
    expect(said("proxy", "nginx", 0, shared)).toEqual([
      expect.stringMatching(/^routes\.sticky\.cookie = "stays": two workloads/),
    ]);
    expect(said("proxy", "traefik", 0, shared)).toEqual([]);
    expect(said("balancer", "nginx", 0, shared)).toEqual([]);
    const far = said("proxy", "nginx", 1, {}, "r.example.com/hub");
    expect(far).toHaveLength(2); // nginx, and the toolbox that writes its files
    for (const each of far)
      expect(each).toMatch(/^mirror = .*the edge network reaches the account's own registry alone/);
    expect(said("balancer", "nginx", 1, {}, "r.example.com/hub")).toEqual([]);
  });
});

/** Two paths of one length whose numbers are alike: there are 250 of each length. */
function twinsOf(): string[] {
  const seen = new Map<number, string>();
  for (let each = 100; ; each++) {
    const path = `/${String(each)}`;
    const number = priorityOf("a.example.com", path);
    const other = seen.get(number);
    if (other?.length === path.length) return [other, path];
    seen.set(number, path);
  }
}

describe("a task definition", () => {
  const image: Image = { key: "web", ref: "r/web:1", rehearsing: false, client: "curl", secrets: "files" };
  const health: Health = { ready: { http: "web", path: "/ok" }, startSeconds: 900, stopSeconds: 90 };
  const container: Container & { readonly health: Health } = {
    ...{ image: "web", tier: "app", cpu: 1, memoryMib: 512, health },
    files: [
      { path: "/run/web/a.yml", content: "a" },
      { path: "/run/web/b.yml", content: "b", secret: true, mode: 0o400 },
      { path: "/etc/other/c", content: "c" },
    ],
    ports: { web: { number: 80, protocol: "http" } },
  };
  const parts = {
    ...{ name: "web", image, filesImage: "r/toolbox:1", environment: ["A=1=2", "B="] },
    ...{ secret: { arn: "arn:secret", version: "v1" }, log: { group: "/s/web", region: "eu-central-1" } },
    logMode: "non-blocking",
  } as const;
  const definitions = (over: Partial<Container> = {}, more: Partial<DefinitionParts> = {}) =>
    containerDefinitions({ ...container, ...over }, { ...parts, ...more }) as Record<string, unknown>[];

  test("the same container is written the same, whatever the order of its files and ports", () => {
    const [, first] = definitions();
    const [, again] = definitions({ files: [...(container.files ?? [])].reverse() });
    expect(again).toEqual(first);
    expect(JSON.stringify(definitions())).toBe(JSON.stringify(definitions()));
  });

  test("nothing empty, null or undefined is written: ECS would not return it", () => {
    const text = JSON.stringify(definitions({ files: [], ports: {} }));
    expect(text).not.toMatch(/:null|\[\]|undefined/);
  });

  test("each file comes from its own key of the secret, at one version, and is written before the server starts", () => {
    const [writer, main] = definitions();
    expect(writer).toMatchObject({ name: "files", essential: false, image: "r/toolbox:1" });
    expect(writer?.secrets).toEqual(
      (container.files ?? []).map((file) => ({ name: fileKey(file), valueFrom: `arn:secret:${fileKey(file)}::v1` })),
    );
    expect(main?.dependsOn).toEqual([{ containerName: "files", condition: "SUCCESS" }]);
    const [script] = writer?.command as string[];
    expect(script).toContain("chmod 400 '/run/web/b.yml'");
    expect(script).toContain("chmod 444 '/run/web/a.yml'");
    expect(main?.mountPoints).toEqual(
      fileVolumes(container).map(({ name, path }) => ({ sourceVolume: name, containerPath: path, readOnly: true })),
    );
  });

  test("a folder in another one is made by hand: the outer one's mount would hide its own", () => {
    const files = ["/run/web/a", "/run/web/tls/key", "/run/webs/b"].map((path) => ({ path, content: path }));
    expect(fileVolumes({ ...container, files }).map(({ path }) => path)).toEqual(["/run/web", "/run/webs"]);
    const [writer] = definitions({ files });
    const [script = ""] = writer?.command as string[];
    expect(script.match(/^mkdir .*$/gm)).toEqual(["mkdir -p '/run/web/tls'"]);
    expect(script.indexOf("mkdir")).toBeLessThan(script.indexOf("/run/web/tls/key"));
  });

  test("no secret's value is written, and its key is no path", () => {
    expect(JSON.stringify(definitions({}, { environment: [] }))).not.toMatch(/"b"/);
    for (const file of container.files ?? []) expect(fileKey(file)).toMatch(/^FILE_[0-9a-f]{12}$/);
  });

  test("times are those that ECS takes: a longer start is the service's own grace", () => {
    const [, main] = definitions();
    expect(main?.healthCheck).toMatchObject({ startPeriod: 300, interval: 5, timeout: 5 });
    expect(main?.stopTimeout).toBe(90);
  });

  test("as on a Docker host a container has no right of root's, and its server is below an init process", () => {
    const [writer, main] = definitions();
    for (const each of [writer, main]) expect(each?.linuxParameters).toMatchObject({ capabilities: { drop: ["ALL"] } });
    expect(main?.linuxParameters).toMatchObject({ initProcessEnabled: true });
  });

  test("variables keep everything behind the first =", () => {
    expect(definitions().at(1)?.environment).toEqual([
      { name: "A", value: "1=2" },
      { name: "B", value: "" },
    ]);
  });

  test("a port below 1024 is for everybody in the task's own network", () => {
    const allowed = [{ namespace: "net.ipv4.ip_unprivileged_port_start", value: "0" }];
    expect(definitions().at(1)?.systemControls).toEqual(allowed);
    const high = definitions({ ports: { web: { number: 8080, protocol: "http" } } }).at(1);
    expect(high).not.toHaveProperty("systemControls");
  });

  test("a job's log loses no line; a service never waits for its log", () => {
    const mode = (logMode: "blocking" | "non-blocking") =>
      (definitions({}, { logMode }).at(1)?.logConfiguration as { options: Record<string, string> }).options;
    expect(mode("blocking")).toMatchObject({ mode: "blocking" });
    expect(mode("blocking")).not.toHaveProperty("max-buffer-size");
    expect(mode("non-blocking")).toMatchObject({ mode: "non-blocking", "max-buffer-size": "25m" });
  });
});

test("a bucket's name is the account's own", () => {
  const of = { account: "123456789012", region: "eu-central-1" };
  expect(bucketName(of, "s-files")).toBe("s-files-123456789012-eu-central-1-an");
});

describe("a managed PostgreSQL", () => {
  const ask = { databases: ["a"], clientTls: "if-asked", gib: 1 } as const;
  test.each<[string, Partial<Ask<"postgres">>, RegExp]>([
    ["for a superuser", { owner: { name: "o", superuser: true } }, /superuser/],
    ["for the application's own server", { image: "pyrus/pgsql-16" }, /its own server, pyrus\/pgsql-16/],
    ["without TLS", { clientTls: "never" }, /no TLS/],
    ["for a client that asks for the authority", { clientTls: "verifies" }, /authority/],
    ["with an extension that RDS has not", { extensions: ["postgis", "timescaledb"] }, /no timescaledb$/],
    ["larger than any", { memoryMib: 65_537 }, /65537 MiB/],
  ])("is not %s", (_, more, reason) => {
    expect(awsManaged.postgres?.unfit({ ...ask, ...more })).toMatch(reason);
  });

  test("fits else, and so does a Redis that speaks TLS or needs no password", () => {
    expect(awsManaged.postgres?.unfit(ask)).toBeUndefined();
    const redis = { keep: true, memoryMib: 64 };
    const fit = (clientTls: "verifies" | "never", clientAuth: boolean) =>
      awsManaged.redis?.unfit({ ...redis, clientTls, clientAuth });
    expect([fit("verifies", true), fit("verifies", false), fit("never", false)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(fit("never", true)).toMatch(/over TLS alone/);
    expect(awsManaged.objects?.unfit({ apis: ["azure-blob"], buckets: {}, browser: false, gib: 1 })).toMatch(/no S3/);
  });
});

test("a kind that AWS has itself is a file, a row of what it is for, and a row of who makes it", () => {
  const folder = join(root, "components/topologies/aws");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file, readFileSync(join(folder, file), "utf8")] as const);
  const files = Object.keys(awsManaged).map((kind) => `managed/${kind}.ts`);
  expect(sources.map(([file]) => file)).toEqual(expect.arrayContaining(files));
  // Nobody else knows the file, or the part of AWS that it stands for.
  for (const kind of Object.keys(awsManaged)) {
    const knows = sources.filter(
      ([file, text]) => new RegExp(`from "\\./(managed/)?${kind}\\.ts"`).test(text) && file !== `managed/${kind}.ts`,
    );
    expect(knows.map(([file]) => file)).toEqual(["index.ts"]);
  }
  const known = sources
    .filter(([, text]) => /@pulumi\/aws\/(rds|elasticache|cognito|opensearch)\//.test(text))
    .map(([file]) => file);
  expect(known.sort()).toEqual(["elasticsearch", "oidc", "postgres", "redis"].map((kind) => `managed/${kind}.ts`));
});

describe("a managed search", () => {
  const ask = {
    ...{ speaks: ["elasticsearch8", "opensearch2"], clientTls: "verifies" },
    ...{ plugins: ["analysis-icu"], nodes: 3, heapMib: 1024, gib: 50 },
  } as const satisfies Ask<"elasticsearch">;
  test.each<[string, Partial<Ask<"elasticsearch">>, RegExp]>([
    ["for clients of Elasticsearch", { speaks: ["elasticsearch7", "elasticsearch8"] }, /speak elasticsearch7 and ela/],
    ["for the application's own server", { image: "pyrus/elastic" }, /its own server, pyrus\/elastic/],
    ["without TLS", { clientTls: "never" }, /no TLS/],
    ["with plugins that it has not", { plugins: ["analysis-icu", "analysis-jmorphy2"] }, /no analysis-jmorphy2$/],
    ["with a larger heap than any", { heapMib: 32_769 }, /no node with a heap of 32769 MiB and 50 GiB/],
    ["with a larger disk than any", { gib: 6145 }, /1024 MiB and 6145 GiB/],
  ])("is not %s", (_, more, reason) => {
    expect(awsManaged.elasticsearch?.unfit({ ...ask, ...more })).toMatch(reason);
  });

  test("fits whom somebody says that its clients speak OpenSearch, and TLS", () => {
    expect(awsManaged.elasticsearch?.unfit(ask)).toBeUndefined();
    expect(awsManaged.elasticsearch?.unfit({ speaks: ["opensearch2"], nodes: 1, gib: 1 })).toMatch(/no TLS/);
  });

  const media = (over: object, config: object = {}, aws: object = {}) => {
    const { problems, whole } = planReady("media-aws", {
      ...{ media: { searchSpeaks: ["opensearch2"], ...config } },
      ...over,
      aws: { ...(readyConfig("stacks/media-aws.yaml").aws as object), ...aws },
    });
    const need = whole?.plan.needs.find(({ name }) => name === "elasticsearch");
    return { need, said: problems.map(sentence).map((text) => text.replaceAll('"', "")) };
  };

  test("is the media platform's by the operator's word alone, and Pyrus' never", () => {
    expect(media({})).toMatchObject({ need: { by: "managed", because: "it is Amazon OpenSearch Service" }, said: [] });
    expect(media({}, { searchSpeaks: ["elasticsearch8", "opensearch2"] }).need?.by).toBe("managed");
    expect(media({}, { searchSpeaks: ["elasticsearch8"] }).need).toMatchObject({
      by: "container",
      because: "the application's clients speak elasticsearch8, and nobody says that they take OpenSearch",
    });
    const pyrus = planReady("pyrus-aws").whole?.plan.needs.find(({ name }) => name === "elasticsearch");
    expect(pyrus).toMatchObject({ by: "container", because: expect.stringContaining("its own server, pyrus/elastic") });
  });

  test("in a protected stack wants three zones", () => {
    const two = { zones: ["eu-central-1a", "eu-central-1b"] };
    expect(media({ ...protecting("media-aws") }, {}, two).said).toEqual([
      expect.stringMatching(/^aws\.zones = eu-central-1a, eu-central-1b: elasticsearch: three nodes .* name a third/),
    ]);
    expect(media({ ...protecting("media-aws") }).said).toEqual([]);
    expect(media({}, {}, two).said).toEqual([]);
  });

  test("has sizes of its own kind", () => {
    const sized = (size: string) => media({}, {}, { classes: { elasticsearch: size } }).said;
    expect(sized("m6g.large.search")).toEqual([]);
    expect(sized("m7g.large")).toEqual(["aws.classes.elasticsearch = m7g.large: a size as t3.medium.search"]);
    expect(sized("db.m6g.large.search")).toEqual([
      expect.stringMatching(/^aws\.classes\.elasticsearch = db.*as t3.large/),
    ]);
    expect(media({}, {}, { classes: { "cassandra-1": "t3.medium.search" } }).said).toEqual([
      "aws.classes.cassandra-1 = t3.medium.search: a size as t3.large",
    ]);
  });

  test("of OpenSearch alone is none that a container of ours could stand in for", () => {
    expect(media({ data: { elasticsearch: "container" } }).said).toEqual([
      expect.stringMatching(/^data\.elasticsearch = container: .* a container of ours is Elasticsearch: name what/),
    ]);
    const swarm = (over: object) =>
      planReady("media-swarm", { media: { searchSpeaks: ["opensearch2"] }, ...over }).problems.map(sentence);
    expect(swarm({})).toEqual([
      expect.stringMatching(/^elasticsearch: the application's clients speak OpenSearch alone/),
    ]);
    const existing = { elasticsearch: { kind: "elasticsearch", host: "search.example.com", user: "app", tls: true } };
    expect(swarm({ existing, secrets: { elasticsearchPassword: "s" } })).toEqual([]);
    expect(planReady("media-docker", { media: { searchSpeaks: [] } }).problems.map(sentence)).toEqual([
      expect.stringMatching(/^media\.searchSpeaks/),
    ]);
  });
});

test("a plan says that RabbitMQ's nodes stand alone on AWS, which others put beside Cassandra's", () => {
  const rabbit = (stack: string) => planReady(stack).whole?.plan.needs.find(({ name }) => name === "rabbit")?.because;
  expect(rabbit("media-aws")).toBe("aws has no amqp of its own; each on a machine of its own");
  expect(rabbit("media-swarm")).toBe("swarm has no amqp of its own");
  expect(rabbit("media-docker")).toBe("docker has no amqp of its own");
  // The figures of docs/decisions.md: one machine for both is dearer than two.
  const slots = planReady("media-aws").whole?.plan.slots;
  const size = (names: string[]) => {
    const sum = (of: "cpu" | "memoryMib") => names.reduce((all, each) => all + (slots?.get(each)?.[of] ?? 0), 0);
    return machineClass(sum("cpu"), sum("memoryMib"));
  };
  expect([["cassandra-1"], ["rabbit-1"], ["cassandra-1", "rabbit-1"]].map(size)).toEqual([
    "t3.large",
    "t3.small",
    "t3.xlarge",
  ]);
});

describe("what comes every so often is missed", () => {
  test.each([
    [0.01, 2],
    [1, 3],
    [24, 49],
    [84, 168],
    [166, 168],
    [167, undefined],
  ])("%d h: after %s h", (every, hours) => {
    expect(lookBack(every)).toBe(hours);
  });
});

describe("a stack's config", () => {
  const good = {
    system: "arkindex",
    topology: "aws",
    hostname: "arkindex.example.com",
    rehearsal: true,
    mirror: "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub",
    arkindex: { bucketKeys: true },
    aws: {
      account: "123456789012",
      region: "eu-central-1",
      zones: ["eu-central-1a", "eu-central-1b"],
      tls: { mode: "local" },
    },
  };
  const problems = (over: object, aws: object = {}) =>
    planStack({ ...good, aws: { ...good.aws, ...aws }, ...over }, "test").problems.map((problem) =>
      sentence(problem).replaceAll('"', ""),
    );
  /** With an agent `gpu`, and changes of `aws`. */
  const withAgent = (agent: object, aws: object) => ({
    arkindex: { bucketKeys: true, agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", ...agent } } },
    secrets: { "ponosSeed-gpu": "s" },
    aws: { ...good.aws, ...aws },
  });

  test("is whole, and says who supplies what", () => {
    const { problems: none, whole, warnings } = planStack(good, "test");
    expect(none).toEqual([]);
    expect(whole?.plan.needs.map(({ name, by }) => [name, by])).toEqual([
      ["db", "managed"],
      ["redis", "managed"],
      ["objects", "managed"],
      ["solr", "container"],
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(/^redis: the application speaks no TLS, so ElastiCache takes plain text/),
    ]);
  });

  test("without keys for its buckets the application gets a store of the stack's own", () => {
    const { whole } = planStack({ ...good, arkindex: {} }, "test");
    const objects = whole?.plan.needs.find(({ name }) => name === "objects");
    expect(objects).toMatchObject({ by: "container", because: expect.stringContaining("names that S3 gives once") });
  });

  test("the operator's word makes a container of what AWS has", () => {
    const { whole } = planStack({ ...good, data: { redis: "container" } }, "test");
    expect(whole?.plan.slots.has("redis-1")).toBe(true);
  });

  test.each<[string, object, RegExp]>([
    [
      "a zone of another region",
      { zones: ["eu-central-1a", "eu-west-1b"] },
      /^aws\.zones = eu-west-1b: no zone of eu-central-1/,
    ],
    ["a zone twice", { zones: ["eu-central-1a", "eu-central-1a"] }, /^aws\.zones = eu-central-1a: each zone once/],
    ["one zone", { zones: ["eu-central-1a"] }, /^aws\.zones.*two or three/],
    ["an account that is no number of twelve digits", { account: "1234" }, /^aws\.account = 1234: .*twelve digits/],
    ["an account as a number", { account: 123456789012 }, /^aws\.account/],
    ["no region", { region: "frankfurt" }, /^aws\.region = frankfurt/],
    ["a network of the world's", { cidr: "8.8.0.0/16" }, /^aws\.cidr = 8\.8\.0\.0\/16: a part of/],
    ["a network of the machines' engine", { cidr: "172.17.0.0/16" }, /^aws\.cidr = 172\.17\.0\.0\/16/],
    ["no certificate", { tls: { mode: "acm" } }, /^aws\.tls: name the hosted zone/],
    [
      "a certificate of another account",
      { tls: { mode: "acm", certificate: "arn:aws:acm:eu-central-1:999999999999:certificate/x" } },
      /^aws\.tls\.certificate.*another account than 123456789012/,
    ],
    [
      "a certificate of another region",
      { tls: { mode: "acm", certificate: "arn:aws:acm:us-east-1:123456789012:certificate/x" } },
      /^aws\.tls\.certificate.*it lies in us-east-1/,
    ],
    ["a role of another account", { role: "arn:aws:iam::999999999999:role/deploy" }, /^aws\.role.*another account/],
    [
      "a size of nothing",
      { classes: { web: "t3.large" } },
      /^aws\.classes\.web = t3\.large: nothing here has a size of its own/,
    ],
    [
      "a machine's size for a database",
      { classes: { db: "t3.large" } },
      /^aws\.classes\.db = t3\.large: a size as db\./,
    ],
    [
      "a database's size for a machine",
      { classes: { "solr-1": "db.t4g.micro" } },
      /^aws\.classes\.solr-1.*a size as t3\.large/,
    ],
    ["a size that is none", { classes: { db: "large" } }, /^aws\.classes\.db = large/],
    [
      "a size of ARM's for a machine",
      { classes: { "solr-1": "m7g.large" } },
      /^aws\.classes\.solr-1 = m7g\.large: a machine of ARM's: our images are for x86_64/,
    ],
    [
      "a size that does not hold what is asked",
      { classes: { "solr-1": "t3.micro" } },
      /^aws\.classes\.solr-1 = t3\.micro: too small for what is asked of it: t3\.small, or larger/,
    ],
    [
      "a version of no database",
      { versions: { redis: "16" } },
      /^aws\.versions\.redis = 16: no managed PostgreSQL of this name; there are db$/m,
    ],
    [
      "a version that RDS has not",
      { versions: { db: "9.6" } },
      /^aws\.versions\.db = 9\.6: a major version of PostgreSQL, in quotes: 15, 16/,
    ],
    [
      "a version as a number",
      { versions: { db: 16 } },
      /^aws\.versions\.db = 16: a major version of PostgreSQL, in quotes/,
    ],
    [
      "a user in the place of a role",
      { role: "arn:aws:iam::123456789012:user/me" },
      /^aws\.role.*: no role: its ARN has :role\/$/m,
    ],
    [
      "a thing of ACM's that is no certificate",
      { tls: { mode: "acm", certificate: "arn:aws:acm:eu-central-1:123456789012:certificate-authority/x" } },
      /^aws\.tls\.certificate.*: no certificate: its ARN has :certificate\/$/m,
    ],
    [
      "another partition",
      { region: "cn-north-1", zones: ["cn-north-1a", "cn-north-1b"] },
      /^aws\.region = cn-north-1: a partition of its own/,
    ],
    ["a key by its alias", { kmsKey: "arn:aws:kms:eu-central-1:123456789012:alias/ours" }, /^aws\.kmsKey.*no alias/],
    [
      "a key of another account",
      { kmsKey: "arn:aws:kms:eu-central-1:999999999999:key/0123" },
      /^aws\.kmsKey.*another account than 123456789012/,
    ],
    [
      "a firewall of CloudFront's",
      { firewall: "arn:aws:wafv2:us-east-1:123456789012:global/webacl/ours/0123" },
      /^aws\.firewall.*a regional web ACL/,
    ],
    [
      "a firewall of another region",
      { firewall: "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/ours/0123" },
      /^aws\.firewall.*it lies in us-east-1/,
    ],
    ["days that CloudWatch has not", { logDays: 31 }, /^aws\.logDays = 31: days as CloudWatch has them/],
    ["an edge that is none", { edge: "nginx" }, /^aws\.edge = nginx: balancer or proxy$/],
    ["a zone of DNS that is a name", { zoneId: "example.com" }, /^aws\.zoneId = example\.com/],
  ])("%s is refused", (_, aws, expected) => {
    expect(problems({}, aws).join("\n")).toMatch(expected);
  });

  test.each<[string, object, RegExp]>([
    [
      "images from afar in the data network",
      { mirror: "registry.example.com/hub" },
      /^mirror = .*the data network reaches the account's own registry alone/,
    ],
    [
      "images of another region's registry",
      { mirror: "123456789012.dkr.ecr.us-east-1.amazonaws.com/hub" },
      /the data network reaches the account's own registry alone: set mirror: 123456789012\.dkr\.ecr\.eu-central-1/,
    ],
    [
      "a backup into a folder",
      { backup: { to: { path: "/srv/backup" } } },
      /^backup\.to\.path: no place for backups on aws: choose s3/,
    ],
    [
      "a part that is too large",
      { arkindex: { solrMemoryMib: 200_000, bucketKeys: true } },
      /^solr-1\.memoryMib.*too much for one part here/,
    ],
    [
      "a machine by name",
      {
        arkindex: {
          bucketKeys: true,
          agents: { gpu: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", machine: "m1" } },
        },
        secrets: { "ponosSeed-gpu": "s" },
      },
      /agent-gpu\.machine = m1: aws has no nodes of yours/,
    ],
    [
      "more cores than Fargate sells",
      {
        system: "media",
        arkindex: undefined,
        media: { nodes: 1, searchNodes: 1, services: { metadata: { path: "/", cpu: 17 } } },
      },
      /^metadata\.cpu = 17: too much for one part here: at most 16 cores and 120 GiB$/m,
    ],
    [
      "a name with two hyphens",
      { name: "ark--index" },
      /^name = ark--index: RDS and ElastiCache take single hyphens inside/,
    ],
    [
      "a name that ends with one",
      { name: "arkindex-" },
      /^name = arkindex-: RDS and ElastiCache take single hyphens inside/,
    ],
    [
      "a name behind which a bucket's would be too long",
      { name: "an-archive-of-old-books" },
      /^name = an-archive-of-old-books: its bucket an-archive-of-old-books-ponos-artifacts-123456789012-eu-central-1-an has 68 characters, and S3 takes 63: at most 18 for the name$/m,
    ],
    [
      "a database that lies in the stack's own network",
      { existing: { db: { kind: "postgres", host: "10.80.3.4", user: "a" } }, secrets: { dbPassword: "p" } },
      /^existing\.db = 10\.80\.3\.4: lies in the stack's own private network, 10\.80\.0\.0\/16/,
    ],
    [
      "a backup whose endpoint is of another region",
      {
        backup: { to: { s3: { endpoint: "https://s3.eu-west-1.amazonaws.com", bucket: "b", region: "eu-central-1" } } },
        secrets: { backupKey: "k", backupSecret: "s" },
      },
      /^backup\.to\.s3\.region = eu-central-1: the endpoint https:\/\/s3\.eu-west-1\.amazonaws\.com is of eu-west-1/,
    ],
    [
      "a managed store that does not fit",
      { arkindex: {}, data: { objects: "managed" } },
      /^data\.objects = managed: the application knows its buckets by names/,
    ],
  ])("%s is refused", (_, over, expected) => {
    expect(problems(over).join("\n")).toMatch(expected);
  });

  test.each<[string, object, Record<string, string>, RegExp]>([
    ["GPUs that no size has", { gpus: 8, gpuMib: 81_920 }, {}, /^agent-gpu\.gpus = 8: at most 8 of 45776 MiB each/],
    ["GPUs beside too much memory", { gpus: 1, memoryMib: 2_000_000 }, {}, /^agent-gpu\.gpus = 1: at most 8/],
    ["more GPUs than any machine has", { gpus: 9 }, {}, /^arkindex\.agents\.gpu\.gpus = 9/],
    [
      "a machine that is too large",
      { memoryMib: 200_000 },
      {},
      /^agent-gpu\.memoryMib = 201024: too much for one part/,
    ],
    [
      "a size without a GPU for an agent with one",
      { gpus: 1 },
      { "agent-gpu": "m7i.2xlarge" },
      /^aws\.classes\.agent-gpu = m7i\.2xlarge: a size with GPUs of NVIDIA's on an Intel or AMD machine, as g6\.xlarge$/,
    ],
    [
      "a size by a replica's name",
      { gpus: 1 },
      { "agent-gpu-1": "g6.xlarge" },
      /^aws\.classes\.agent-gpu-1 = g6\.xlarge: nothing here has a size of its own by this name; there are .*agent-gpu/,
    ],
  ])("of agents %s is refused", (_, agent, classes, expected) => {
    const found = problems(withAgent(agent, { classes }));
    expect(found).toEqual([expect.stringMatching(expected)]);
  });

  test.each<[string, object, object]>([
    ["without a GPU", {}, {}],
    ["with GPUs", { gpus: 4, gpuMib: 20_000, replicas: 3 }, {}],
    ["on a size that is not known here", { gpus: 8, gpuMib: 81_920 }, { classes: { "agent-gpu": "p4de.24xlarge" } }],
  ])("an agent %s is taken", (_, agent, aws) => {
    expect(problems(withAgent(agent, aws))).toEqual([]);
  });

  test("our own proxy ends no request by itself, and a stack without routes has no use for it", () => {
    expect(problems({}, { edge: "proxy" })).toEqual([]);
    expect(awsWith({ edge: "proxy" }).edge).toEqual({ by: "proxy", bodyMib: Infinity, seconds: Infinity });
    expect(awsWith({ edge: "balancer" }).edge).toMatchObject({ by: "balancer", seconds: 4000 });
    expect(awsWith({ edge: "balancer" }).edge.instead).toContain("aws: {edge: proxy}");
    const machines = planReady("machines-aws", { aws: { ...good.aws, edge: "proxy" } });
    expect(machines.problems.map(sentence)).toEqual([
      'aws.edge = "proxy": nothing here has a public name: leave it out',
    ]);
  });

  test("a name that no public authority signs for is refused where ACM asks one", () => {
    const acm = { tls: { mode: "acm" }, zoneId: "Z0123456789ABCDEFGHIJ" };
    expect(problems({ hostname: "arkindex.corp.internal" }, acm)).toEqual([
      "hostname = arkindex.corp.internal: no public authority signs for it: a name of yours, or tls: {mode: own} or local",
    ]);
    expect(problems({ hostname: `${"a".repeat(50)}.${"b".repeat(10)}.org` }, acm)).toEqual([
      expect.stringMatching(/^hostname = a+\.b+\.org: ACM signs first names of at most 64 characters$/),
    ]);
    expect(problems({ hostname: "arkindex.example.com" }, acm)).toEqual([]);
    expect(problems({ hostname: "arkindex.corp.internal" })).toEqual([]);
  });

  test("a database of a later version than pg_dump's is backed up by a toolbox of the operator's alone", () => {
    const place = { s3: { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "b", region: "eu-central-1" } };
    const over = { backup: { to: place }, secrets: { backupKey: "k", backupSecret: "s" } };
    const late = { versions: { db: "17" } };
    expect(problems(over, late)).toEqual([
      "aws.versions.db = 17: the backup's pg_dump is of 15 and dumps no newer server: name images.toolbox and images.postgis of 17",
    ]);
    expect(problems({}, late)).toEqual([]);
    const toolbox = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ours/toolbox:17";
    expect(problems({ ...over, images: { toolbox } }, late)).toEqual([]);
    const file = readFileSync(join(root, "tools/images/toolbox/Dockerfile"), "utf8");
    expect(file).toContain(` postgresql-client-${postgresVersion} `);
    expect(imageLock.postgis?.version).toMatch(new RegExp(`^${postgresVersion}-`));
  });

  test("a firewall where it can stand before nothing is refused, and no other edge advised with it", () => {
    const firewall = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/ours/0123";
    expect(problems({}, { firewall })).toEqual([]);
    expect(problems({}, { firewall, edge: "proxy" })).toEqual([
      `aws.firewall = ${firewall}: AWS WAF stands before no network load balancer, which our own proxy has: leave it out, or choose aws: {edge: balancer}`,
    ]);
    const machines = { sshKeys: ["ssh-ed25519 AAAA"] };
    const { problems: found } = planStack(
      { system: "machines", topology: "aws", hostname: "m.example.com", machines, aws: { ...good.aws, firewall } },
      "test",
    );
    expect(found.map(sentence)).toEqual([
      expect.stringMatching(/^aws\.firewall = .*nothing here has a public name: leave it out/),
    ]);
  });

  test("a backup that is due too seldom for an alarm is said", () => {
    const secrets = { backupKey: "k", backupSecret: "s" };
    const to = { s3: { endpoint: "https://s3.example.com", bucket: "b", region: "r" } };
    const said = (everyHours: number) =>
      planStack({ ...good, secrets, backup: { everyHours, to } }, "test").warnings.filter((each) =>
        each.startsWith("backup: it is due every"),
      );
    expect(said(166)).toEqual([]);
    expect(said(24 * 10)).toEqual([expect.stringContaining("every 10 days, and an alarm looks back seven at most")]);
  });

  test("an own certificate needs its key, and has to be one for the names", async () => {
    const { pem: cert } = await certificate({ name: "other", hostnames: ["other.example.com"] });
    const found = problems({}, { tls: { mode: "own", cert } });
    expect(found[0]).toMatch(/^secrets\.tlsKey: set it/);
    expect(found[1]).toMatch(/^aws\.tls\.cert: .*arkindex\.example\.com/);
    expect(found).toHaveLength(2);
  });

  test("twenty things and more are said at once, each with its key and the remedy", async () => {
    const { pem: cert } = await certificate({ name: "other", hostnames: ["other.example.com"] });
    const found = problems(
      {
        name: "ark--index-of-old-books",
        mirror: "999999999999.dkr.ecr.eu-central-1.amazonaws.com/hub",
        arkindex: { solrMemoryMib: 200_000 },
        data: { objects: "managed", mail: "container" },
        disks: { "solr-9": "2026-03-01" },
        existing: { db: { kind: "postgres", host: "172.17.0.9", user: "a" } },
        backup: { to: { path: "/srv/backup" } },
        images: { nothing: "r.example.com/n:1" },
      },
      {
        zones: ["eu-west-1a", "eu-central-1b", "eu-central-1b"],
        cidr: "172.17.0.0/16",
        role: "arn:aws:iam::999999999999:user/deploy",
        tls: { mode: "own", cert },
        zoneId: "example.com",
        nat: "two",
        logDays: 31,
        alarmEmail: "me",
        classes: { web: "t3.large", redis: "t3.large", "solr-1": "m7g.large", db: "large" },
        versions: { redis: "16", db: "9" },
        zone: "a",
      },
    );
    for (const key of [
      ...["name", "mirror", "data.objects", "data.mail", "disks.solr-9", "existing.db"],
      ...["backup.to.path", "images.nothing", "solr-1.memoryMib", "aws.zones", "aws.cidr", "aws.role", "aws.tls.cert"],
      ...["aws.zoneId", "aws.nat", "aws.logDays", "aws.alarmEmail", "aws.classes.web", "aws.classes.redis"],
      ...["aws.classes.solr-1", "aws.classes.db", "aws.versions.redis", "aws.versions.db", "aws.zone"],
    ])
      expect(found.filter((line) => line.startsWith(`${key}:`) || line.startsWith(`${key} =`))).not.toEqual([]);
    expect(new Set(found).size).toBe(found.length);
    for (const line of found) expect(line).toMatch(/^[\w.-]+( = .+)?: .{8,}$/);
  });

  test("everything is said at once", () => {
    const found = problems(
      { hostname: "x" },
      { account: "1", zones: ["eu-west-1a", "eu-central-1b"], cidr: "8.8.0.0/16" },
    );
    for (const key of ["hostname", "aws.account"]) expect(found.join("\n")).toContain(key);
  });
});
