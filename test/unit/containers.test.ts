/** How a contract's terms become Docker's: networks, users, commands, variables, health checks, jobs. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";

import { afterEach, describe, expect, test } from "@jest/globals";
import { secret } from "@pulumi/pulumi";
import { execa } from "execa";

import type { Container, Health, Job, Probe, Slot } from "../../components/core/contracts.ts";
import type { Image } from "../../components/core/images.ts";
import {
  entry,
  environment,
  goDuration,
  healthTest,
  keyAndValue,
  labels,
  networksOf,
  shortDuration,
  userOf,
  withRoom,
} from "../../components/topologies/containers.ts";
import { containerArgs, mounts } from "../../components/topologies/docker/container.ts";
import type { Engine } from "../../components/topologies/docker/engine.ts";
import { jobArgs, jobIgnores, type JobPlace, markerIgnores, markerJob } from "../../components/topologies/job.ts";
import { newFolder } from "../support/folder.ts";
import { resolved } from "../support/hostile.ts";
import { site } from "../support/sketches.ts";

const container: Container = { image: "toolbox", tier: "app", cpu: 1, memoryMib: 64 };
const image: Image = { key: "toolbox", ref: "r/t:1", rehearsing: false, client: "curl", secrets: "files" };
const rehearsing: Image = { ...image, rehearsing: true };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

test.each<[Partial<Container>, boolean, string[]]>([
  [{ tier: "edge" }, false, ["edge"]],
  [{ tier: "app" }, false, ["app", "data"]],
  [{ tier: "app" }, true, ["app"]],
  [{ tier: "data" }, false, ["data"]],
  [{ tier: "data" }, true, ["data"]],
  [{ tier: "isolated", networks: ["apps"] }, false, ["apps"]],
  [{ tier: "isolated", callsEdge: true, networks: ["apps"] }, false, ["edge", "apps"]],
  [{ tier: "data", callsEdge: true }, true, ["edge", "data"]],
  [{ tier: "data", callsEdge: false, routes: [] }, true, ["data"]],
  [{ tier: "app", routes: [{ host: "a", path: "/", port: "web" }] }, true, ["edge", "app"]],
])("%j, a slot: %s, is on %j", (more, isSlot, expected) => {
  expect(networksOf({ ...container, ...more }, isSlot)).toEqual(expected);
});

test("everything has the stack's name, its owner and the part that it is", () => {
  expect(labels(site(), "db-1", "f00d")).toEqual([
    { label: "platform-topologies.name", value: "sample" },
    { label: "platform-topologies.owner", value: "f00d" },
    { label: "platform-topologies.workload", value: "db-1" },
  ]);
});

test("who runs it: its own user, else the image's; the rehearsal image is nobody's", () => {
  expect(userOf(container, image)).toBeUndefined();
  expect(userOf(container, rehearsing)).toBe("65534:65534");
  expect(userOf({ ...container, user: "1000:1000" }, rehearsing)).toBe("1000:1000");
});

test.each<[string, Partial<Container>, object]>([
  ["nothing", {}, {}],
  ["the image's, with arguments", { args: ["a", "b"] }, { command: ["a", "b"] }],
  ["a program", { command: ["run"] }, { entrypoints: ["run"] }],
  ["a program with arguments", { command: ["run", "a", "b"] }, { entrypoints: ["run"], command: ["a", "b"] }],
])("what runs: %s", (_, more, expected) => {
  expect(entry({ ...container, ...more })).toEqual(expected);
});

test("what comes before a server runs in its shell, which becomes the server with its arguments", () => {
  const prepare = 'export A=set\nset -- "$@" three';
  const { entrypoints = [], command = [] } = entry({
    ...container,
    prepare,
    command: ["sh", "-c", 'echo "$A" "$@"', "one", "two"],
  });
  const [shell = "", ...rest] = entrypoints;
  expect(spawnSync(shell, [...rest, ...command]).stdout.toString()).toBe("set two three\n");
});

test("variables are sorted; the rehearsal image has its own on top, and no other image has those", async () => {
  const given = {
    ...container,
    env: { B: "1", A: "x=y" },
    secretEnv: { C: secret("s") },
    rehearsal: { B: "2" },
  };
  expect(await resolved(environment(given, image))).toEqual(["A=x=y", "B=1", "C=s"]);
  expect(await resolved(environment(given, rehearsing))).toEqual(["A=x=y", "B=2", "C=s"]);
  expect(await resolved(environment(container, rehearsing))).toEqual([]);
  expect(keyAndValue("A=x=y")).toEqual(["A", "x=y"]);
  expect(keyAndValue("A=")).toEqual(["A", ""]);
});

test.each([
  [0, "0s", "0s"],
  [1, "1s", "1s"],
  [59, "59s", "59s"],
  [60, "1m0s", "1m"],
  [90, "1m30s", "1m30s"],
  [600, "10m0s", "10m"],
  [3599, "59m59s", "59m59s"],
  [3600, "1h0m0s", "1h"],
  [3601, "1h0m1s", "1h0m1s"],
  [3660, "1h1m0s", "1h1m"],
  [36_000, "10h0m0s", "10h"],
])("%d seconds are %s of a container, and %s of a service", (seconds, go, short) => {
  expect([goDuration(seconds), shortDuration(seconds)]).toEqual([go, short]);
});

/** A health check of a server at port 8000 of its container, `at` somewhere else. */
function checked(ready: Probe, client: Image["client"], at = 8000): string[] {
  const ports = { web: { number: at, protocol: "http" } } as const;
  const health: Health = { ready, startSeconds: 1, stopSeconds: 1 };
  const [kind, ...command] = healthTest({ ...container, ports, health }, { ...image, client });
  expect(kind).toBe("CMD");
  return command;
}

