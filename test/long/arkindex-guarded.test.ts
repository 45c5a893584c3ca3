/** What Arkindex on one Docker host keeps in: networks that are apart, containers without privileges, secrets. */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { imageRow } from "../../components/core/images.ts";
import {
  arkindexProgram,
  arkindexStack,
  cleanUp,
  containerIds,
  engine,
  eventually,
  inContainer,
  localImage,
} from "../support/arkindex.ts";
import { Machine } from "../support/machine.ts";
import { stackName } from "../support/run.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { type Outcome, succeeded, type TestStack } from "../support/stack.ts";

const name = "ark-guarded";
const https = 18943;
const minutes = 60_000;
let stack: TestStack;
let outside: Machine;
let secrets: Record<string, string>;
let first: Outcome;
/** A port that this machine listens on, at all of its addresses. */
let host: Server;
let hostPort: number;

beforeAll(async () => {
  outside = await Machine.create("ark-outside", "198.51.100");
  await outside.serve();
  host = createServer((_, answer) => answer.end("host")).listen(0, "0.0.0.0");
  await once(host, "listening");
  hostPort = (host.address() as AddressInfo).port;
  stack = await arkindexStack({ name, https });
  first = await stack.up(["--diff"]);
  succeeded(first);
  secrets = await generatedSecrets(stack); // one that the operator sets: arkindex-agent.test.ts
}, 5 * minutes);

afterAll(async () => {
  host.close();
  try {
    await cleanUp(stack, name);
  } finally {
    await outside.remove();
  }
}, 3 * minutes);

/**
 * Which of `targets` (`host:port`) answer a client in those tiers, each in its own protocol: there are networks whose
 * gateway takes every TCP connection. All are tried at once.
 */
async function reachable(tiers: readonly string[], targets: readonly string[]): Promise<string[]> {
  const script = `answers() {
    case $2 in
      5432) pg_isready -q -t 4 -h "$1" ;;
      6379) timeout 5 redis-cli -h "$1" ping 2>&1 | grep -q PONG ;;
      8983) curl -fs -m 5 "http://$1:8983/solr/admin/info/health" | grep -q status ;;
      *) curl -s -o /dev/null -m 5 "http://$1:$2/" ;;
    esac
  }
  for t in ${targets.join(" ")}; do (answers "\${t%:*}" "\${t##*:}" && echo "$t") & done; wait`;
  const [network = "", ...also] = tiers.map((tier) => `${name}-${tier}`);
  const { body } = await inContainer({ image: localImage("toolbox"), network, also }, script);
  return body.trim().split("\n").filter(Boolean).sort();
}

async function addressesOf(tier: string): Promise<Record<string, string>> {
  const { Containers = {}, IPAM } = (await engine.getNetwork(`${name}-${tier}`).inspect()) as {
    Containers?: Record<string, { Name: string; IPv4Address: string }>;
    IPAM: { Config: { Gateway: string }[] };
  };
  const entries = Object.values(Containers).map(({ Name, IPv4Address }) => [
    Name.slice(name.length + 1),
    IPv4Address.replace(/\/.*/, ""),
  ]);
  return { ...(Object.fromEntries(entries) as Record<string, string>), gateway: IPAM.Config[0]?.Gateway ?? "" };
}

const stores = { "db-1": 5432, "redis-1": 6379, "solr-1": 8983 };
const seconds = 30_000;
const byName = Object.entries(stores).map(([store, port]) => `${store}:${String(port)}`);

async function byAddress(): Promise<string[]> {
  const addresses = await addressesOf("data");
  return Object.entries(stores).map(([store, port]) => `${addresses[store] ?? ""}:${String(port)}`);
}

test(
  "an app workload reaches the stores",
  async () => {
    expect(await reachable(["app", "data"], byName)).toEqual([...byName].sort());
    expect(await reachable(["app", "data"], ["objects-1:9000"])).toEqual(["objects-1:9000"]);
  },
  seconds,
);

