/**
 * Records what clusters of real servers say to the reconciler's scripts, well and with a member lost, for test/data/clusters:
 *   node_modules/node/bin/node test/support/record-clusters.ts [name…]
 * Each is three servers on this machine's engine.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import prettier from "prettier";

import { etcd } from "../../reconciler/stores/etcd.ts";
import { garage } from "../../reconciler/stores/garage.ts";
import { patroni } from "../../reconciler/stores/patroni.ts";
import { redis } from "../../reconciler/stores/redis.ts";
import { solr } from "../../reconciler/stores/solr.ts";
import type { StoreKind } from "../../reconciler/stores/store.ts";
import { containerIds, engine, eventually, inContainer, localImage, localImages, sweep } from "./arkindex.ts";
import { repo, succeeded, TestStack } from "./stack.ts";

const name = "clusters";

interface Recording {
  readonly kind: StoreKind;
  /** The slots' names, without their number. */
  readonly role: string;
  /** The component and what is asked of it. */
  readonly component: string;
  readonly file: string;
  readonly ask: object;
  readonly network: "app" | "data";
  /** Those that are lost, one recording for each. */
  readonly lost: readonly number[];
}
const database = { component: "Postgres", file: "postgres", ask: { databases: ["shop"], clientTls: "never", gib: 1 } };
const recordings: Readonly<Record<string, Recording>> = {
  patroni: { kind: patroni, role: "db", ...database, network: "data", lost: [3, 1] },
  etcd: { kind: etcd, role: "db-etcd", ...database, network: "data", lost: [2] },
  redis: {
    ...{ kind: redis, role: "redis", component: "Redis", file: "redis", network: "data", lost: [3, 1] },
    ask: { clientTls: "never", clientAuth: true, keep: true, memoryMib: 32 },
  },
  solr: {
    ...{ kind: solr, role: "search", component: "Solr", file: "solr", network: "data", lost: [3, 1] },
    ask: { collections: ["pages"], gib: 1, memoryMib: 300 },
  },
  garage: {
    ...{ kind: garage, role: "objects-garage", component: "ObjectStore", file: "objects", network: "app", lost: [3] },
    ask: { apis: ["s3"], buckets: { files: {} }, browser: false, gib: 1 },
  },
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(recordings);
for (const each of wanted) {
  const recording = recordings[each];
  if (recording === undefined) throw new Error(`no recording ${each}: ${Object.keys(recordings).join(", ")}`);
  await record(each, recording);
}

function program({ role, component, file, ask }: Recording): string {
  const site = { name, hostname: `${name}.localhost`, images: localImages(), protect: false };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { ${component} } from "${repo}/components/services/${file}.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const { given } = new ${component}("${role.split("-")[0] ?? ""}", { on, ...${JSON.stringify({ ...ask, copies: 3 })} });
export const passwords = { "${role}": given.password, ...given.passwords };
`;
}

async function record(to: string, recording: Recording): Promise<void> {
  const { kind, role, lost } = recording;
  await sweep(name);
  const stack = await TestStack.create({
    program: program(recording),
    config: { "pulumi:disable-default-providers": ["*"] },
  });
  try {
    succeeded(await stack.up());
    const { passwords = {} } = (await stack.outputs()) as { passwords?: Record<string, string> };
    const login = Buffer.from(kind.login({ user: "", password: passwords[role] ?? "" })).toString("base64");
    const hosts = [1, 2, 3].map((number) => `${role}-${String(number)}`);
    const says = async (): Promise<string> => {
      const where = { image: localImage("toolbox"), network: `${name}-${recording.network}` };
      const script = `echo ${login} | base64 -d >/tmp/login
cat >/tmp/ask <<'SCRIPT'
login=/tmp/login
${kind.script(hosts)}
SCRIPT
bash -euo pipefail /tmp/ask 2>/tmp/errors || { cat /tmp/errors; exit 1; }`;
      const { status, body } = await inContainer(where, script);
      if (status !== 0) throw new Error(body);
      return body;
    };
    const states = (answer: string) => Object.values(kind.read(JSON.parse(answer), hosts)).map(({ status }) => status);
    const until = (good: (states: readonly string[]) => boolean) =>
      eventually(async () => {
        const answer = await says();
        return good(states(answer)) ? answer : undefined;
      }, 120);
    await write(to, await until((all) => all.every((state) => state === "well")));
    for (const number of lost) {
      const { [`${role}-${String(number)}`]: id = "" } = await containerIds(name);
      await engine.getContainer(id).stop();
      await write(`${to}-${String(number)}-lost`, await until((all) => all[number - 1] === "down"));
      await engine.getContainer(id).start();
      await until((all) => all.every((state) => state === "well"));
    }
  } finally {
    await stack.dispose();
    await sweep(name);
  }
}

async function write(to: string, answer: string): Promise<void> {
  const file = join(repo, "test/data/clusters", `${to}.json`);
  const options = await prettier.resolveConfig(file);
  await writeFile(file, await prettier.format(answer, { ...options, filepath: file }));
  process.stdout.write(`${to}\n`);
}
