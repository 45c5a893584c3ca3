/** What AWS is asked for, as plain values: sizes, ranges, rules, task definitions, and what is refused. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import type { Ask, Container, Health } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import type { Image } from "../../components/core/images.ts";
import type { PlannedRoute } from "../../components/core/plan.ts";
import { planStack } from "../../components/deploy.ts";
import { subnetRange, tiers, unfitNetwork } from "../../components/topologies/aws/addresses.ts";
import { bucketName } from "../../components/topologies/aws/bucket.ts";
import {
  containerDefinitions,
  type DefinitionParts,
  fileKey,
  fileVolumes,
} from "../../components/topologies/aws/definition.ts";
import { lookBack } from "../../components/topologies/aws/look-back.ts";
import { awsManaged } from "../../components/topologies/aws/managed.ts";
import { checkRules, priorityOf, rulesOf } from "../../components/topologies/aws/rules.ts";
import { cacheClass, databaseClass, machineClass, taskSize } from "../../components/topologies/aws/sizes.ts";
import { overlap, rangeOf } from "../../components/topologies/subnets.ts";
import { certificate } from "../support/certificates.ts";

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
    expect(databaseClass(1024)).toBe("db.t4g.micro");
    expect(databaseClass(1025)).toBe("db.t4g.small");
    expect(cacheClass(384)).toBe("cache.t4g.micro");
    expect(cacheClass(385)).toBe("cache.t4g.small");
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
    const twins = twinsOf();
    const problems = checkRules([
      route({ path: "/a*b" }),
      route({ path: `/${"x".repeat(127)}` }),
      ...twins.map((path) => route({ path, to: path.slice(1) })),
    ]).map(sentence);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toContain("takes * and ? for any characters");
    expect(problems[1]).toContain("at most 127 characters");
    expect(problems[2]).toContain("its rule has the number of");
  });

  test("a hundred rules are the most", () => {
    const many = (count: number) => Array.from({ length: count }, (_, each) => route({ path: `/${"p".repeat(each)}` }));
    expect(checkRules(many(100))).toEqual([]);
    expect(checkRules(many(101)).map(sentence)).toEqual(["routes = 101: a balancer has at most 100 rules"]);
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

test("a bucket's name is the account's own, and fits with the longest name of a stack", () => {
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
    planStack({ ...good, ...over, aws: { ...good.aws, ...aws } }, "test").problems.map((problem) =>
      sentence(problem).replaceAll('"', ""),
    );

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
      "a managed store that does not fit",
      { arkindex: {}, data: { objects: "managed" } },
      /^data\.objects = managed: the application knows its buckets by names/,
    ],
  ])("%s is refused", (_, over, expected) => {
    expect(problems(over).join("\n")).toMatch(expected);
  });

  test("a firewall without a balancer is refused", () => {
    const firewall = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/ours/0123";
    const machines = { sshKeys: ["ssh-ed25519 AAAA"] };
    const { problems: found } = planStack(
      { system: "machines", topology: "aws", hostname: "m.example.com", machines, aws: { ...good.aws, firewall } },
      "test",
    );
    expect(found.map(sentence)).toEqual([expect.stringMatching(/^aws\.firewall = .*nothing here has a balancer/)]);
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

  test("everything is said at once", () => {
    const found = problems(
      { hostname: "x" },
      { account: "1", zones: ["eu-west-1a", "eu-central-1b"], cidr: "8.8.0.0/16" },
    );
    for (const key of ["hostname", "aws.account"]) expect(found.join("\n")).toContain(key);
  });
});
