/** What jobs and gates rest on: a job's inputs, its files on a swarm, the log lines that are shown, and the waiting. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";

import { afterEach, describe, expect, test } from "@jest/globals";
import type Docker from "dockerode";

import { connect } from "../../ops/docker.ts";
import { fileReferences, removeFiles } from "../../ops/job-files.ts";
import { fingerprint, job, type JobInputs, label, mountsOf } from "../../ops/job-inputs.ts";
import { pause, watchParent } from "../../ops/lifetime.ts";
import { block, lastLines, redact, taskLines } from "../../ops/logs.ts";
import { swarmText } from "../../ops/template.ts";

const least = { host: "h", name: "n", image: "i", command: ["c"], networks: ["net"], seconds: 60, trigger: "1" };
const most: Required<JobInputs> = {
  ...least,
  ref: "example/i:1",
  registries: ["r"],
  entrypoint: ["/bin/sh"],
  env: { A: "a" },
  secretEnv: { S: "s" },
  files: [{ path: "/run/a", content: "a", mode: 0o400, secret: true }],
  user: "1000",
  memoryMib: 64,
  shmMib: 8,
  cpu: 0.5,
  disks: { db: "d1" },
  labels: { l: "1" },
  redact: ["word"],
  mounts: [{ source: "v", path: "/v", driver: "local", driverOptions: { type: "nfs" }, labels: { v: "1" } }],
  swarm: { constraints: ["node.role==worker"], registries: ["r"] },
};

describe("a job's inputs", () => {
  test.each([least, most])("are taken as they are: %#", (given) => {
    expect(job.parse(given)).toEqual(given);
  });

  test.each<[string, object]>([
    ...Object.keys(least).map((key): [string, object] => [key, { [key]: undefined }]),
    ["files.0.path", { files: [{ path: "run/a/", content: "" }] }],
    ["files.0.path", { files: [{ content: "" }] }],
    ["files.0.content", { files: [{ path: "/run/a" }] }],
    ["files.0.mode", { files: [{ path: "/run/a", content: "", mode: 0.5 }] }],
    ["mounts.0.path", { mounts: [{ source: "v", path: "v/" }] }],
    ["mounts.0.source", { mounts: [{ path: "/v" }] }],
    ["memoryMib", { memoryMib: 0 }],
    ["shmMib", { shmMib: -1 }],
    ["cpu", { cpu: 0 }],
    ["seconds", { seconds: 0 }],
    ["env.A", { env: { A: 1 } }],
    ["swarm.constraints", { swarm: { constraints: "a==b" } }],
  ])("are refused at %s: %j", (at, wrong) => {
    const { error } = job.safeParse({ ...most, ...wrong });
    expect(error?.issues.map(({ path }) => path.join("."))).toEqual([at]);
  });

  /** Another value for each input. */
  const others: { readonly [K in keyof Required<JobInputs>]: readonly JobInputs[K][] } = {
    host: ["g"],
    name: ["m"],
    image: ["j"],
    ref: ["example/i:2", undefined],
    registries: [["q"], undefined],
    command: [["d"], ["c", "d"]],
    entrypoint: [["/bin/bash"], undefined],
    env: [{ A: "b" }, { A: "a", B: "b" }],
    secretEnv: [{ S: "t" }],
    files: [
      [{ path: "/run/b", content: "a", mode: 0o400, secret: true }],
      [{ path: "/run/a", content: "b", mode: 0o400, secret: true }],
      [{ path: "/run/a", content: "a", mode: 0o444, secret: true }],
      [{ path: "/run/a", content: "a", mode: 0o400, secret: false }],
      [],
    ],
    networks: [["other"], []],
    user: ["0", undefined],
    memoryMib: [128],
    shmMib: [16],
    cpu: [1],
    seconds: [61],
    trigger: ["2"],
    disks: [{ db: "d2" }],
    labels: [{ l: "2" }],
    redact: [["other"]],
    mounts: [
      [{ source: "w", path: "/v", driver: "local", driverOptions: { type: "nfs" }, labels: { v: "1" } }],
      [{ source: "v", path: "/w", driver: "local", driverOptions: { type: "nfs" }, labels: { v: "1" } }],
      [{ source: "v", path: "/v", driver: "other", driverOptions: { type: "nfs" }, labels: { v: "1" } }],
      [{ source: "v", path: "/v", driver: "local", driverOptions: { type: "cifs" }, labels: { v: "1" } }],
      [{ source: "v", path: "/v", driver: "local", driverOptions: { type: "nfs" }, labels: { v: "2" } }],
    ],
    swarm: [
      { constraints: [], registries: ["r"] },
      { constraints: ["node.role==worker"], registries: ["q"] },
    ],
  };
  /** Where and how it runs, and for how long, makes no other run of it. */
  const without = ["host", "labels", "redact", "ref", "registries", "seconds"];
  test.each(Object.entries(others))("another %s is another run, unless nothing depends on it", (key, values) => {
    for (const value of values)
      expect(fingerprint({ ...most, [key]: value }) === fingerprint(most)).toBe(without.includes(key));
  });

  test("a run that an earlier version began is found by its label", () => {
    expect(label).toBe("platform-topologies.job");
  });
});

