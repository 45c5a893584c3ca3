/** The object store of three on one Docker host, beside one MinIO: the same calls, lost servers and disks, data carried over. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { ifThere } from "../../ops/docker.ts";
import { images } from "../../tools/images/index.ts";
import { containerIds, engine, eventually, inContainer, localImages, sweep } from "../support/arkindex.ts";
import { runLabels } from "../support/run.ts";
import { clientOf, s3Calls, type Target } from "../support/s3-calls.ts";
import { generatedSecrets, leaks } from "../support/secrets.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "objects-copies";
const ports = { http: 15320, https: 15321 };
const origin = "https://app.example.com";
const minutes = 60_000;
const members = [1, 2, 3].map((number) => `objects-garage-${String(number)}`);
let stack: TestStack;

/** Two stores: `objects` with the copies, `single` of one server. */
function program(copies: number, more = ""): string {
  return `import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { siteOf } from "${repo}/components/core/site.ts";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const given = {};
const system = (p, { copies }) => {
  for (const [name, count] of [["objects", copies], ["single", 1]])
    given[name] = p.need("objects", name, {
      apis: ["s3"], buckets: { files: { cors: "${origin}" }, others: {} }, browser: true, gib: 1, copies: count,
    });
};
class Stores extends SystemComponent {
  constructor(name, args) { super("Stores", system, z.any(), name, args); }
}
const site = siteOf({
  name: "${name}", hostname: "${name}.localhost", images: ${JSON.stringify(localImages())}, protect: false,
  ports: ${JSON.stringify(ports)}, ${more}
  backup: { everyHours: 24, keepDays: 14, drillEveryHours: 0, to: { volume: "${name}-backup" } },
});
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
new Stores("stores", { on, copies: ${String(copies)} });
export const ca = on.ca;
export const stores = pulumi.secret(Object.fromEntries(
  Object.entries(given).map(([name, { url, region, key, secret }]) => [name, { url, region, key, secret }]),
));
`;
}

async function target(store: string): Promise<Target> {
  const { ca, stores } = (await stack.outputs()) as { ca: string; stores: Record<string, Omit<Target, "ca">> };
  const found = stores[store];
  if (found === undefined) throw new Error(`no ${store}`);
  return { ...found, ca };
}

async function container(member: string) {
  const id = (await containerIds(name))[member];
  if (id === undefined) throw new Error(`no ${member}`);
  return engine.getContainer(id);
}

/** In the backup's container, which knows both stores. */
async function toolbox(line: string): Promise<string> {
  const { id } = await container("backup-1");
  const { status, body } = await inContainer({ container: id }, `export RCLONE_CONFIG=/tmp/rclone.conf; ${line}`);
  if (status !== 0) throw new Error(body);
  return body.trim();
}

/** What one server says of the cluster, by its own admin API. */
async function told(member: string, path: string): Promise<unknown> {
  const { id } = await container(member);
  const { body } = await inContainer({ container: id }, `curl -K /run/garage/curl http://127.0.0.1:3903/v2/${path}`);
  return JSON.parse(body);
}
const connected = (member: string): Promise<true> =>
  eventually(async () => {
    const { status } = (await told(member, "GetClusterHealth")) as { status: string };
    return status === "healthy" ? true : undefined;
  }, 180);

/** Writes without a pause until it is stopped, and keeps what was acknowledged. A failed write is tried again. */
function ledger(to: Target, prefix: string, writers = 3) {
  const s3 = clientOf(to);
  const acknowledged: string[] = [];
  const failures: string[] = [];
  let longest = 0;
  let running = true;
  const write = async (writer: number): Promise<void> => {
    for (let number = 0; running; number++) {
      const key = `${prefix}/${String(writer)}/${String(number)}`;
      const began = Date.now();
      for (let done = false; !done;)
        try {
          await s3.send(new PutObjectCommand({ Bucket: "files", Key: key, Body: key.repeat(50) }));
          done = true;
        } catch (error) {
          failures.push(String(error));
          await sleep(100);
        }
      longest = Math.max(longest, Date.now() - began);
      acknowledged.push(key);
    }
  };
  const all = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  return {
    acknowledged,
    failures,
    async stop() {
      running = false;
      await all;
      s3.destroy();
      return { written: acknowledged.length, failed: failures.length, longestMs: longest };
    },
  };
}

/** The keys that are not there, or not as they were written. */
async function lost(from: Target, keys: readonly string[]): Promise<string[]> {
  const s3 = clientOf(from, 3);
  const missing: string[] = [];
  const left = [...keys];
  const read = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const { Body } = await s3
        .send(new GetObjectCommand({ Bucket: "files", Key: key }))
        .catch(() => ({ Body: undefined }));
      if ((await Body?.transformToString()) !== key.repeat(50)) missing.push(key);
    }
  };
  await Promise.all([read(), read(), read(), read()]);
  s3.destroy();
  return missing;
}

