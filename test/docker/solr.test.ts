/** Three Solrs on one Docker host: from one to three, a lost one, a lost disk, a rolling change, back to one. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { fill } from "../../components/services/solr-three.ts";
import {
  containerIds,
  engine,
  eventually,
  inContainer,
  killProcess,
  localImage,
  localImages,
  removeVolume,
  sweep,
  untilHealthy,
} from "../support/arkindex.ts";
import { later } from "../support/later.ts";
import { held, Ledger, type Row } from "../support/ledger.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "solrs";
const data = `${name}-data`;
const nodes = ["search-1", "search-2", "search-3"];
let stack: TestStack;
const ledger = new Ledger({ solr: { kind: "solr", host: "search-1" } });

interface Shape {
  readonly copies?: 1 | 3;
  readonly memoryMib?: number;
  readonly disks?: Readonly<Record<string, string>>;
}

function program({ copies = 3, memoryMib = 300, disks = {} }: Shape): string {
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Solr } from "${repo}/components/services/solr.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const site = siteOf({ name: "${name}", hostname: "solrs.localhost", images: ${JSON.stringify(localImages())}, protect: false, disks: ${JSON.stringify(disks)} });
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
new Solr("search", { on, collections: ["ledger"], gib: 1, memoryMib: ${String(memoryMib)}, copies: ${String(copies)} });
`;
}

function during(what: string, happens: () => Promise<unknown>): Promise<readonly Row[]> {
  return ledger.during({ engine, image: localImage("postgres-ha"), networks: [data] }, what, happens);
}

async function ask(script: string): Promise<string> {
  const { status, body } = await inContainer({ image: localImage("toolbox"), network: data }, script);
  if (status !== 0) throw new Error(`${script}: ${body}`);
  return body.trim();
}

const cluster = (host: string) => `curl -fsS -m 4 'http://${host}:8983/solr/admin/collections?action=CLUSTERSTATUS'`;
const copies = ".cluster.collections.ledger.shards[].replicas[]";

/** The documents that each member has on its own disk. Asked for the collection, a member without a copy asks another. */
async function kept(members: readonly string[] = nodes): Promise<string[][]> {
  const all = await Promise.all(
    members.map((host) =>
      ask(`set -e
core=$(${cluster(host)} | jq -r '${copies} | select(.node_name == "${host}:8983_solr") | .core')
url="http://${host}:8983/solr/$core"
curl -fsS "$url/update?commit=true" >/dev/null
curl -fsS "$url/select?q=*:*&rows=100000&fl=id&distrib=false" | jq -r '.response.docs[].id'`),
    ),
  );
  return all.map((text) => text.split("\n"));
}

/** Waits until all members have every acknowledged document, and say that they are well. */
async function nothingLost(members: readonly string[] = nodes): Promise<void> {
  await eventually(async () => {
    for (const [at, ids] of (await kept(members)).entries()) {
      const there = new Set(ids);
      const lost = [...ledger.acknowledged("solr")].map(String).filter((id) => !there.has(id));
      if (lost.length > 0) throw new Error(`${members[at] ?? ""} has not ${lost.join(", ")}`);
    }
    return true;
  }, 300);
  // One that has just caught up is asked for its health every few seconds alone.
  const ids = await containerIds(name);
  await untilHealthy(members.map((member) => ids[member] ?? ""));
}

const leader = (by = "search-1") =>
  ask(`${cluster(by)} | jq -r '${copies} | select(.leader == "true") | .node_name' | cut -d : -f 1`);

async function container(member: string) {
  return engine.getContainer((await containerIds(name))[member] ?? "");
}

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({
    program: program({ copies: 1 }),
    config: { "pulumi:disable-default-providers": ["*"] },
  });
}, 60_000);

afterAll(async () => {
  await Ledger.sweep();
  await stack.dispose();
  await sweep(name);
}, 300_000);