describe("a health check", () => {
  const http = { http: "web", path: "/health?a=b" } as const;

  test("is the rehearsal image's own, whatever is asked", () => {
    const health: Health = { ready: { command: ["x"] }, startSeconds: 1, stopSeconds: 1 };
    expect(healthTest({ ...container, health }, rehearsing)).toEqual(["CMD", "rehearse", "health"]);
  });

  test("may be a command", () => {
    expect(checked({ command: ["pg_isready", "-q"] }, "curl")).toEqual(["pg_isready", "-q"]);
  });

  test("of wget is one that writes nothing and gives up after four seconds", () => {
    expect(checked(http, "wget")).toEqual([
      ...["wget", "-q", "-T", "4", "-O", "/dev/null"],
      "http://127.0.0.1:8000/health?a=b",
    ]);
  });

  /** A server that answers each path, as `/401`, with that status. */
  async function answers(): Promise<number> {
    const server = createServer(({ url = "" }, response) => {
      response.writeHead(Number(url.slice(1, 4)), { "content-length": "0" });
      response.end();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
  const runs = async ([program = "", ...args]: string[], env: NodeJS.ProcessEnv = {}): Promise<boolean> =>
    (await execa(program, args, { reject: false, env, stdin: "ignore" })).exitCode === 0;
  const has = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;

  const statuses: [path: string, below: number | undefined, well: boolean][] = [
    ["/399", undefined, true],
    ["/400", undefined, false],
    ["/401", 402, true],
    ["/402", 402, false],
    ["/200?a='b'", 201, true],
  ];
  test.each(["bash", "python", "curl"] as const)(
    "of %s takes a status below its limit for well, and nothing else",
    async (client) => {
      if (!has(client === "python" ? "python3" : client)) return; // an image without its client has no such check
      const port = await answers();
      const verdict = (path: string, below: number | undefined, at = port) =>
        runs(checked({ http: "web", path, ...(below === undefined ? {} : { below }) }, client, at));
      expect(await Promise.all(statuses.map(([path, below]) => verdict(path, below)))).toEqual(
        statuses.map(([, , well]) => well),
      );
      expect(await verdict("/200", undefined, 1)).toBe(false);
    },
    20_000,
  );

  test.each(["bash", "python", "curl", "wget", "none"] as const)(
    "of a port is one that connects, with python or else bash: %s",
    async (client) => {
      const command = checked({ tcp: "web" }, client, await answers());
      expect(command[0]).toBe(client === "python" ? "python3" : "bash");
      if (!has(command[0] ?? "")) return;
      expect([await runs(command), await runs(checked({ tcp: "web" }, client, 1))]).toEqual([true, false]);
    },
  );

  test("of an image without a client is curl's; every one gives up in time", () => {
    expect(checked(http, "none")).toEqual(checked(http, "curl"));
    expect(checked(http, "curl").join(" ")).toContain("curl -s -m 4 ");
    expect(checked(http, "python").join(" ")).toContain("timeout=4)");
    expect(checked(http, "bash").join(" ")).toContain("read -r -t 4 ");
    expect(checked({ tcp: "web" }, "python").join(" ")).toContain("8000), 4)");
  });

  test("of a store fails with it, and when its disk is full", async () => {
    const folder = newFolder("df");
    const df = async (left: string, command: string[], path = "/data") => {
      // As df -P prints it: a header, and a line with what is available in the fourth column.
      const script = `#!/bin/sh\n[ "$*" = "-kP ${path}" ] && printf 'Filesystem x\\n/dev/sda 9 9 ${left} 9%% /\\n'\n`;
      writeFileSync(join(folder, "df"), script);
      chmodSync(join(folder, "df"), 0o755);
      const [kind, program = "", ...args] = withRoom(["CMD", ...command], "/data");
      expect(kind).toBe("CMD");
      const env = { PATH: `${folder}:${String(process.env.PATH)}` };
      const { exitCode, stdout } = await execa(program, args, { reject: false, env, stdin: "ignore" });
      return [exitCode, stdout];
    };
    expect(await df("65536", ["true"])).toEqual([0, ""]);
    expect(await df("65536", ["sh", "-c", '[ "$1" = "a b" ]', "x", "a b"])).toEqual([0, ""]);
    expect(await df("65535", ["true"])).toEqual([1, "its disk is full: 65535 KiB are left on /data"]);
    expect(await df("65536", ["false"])).toEqual([1, ""]);
    expect(await df("1", ["true"], "/other")).toEqual([0, ""]); // without a number it says nothing
  });
});

const engine = {
  image: ({ ref }: Image) => `id of ${ref}`,
  network: (name: string) => ({ id: `${name}-id` }),
  owner: "f00d",
  adopted: { aliases: (_: string, all: readonly string[]) => all },
} as unknown as Engine;
const joins = { networks: ["app", "data"], aliases: ["web", "shop"] };
const health: Health = { ready: { command: ["true"] }, startSeconds: 90, stopSeconds: 20 };
const args = (more: Partial<Container & Pick<Slot, "disk">> = {}, of = image) =>
  containerArgs(site(), engine, "web-1", { ...container, health, ...more }, of, joins);

describe("a container", () => {
  test("is called by the stack's name and its own, and by its aliases on each of its networks", () => {
    expect(args()).toMatchObject({
      ...{ name: "sample-web-1", hostname: "web-1", image: "id of r/t:1" },
      networksAdvanced: ["app-id", "data-id"].map((name) => ({ name, aliases: ["web", "shop"] })),
      labels: labels(site(), "web-1", "f00d"),
    });
  });

  test("has no more rights, memory or log than it is given, and its time to start and to stop", () => {
    expect(args({ memoryMib: 100 })).toMatchObject({
      ...{ memory: 100, memorySwap: 100, init: true, restart: "unless-stopped", mustRun: false, wait: false },
      ...{ capabilities: { drops: ["ALL"] }, securityOpts: ["no-new-privileges:true"] },
      ...{ logDriver: "json-file", logOpts: { "max-size": "10m", "max-file": "3" } },
      ...{ stopTimeout: 20, destroyGraceSeconds: 20 },
      healthcheck: { startPeriod: "1m30s", interval: "5s", timeout: "10s", retries: 3, tests: ["CMD", "true"] },
    });
  });

  test("a store's health is its disk's, too", () => {
    const disk = { path: "/data", gib: 1, backup: { rebuilt: "anew" } };
    expect(args({ disk })).toMatchObject({ healthcheck: { tests: withRoom(["CMD", "true"], "/data") } });
  });

  test.each([
    [1, "1.0"],
    [0.5, "0.5"],
    [0.25, "0.25"],
    [1.5, "1.5"],
    [2, "2.0"],
    [10, "10.0"],
    [0.125, "0.13"],
  ])("%d cores are written as they are read back: %s", (cpu, cpus) => {
    expect(args({ cpu }).cpus).toBe(cpus);
  });

  test("what it does not say, it leaves to the image and to Docker", () => {
    for (const key of ["user", "shmSize", "entrypoints", "command"]) expect(args()).not.toHaveProperty(key);
    expect(args({ user: "1:1", shmMib: 32, command: ["run", "now"] })).toMatchObject({
      ...{ user: "1:1", shmSize: 32, entrypoints: ["run"], command: ["now"] },
    });
    expect(args({}, rehearsing).user).toBe("65534:65534");
  });

  test("its files have their mode in octal, and are for everybody in it unless they say so", () => {
    const files = [
      { path: "/a", content: "1" },
      { path: "/b", content: "2", mode: 0o400 },
    ];
    expect(args({ files }).uploads).toEqual([
      { file: "/a", content: "1", permissions: "0444" },
      { file: "/b", content: "2", permissions: "0400" },
    ]);
    expect(args().uploads).toEqual([]);
  });

  test("its folders and volumes are where it wants them; only what may not be written is read-only", () => {
    const asked = [
      { folder: "/srv", path: "/a" },
      { volume: "shared", path: "/b", readOnly: true },
      { volume: "own", path: "/c", readOnly: false },
    ];
    const expected = [
      { hostPath: "/srv", containerPath: "/a" },
      { volumeName: "shared", containerPath: "/b", readOnly: true },
      { volumeName: "own", containerPath: "/c" },
    ];
    expect(mounts({ ...container, mounts: asked })).toEqual(expected);
    expect(args({ mounts: asked }).volumes).toEqual(expected);
    expect(mounts(container)).toEqual([]);
  });
});

describe("a job", () => {
  const job: Omit<Job, "trigger"> = { ...container, seconds: 30 };
  const place: JobPlace = {
    image: ({ ref }) => `id of ${ref}`,
    network: (name) => ({ id: `${name}-id` }),
    networksOf,
    owner: "f00d",
  };
  const redact = [secret("word")];
  const at = site({ image: (key) => ({ ...image, key }) });
  const asked = (more: Partial<Job> = {}, where: Partial<JobPlace> = {}) =>
    jobArgs(at, { ...place, ...where }, "setup", { ...job, ...more }, redact);

  test("is called after the stack and itself, and labelled as everything is", () => {
    const { labels: its, redact: hidden, ...rest } = asked();
    expect(its).toEqual({
      ...{ "platform-topologies.name": "sample", "platform-topologies.owner": "f00d" },
      "platform-topologies.workload": "setup",
    });
    expect(hidden).toEqual(redact);
    expect(rest).toMatchObject({ name: "sample-setup", image: "id of r/t:1", command: [], files: [], mounts: [] });
    expect(rest).toMatchObject({ memoryMib: 64, cpu: 1, seconds: 30 });
    for (const key of ["user", "shmMib", "entrypoint", "ref", "registries"]) expect(rest).not.toHaveProperty(key);
  });

  test("is pulled again by its reference where an engine knows the image by its id alone", () => {
    const registries = ["r.example.com"];
    expect(asked({}, { registries })).toMatchObject({ image: "id of r/t:1", ref: "r/t:1", registries });
  });

  test("has its own user, command, memory, variables, files and mounts", async () => {
    const given = asked({
      ...{ user: "1:1", shmMib: 32, command: ["run", "now"], env: { A: "x=y" }, secretEnv: { B: secret("s") } },
      files: [
        { path: "/a", content: "1" },
        { path: "/b", content: "2", secret: true, mode: 0o400 },
      ],
      mounts: [
        { folder: "/srv", path: "/a" },
        { volume: "shared", path: "/b" },
      ],
    });
    expect(given).toMatchObject({
      ...{ user: "1:1", shmMib: 32, entrypoint: ["run"], command: ["now"] },
      files: [
        { path: "/a", content: "1", secret: false, mode: 0o444 },
        { path: "/b", content: "2", secret: true, mode: 0o400 },
      ],
      mounts: [
        { source: "/srv", path: "/a" },
        { source: "shared", path: "/b" },
      ],
    });
    expect(await resolved(given.env)).toEqual({ A: "x=y", B: "s" });
  });

  test("joins the networks of its tier, as a store's among stores", () => {
    expect(asked().networks).toEqual(["app-id", "data-id"]);
    expect(asked({ tier: "data" }).networks).toEqual(["data-id"]);
    const seen: boolean[] = [];
    for (const tier of ["app", "data"] as const)
      asked({ tier }, { networksOf: (_, isSlot) => (seen.push(isSlot), []) });
    expect(seen).toEqual([false, true]);
  });

  test("runs again for another image or command, unless it is for its trigger alone", () => {
    expect(jobIgnores({ ...job, trigger: "1" })).toEqual({});
    expect(jobIgnores({ ...job, trigger: "1", onlyOnTrigger: true })).toEqual({
      ignoreChanges: ["image", "entrypoint", "command"],
    });
  });

  test("that marks a disk writes the disk's id once, and refuses the disk of another state", () => {
    const path = newFolder("disk");
    const disk = { path, gib: 1, backup: { rebuilt: "anew" }, marker: "marker" };
    const { env, command = [], ...rest } = markerJob({ ...container, health, disk, user: "7:7" }, "marker", "d15c");
    expect(env).toEqual({ DISK: "d15c" });
    expect(rest).toEqual({ image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, user: "7:7", seconds: 60 });
    expect(markerJob({ ...container, health, disk }, "marker", "d15c")).not.toHaveProperty("user");
    const [program = "", ...given] = command;
    const run = (id: string) => spawnSync(program, given, { env: { ...process.env, DISK: id } });
    // A disk without room takes no part of it: once it has room, it is a new one as before.
    const full = spawnSync(program, ["-c", `trap '' XFSZ; ulimit -f 0; exec "$@"`, "full", program, ...given], {
      env: { ...process.env, DISK: "d15c" },
    });
    expect([full.status === 0, existsSync(join(path, "marker"))]).toEqual([false, false]);
    for (const id of ["d15c", "d15c"]) expect(run(id).status).toBe(0);
    expect(readFileSync(join(path, "marker"), "utf8")).toBe("d15c");
    const { status, stderr } = run("0ther");
    expect([status, stderr.toString()]).toEqual([
      1,
      "there are data of another state on this disk: name the stack otherwise, or remove them\n",
    ]);
    expect(readFileSync(join(path, "marker"), "utf8")).toBe("d15c");
    // Whatever changes later: else a disk that lost its data would be marked as a new one.
    for (const key of ["command", "entrypoint", "env", "image", "user"])
      expect(markerIgnores.ignoreChanges).toContain(key);
  });
});