beforeAll(async () => {
  await images(() => undefined, ["garage"]); // an hour, once on a machine
  await sweep(name);
  await ifThere(engine.getVolume(`${name}-backup`).remove());
  await engine.createVolume({ Name: `${name}-backup`, Labels: runLabels });
  stack = await TestStack.create({ program: program(3), config: { "pulumi:disable-default-providers": ["*"] } });
}, 120 * minutes);

afterAll(async () => {
  await stack.dispose();
  await sweep(name);
  await ifThere(engine.getVolume(`${name}-backup`).remove());
}, 5 * minutes);

test(
  "it comes up, a second preview is empty, and no secret is in plain text",
  async () => {
    succeeded(await stack.up());
    succeeded(await stack.preview(["--expect-no-changes"]));
    expect(Object.keys(await containerIds(name))).toEqual(expect.arrayContaining([...members, "single-1"]));
    const secrets = await generatedSecrets(stack);
    const inspected = await Promise.all(
      Object.values(await containerIds(name)).map((id) => engine.getContainer(id).inspect()),
    );
    expect(leaks(JSON.stringify([inspected, await stack.state()]), secrets)).toEqual([]);
  },
  15 * minutes,
);

describe("the calls of S3", () => {
  /** What the others of both must be. */
  const lacking: Readonly<Record<string, readonly string[]>> = {
    objects: ["put if there is none", "tagging", "bucket policy: everybody may read", "versioning"],
    single: ["lifecycle: expiry, and an end of unfinished uploads"], // ends them by itself, after a day
  };

  test.each(["objects", "single"])(
    "%s",
    async (store) => {
      const results = Object.entries(await s3Calls(await target(store), "files", origin));
      const [good, bad] = [true, false].map((ok) => results.filter(([, said]) => (said === "ok") === ok));
      expect(bad?.filter(([call]) => !lacking[store]?.includes(call))).toEqual([]);
      expect(bad?.map(([call]) => call)).toEqual(lacking[store]);
      expect(good?.length).toBeGreaterThan(15);
    },
    5 * minutes,
  );
});

describe("what is carried over", () => {
  const seed = `import boto3, configparser, io, os
def client(section):
    config = configparser.RawConfigParser(); config.read("/tmp/rclone.conf")
    of = {key: value.strip("\\x60") for key, value in config[section].items()}
    return boto3.client("s3", endpoint_url=of["endpoint"], region_name="us-east-1", aws_access_key_id=of["access_key_id"], aws_secret_access_key=of["secret_access_key"])`;
  const python = (lines: string): Promise<string> =>
    toolbox(`/usr/bin/python3 - <<'PYTHON'\n${seed}\n${lines}\nPYTHON`);

  test(
    "from one MinIO to three servers and back, and a difference is found",
    async () => {
      await python(`s3 = client("single")
for number in range(40): s3.put_object(Bucket="others", Key=f"carried/{number}", Body=os.urandom(1000 * number), ContentType="image/x-field", CacheControl="max-age=5", Metadata={"number": str(number)})
for key in ["a b", "ä/ö ü", "a", "a/b", "trailing/", "x%2Fy", "tab\\tkey", "line\\nend", "+&=?#"]: s3.put_object(Bucket="others", Key=key, Body=key.encode())
s3.upload_fileobj(io.BytesIO(os.urandom(20 << 20)), "others", "big", ExtraArgs={"ContentType": "video/mp4"})`);
      const there = await toolbox("objects carry single objects");
      expect(there).toMatch(/^(\S+: its policy is left out.*\n)*\d+ objects, \d+ of them copied now: \d+ bytes$/);
      expect(await toolbox("objects compare single objects")).toMatch(
        /\d+ objects with \d+ bytes are the same in both/,
      );
      // Again: nothing is to be done.
      expect(await toolbox("objects carry single objects")).toMatch(/objects, 0 of them copied now: 0 bytes$/);
      await python(`s3 = client("objects")
s3.put_object(Bucket="others", Key="carried/7", Body=b"other", ContentType="image/x-field", CacheControl="max-age=5", Metadata={"number": "7"})
s3.delete_object(Bucket="others", Key="carried/8")`);
      await expect(toolbox("objects compare single objects")).rejects.toThrow(
        /2 of \d+ objects are not the same in objects: others\/carried\/7, others\/carried\/8/,
      );
      await python(`s3 = client("single")
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="others"):
    for each in page["Contents"]: s3.delete_object(Bucket="others", Key=each["Key"])`);
      await toolbox("objects carry objects single");
      expect(await toolbox("objects compare objects single")).toMatch(
        /\d+ objects with \d+ bytes are the same in both/,
      );
    },
    10 * minutes,
  );

  test(
    "by a backup, which is complete, can be read, and is restored into either",
    async () => {
      await toolbox("backup once");
      await toolbox("backup drill");
      const stores = { objects: "single", single: "objects" };
      for (const [saved, into] of Object.entries(stores)) {
        const s3 = clientOf(await target(into), 3);
        for (const Bucket of ["files", "others"])
          for (;;) {
            const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
            if (Contents.length === 0) break;
            for (const { Key } of Contents) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
          }
        s3.destroy();
        await toolbox(`export TO="$PLACE/${saved}-1" AT=$(backup runs | tail -n 1); objects restore ${into}`);
        expect(await toolbox(`objects compare ${saved} ${into}`)).toMatch(/are the same in both/);
      }
    },
    15 * minutes,
  );
});

