/** Three search nodes on one Docker host, OpenSearch in Elasticsearch's place: from one to three, a lost one, another image. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import {
  containerIds,
  engine,
  eventually,
  inContainer,
  killProcess,
  localImage,
  localImages,
  sweep,
} from "../support/arkindex.ts";
import { later } from "../support/later.ts";
import { held, Ledger, type Row } from "../support/ledger.ts";
import { runLabels } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "searches";
const data = `${name}-data`;
const members = ["search-1", "search-2", "search-3"];
const at = "http://own-search:9200";
const other = "platform-topologies-test/elasticsearch7:another";
let stack: TestStack;
let login: string;
let ledger: Ledger;

function program(nodes: 1 | 3, image?: string): string {
  const images = { ...localImages(), ...(image === undefined ? {} : { elasticsearch7: image }) };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Elasticsearch } from "${repo}/components/services/elasticsearch.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const site = siteOf({ name: "${name}", hostname: "searches.localhost", images: ${JSON.stringify(images)}, protect: false });
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const search = new Elasticsearch("search", { on, speaks: ["elasticsearch7"], nodes: ${String(nodes)}, gib: 1, heapMib: 256, names: ["own-search"] });
export const { user, password } = search.given;
`;
}

const where = { engine, image: localImage("postgres-ha"), networks: [data] };
const during = (what: string, happens: () => Promise<unknown>): Promise<readonly Row[]> =>
  ledger.during(where, what, happens);

async function ask(words: string): Promise<string> {
  const script = `curl -fsS -m 20 -u '${login}' ${words}`;
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: data }, script);
  if (status !== 0) throw new Error(`${words}: ${body}`);
  return body.trim();
}

async function nothingLost(): Promise<void> {
  expect(await ledger.lost(where)).toEqual({ search: 0 });
}

async function green(): Promise<void> {
  await eventually(async () => {
    const status = await ask(`'${at}/_cat/health?h=status,node.total'`);
    if (!/^green +3$/.test(status)) throw new Error(status);
    return true;
  }, 300);
}

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: program(1), config: { "pulumi:disable-default-providers": ["*"] } });
}, 60_000);

afterAll(async () => {
  await Ledger.sweep();
  await stack.dispose();
  await sweep(name);
  await engine
    .getImage(other)
    .remove()
    .catch(() => undefined);
}, 300_000);

test("one becomes three: its documents stay, and an index without a copy gets one", async () => {
  succeeded(await stack.up());
  const { user, password } = (await stack.outputs()) as { user: string; password: string };
  login = `${user}:${password}`;
  ledger = new Ledger({ search: { kind: "search", host: "own-search", user, password } });
  const settings = `-H 'content-type: application/json' -d '{"settings":{"number_of_replicas":0}}'`;
  await ask(`-X PUT '${at}/ledger' ${settings}`);
  await during("search, one alone", () => new Promise((resolve) => setTimeout(resolve, 5000)));
  await stack.rewrite(program(3));
  succeeded(await stack.up());
  await green();
  expect(await ask(`'${at}/_cat/indices/ledger?h=rep'`)).toBe("1");
  await nothingLost();
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 900_000);

test("the node with the primary is killed: nothing that was acknowledged is lost, and it comes back", async () => {
  const rows = await during("search, the primary's node killed -9", async () => {
    const shards = await ask(`'${at}/_cat/shards/ledger?h=prirep,node'`);
    const primary = /^p +(\S+)/m.exec(shards)?.[1] ?? "";
    expect(members).toContain(primary);
    const killed = engine.getContainer((await containerIds(name))[primary] ?? "");
    await killed.update({ RestartPolicy: { Name: "no" } });
    await killProcess(killed);
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    await killed.update({ RestartPolicy: { Name: "unless-stopped" } });
    await killed.start();
    await green();
  });
  held(rows, 60);
  await nothingLost();
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 900_000);

later(
  "another image rolls one node after another, and writes go on",
  async () => {
    const [image, tag] = other.split(":");
    const base = await engine.createContainer({ Image: localImage("elasticsearch7"), Labels: runLabels });
    await base.commit({ repo: image, tag, changes: "LABEL another=yes" });
    await base.remove();
    await stack.rewrite(program(3, other));
    held(await during("search, another image", async () => succeeded(await stack.up())), 60);
    await green();
    await nothingLost();
    for (const id of Object.values(await containerIds(name)))
      expect((await engine.getContainer(id).inspect()).Config.Labels).toMatchObject({ another: "yes" });
  },
  900_000,
);