describe("a job's mounts", () => {
  const options = (more: object) => ({
    VolumeOptions: { NoCopy: false, Labels: {}, DriverConfig: { Name: "local", Options: {} }, ...more },
  });
  test.each<[NonNullable<JobInputs["mounts"]>[number], object]>([
    [
      { source: "/srv/data", path: "/data" },
      { Type: "bind", Source: "/srv/data", Target: "/data" },
    ],
    [
      { source: "data/", path: "/data" },
      { Type: "volume", Source: "data/", Target: "/data" },
    ],
    [{ source: "v", path: "/v", driver: "nfs" }, options({ DriverConfig: { Name: "nfs", Options: {} } })],
    [
      { source: "v", path: "/v", driverOptions: { type: "nfs" } },
      options({ DriverConfig: { Name: "local", Options: { type: "nfs" } } }),
    ],
    [{ source: "v", path: "/v", labels: { a: "b" } }, options({ Labels: { a: "b" } })],
  ])("%j in the engine's form", (mount, expected) => {
    expect(mountsOf({ ...least, mounts: [mount] })).toEqual([
      { Type: "volume", Source: mount.source, Target: mount.path, ...expected },
    ]);
  });

  test("are none where none are asked", () => {
    expect(mountsOf(least)).toEqual([]);
  });
});

/** What a swarm refuses, as dockerode throws it. */
const refused = (statusCode: number) => Object.assign(new Error(`status ${String(statusCode)}`), { statusCode });

interface Kept {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Data: string;
}
type Filters = Readonly<Record<string, readonly string[]>>;

/** A swarm's secrets or its configs, by id. Like Docker it filters names by their beginning. */
function store(kind: string) {
  const kept = new Map<string, Kept>();
  const failing = { create: 0, remove: 0 };
  return {
    kept,
    failing,
    create: (one: Kept): Promise<{ id: string }> => {
      if (failing.create > 0) return Promise.reject(refused(failing.create));
      if ([...kept.values()].some(({ Name }) => Name === one.Name)) return Promise.reject(refused(409));
      const id = `${kind}-${String(kept.size)}`;
      kept.set(id, one);
      return Promise.resolve({ id });
    },
    list: ({ filters }: { filters: Filters }) =>
      Promise.resolve(
        [...kept]
          .filter(([, { Name }]) => (filters.name ?? [""]).some((name) => Name.startsWith(name)))
          .filter(([, { Labels }]) =>
            (filters.label ?? []).every((wanted) =>
              Object.entries(Labels).some(([key, value]) => `${key}=${value}` === wanted),
            ),
          )
          .map(([ID, { Name }]) => ({ ID, Spec: { Name } })),
      ),
    get: (id: string) => ({
      remove: () => {
        if (failing.remove > 0) return Promise.reject(refused(failing.remove));
        kept.delete(id);
        return Promise.resolve();
      },
    }),
  };
}