describe("under a ledger of acknowledged writes", () => {
  const kinds = {
    "is killed": [(id: string) => engine.getContainer(id).kill(), (id: string) => engine.getContainer(id).start()],
    "answers nothing any more, as a node without power": [
      (id: string) => engine.getContainer(id).pause(),
      (id: string) => engine.getContainer(id).unpause(),
    ],
  } as const;

  test.each(Object.entries(kinds))(
    "one server %s: reads and writes go on, and nothing is lost",
    async (fault, [harm, heal]) => {
      const to = await target("objects");
      const { id } = await container(members[1] ?? "");
      const book = ledger(to, `ledger-${fault.replaceAll(/\W+/g, "-")}`);
      await sleep(5000);
      await harm(id);
      await sleep(15_000);
      const before = book.acknowledged.length;
      await sleep(15_000);
      expect(book.acknowledged.length).toBeGreaterThan(before);
      const during = book.acknowledged.slice(0, 60);
      expect(await lost(to, during)).toEqual([]);
      await heal(id);
      await connected(members[0] ?? "");
      await sleep(3000);
      const { written, failed, longestMs } = await book.stop();
      process.stdout.write(
        `${fault}: ${String(written)} written, ${String(failed)} failed, the longest ${String(longestMs)} ms\n`,
      );
      expect(await lost(to, book.acknowledged)).toEqual([]);
      expect(longestMs).toBeLessThan(30_000);
    },
    10 * minutes,
  );

  test(
    "a disk that is lost is filled by the others: nothing is typed, and then another may be lost",
    async () => {
      const [first = "", second = "", third = ""] = members;
      const to = await target("objects");
      const book = ledger(to, "ledger-disk", 2);
      const blocks = async (member: string): Promise<Set<string>> => {
        const { id } = await container(member);
        return new Set(
          (await inContainer({ container: id }, "find /data/objects -type f -printf '%f\\n'")).body.split("\n"),
        );
      };
      // Blocks that nobody needs any more stay for ten minutes where they are, and are not copied: only these are looked for.
      const before = await blocks(first);
      const s3 = clientOf(to, 3);
      for (let number = 0; number < 50; number++)
        await s3.send(
          new PutObjectCommand({ Bucket: "files", Key: `blocks/${String(number)}`, Body: randomBytes(100_000) }),
        );
      s3.destroy();
      const needed = await eventually(async () => {
        const added = [...(await blocks(first))].filter((block) => !before.has(block));
        return added.length >= 50 ? added : undefined;
      });
      const lostOne = await container(third);
      const { Mounts } = await lostOne.inspect();
      await lostOne.stop();
      const volume = Mounts.find(({ Destination }) => Destination === "/data")?.Name ?? "";
      const image = localImages().garage ?? "";
      const emptied = await inContainer(
        { image, network: "none", binds: [`${volume}:/data`] },
        "rm -rf /data/* /data/.[!.]*",
      );
      expect([emptied.status, emptied.body]).toEqual([0, ""]);
      await lostOne.start();
      const began = Date.now();
      await connected(first);
      const { written, failed } = await book.stop();
      await eventually(async () => {
        const there = await blocks(third);
        return needed.every((block) => there.has(block)) ? true : undefined;
      }, 300);
      process.stdout.write(
        `a lost disk: ${String(needed.length)} blocks are back after ${String(Math.round((Date.now() - began) / 1000))} s; ${String(written)} written meanwhile, ${String(failed)} failed\n`,
      );
      // With another one away, what is read comes from the filled disk too.
      const away = await container(second);
      await away.stop();
      expect(await lost(to, book.acknowledged)).toEqual([]);
      await away.start();
      await connected(first);
    },
    15 * minutes,
  );
});

describe("later runs", () => {
  test(
    "another password is another key: the old one is let in no more",
    async () => {
      const old = await target("objects");
      const urn =
        (await stack.state()).resources.find(({ urn }) => urn.endsWith("::stores-objects-password"))?.urn ?? "";
      succeeded(await stack.up(["--replace", urn]));
      const now = await target("objects");
      expect([now.key === old.key, now.secret === old.secret]).toEqual([false, false]);
      const list = (by: Target) => clientOf(by, 3).send(new ListObjectsV2Command({ Bucket: "files", MaxKeys: 1 }));
      expect((await list(now)).Contents).toHaveLength(1);
      await expect(list(old)).rejects.toThrow();
      succeeded(await stack.preview(["--expect-no-changes"]));
    },
    10 * minutes,
  );

  test(
    "one server in the place of three is refused while their disks have data",
    async () => {
      await stack.rewrite(program(1));
      const { code, output } = await stack.preview();
      expect(code).not.toBe(0);
      for (const member of members) expect(output).toContain(member);
      await stack.rewrite(program(3));
      succeeded(await stack.preview(["--expect-no-changes"]));
    },
    5 * minutes,
  );
});
