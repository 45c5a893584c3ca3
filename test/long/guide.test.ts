/**
 * docs/guide.md, block by block, as somebody types it: a pilot on this machine's engine moves to a swarm in network
 * namespaces, with its data. `instead` is all that is put in another's place.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type Docker from "dockerode";
import { execa } from "execa";

import { built, images } from "../../tools/images/index.ts";
import { copies } from "../../tools/images/push.ts";
import { Cluster } from "../../tools/swarm/cluster.ts";
import { engine, localImage, sweep } from "../support/arkindex.ts";
import { certificate } from "../support/certificates.ts";
import { outsideStore, removeOutsideStore } from "../support/outside-store.ts";
import { type Instead, origin, Page } from "../support/page.ts";
import { runLabels } from "../support/run.ts";
import { repo } from "../support/stack.ts";
import { pulled } from "../support/swarm-stack.ts";

const pilot = "arangodb-atlas";
const https = 18459;
const objects = "guide-objects";
/** This year's and the next. */
const s3Keys = [
  ["operator", "operator-secret"],
  ["next", "next-secret"],
] as const;
const keys = ["arangodb", "traefik", "toolbox", "arangodb-toolbox", "minio"];
const documents = 100;
const minutes = 60_000;

let folder = "";
let cluster: Cluster | undefined;
let powerCut: Server | undefined;
let page: Page;

/** Small members; and what kernels of test machines have no IPVS and no ESP for. */
const small = [
  ...["agents", "dbservers", "coordinators"].flatMap((role) => [
    `--arangodb.${role}.memoryMib 256`,
    `--arangodb.${role}.cpu 0.25`,
  ]),
  "--arangodb.coordinators.count 2 --swarm.endpointMode dnsrr --swarm.encrypted false",
].join(" ");

function instead(swarm: Cluster, s3: string, newer: string, cut: string): Instead {
  const [m1, w1, w2] = ["m1", "w1", "w2"].map((node) => swarm.host(node));
  return [
    ["--context m1 swarm init", "--context m1 swarm init --default-addr-pool 10.220.0.0/16"],
    ["--swarm.managers ssh://you@m1.example.com", `--swarm.managers ${m1 ?? ""} ${small}`],
    ["ssh://you@m1.example.com", m1 ?? ""],
    ["ssh://you@w1.example.com", w1 ?? ""],
    ["ssh://you@w2.example.com", w2 ?? ""],
    ["192.0.2.11", swarm.address("m1")],
    ["https://s3.example.com", s3],
    ["registry.example.com/hub/library/arangodb:3.12.5", newer],
    ["registry.example.com/hub", swarm.registry],
    // The pilot's name leads to this machine.
    ["orders/count | jq", `orders/count --connect-to atlas.example.com:443:127.0.0.1:${String(https)} | jq`],
    ["# The machine w2 has burnt down.", `curl --silent --fail ${cut}`],
  ];
}

/** The pilot, as docs/first-production-stack.md makes one, with a hundred documents. */
function pilotScript(): string {
  const at = `--connect-to atlas.example.com:443:127.0.0.1:${String(https)}`;
  return `git clone --quiet ${folder}/origin platform
ln -s ${repo}/node_modules platform/node_modules
mkdir platform/.local && cp ${repo}/.local/images.json platform/.local/
cd platform
export PULUMI_BACKEND_URL="file://${folder}/state?metadata=skip" PULUMI_CONFIG_PASSPHRASE_FILE=~/passphrase
npm run -s new -- atlas --system arangodb --arangodb.mode single --arangodb.dbservers.memoryMib 256 --topology docker \\
  --hostname atlas.example.com --localImages true --docker.address 127.0.0.1 \\
  --docker.ports.http ${String(https - 1)} --docker.ports.https ${String(https)} \\
  --docker.tls.mode own --docker.tls.cert @$HOME/chain.pem --backup.everyHours 24 --backup.to.path ${folder}/backup
npm run -s pulumi -- stack init atlas
npm run -s pulumi -- config set --stack atlas --secret --path secrets.tlsKey < ~/key.pem
npm run -s pulumi -- up --stack atlas --yes --skip-preview
login="user = \\"root:$(npm run -s pulumi -- stack output passwords --stack atlas --show-secrets | jq -r .cluster)\\""
ask() { curl --silent --fail --config - ${at} "https://atlas.example.com$1" --data "$2" <<< "$login" > /dev/null; }
ask /_api/database '{"name": "shop"}'
ask /_db/shop/_api/collection '{"name": "orders"}'
ask /_db/shop/_api/document/orders "$(jq -nc '[range(${String(documents)}) | {_key: "d\\(.)", number: .}]')"
`;
}