describe("a swarm job's files", () => {
  function swarm() {
    const [secrets, configs] = [store("secret"), store("config")];
    const docker = {
      ...{ createSecret: secrets.create, listSecrets: secrets.list, getSecret: secrets.get },
      ...{ createConfig: configs.create, listConfigs: configs.list, getConfig: configs.get },
    } as unknown as Docker;
    return { docker, secrets, configs };
  }
  const open = { path: "/etc/app.conf", content: "open" };
  const hidden = { path: "/run/key", content: "hidden", mode: 0o400, secret: true };
  const asked = (more: Partial<JobInputs>): JobInputs => ({ ...least, labels: { l: "1" }, ...more });

  test("that are secret are secrets, and the others are configs, with the job's label", async () => {
    const { docker, secrets, configs } = swarm();
    const found = await fileReferences(docker, asked({ files: [open, hidden] }));
    const [Secret, Config] = [found.Secrets[0], found.Configs[0]];
    expect([found.Secrets.length, found.Configs.length]).toEqual([1, 1]);
    expect(Secret?.File).toEqual({ Name: "/run/key", UID: "0", GID: "0", Mode: 0o400 });
    expect(Config?.File).toEqual({ Name: "/etc/app.conf", UID: "0", GID: "0", Mode: 0o444 });
    for (const [kept, id, name, content] of [
      [secrets.kept, Secret?.SecretID, Secret?.SecretName, "hidden"],
      [configs.kept, Config?.ConfigID, Config?.ConfigName, "open"],
    ] as const) {
      expect(kept.size).toBe(1);
      expect(kept.get(id ?? "")).toEqual({
        Name: name,
        Labels: { l: "1", "platform-topologies.job-file": "n" },
        Data: Buffer.from(content).toString("base64"),
      });
      expect(name).toMatch(/^n-[0-9a-f]{12}$/);
    }
  });

  test("are none where none are asked", async () => {
    const { docker, secrets, configs } = swarm();
    expect(await fileReferences(docker, least)).toEqual({ Secrets: [], Configs: [] });
    expect([secrets.kept.size, configs.kept.size]).toEqual([0, 0]);
  });

  test("of a long name keep Docker's limit, and another content has another name", async () => {
    const { docker, configs } = swarm();
    const name = "a-job-of-a-stack-".repeat(5);
    await fileReferences(docker, asked({ name, files: [open, { ...open, content: "more" }] }));
    const names = [...configs.kept.values()].map(({ Name }) => Name);
    expect(new Set(names).size).toBe(2);
    for (const one of names) {
      expect(one.length).toBeLessThanOrEqual(64);
      expect(one.startsWith(name.slice(0, 50))).toBe(true);
    }
  });

  test.each([
    ["configs", open],
    ["secrets", hidden],
  ] as const)("of one content are one, and one that was left behind is taken: %s", async (kind, file) => {
    const all = swarm();
    const [first, second] = [asked({ files: [file, { ...file, path: "/other" }] }), asked({ files: [file] })];
    const { Secrets, Configs } = await fileReferences(all.docker, first);
    const ids = kind === "secrets" ? Secrets.map(({ SecretID }) => SecretID) : Configs.map(({ ConfigID }) => ConfigID);
    expect(new Set(ids).size).toBe(1);
    expect(all[kind].kept.size).toBe(1);
    // Somebody's with a longer name comes first in the swarm's list.
    const [entry] = [...all[kind].kept];
    if (entry === undefined) throw new Error("none");
    const [id, mine] = entry;
    all[kind].kept.clear();
    all[kind].kept.set("longer", { ...mine, Name: `${mine.Name}0` }).set(id, mine);
    const again = await fileReferences(all.docker, second);
    expect([
      ...again.Secrets.map(({ SecretID }) => SecretID),
      ...again.Configs.map(({ ConfigID }) => ConfigID),
    ]).toEqual([id]);
  });

  test("that the swarm does not take are its own error", async () => {
    for (const file of [open, hidden]) {
      const { docker, secrets, configs } = swarm();
      secrets.failing.create = configs.failing.create = 500;
      await expect(fileReferences(docker, asked({ files: [file] }))).rejects.toThrow("status 500");
      // It has one of that name, but has failed for another reason.
      secrets.failing.create = configs.failing.create = 0;
      await fileReferences(docker, asked({ files: [file] }));
      secrets.failing.create = configs.failing.create = 500;
      await expect(fileReferences(docker, asked({ files: [file] }))).rejects.toThrow("status 500");
      // It says that there is one, and lists none.
      secrets.kept.clear();
      configs.kept.clear();
      secrets.failing.create = configs.failing.create = 409;
      await expect(fileReferences(docker, asked({ files: [file] }))).rejects.toThrow("status 409");
    }
  });

  test("go with their job, and no other's do", async () => {
    const { docker, secrets, configs } = swarm();
    await fileReferences(docker, asked({ files: [open, hidden] }));
    await fileReferences(docker, asked({ name: "nn", files: [open, hidden] }));
    await removeFiles(docker, "n");
    for (const { kept } of [secrets, configs])
      expect([...kept.values()].map(({ Labels }) => Labels["platform-topologies.job-file"])).toEqual(["nn"]);
    secrets.failing.remove = configs.failing.remove = 404; // somebody was faster
    await removeFiles(docker, "nn");
    for (const { failing } of [secrets, configs]) {
      secrets.failing.remove = configs.failing.remove = 404;
      failing.remove = 500;
      await expect(removeFiles(docker, "nn")).rejects.toThrow("status 500");
    }
  });
});