test.each(["edge", "app"])(
  "the network %s alone does not, neither by name nor by address",
  async (tier) => {
    const targets = [...byName, ...(await byAddress())];
    expect(targets.every((target) => /^\S+:\d+$/.test(target) && !target.startsWith(":"))).toBe(true);
    expect(await reachable([tier], targets)).toEqual([]);
    expect(await reachable(["data"], targets)).toHaveLength(6);
  },
  seconds,
);

test(
  "app reaches the outside, data does not",
  async () => {
    const target = `${outside.address}:80`;
    expect(await reachable(["app"], [target])).toEqual([target]);
    expect(await reachable(["data"], [target])).toEqual([]);
  },
  seconds,
);

test(
  "from data the host itself cannot be reached, at none of its addresses",
  async () => {
    const gateways = await Promise.all(["data", "app", "edge"].map(async (tier) => (await addressesOf(tier)).gateway));
    const targets = [...gateways, outside.gateway].flatMap((ip) => [
      `${ip ?? ""}:${String(hostPort)}`,
      `${ip ?? ""}:${String(https)}`,
    ]);
    expect(await reachable(["data"], targets)).toEqual([]);
    expect(await reachable(["app"], targets)).toContain(`${outside.gateway}:${String(hostPort)}`);
  },
  seconds,
);