beforeAll(async () => {
  await sweep(pilot);
  await images(() => undefined, keys);
  folder = await mkdtemp(join(tmpdir(), "guide-"));
  const home = join(folder, "home");
  for (const each of ["home", "backup", "state", "docker"]) await mkdir(join(folder, each));
  await origin(join(folder, "origin"));
  await secrets(home);
  const swarm = await Cluster.start({ name: "guide", workers: 2, joined: false });
  cluster = swarm;
  const tags = await built();
  await swarm.pushMirror(tags);
  const { endpoint: s3 } = await outsideStore({ name: objects, address: `${swarm.outside}:9010`, keys: s3Keys });
  const image = await newerImage();
  const { [image]: newer = "" } = await swarm.push([image]);
  // Pulls on a busy machine would take a job's whole time.
  for (const key of ["toolbox", "arangodb", "traefik", "arangodb-toolbox"])
    for (const node of swarm.nodes) await pulled(swarm.dockerOf(node), mirrored(swarm.registry, tags, key));
  powerCut = createServer((_, answer) => {
    void swarm.kill("w2").then(
      () => answer.end(),
      (error: unknown) => answer.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => powerCut?.listen(0, "127.0.0.1", resolve));
  const cut = `http://127.0.0.1:${String((powerCut.address() as AddressInfo).port)}/`;
  page = await Page.run("docs/guide.md", {
    folder,
    env: { HOME: home, DOCKER_CONFIG: join(folder, "docker") },
    instead: instead(swarm, s3, newer, cut),
    before: pilotScript(),
  });
}, 60 * minutes);

/** What the operator has in files, for the first year and the next. */
async function secrets(home: string): Promise<void> {
  const hostnames = ["atlas.example.com"];
  const [now, next] = [await certificate({ name: "now", hostnames }), await certificate({ name: "next", hostnames })];
  const files = {
    passphrase: "of a test",
    "chain.pem": now.pem,
    "key.pem": now.key,
    "next-chain.pem": next.pem,
    "next-key.pem": next.key,
    "s3-key": s3Keys[0][0],
    "s3-secret": s3Keys[0][1],
    "next-s3-key": s3Keys[1][0],
    "next-s3-secret": s3Keys[1][1],
    "authorities.pem": `${now.pem}\n${next.pem}\n`,
    ".curlrc": `cacert = ${join(home, "authorities.pem")}\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text);
}

/** What a stack with this mirror pulls for an image. */
function mirrored(registry: string, tags: Readonly<Record<string, string>>, key: string): string {
  return copies(registry, tags).find((copy) => copy.key === key)?.to[0] ?? "";
}

const newerName = (): string => `${localImage("arangodb").split(":")[0] ?? ""}:guide-3.12.5`;

/** The server's image, as another version. */
async function newerImage(): Promise<string> {
  const [repository = "", tag = ""] = newerName().split(":");
  const made: Docker.Container = await engine.createContainer({ Image: localImage("arangodb"), Labels: runLabels });
  await made.commit({ repo: repository, tag, changes: "ENV ARANGO_VERSION=3.12.5" });
  await made.remove({ force: true });
  return newerName();
}

afterAll(async () => {
  powerCut?.close();
  await cluster?.stop();
  await removeOutsideStore(objects);
  await execa("docker", ["image", "rm", newerName()], { reject: false });
  await sweep(pilot);
  await rm(folder, { recursive: true, force: true });
}, 5 * minutes);

const last = (output: string): string => output.trim().split("\n").at(-1) ?? "";

test("every block of the page is run, to its end", () => {
  expect(page.blocks.length).toBeGreaterThan(12);
  page.toItsEnd();
});

test("as many documents on the swarm as on the pilot, and on the pilot that comes back", () => {
  for (const command of ["there=(", "docker start arangodb-atlas-edge"])
    expect(last(page.output(command))).toBe(String(documents));
  expect(page.output("docker stop arangodb-atlas-edge\n")).toMatch(new RegExp(`^${String(documents)}$`, "m"));
  expect(last(page.output('{"replicationFactor": 3'))).toBe("[3,2]");
});

test("the new version, the new certificate and the new key are at work", () => {
  expect(last(page.output("images.arangodb "))).toBe("3.12.5");
  expect(page.output("swarm.tls.cert < ")).toMatch(/CN ?= ?next/); // and `backup healthy`, or the page would end there
});

test("an emptied disk is filled from the backup", () => {
  expect(page.output("--path disks.single-1")).toMatch(new RegExp(`^${String(documents)}$`, "m"));
});

test("a new node takes a DB server, and its loss costs no document", () => {
  expect(last(page.output("arangodb.dbservers.count 4"))).toBe("w2");
  expect(last(page.output("arangodb.dbservers.retired[0]"))).toBe(String(documents));
});
