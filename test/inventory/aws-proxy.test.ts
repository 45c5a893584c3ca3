/** Our own proxy as the edge on AWS (`edge: proxy`), as the program registers it: what is there, and who may call whom. */
import { isDeepStrictEqual } from "node:util";

import { beforeAll, describe, expect, test } from "@jest/globals";

import type { Registered } from "../support/mocks.ts";
import { protecting } from "../support/protected.ts";
import { readyConfig, recordReady } from "../support/ready.ts";

type System = "arkindex" | "pyrus" | "arangodb" | "media";
const nginxConf = "/run/nginx/nginx.conf";
const traefikRoutes = "/run/traefik/routes/routes.yml";

/** A ready stack, changed, with our own proxy. */
const deploy = (system: System, aws: object = {}, over: object = {}) => {
  const config = readyConfig(`stacks/${system}-aws.yaml`);
  return recordReady(`${system}-aws`, { aws: { ...(config.aws as object), edge: "proxy", ...aws }, ...over });
};
const of = (all: readonly Registered[], type: string) => all.filter((each) => each.type === `aws:${type}`);
const one = (all: readonly Registered[], type: string, name: string): Registered["inputs"] => {
  const found = of(all, type).find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${type} ${name}`);
  return found.inputs;
};
/** The ways that rules open, as `from > to: port`. */
const ways = (all: readonly Registered[]): string[] =>
  of(all, "vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    .map(({ inputs }) => {
      const [from, to] = [inputs.referencedSecurityGroupId ?? inputs.cidrIpv4, inputs.securityGroupId].map((id) =>
        String(id).replace(/^aws-(.*)-id$/, "$1"),
      );
      return `${from ?? ""} > ${to ?? ""}: ${String(inputs.fromPort)}`;
    })
    .filter((way) => /edge|proxy/.test(way))
    .sort();

/** The files that the proxies are given, in their secret, by path. */
function filesOf(all: readonly Registered[], system: System): string {
  return String(one(all, "secretsmanager/secretVersion:SecretVersion", `${system}-edge-secret`).secretString);
}
function definitionOf(all: readonly Registered[], system: System): Record<string, unknown>[] {
  const { containerDefinitions } = one(all, "ecs/taskDefinition:TaskDefinition", `${system}-edge`);
  return JSON.parse(String(containerDefinitions)) as Record<string, unknown>[];
}

interface Row {
  readonly system: System;
  readonly proxy: "nginx" | "traefik";
  readonly file: string;
  /** The routed ports. */
  readonly ports: readonly number[];
  /** What its configuration has. */
  readonly told: readonly string[];
}
const rows: readonly Row[] = [
  {
    ...{ system: "arkindex", proxy: "traefik", file: traefikRoutes, ports: [8000, 8182] },
    // Traefik asks DNS at each request.
    told: ["http://backend.arkindex.internal:8000", "http://cantaloupe.arkindex.internal:8182"],
  },
  {
    ...{ system: "pyrus", proxy: "nginx", file: nginxConf, ports: [18888, 80] },
    told: [
      "listen 443 ssl http2 proxy_protocol;",
      "set_real_ip_from 10.80.0.0/20;\n  set_real_ip_from 10.80.16.0/20;\n  set_real_ip_from 10.80.32.0/20;",
      "ingressstick=",
      "client_max_body_size 2048m;",
      "proxy_set_header Upgrade $http_upgrade;",
      'rewrite "^/api/?(.*)$" /$1 break;',
      'location ~* "^/bind/metrics(?:[/;%]|$)" { return 404; }',
    ],
  },
];

describe.each(rows)("$system: $proxy", ({ system, proxy, file, ports, told }) => {
  let all: Registered[];
  beforeAll(async () => {
    all = await deploy(system);
  });

  test("two tasks of it are behind a network load balancer, which passes both ports on", () => {
    expect(of(all, "lb/loadBalancer:LoadBalancer").map(({ inputs }) => inputs.loadBalancerType)).toEqual(["network"]);
    expect(of(all, "lb/listenerRule:ListenerRule")).toEqual([]);
    const listens = of(all, "lb/listener:Listener").map(({ inputs }) => [inputs.port, inputs.protocol]);
    expect(listens).toEqual([
      [80, "TCP"],
      [443, "TCP"],
    ]);
    const groups = of(all, "lb/targetGroup:TargetGroup").map(({ inputs }) => inputs);
    expect(groups).toEqual([
      expect.objectContaining({ port: 80, protocol: "TCP", preserveClientIp: "false" }),
      expect.objectContaining({ port: 443, protocol: "TCP", preserveClientIp: "false", proxyProtocolV2: true }),
    ]);
    // Its https port wants a caller's address first, which a question has not.
    for (const { healthCheck } of groups) expect(healthCheck).toMatchObject({ protocol: "TCP", port: "80" });
    const service = one(all, "ecs/service:Service", `${system}-edge`);
    expect(service).toMatchObject({ name: "edge", desiredCount: 2, deploymentMinimumHealthyPercent: 100 });
    expect(service.loadBalancers).toEqual(
      [80, 443].map((port) => ({
        targetGroupArn: `arn:aws:lb/targetGroup:TargetGroup:${system}-edge-tcp-${String(port)}`,
        containerName: "edge",
        containerPort: port,
      })),
    );
    const others = of(all, "ecs/service:Service").filter(({ name }) => name !== `${system}-edge`);
    expect(others.length).toBeGreaterThan(2);
    for (const { inputs } of others) expect(inputs).not.toHaveProperty("loadBalancers");
  });

  test("its gate is our own provider's, as every other", () => {
    const gates = all.filter(({ type }) => type === "platform-topologies:index:EcsGate");
    expect(gates.map(({ name }) => name)).toContain(`${system}-edge`);
    expect(new Set(gates.map(({ provider }) => provider)).size).toBe(1);
    expect(gates[0]?.provider).toContain("aws-ops");
  });

  test("each is a small server without rights; its certificate's key and its routes come from its own secret", () => {
    const [writer, main] = definitionOf(all, system);
    expect(main).toMatchObject({ image: expect.stringContaining(proxy), user: expect.stringMatching(/^[1-9]\d+:/) });
    expect(one(all, "ecs/taskDefinition:TaskDefinition", `${system}-edge`)).toMatchObject({
      cpu: "512",
      memory: "1024",
    });
    expect(JSON.stringify(definitionOf(all, system))).not.toContain("KEY\\n");
    expect((writer?.command as string[])[0]).toContain(`>'${file}'`);
    const secret = filesOf(all, system);
    for (const text of ["CERT", "KEY"]) expect(secret).toContain(`"${text}"`);
    for (const text of told) expect(secret).toContain(JSON.stringify(text).slice(1, -1));
  });

  test("it finds replicas by their full names, and sees by its own that DNS answers", () => {
    const [, main] = definitionOf(all, system);
    const script = [main?.entryPoint, main?.command].flat().join("\n");
    if (proxy === "nginx") {
      expect(script).toContain(`getent ahostsv4 edge.${system}.internal`);
      expect(script.match(/^ {2}upstream .*$/gm)).toEqual([
        "  upstream files-18888 18888 '' '' '' files.pyrus.internal",
        "  upstream bind-80 80 '' '' '' bind.pyrus.internal",
        expect.stringMatching(/^ {2}upstream web-api-80-ingressstick 80 '\$brought.* web-api\.pyrus\.internal$/),
      ]);
    } else {
      const trusted = "10.80.0.0/20,10.80.16.0/20,10.80.32.0/20";
      expect(script).toContain(`--entryPoints.websecure.proxyProtocol.trustedIPs=${trusted}`);
    }
    expect(one(all, "servicediscovery/service:Service", `${system}-edge`).name).toBe("edge");
    // A replica may stop as soon as another is well.
    const routed = system === "pyrus" ? "pyrus-files" : "arkindex-backend";
    expect(one(all, "servicediscovery/service:Service", routed).dnsConfig).toMatchObject({
      dnsRecords: [{ type: "A", ttl: 2 }],
    });
  });

  test("the world reaches the balancer, the balancer the proxies, and these the routed ports alone", () => {
    const routed = ports.map((port) => `proxy > app: ${String(port)}`);
    expect(ways(all)).toEqual(
      [
        ...["0.0.0.0/0 > edge: 443", "0.0.0.0/0 > edge: 80", "edge > proxy: 443", "edge > proxy: 80"],
        ...["proxy > endpoints: 443", ...routed],
      ].sort(),
    );
    const out = of(all, "vpc/securityGroupEgressRule:SecurityGroupEgressRule")
      .filter(({ inputs }) => inputs.securityGroupId === "aws-proxy-id")
      .map(({ inputs }) => inputs.referencedSecurityGroupId ?? inputs.prefixListId ?? inputs.cidrIpv4);
    expect(out.filter((to) => to !== "aws-app-id" && to !== "aws-endpoints-id")).toEqual([undefined]); // S3's, not known
    const { networkConfiguration } = one(all, "ecs/service:Service", `${system}-edge`);
    expect(networkConfiguration).toEqual({
      subnets: ["a", "b", "c"].map((zone) => `aws-app-eu-central-1${zone}-id`),
      securityGroups: ["aws-proxy-id"],
      assignPublicIp: false,
    });
  });

  test("an operator is woken when none answers, when one does not, and when one is missing", () => {
    const alarms = of(all, "cloudwatch/metricAlarm:MetricAlarm").filter(({ name }) => name.includes("-edge-"));
    expect(
      alarms
        .map(({ name, inputs }) => [name.replace(`${system}-edge-`, ""), inputs.metricName, inputs.threshold])
        .sort(),
    ).toEqual([
      ["443-ill", "UnHealthyHostCount", 0],
      ["80-ill", "UnHealthyHostCount", 0],
      ["tasks", "RunningTaskCount", 2],
      ["tcp-443-unhealthy", "HealthyHostCount", 1],
      ["tcp-80-unhealthy", "HealthyHostCount", 1],
    ]);
  });
});

test.each([
  ["balancer", "edge"],
  ["proxy", "proxy"],
])(
  "arangodb, %s: the edge reaches the coordinators, which are beside the stores, and nothing else there",
  async (edge, from) => {
    const all = await deploy("arangodb", { edge });
    expect(ways(all).filter((way) => way.startsWith(`${from} > `) && !way.endsWith(": 443"))).toEqual([
      `${from} > routed: 8529`,
    ]);
    const groups = (name: string) => one(all, "ec2/networkInterface:NetworkInterface", name).securityGroups;
    expect(groups("arangodb-coordinator-1")).toEqual(["aws-data-id", "aws-routed-id"]);
    expect(groups("arangodb-dbserver-1")).toEqual(["aws-data-id"]);
  },
);

describe("certificates", () => {
  const edge = async (aws: object, over: object = {}) => {
    const all = await deploy("pyrus", aws, over);
    const listener = one(all, "lb/listener:Listener", "pyrus-edge-tcp-443");
    const group = one(all, "lb/targetGroup:TargetGroup", "pyrus-edge-tcp-443");
    const balancer = one(all, "lb/loadBalancer:LoadBalancer", "pyrus-edge-tcp");
    return { all, listener, group, balancer, own: all.some(({ type }) => type.endsWith("index:Certificate")) };
  };
  const arn = "arn:aws:acm:eu-central-1:123456789012:certificate/c";

  test("ACM's stays at the balancer, which speaks TLS anew to the proxies, and the caller's address before it", async () => {
    const { all, listener, group, balancer, own } = await edge({ tls: { mode: "acm", certificate: arn } });
    expect(listener).toMatchObject({ protocol: "TLS", certificateArn: arn, alpnPolicy: "HTTP2Preferred" });
    expect(listener.sslPolicy).toMatch(/TLS13-1-2/);
    expect(group).toMatchObject({ protocol: "TLS", proxyProtocolV2: true, preserveClientIp: "false" });
    expect(balancer.accessLogs).toMatchObject({ enabled: true });
    const alarm = one(all, "cloudwatch/metricAlarm:MetricAlarm", "aws-edge-certificate");
    expect(alarm).toMatchObject({ metricName: "DaysToExpiry", dimensions: { CertificateArn: arn } });
    expect(own).toBe(true);
    // Callers inside trust what everybody trusts.
    expect(JSON.stringify(of(all, "ecs/taskDefinition:TaskDefinition"))).not.toContain("ca.pem");
  });

  test("ACM's own is validated in the hosted zone, where the names lead to the balancer once the proxies are there", async () => {
    const { all, listener } = await edge({ tls: { mode: "acm" }, zoneId: "Z0123456789ABCDEFGHIJ" });
    expect(listener).toMatchObject({ protocol: "TLS" });
    const record = of(all, "route53/record:Record").find(({ name }) => name === "pyrus-edge-pyrus.example.com");
    expect(record?.inputs).toMatchObject({ type: "A", name: "pyrus.example.com" });
    expect(record?.options.dependsOn).toContain("EcsGate pyrus-edge");
  });

  test("the stack's own, and the operator's, are the proxies': nothing is imported into ACM", async () => {
    const { all, listener, group, balancer } = await edge({});
    expect([listener.protocol, group.protocol]).toEqual(["TCP", "TCP"]);
    expect(listener).not.toHaveProperty("certificateArn");
    expect(balancer).not.toHaveProperty("accessLogs");
    expect(of(all, "acm/certificate:Certificate")).toEqual([]);
  });
});

/** What holds data, or keeps what guards them. */
const stores =
  /^(aws:(rds\/|elasticache\/|s3\/bucket:|ebs\/|ec2\/networkInterface:|autoscaling\/|ec2\/launchTemplate:)|random:|platform-topologies:index:(Machine|Job|Certificate|StackIdentity)$)/;

/** The names of what both have and is another, and of what only the second has. */
function changes(old: readonly Registered[], now: readonly Registered[]) {
  // What a log must not show is no difference of a gate's or a job's.
  const loud = ({ inputs }: Registered) => Object.entries(inputs).filter(([key]) => key !== "redact");
  const known = new Map(old.map((each) => [`${each.type} ${each.name}`, each]));
  const changed = now.filter((each) => {
    const before = known.get(`${each.type} ${each.name}`);
    return before !== undefined && !isDeepStrictEqual(loud(before), loud(each));
  });
  const made = now.filter((each) => !known.has(`${each.type} ${each.name}`));
  return { changed, made };
}
const names = (all: readonly Registered[]) => [...new Set(all.map(({ name }) => name))].sort();

describe("a change", () => {
  test.each(["arkindex", "pyrus", "arangodb"] as const)(
    "%s: another edge touches no store, no machine and no job; each routed part rolls once",
    async (system) => {
      const [balanced, proxied] = [await deploy(system, { edge: "balancer" }), await deploy(system)];
      const there = (from: readonly Registered[]) => names(from.filter(({ type }) => stores.test(type)));
      expect(there(proxied)).toEqual(there(balanced));
      const { changed } = changes(balanced, proxied);
      expect(changed.filter(({ type }) => stores.test(type)).map(({ type, name }) => `${type} ${name}`)).toEqual([]);
      const services = changed.filter(({ type }) => type === "aws:ecs/service:Service");
      const routed = {
        arkindex: ["arkindex-backend", "arkindex-cantaloupe"],
        pyrus: ["pyrus-bind", "pyrus-files", "pyrus-web-api"],
        arangodb: [],
      };
      expect(names(services)).toEqual(routed[system]);
    },
  );

  test.each([
    [
      "arkindex",
      { arkindex: { ...(readyConfig("stacks/arkindex-aws.yaml").arkindex as object), backends: 3 } },
      "backend backend-tasks",
    ],
    // Slots have no name in common: the proxies are told each, by another version of their secret.
    [
      "arangodb",
      {
        arangodb: {
          coordinators: { count: 3, memoryMib: 512, cpu: 1 },
          dbservers: { count: 3, memoryMib: 1024, cpu: 1 },
          agents: { memoryMib: 512, cpu: 0.5 },
        },
      },
      "alarms edge-secret",
    ],
  ] as const)("%s: one more changes nothing else", async (system, over, expected) => {
    const { changed } = changes(await deploy(system), await deploy(system, {}, over));
    expect(
      names(changed)
        .map((name) => name.replace(`${system}-`, ""))
        .join(" "),
    ).toBe(expected);
  });

  test("a protected stack keeps its balancer, and tells the proxies nothing more", async () => {
    const all = await deploy("arkindex", {}, protecting("arkindex-aws"));
    expect(one(all, "lb/loadBalancer:LoadBalancer", "arkindex-edge-tcp").enableDeletionProtection).toBe(true);
    const balancer = of(all, "lb/loadBalancer:LoadBalancer")[0];
    expect(balancer?.options.protect).toBe(true);
  });
});