test("one becomes three, and each has what the one had", async () => {
  succeeded(await stack.up());
  await during("Solr, one alone", () => new Promise((resolve) => setTimeout(resolve, 5000)));
  ledger.places = { solr: { kind: "solr", host: "search-proxy" } };
  await stack.rewrite(program({}));
  succeeded(await stack.up());
  await nothingLost();
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 900_000);

/** `states` is what the set-up job is told of the copies' states, `cores` what each Solr says of its own. */
test.each([
  {
    what: "that a Solr still opens",
    states: `(${copies} | select(.node_name == "search-3:8983_solr") | .state) = "down"`,
    cores: `if $one then . else .status = {} end`,
  },
  { what: "if no other works", states: `(${copies} | .state) = "down"`, cores: ".status |= map_values({})" },
])("the set-up job takes no copy out of the books $what", async ({ states, cores }) => {
  const there = () => ask(`${cluster("search-1")} | jq -r '${copies} | .core'`);
  const before = await there();
  await ask(`mkdir /tmp/told
cat >/tmp/told/curl <<'END'
#!/bin/sh
case "$*" in
  *CLUSTERSTATUS*) /usr/bin/curl "$@" | jq '${states}' ;;
  *admin/cores*core=*) /usr/bin/curl "$@" | jq --argjson one true '${cores}' ;;
  *admin/cores*) /usr/bin/curl "$@" | jq --argjson one false '${cores}' ;;
  *) exec /usr/bin/curl "$@" ;;
esac
END
chmod +x /tmp/told/curl
cat >/tmp/fill <<'END'
${fill(nodes, { collections: ["pages"] })}
END
PATH="/tmp/told:$PATH" timeout 20 bash -eu /tmp/fill || [ $? = 124 ]`);
  expect(await there()).toBe(before);
});

test("the leader is killed: searches and updates go on, and it comes back with all", async () => {
  const rows = await during("Solr, the leader killed -9", async () => {
    const before = await leader();
    const killed = await container(before);
    await killed.update({ RestartPolicy: { Name: "no" } });
    await killProcess(killed);
    await eventually(async () => {
      const now = await leader("search-proxy");
      if (now === before || now === "") throw new Error(`leader: ${now}`);
      return now;
    }, 120);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await killed.update({ RestartPolicy: { Name: "unless-stopped" } });
    await killed.start();
    await eventually(async () => {
      if ((await killed.inspect()).State.Health?.Status !== "healthy") throw new Error("not healthy yet");
      return true;
    }, 300);
  });
  held(rows, 60);
  await nothingLost();
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 900_000);

later(
  "an Overseer's seat that is no candidate's is given up, and nothing is lost",
  async () => {
    const zookeeper = (what: string) =>
      `curl -fsS 'http://search-1:8983/solr/admin/zookeeper?detail=true&path=/overseer_elect/${what}'`;
    const seat = () => ask(`${zookeeper("leader")} | jq -r '.znode.data | fromjson | .id'`);
    const candidates = () => ask(`${zookeeper("election")} | jq -r '.tree[0].children[].text'`);
    const before = await seat();
    const member = /search-\d/.exec(before)?.[0] ?? "";
    const holds = await container(member);
    const { RestartCount } = await holds.inspect();
    // As it is after a try again that found its own entry: its session has the seat, and it is a candidate no more.
    await inContainer(
      { container: holds.id },
      `java -cp '/opt/solr/lib/*' org.apache.zookeeper.ZooKeeperMain -server 127.0.0.1:9983 delete /overseer_elect/election/${before}`,
    );
    expect((await candidates()).split("\n")).not.toContain(before);
    const rows = await during("Solr, a seat that is no candidate's", async () => {
      await eventually(async () => {
        const now = await seat();
        if (now === before || !(await candidates()).split("\n").includes(now)) throw new Error(`the seat is ${now}`);
        return now;
      }, 120);
      await new Promise((resolve) => setTimeout(resolve, 15_000));
    });
    held(rows, 60);
    await nothingLost();
    expect((await holds.inspect()).RestartCount).toBe(RestartCount); // its ZooKeeper went on
  },
  900_000,
);

later(
  "a change rolls one after another, and writes go on",
  async () => {
    await stack.rewrite(program({ memoryMib: 310 }));
    held(await during("Solr, a rolling change", async () => succeeded(await stack.up())), 60);
    await nothingLost();
  },
  900_000,
);

const breaks = {
  "an index that is broken": "for file in /var/solr/data/*/data/index*/segments_*; do : >$file; done",
  "an index without its list of segments, as a full disk leaves it,": "rm /var/solr/data/*/data/index*/segments_*",
  "an index whose place is noted nowhere, as a full disk leaves it,":
    "for note in /var/solr/data/*/data/index.properties; do [ -e $note ] && : >$note; done",
};

// The second's copy is elsewhere since the first.
for (const [what, script] of Object.entries(breaks))
  later(
    `${what} is taken from the leader again`,
    async () => {
      const now = await leader();
      const broken = await container(nodes.filter((each) => each !== now).at(-1) ?? "");
      expect((await inContainer({ container: broken.id }, script)).status).toBe(0);
      await killProcess(broken);
      await nothingLost();
      await untilHealthy([broken.id]);
    },
    600_000,
  );

later(
  "a lost disk is filled by the others at the operator's word",
  async () => {
    const gone = await container("search-3");
    await gone.remove({ force: true });
    await removeVolume(`${name}-search-3`);
    const rows = await during("Solr, a lost disk", async () => {
      const refused = await stack.up();
      expect(refused.code).not.toBe(0);
      await stack.rewrite(program({ memoryMib: 310, disks: { "search-3": "today" } }));
      succeeded(await stack.up());
    });
    held(rows, 60);
    await nothingLost();
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  900_000,
);

later(
  "back to one, with all",
  async () => {
    await stack.rewrite(program({ memoryMib: 310, copies: 1 }));
    succeeded(await stack.up());
    await nothingLost(["search-1"]);
    expect(await ask(`${cluster("search-1")} | jq -r '${copies} | .node_name'`)).toBe("search-1:8983_solr");
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  900_000,
);
