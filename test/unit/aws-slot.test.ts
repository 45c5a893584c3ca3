/**
 * The real agent of a slot's machine, as user data writes it, against programs that write down their calls. Python 3.9
 * or later is assumed, as `python3`.
 */
import { mkdir, readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, describe, expect, test } from "@jest/globals";
import { execa } from "execa";

import type { Spec } from "../../components/topologies/aws/spec.ts";
import { healthTimes } from "../../components/topologies/containers.ts";
import { type Ran, SlotMachine } from "../support/slot-machine.ts";

const ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const secretFile = { path: "/run/secrets/password", content: "hunter2hunter2", mode: 0o400, secret: true };
const db: Spec = {
  name: "db-1",
  image: `${ecr}/shop/postgres@sha256:${"7".repeat(64)}`,
  user: "999:999",
  entrypoint: ["/bin/sh", "-c", 'echo prepared\nexec "$@"', "prepare"],
  command: ["postgres", "-c", "max connections=9"],
  env: { LANG: "C.UTF-8", PASSWORD: "env-pass-word", CHAIN: "-----BEGIN-----\nMIIBlineoftwelve\n-----END-----" },
  files: [{ path: "/etc/db.conf", content: "listen = '*'\n", mode: 0o444 }, secretFile],
  ports: [5432],
  memoryMib: 1024,
  cpu: 0.5,
  shmMib: 128,
  health: { test: ["CMD", "sh", "-c", 'pg_isready -q && echo "ready"'], startSeconds: 120, stopSeconds: 60 },
  disk: { path: "/var/lib/postgresql/data", marker: ".made", id: "0123abcd", gib: 10 },
  secrets: ["env-pass-word", "-----BEGIN-----\nMIIBlineoftwelve\n-----END-----"],
};
const other: Spec = { ...db, command: ["postgres", "-c", "max connections=8"] };

const machines: SlotMachine[] = [];
afterEach(async () => {
  await Promise.all(machines.splice(0).map((each) => each.end()));
});
async function machine(spec: Spec = db, options: { disk?: boolean } = {}): Promise<SlotMachine> {
  const made = await SlotMachine.make(spec, options);
  machines.push(made);
  return made;
}
/** A machine on which the spec runs. */
async function running(spec: Spec = db): Promise<SlotMachine> {
  const made = await machine(spec);
  expect(await made.run("apply v1")).toMatchObject({ code: 0, err: "" });
  return made;
}
/** The calls as lines, with so many words of each. */
const heads = ({ calls }: Pick<Ran, "calls">, words = 3) => calls.map((call) => call.slice(0, words).join(" "));
const named = ({ calls }: Pick<Ran, "calls">, start: string) =>
  calls.filter((call) => call.join(" ").startsWith(start));
const dataFolder = "var/lib/slot/disk/data";

test("it is Python 3.9", async () => {
  const made = await machine();
  const check = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))";
  await execa(made.python, ["-c", check, join(made.root, "bin/slot")]);
});