test("only the edge publishes ports, at the address of the config alone", async () => {
  for (const [workload, id] of Object.entries(await containerIds(name))) {
    const { HostConfig } = await engine.getContainer(id).inspect();
    const published = Object.values(
      (HostConfig.PortBindings ?? {}) as Record<string, { HostIp: string; HostPort: string }[]>,
    )
      .flat()
      .map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}`);
    expect([workload, published.sort()]).toEqual([
      workload,
      workload === "edge" ? [`127.0.0.1:${String(https - 1)}`, `127.0.0.1:${String(https)}`] : [],
    ]);
  }
});

test("every container is without privileges and within limits", async () => {
  const ids = Object.entries(await containerIds(name));
  expect(ids.length).toBeGreaterThan(8);
  for (const [workload, id] of ids) {
    const { HostConfig, Mounts } = await engine.getContainer(id).inspect();
    expect([workload, HostConfig]).toMatchObject([
      workload,
      {
        CapAdd: null,
        CapDrop: ["ALL"],
        Privileged: false,
        PidMode: "",
        SecurityOpt: ["no-new-privileges:true"],
        RestartPolicy: { Name: "unless-stopped" },
        LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
        MemorySwap: HostConfig.Memory,
      },
    ]);
    expect(HostConfig.Memory).toBeGreaterThan(64 * 1024 * 1024);
    expect((HostConfig.NanoCpus ?? 0) + (HostConfig.CpuQuota ?? 0)).toBeGreaterThan(0);
    expect(Mounts.filter(({ Source }) => Source.endsWith("docker.sock"))).toEqual([]);
    expect(Mounts.filter(({ Type }) => Type !== "volume")).toEqual([]);
  }
});

test(
  "no image of Arkindex takes secrets from its environment",
  async () => {
    const { images } = (await stack.outputs()) as { images: Record<string, string> };
    const fromEnvironment = Object.keys(images).filter((key) => imageRow(key)?.secrets === "env");
    expect(Object.keys(images)).toContain("arkindex/backend");
    expect(fromEnvironment).toEqual([]);
  },
  seconds,
);

test("the search for secrets finds one where there is one", () => {
  expect(Object.keys(secrets).sort()).toEqual(["caKey", "db-password", "key", "objects-password", "secret-key"].sort());
  for (const [key, value] of Object.entries(secrets)) {
    expect(value.length).toBeGreaterThan(20);
    expect(leaks(`before ${value} after`, secrets)).toEqual([key]);
    expect(leaks(JSON.stringify({ value }), secrets)).toEqual([key]);
    expect(leaks(Buffer.from(value).toString("base64"), secrets)).toEqual([key]);
  }
});

test(
  "no secret in the engine's output, by up, preview, refresh or stack output",
  async () => {
    const outcomes = [
      first,
      await stack.preview(["--diff"]),
      await stack.preview(["--diff", "--json"]),
      await stack.run(["refresh", "--yes", "--diff"]),
      await stack.run(["stack", "output"]),
      await stack.run(["stack", "output", "--json"]),
      await stack.run(["stack", "export"]),
    ];
    for (const { code, output } of outcomes) {
      expect(code).toBe(0);
      expect(output.length).toBeGreaterThan(50);
      expect(leaks(output, secrets)).toEqual([]);
    }
  },
  2 * minutes,
);

test("no secret in the state, its backups, its history or the config", async () => {
  const files = (await readdir(stack.folder, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && !entry.parentPath.includes("node_modules"),
  );
  expect(files.map((entry) => entry.name)).toContain(`${stackName}.json`);
  for (const { parentPath, name: file } of files) {
    expect([file, leaks(await readFile(join(parentPath, file), "utf8"), secrets)]).toEqual([file, []]);
  }
});

test("no secret in what Docker tells of containers, volumes, networks and images, or in a log", async () => {
  const images = new Set<string>();
  for (const [workload, id] of Object.entries(await containerIds(name))) {
    const container = engine.getContainer(id);
    const looks = await container.inspect();
    images.add(looks.Image);
    const log = await container.logs({ stdout: true, stderr: true });
    expect([workload, leaks(JSON.stringify(looks), secrets), leaks(log.toString("latin1"), secrets)]).toEqual([
      workload,
      [],
      [],
    ]);
  }
  for (const id of images) {
    const image = engine.getImage(id);
    expect(leaks(JSON.stringify([await image.inspect(), await image.history()]), secrets)).toEqual([]);
  }
  const filters = { label: [`platform-topologies.name=${name}`] };
  const rest = [await engine.listNetworks({ filters }), await engine.listVolumes({ filters })];
  expect(leaks(JSON.stringify(rest), secrets)).toEqual([]);
});

/** A transform that makes `resource` print its configuration and end with 1. */
function printsItsConfig(resource: string, delay: number): string {
  // Each secret's line whole, and its value alone; only those, as the error shows the log's last lines.
  const script = `sleep ${String(delay)}; grep -E 'secret|password' /run/arkindex/config.yml | sed 'p; s/^[^:]*: *//; s/^/said: /' >&2; exit 1`;
  return `pulumi.runtime.registerResourceTransform((args) => {
    if (args.name !== "${resource}") return undefined;
    const command = ["-c", ${JSON.stringify(script)}];
    if (args.type === "platform-topologies:index:Job") return { props: { ...args.props, entrypoint: ["sh"], command }, opts: args.opts };
    if (args.type === "docker:index/container:Container")
      return { props: { ...args.props, entrypoints: ["sh"], command }, opts: args.opts };
    // It would wait as long as a start may take.
    if (args.type === "platform-topologies:index:Gate") return { props: { ...args.props, seconds: 10 }, opts: args.opts };
    return undefined;
  });`;
}

test(
  "a job that fails with its config in its log: the error has the log without the secrets, twice",
  async () => {
    await stack.rewrite(arkindexProgram(printsItsConfig("arkindex-migrate", 5)));
    const running = stack.up(["--diff"]);
    const job = await eventually(async () => engine.getContainer(`${name}-migrate`).inspect());
    expect(leaks(JSON.stringify(job), secrets)).toEqual([]);
    expect(job.HostConfig).toMatchObject({ CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"], Privileged: false });
    expect(job.HostConfig.Memory).toBeGreaterThan(0);
    for (const outcome of [await running, await stack.up()]) expectRedacted(outcome, "failed with exit code 1");
  },
  3 * minutes,
);

test(
  "so does a container's that never gets healthy",
  async () => {
    await stack.rewrite(arkindexProgram(printsItsConfig("arkindex-worker-1", 0)));
    for (const outcome of [await stack.up(), await stack.up()]) expectRedacted(outcome, "did not become healthy");
    await stack.rewrite(arkindexProgram());
    succeeded(await stack.up());
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  5 * minutes,
);

function expectRedacted({ code, output }: Outcome, sentence: string): void {
  expect(code).not.toBe(0);
  expect(output).toContain(sentence);
  expect(output).toContain("[secret]");
  expect(output).toContain("said: [secret]");
  expect(leaks(output, secrets)).toEqual([]);
}