/** Docker's frames around what is written to stdout (1) and stderr (2). */
const frames = (...parts: (readonly [stream: number, bytes: Buffer])[]): Buffer =>
  Buffer.concat(
    parts.flatMap(([stream, bytes]) => {
      const head = Buffer.alloc(8);
      head.writeUInt8(stream);
      head.writeUInt32BE(bytes.length, 4);
      return [head, bytes];
    }),
  );

describe("log lines", () => {
  const text = Buffer.from("  one\r\ntwö hunter22\n\nthree\n\n");
  // An engine cuts where it likes, within a letter too.
  const framed = frames([1, text.subarray(0, 10)], [2, text.subarray(10, 11)], [1, text.subarray(11)]);
  const lines = ["  one", "twö [secret]", "", "three"];

  interface Asked {
    readonly stdout?: boolean;
    readonly stderr?: boolean;
    readonly tail?: number;
  }
  const container = (Tty: boolean, log: Buffer, seen: Asked[] = []) =>
    ({
      inspect: () => Promise.resolve({ Config: { Tty } }),
      logs: (asked: Asked) => {
        seen.push(asked);
        return Promise.resolve(log);
      },
    }) as unknown as Docker.Container;

  test("of a container are the last, of both its streams, without secrets", async () => {
    const seen: Asked[] = [];
    expect(await lastLines(container(false, framed, seen), 10, ["hunter22"])).toEqual(lines);
    expect(await lastLines(container(false, framed), 2, ["hunter22"])).toEqual(["", "three"]);
    // More are read than are shown: a secret of many lines has to be whole to be found.
    expect(seen).toEqual([{ stdout: true, stderr: true, tail: 210 }]);
  });

  test("of a terminal have no frames", async () => {
    expect(await lastLines(container(true, text), 10, ["hunter22"])).toEqual(lines);
  });

  test("that break off within a frame are shown as far as they came", async () => {
    const broken = Buffer.concat([frames([1, Buffer.from("whole\n")]), Buffer.from([1, 0, 0, 0])]);
    expect(await lastLines(container(false, broken), 5, [])).toEqual(["whole"]);
  });

  test("that cannot be read are none", async () => {
    const gone = { inspect: () => Promise.reject(new Error("gone")) } as unknown as Docker.Container;
    expect(await lastLines(gone, 5, [])).toEqual([]);
  });

  test("of a task come through a manager; where it gives none, there are none", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
      if (request.url?.startsWith("/tasks/t1/") === true) response.end(framed);
      else response.writeHead(404).end('{"message":"no such task"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const docker = await connect(`tcp://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
      expect(await taskLines(docker, "t1", 3, ["hunter22"])).toEqual(lines.slice(1));
      expect(await taskLines(docker, "t2", 3, [])).toEqual([]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    expect(asked).toEqual(["t1", "t2"].map((task) => `GET /tasks/${task}/logs?stdout=true&stderr=true&tail=203`));
  });

  test.each<[string, string[], string]>([
    ["four", ["four"], "[secret]"],
    ["one two", ["one"], "one two"],
    ["a word", ["\n word \n"], "a [secret]"],
    ["twelve chars", ["first\n  twelve chars\nlast"], "[secret]"],
    ["eleven char", ["first\n  eleven char\nlast"], "eleven char"],
    ["word1 and word22", ["word1", "word22", "word1 and word22"], "[secret]"],
    ["abcd abcdefgh abcd", ["abcd", "abcdefgh"], "[secret] [secret] [secret]"],
    ["nothing", [], "nothing"],
  ])("%j without %j", (line, secrets, expected) => {
    expect(redact(line, secrets)).toBe(expected);
  });

  test.each<[string[], string]>([
    [[], "\nlog: none"],
    [["", "  "], "\nlog: none"],
    [["one"], "\nlog:\n  | one"],
    [["", " one", " ", "two"], "\nlog:\n  |  one\n  | two"],
  ])("%j as a block", (shown, expected) => {
    expect(block("log", shown)).toBe(expected);
  });
});

describe("waiting", () => {
  const { ppid, exit } = { ppid: process.ppid, exit: process.exit.bind(process) };
  const every = globalThis.setInterval;
  afterEach(() => {
    Object.defineProperty(process, "ppid", { value: ppid, configurable: true });
    process.exit = exit;
    globalThis.setInterval = every;
  });
  /** The codes with which the program would have ended. */
  function exits(): unknown[] {
    const codes: unknown[] = [];
    process.exit = ((code: unknown) => codes.push(code)) as unknown as typeof process.exit;
    return codes;
  }
  const orphan = () => Object.defineProperty(process, "ppid", { value: 1, configurable: true });

  test("goes on for its time, and ends the program once the engine that started it is gone", async () => {
    const codes = exits();
    const began = performance.now();
    await pause(20, "cancelled");
    expect(performance.now() - began).toBeGreaterThan(15);
    expect(codes).toEqual([]);
    orphan();
    await pause(1, "cancelled");
    expect(codes).toEqual([1]);
  });

  test("or not, a provider looks for its engine each second, and does not live for that", () => {
    const codes = exits();
    const looks: { look: () => void; milliseconds: number; held: boolean }[] = [];
    globalThis.setInterval = ((look: () => void, milliseconds: number) => {
      const one = { look, milliseconds, held: true };
      looks.push(one);
      return { unref: () => (one.held = false) };
    }) as unknown as typeof setInterval;
    watchParent();
    expect(looks.map(({ milliseconds, held }) => [milliseconds, held])).toEqual([[1000, false]]);
    looks[0]?.look();
    expect(codes).toEqual([]);
    orphan();
    looks[0]?.look();
    expect(codes).toEqual([1]);
  });
});

test.each([
  ["plain", "plain"],
  ["{ }} }", "{ }} }"],
  ["{{.Node.ID}}", '{{"{{"}}.Node.ID}}'],
  ["a {{ b {{", 'a {{"{{"}} b {{"{{"}}'],
])("%j says itself where a swarm reads templates", (text, expected) => {
  expect(swarmText(text)).toBe(expected);
});