describe("a new machine", () => {
  test("with a new disk: everything once, the disk before the engine and the container", async () => {
    const made = await machine();
    const ran = await made.run("apply v1");
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(heads(ran)).toEqual([
      "aws secretsmanager get-secret-value",
      "aws ec2 attach-volume",
      "aws ec2 describe-volumes",
      "blkid -p -o",
      `mkfs.xfs ${made.root}/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1`,
      "mount -t xfs",
      `xfs_growfs ${made.root}/var/lib/slot/disk`,
      "systemctl start slots.slice",
      "iptables -w -C",
      "iptables -w -I",
      "systemctl start docker",
      "docker container inspect",
      "docker image prune",
      "aws ecr get-login-password",
      "docker login --username",
      "docker pull --quiet",
      "docker create --name",
      "aws ec2 create-tags",
      "docker start slot",
      "docker container inspect",
    ]);
    expect(await made.get(`${dataFolder}/.made`)).toBe("0123abcd");
  });

  test("the container has the machine's network and nothing that it does not need", async () => {
    const made = await machine({ ...db, mounts: [{ source: "/srv", path: "/srv", readOnly: true }], socket: true });
    const [words = []] = named(await made.run("apply v1"), "docker create");
    const text = words.join(" ");
    for (const part of [
      "--hostname db-1 ",
      "--network host ",
      "--restart always",
      "--cgroup-parent slots.slice",
      "--cap-drop ALL",
      "--security-opt no-new-privileges",
      "--memory 1024m --memory-swap 1024m --cpus 0.5 --shm-size 128m",
      "--user 999:999",
      "--stop-timeout 60",
      `--health-interval ${healthTimes.interval} --health-timeout ${healthTimes.timeout} --health-retries ${String(healthTimes.retries)}`,
      "--health-start-period 120s",
      "--log-opt awslogs-region=eu-central-1 --log-opt awslogs-group=/shop/slots --log-opt awslogs-stream=slot",
      "--volume /srv:/srv:ro",
      "source=/var/run/docker.sock",
      `target=/var/lib/postgresql/data,volume-driver=local,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=${made.root}/${dataFolder}`,
    ])
      expect(text).toContain(part);
    expect(words.slice(words.indexOf("--entrypoint"))).toEqual([
      ...["--entrypoint", "/bin/sh", db.image, "-c", 'echo prepared\nexec "$@"', "prepare"],
      ...["postgres", "-c", "max connections=9"],
    ]);
    const health = words[words.indexOf("--health-cmd") + 1] ?? "";
    expect(
      (await execa("/bin/sh", ["-c", `pg_isready() { :; }; set -- ${health.replace("exec ", "")}; echo "$3"`])).stdout,
    ).toBe('pg_isready -q && echo "ready"');
  });

  test("no secret is in a program's arguments; variables of several lines arrive whole", async () => {
    const made = await machine();
    const words = (await made.run("apply v1")).calls.flat().join(" ");
    for (const value of ["hunter2hunter2", "env-pass-word", "MIIBlineoftwelve", "token-of-ecr"])
      expect(words).not.toContain(value);
    expect(await made.get("state/chain")).toBe(db.env.CHAIN);
    expect(await made.get("state/password")).toBe("token-of-ecr\n");
  });

  test("files have their modes and lie in memory, in a folder of root's", async () => {
    const made = await machine();
    const [words = []] = named(await made.run("apply v1"), "docker create");
    const mounted = words.filter((word) => word.startsWith("type=bind")).map((word) => word.split(","));
    expect(mounted.map(([, , target]) => target)).toEqual(
      ["/etc/db.conf", "/run/secrets/password"].map((p) => `target=${p}`),
    );
    expect(mounted.map((parts) => parts.at(-1))).toEqual(["readonly", "readonly"]);
    const paths = mounted.map((parts) => (parts[1] ?? "").replace("source=", ""));
    for (const path of paths) expect(path).toMatch(`${made.root}/run/slot/files/`);
    const modes = await Promise.all(paths.map(async (path) => (await stat(path)).mode & 0o777));
    expect(modes).toEqual([0o444, 0o400]);
    expect((await stat(join(made.root, "run/slot"))).mode & 0o777).toBe(0o700);
    const env = words[words.indexOf("--env-file") + 1] ?? "";
    expect(await made.get(env.slice(made.root.length))).toBe("LANG=C.UTF-8\nPASSWORD=env-pass-word\n");
  });

  test("the kernel's settings change only for a spec that needs them", async () => {
    const made = await machine();
    await made.run("apply v1");
    expect(await made.get("proc/sys/vm/max_map_count")).toBeUndefined();
    expect(await made.get("proc/sys/net/ipv4/ip_unprivileged_port_start")).toBeUndefined();
    await made.spec({ ...db, ports: [9200, 80], maxMapCount: true }, "v2");
    await made.run("apply v2");
    expect(await made.get("proc/sys/vm/max_map_count")).toBe("262144");
    expect(await made.get("proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe("0");
  });

  test("without a disk there is nothing of one; another registry needs no login", async () => {
    const { name, files, env, ports, memoryMib, cpu, health, secrets } = db;
    const image = "docker.io/library/redis:7";
    const made = await machine({ name, image, files, env, ports, memoryMib, cpu, health, secrets }, { disk: false });
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(0);
    expect(heads(ran, 2).filter((head) => /ec2|aws ecr|login|blkid|mount|xfs/.test(head))).toEqual([]);
    expect(ran.calls.flat().join(" ")).not.toContain("type=volume");
  });
});

describe("a machine with GPUs", () => {
  const { name, image, files, env, ports, memoryMib, cpu, health, secrets } = db;
  const own = { name, image, files, env, ports, memoryMib, cpu, health, secrets };
  const agent: Spec = { ...own, socket: true, gpus: 2 };
  const gpu = (number: number) => `GPU ${String(number)}: Tesla T4 (UUID: GPU-7a0c${String(number)})`;
  const withGpus = async (said: string) => {
    const made = await machine(agent, { disk: false });
    await made.put("state/gpus", said);
    return made;
  };

  test("gives the container all of them, and the engine for what it starts", async () => {
    const ran = await (await withGpus(`${[0, 1, 2, 3].map(gpu).join("\n")}\n`)).run("apply v1");
    expect(ran).toMatchObject({ code: 0, err: "" });
    const [words = []] = named(ran, "docker create");
    expect(words.join(" ")).toContain(" --gpus all ");
    expect(words.join(" ")).toContain("source=/var/run/docker.sock");
    const order = heads(ran, 2);
    expect(order.indexOf("nvidia-smi --list-gpus")).toBeLessThan(order.indexOf("docker container"));
  });

  test.each([
    ["one of two", `${gpu(0)}\n`, "1 of 2", gpu(0)],
    ["none", "No devices were found\n", "0 of 2", "No devices were found"],
  ])("that has %s says so, before a container is touched", async (_what, said, count, line) => {
    const ran = await (await withGpus(said)).run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toBe(`this machine has ${count} GPUs: see aws.classes\nnvidia-smi says:\n  | ${line}`);
    expect(named(ran, "docker")).toEqual([]);
  });

  test("that has no driver says so, too", async () => {
    const made = await withGpus("");
    await made.put("state/error-nvidia-smi---list-gpus", "NVIDIA-SMI has failed\n");
    expect((await made.run("boot")).err).toContain("nvidia-smi says:\n  | NVIDIA-SMI has failed");
  });

  test("asks no plain machine for them", async () => {
    const ran = await (await machine()).run("apply v1");
    expect(named(ran, "nvidia-smi")).toEqual([]);
    expect(ran.calls.flat()).not.toContain("--gpus");
  });
});

describe("the disk", () => {
  test("is never formatted when it has a file system, and is known for made from then on", async () => {
    const made = await machine();
    await made.put("state/content", "TYPE=xfs\n");
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(0);
    expect(named(ran, "mkfs")).toEqual([]);
    expect(named(ran, "aws ec2 create-tags")[0]).toEqual(
      expect.arrayContaining(["--resources", "vol-1", "Key=slot-made,Value=yes"]),
    );
  });

  test.each([
    ["another file system", "TYPE=ext4\n", "it is left as it is"],
    ["partitions", "PTTYPE=gpt\n", "it is left as it is"],
  ])("with %s is refused", async (_what, content, sentence) => {
    const made = await machine();
    await made.put("state/content", content);
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(sentence);
    expect(ran.err).toContain(content.trim());
    expect(named(ran, "mkfs")).toEqual([]);
    expect(named(ran, "mount")).toEqual([]);
  });

  test("that blkid cannot read is not formatted", async () => {
    const made = await machine();
    await made.put("state/error-blkid--p", "input/output error\n");
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toBe("blkid failed\nit says:\n  | input/output error");
    expect(named(ran, "mkfs")).toEqual([]);
  });

  test.each([
    ["its file system", () => Promise.resolve()],
    ["the container's folder", (made: SlotMachine) => made.put("state/content", "TYPE=xfs\n")],
  ])("that once was made and has lost %s is refused, and nothing is formatted", async (_what, prepare) => {
    const made = await machine();
    await made.put("state/tagged", "");
    await prepare(made);
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("vol-1 has lost its data, as its tag slot-made says");
    expect(named(ran, "mkfs")).toEqual([]);
    expect(named(ran, "docker")).toEqual([]);
  });

  test("with the marker of another state's disk is refused, and the marker stays", async () => {
    const made = await running();
    await made.put(`${dataFolder}/.made`, "fedcba98");
    await made.spec(other, "v2");
    const ran = await made.run("apply v2");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("there are data of another state on vol-1");
    expect(named(ran, "docker")).toEqual([]);
    expect(await made.get(`${dataFolder}/.made`)).toBe("fedcba98");
  });

  test("of a snapshot keeps its data, and gets the marker of its new name before its first start", async () => {
    const made = await machine();
    await made.put("state/content", "TYPE=xfs\n");
    await mkdir(join(made.root, dataFolder), { recursive: true });
    await made.put(`${dataFolder}/.made`, "fedcba98");
    await made.put(`${dataFolder}/rows`, "many");
    const ran = await made.run("apply v1");
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(named(ran, "mkfs")).toEqual([]);
    expect(await made.get(`${dataFolder}/.made`)).toBe("0123abcd");
    expect(await made.get(`${dataFolder}/rows`)).toBe("many");
    expect(heads(ran, 3).filter((head) => /create-tags|docker start/.test(head))).toEqual([
      "aws ec2 create-tags",
      "docker start slot",
    ]);
  });

  test("that has lost its marker gets no other: the slot refuses such a disk", async () => {
    const made = await running();
    await execa("rm", [join(made.root, dataFolder, ".made")]);
    await made.spec(other, "v2");
    expect((await made.run("apply v2")).code).toBe(0);
    expect(await made.get(`${dataFolder}/.made`)).toBeUndefined();
  });

  test("grows, for another size, below the container that runs", async () => {
    const made = await running();
    await made.spec(
      { ...db, disk: { path: "/var/lib/postgresql/data", marker: ".made", id: "0123abcd", gib: 20 } },
      "v2",
    );
    const ran = await made.run("apply v2");
    expect(named(ran, "xfs_growfs")).toHaveLength(1);
    expect(heads(ran, 2).filter((head) => head.startsWith("docker"))).toEqual(["docker container", "docker container"]);
  });

  test("is asked for again while the old machine still has it", async () => {
    const made = await machine();
    await made.put("state/held", "7\n");
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(0);
    expect(named(ran, "aws ec2 attach-volume")).toHaveLength(8);
  });

  test("is given up after a quarter of an hour, with a sentence that names the holder", async () => {
    const made = await machine();
    await made.put("state/held", "100000\n");
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toBe("vol-1 did not come in 15 min: end its holder (i-old), run up again");
    expect(named(ran, "aws ec2 attach-volume")).toHaveLength(180);
  });

  test("is not waited for when EC2 refuses it for good", async () => {
    const made = await machine();
    await made.put("state/error-aws-ec2", "An error occurred (UnauthorizedOperation) when calling AttachVolume\n");
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("aws ec2 attach-volume failed");
    expect(ran.err).toContain("UnauthorizedOperation");
    expect(named(ran, "aws ec2")).toHaveLength(1);
  });
});

describe("a machine with a container", () => {
  test("the same healthy spec again starts and pulls nothing, under whatever version", async () => {
    const made = await running();
    await made.spec(db, "v2");
    const ran = await made.run("apply v2");
    expect(ran.code).toBe(0);
    expect(heads(ran).filter((head) => /^docker|aws ecr|mkfs|mount|tags|-I/.test(head))).toEqual([
      "docker container inspect",
      "docker container inspect",
    ]);
  });

  test("another spec: the old container has stopped before the new one starts, and its files go", async () => {
    const made = await running();
    await made.spec(other, "v2");
    const ran = await made.run("apply v2");
    expect(ran.code).toBe(0);
    expect(heads(ran, 2).filter((head) => /^docker (pull|stop|rm|create|start)/.test(head))).toEqual(
      ["pull", "stop", "rm", "create", "start"].map((each) => `docker ${each}`),
    );
    expect(named(ran, "aws ec2 create-tags")).toEqual([]);
    expect(await readdir(join(made.root, "run/slot/files"))).toHaveLength(1);
  });

  test("an image that cannot be pulled leaves the old container as it is", async () => {
    const made = await running();
    await made.spec(other, "v2");
    await made.put("state/error-docker-pull", "manifest unknown\n");
    const ran = await made.run("apply v2");
    expect(ran.err).toContain("docker pull failed\nit says:\n  | manifest unknown");
    expect(await made.get("state/status")).toBe("running\n");
  });

  test("a container that has ended is made anew", async () => {
    const made = await running();
    await made.put("state/status", "exited\n");
    expect(heads(await made.run("apply v1"), 2)).toContain("docker start");
    expect(await made.get("state/status")).toBe("running\n");
  });

  test("one that does not become healthy fails with its last lines, without a secret", async () => {
    const made = await machine();
    await made.put("state/health", "starting\n");
    const log = Array.from(
      { length: 40 },
      (_, at) => `line ${String(at)} hunter2hunter2 env-pass-word MIIBlineoftwelve ${"x".repeat(1000)}`,
    );
    await made.put("state/log", `${log.join("\n")}\n`);
    const ran = await made.run("apply v1");
    expect(ran.code).toBe(1);
    const [sentence, title, ...lines] = ran.err.split("\n");
    expect(sentence).toBe("db-1 did not become healthy in 150 s");
    expect(title).toBe("last log lines:");
    expect(lines[0]).toMatch(/^ {2}\| line 21 \[secret\] \[secret\] \[secret\] x+$/);
    expect(lines.slice(19)).toEqual(["  | last words", "its last health check:", "  | refused with [secret]"]);
    expect(ran.err.length).toBeLessThan(8000); // what Run Command keeps
  });
});

describe("boot", () => {
  test("makes the current version run, and reports nothing", async () => {
    const ran = await (await machine()).run("boot");
    expect(ran.code).toBe(0);
    expect(ran.calls[0]).toContain("AWSCURRENT");
    expect(named(ran, "aws autoscaling")).toEqual([]);
  });

  test("reports a machine that cannot, whatever the reason", async () => {
    const made = await machine();
    await made.put("state/secret-AWSCURRENT", "no JSON");
    const ran = await made.run("boot");
    expect(ran.code).toBe(1);
    expect(named(ran, "aws autoscaling")[0]?.slice(2, 8)).toEqual([
      ...["set-instance-health", "--instance-id", "i-new"],
      ...["--health-status", "Unhealthy", "--no-should-respect-grace-period"],
    ]);
  });

  test("apply reports nothing: whoever calls it sees its error", async () => {
    const made = await machine();
    await made.put("state/error-docker-pull", "manifest unknown\n");
    expect(named(await made.run("apply v1"), "aws autoscaling")).toEqual([]);
  });
});

describe("watch", () => {
  const reported = async (made: SlotMachine, later: number) =>
    named(await made.run("watch", later), "aws autoscaling").length > 0;

  test.each([
    ["unhealthy", "running", "unhealthy", 600],
    ["stopped", "exited", "unhealthy", 600],
    ["starting again and again", "running", "starting", 720],
  ])("reports a container that has been %s so long, not sooner", async (_what, status, health, seconds) => {
    const made = await running();
    await made.put("state/status", `${status}\n`);
    await made.put("state/health", `${health}\n`);
    expect(await reported(made, 1000)).toBe(false);
    expect(await reported(made, 1000 + seconds - 1)).toBe(false);
    expect(await reported(made, 1000 + seconds)).toBe(true);
  });

  test("counts from the start again after the container was well, and after an apply", async () => {
    const made = await running();
    await made.put("state/health", "unhealthy\n");
    expect(await reported(made, 1000)).toBe(false);
    await made.put("state/health", "healthy\n");
    expect(await reported(made, 1300)).toBe(false);
    await made.put("state/health", "unhealthy\n");
    expect(await reported(made, 1700)).toBe(false);
    await made.run("apply v1", 2000);
    expect(await reported(made, 2350)).toBe(false);
  });

  test("reports an engine that does not answer", async () => {
    const made = await running();
    await made.put("state/error-docker-container", "Cannot connect to the Docker daemon\n");
    expect(await reported(made, 1000)).toBe(false);
    expect(await reported(made, 1600)).toBe(true);
  });

  test("does not judge while an apply is under way", async () => {
    const made = await machine();
    await execa("mkfifo", [join(made.root, "state/pause-docker")]);
    const applying = made.start(["apply", "v1"]);
    await reached(made, "systemctl start docker");
    expect((await made.start(["watch"], 9999)).exitCode).toBe(0);
    expect(await made.get("run/slot/ill")).toBeUndefined();
    expect(await made.get("run/reported")).toBe("9999.0"); // of the disk it tells all the same
    await made.put("state/pause-docker", "\n");
    expect((await applying).exitCode).toBe(0);
  });
});

describe("a report", () => {
  const events = (ran: Pick<Ran, "calls">) => {
    const [call] = named(ran, "aws logs put-log-events").slice(-1);
    if (call === undefined) return undefined;
    const [event] = JSON.parse(call[call.indexOf("--log-events") + 1] ?? "") as {
      timestamp: number;
      message: string;
    }[];
    return { call, timestamp: event?.timestamp, line: JSON.parse(event?.message ?? "") as Record<string, unknown> };
  };

  test("of the disk is a line of which CloudWatch makes a metric, by the alarm's dimension, into the machine's own log", async () => {
    const made = await running();
    const ran = await made.run("watch", 1000);
    expect(ran).toMatchObject({ code: 0, err: "" });
    const { call, timestamp, line } = events(ran) ?? {};
    expect(call?.slice(3, 7)).toEqual(["--log-group-name", "/shop/slots", "--log-stream-name", "i-new"]);
    expect(line).toMatchObject({
      _aws: {
        Timestamp: timestamp,
        CloudWatchMetrics: [
          { Namespace: "platform-topologies", Dimensions: [["LogGroup"]], Metrics: [{ Name: "DiskUsed" }] },
        ],
      },
      ...{ LogGroup: "/shop/slots", Machine: "i-new" },
    });
    const { bsize, blocks, bfree, bavail } = await statfs(join(made.root, dataFolder));
    const used = (blocks - bfree) * bsize;
    expect(Math.abs(Number(line?.DiskUsed) - (100 * used) / (used + bavail * bsize))).toBeLessThan(2);
    expect(Math.abs(Number(timestamp) - Date.now())).toBeLessThan(60_000);
  });

  test("makes its stream once, and comes every five minutes", async () => {
    const made = await running();
    const streams = async (later: number) =>
      heads(await made.run("watch", later)).filter((head) => head.startsWith("aws logs"));
    expect(await streams(1000)).toEqual([
      "aws logs put-log-events",
      "aws logs create-log-stream",
      "aws logs put-log-events",
    ]);
    expect(await streams(1060)).toEqual([]);
    expect(await streams(1300)).toEqual(["aws logs put-log-events"]);
  });

  test("that AWS refuses ends with its words, and is tried again the next minute", async () => {
    const made = await running();
    await made.put("state/error-aws-logs", "An error occurred (AccessDeniedException) when calling PutLogEvents\n");
    const ran = await made.run("watch", 1000);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("AccessDeniedException");
    expect(named(ran, "aws logs")).toHaveLength(1);
    await execa("rm", [join(made.root, "state/error-aws-logs")]);
    expect(events(await made.run("watch", 1060))).toBeDefined();
  });

  test("never comes without the disk; a machine that has none tells of the system's own", async () => {
    const made = await machine();
    expect(events(await made.run("watch", 1000))).toBeUndefined();
    const bare = { ...db, disk: undefined };
    const without = await machine(JSON.parse(JSON.stringify(bare)) as Spec, { disk: false });
    await without.run("apply v1");
    expect(events(await without.run("watch", 1000))?.line).toMatchObject({ DiskUsed: expect.any(Number) });
  });
});

/** Waits for a call. */
async function reached(made: SlotMachine, head: string): Promise<void> {
  while (!heads({ calls: await made.calls() }).includes(head)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("killed", () => {
  /** Kills the agent by each of its programs in turn, each on a machine of its own. */
  async function killedAtEach(prepare: () => Promise<SlotMachine>, check: (made: SlotMachine) => Promise<void>) {
    const whole = await prepare();
    const { calls } = await whole.run("apply v2");
    await Promise.all(
      calls.map(async (_call, at) => {
        const made = await prepare();
        await made.put("state/kill", `${String(at + 1)}\n`);
        expect((await made.start(["apply", "v2"])).signal).toBe("SIGKILL");
        const { exitCode, stderr } = await made.start(["apply", "v2"]);
        expect({ at, exitCode, stderr }).toEqual({ at, exitCode: 0, stderr: "" });
        expect(await made.get("state/status")).toBe("running\n");
        expect(await made.get("state/container")).toBe(await whole.get("state/container"));
        await check(made);
      }),
    );
    return calls.length;
  }

  test("at any step on a new machine, the next apply succeeds: one file system, one marker", async () => {
    const steps = await killedAtEach(
      async () => {
        const made = await machine();
        await made.spec(db, "v2");
        return made;
      },
      async (made) => {
        expect(named({ calls: await made.calls() }, "mkfs").length).toBeLessThanOrEqual(2); // one of them was killed
        expect(await made.get(`${dataFolder}/.made`)).toBe("0123abcd");
        expect(await made.get("state/tagged")).toBe("");
      },
    );
    expect(steps).toBe(20);
  });

  test("at any step of an update, the next apply succeeds", async () => {
    const steps = await killedAtEach(
      async () => {
        const made = await running();
        await made.spec(other, "v2");
        return made;
      },
      async (made) => {
        expect(named({ calls: await made.calls() }, "mkfs")).toHaveLength(1);
      },
    );
    expect(steps).toBeGreaterThan(14);
  });

  test("while it wrote the files, the next apply writes them anew", async () => {
    const made = await machine();
    await mkdir(join(made.root, "run/slot/files/new"), { recursive: true });
    await made.put("run/slot/files/new/7", "half of a fi");
    expect((await made.run("apply v1")).code).toBe(0);
    const [folder = ""] = await readdir(join(made.root, "run/slot/files"));
    expect((await readdir(join(made.root, "run/slot/files", folder))).sort()).toEqual(["0", "1", "env"]);
  });

  test("a program that outlives it has ended before the next apply begins", async () => {
    const made = await machine();
    await execa("mkfifo", [join(made.root, "state/pause-mkfs.xfs")]);
    const killed = made.start(["apply", "v1"]);
    await reached(made, `mkfs.xfs ${made.root}/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1`);
    killed.kill("SIGKILL");
    expect((await killed).signal).toBe("SIGKILL");
    // Who does not wait for the lock shows that it is still held.
    await made.start(["watch"]);
    expect(named({ calls: await made.calls() }, "docker")).toEqual([]);
    const next = made.start(["apply", "v1"]);
    await made.put("state/pause-mkfs.xfs", "\n");
    expect((await next).exitCode).toBe(0);
    expect(named({ calls: await made.calls() }, "mkfs")).toHaveLength(1);
  });
});
