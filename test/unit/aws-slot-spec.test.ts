/** What a slot's machine is told: its user data, which anybody may read, and its spec, which is a secret. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { isSecret, output, type Output, secret } from "@pulumi/pulumi";
import { execa } from "execa";

import type { Slot, Workload } from "../../components/core/contracts.ts";
import { siteOf } from "../../components/core/site.ts";
import { type Spec, specOf, specText } from "../../components/topologies/aws/spec.ts";
import { userData } from "../../components/topologies/aws/user-data.ts";
import { fileOf, machineArgs, SlotMachine } from "../support/slot-machine.ts";

const valueOf = <T>(of: Output<T>): Promise<T> => new Promise((resolve) => void of.apply(resolve));
const site = siteOf({ name: "shop", hostname: "shop.example.com" });
const password = secret(output("pass-word-1"));
const slot: Slot = {
  image: "postgis",
  tier: "data",
  cpu: 1,
  memoryMib: 512,
  shmMib: 128,
  user: "999:999",
  command: ["postgres", "-c", "port=5432"],
  prepare: "test -e /data/.made",
  env: { B: "2", A: password.apply((word) => `db://app:${word}@db`) },
  secretEnv: { TOKEN: secret(output("token-of-env")) },
  files: [
    { path: "/etc/db.conf", content: "port = 5432", mode: 0o400 },
    { path: "/run/key", content: secret(output("the-key")), secret: true },
  ],
  ports: { db: { number: 5432, protocol: "tcp" } },
  needs: ["max-map-count"],
  mounts: [{ volume: "backups", path: "/b", readOnly: true }],
  health: { ready: { command: ["pg_isready"] }, startSeconds: 120, stopSeconds: 60 },
  disk: { path: "/data", gib: 10, marker: ".made", backup: { rebuilt: "" } },
};
const place = { ref: output("r.example.com/postgres@sha256:1"), disk: output("0123abcd"), redact: [password] };
const told = (given: Slot | Workload = slot, more: Partial<Parameters<typeof specOf>[3]> = {}): Output<Spec> =>
  specOf(site, "db-1", given, { ...place, ...more });

describe("the spec", () => {
  test("says all that the contract says, in the agent's words", async () => {
    expect(await valueOf(told())).toEqual({
      name: "db-1",
      image: "r.example.com/postgres@sha256:1",
      user: "999:999",
      entrypoint: ["/bin/sh", "-c", 'test -e /data/.made\nexec "$@"', "prepare"],
      command: ["postgres", "-c", "port=5432"],
      env: { A: "db://app:pass-word-1@db", B: "2", TOKEN: "token-of-env" },
      files: [
        { path: "/etc/db.conf", content: "port = 5432", mode: 0o400 },
        { path: "/run/key", content: "the-key", mode: 0o444, secret: true },
      ],
      ports: [5432],
      memoryMib: 512,
      cpu: 1,
      shmMib: 128,
      health: { test: ["CMD", "pg_isready"], startSeconds: 120, stopSeconds: 60 },
      disk: { path: "/data", gib: 10, marker: ".made", id: "0123abcd" },
      maxMapCount: true,
      mounts: [{ source: "backups", path: "/b", readOnly: true }],
      secrets: ["pass-word-1", "token-of-env"],
    });
  });

  test("says nothing of what a workload does not ask for", async () => {
    const { health, cpu, memoryMib } = slot;
    const workload: Workload = { image: "redis", tier: "app", replicas: 1, health, cpu, memoryMib };
    const keys = Object.keys(await valueOf(told(workload)));
    expect(keys.sort()).toEqual(
      ["name", "image", "ports", "cpu", "memoryMib", "health", "env", "files", "secrets"].sort(),
    );
  });

  test("says how many GPUs there have to be, and nothing else of what a machine has room for", async () => {
    const room = { cpu: 2, memoryMib: 4096, gib: 100, gpus: 2, gpuMib: 20_000 };
    expect(await valueOf(told({ ...slot, room }))).toEqual({ ...(await valueOf(told())), gpus: 2 });
    expect(await valueOf(told({ ...slot, room: { ...room, gpus: 0 } }))).toEqual(await valueOf(told()));
  });

  test("repeats no password of the stack that the container does not have", async () => {
    const others = [secret(output("of-another-slot")), secret(output(""))];
    const { secrets } = await valueOf(told(slot, { redact: [password, ...others] }));
    expect(secrets).toEqual(["pass-word-1", "token-of-env"]);
  });

  test("is a secret, whatever is in it", async () => {
    const plain: Slot = { ...slot, files: [], env: {}, secretEnv: {} };
    expect(await isSecret(told(plain, { redact: [] }))).toBe(true);
  });

  test("has the same text for the same slot, and a sentence for one that is too long", async () => {
    const [spec, again] = [await valueOf(told()), await valueOf(told())];
    expect(specText(spec)).toBe(specText(again));
    const files = [{ path: "/big", content: "ä".repeat(40_000), mode: 0o444 }];
    expect(() => specText({ ...spec, files })).toThrow(
      /^the spec of db-1 has 8\d{4} bytes, and a secret at most 65536: shorten its files$/,
    );
  });

  describe("on a machine", () => {
    let machine: SlotMachine | undefined;
    afterEach(() => machine?.end());
    test("runs as it is", async () => {
      machine = await SlotMachine.make(await valueOf(told()));
      const ran = await machine.run("apply v1");
      expect(ran).toMatchObject({ code: 0, err: "" });
      const words = ran.calls.flat();
      expect(words).toEqual(
        expect.arrayContaining(["backups:/b:ro", "r.example.com/postgres@sha256:1", "exec pg_isready"]),
      );
    });
  });
});

describe("user data", () => {
  const long = { ...machineArgs, secretArn: `${machineArgs.secretArn}${"x".repeat(512)}`, logGroup: "g".repeat(512) };

  test("has room in EC2's 16 KiB, with the longest names", () => {
    for (const gpu of [false, true]) expect(Buffer.byteLength(userData({ ...long, gpu }))).toBeLessThanOrEqual(16_384);
  });

  test("is plain text, the same for the same machine: a difference replaces it", () => {
    expect(userData({ ...machineArgs })).toBe(userData({ ...machineArgs }));
    expect(userData(machineArgs)).toMatch(/^#!\/bin\/sh\n[\n\x20-\x7e]+$/);
  });

  test("differs from another machine's in names alone, and no place for a secret is left", () => {
    const line = (text: string) => fileOf(text, "/etc/machine.json");
    const [own, others] = [userData(machineArgs), userData(long)];
    expect(own.replace(line(own), "")).toBe(others.replace(line(others), ""));
    const { secretArn: secret, volumeId: volume, ...rest } = machineArgs;
    expect(JSON.parse(line(own))).toEqual({ ...rest, secret, volume });
    const { region, secretArn, logGroup } = machineArgs;
    expect(JSON.parse(line(userData({ region, secretArn, logGroup })))).toEqual({ ...rest, secret });
  });

  test("is a script that a shell understands, with the agent and its units", async () => {
    const text = userData(machineArgs);
    await execa("/bin/sh", ["-n"], { input: text });
    expect(text.match(/^END$/gm)).toHaveLength(7);
    expect(fileOf(text, "/usr/local/bin/slot")).toMatch(/^#!\/usr\/bin\/python3\n/);
    expect(fileOf(text, "/etc/systemd/system/slot.service")).toContain("ExecStart=/usr/local/bin/slot boot\n");
    expect(fileOf(text, "/etc/systemd/system/slot-watch.service")).toContain("ExecStart=/usr/local/bin/slot watch\n");
  });

  test("of a GPU's image switches ECS' agent off, which would start docker and the container before our agent", async () => {
    const commands = (text: string) => text.split("\nEND\n").at(-1)?.trim().split("\n") ?? [];
    const [plain, gpu] = [userData(machineArgs), userData({ ...machineArgs, gpu: true })];
    await execa("/bin/sh", ["-n"], { input: gpu });
    expect(gpu).not.toContain("dnf");
    expect(commands(gpu).slice(1, 3)).toEqual([
      "systemctl disable --now --no-block ecs amazon-ecs-volume-plugin",
      "systemctl disable docker",
    ]);
    const same = (text: string) => commands(text).filter((line) => !/dnf|systemctl disable/.test(line));
    expect(same(gpu)).toEqual(same(plain));
    expect(fileOf(gpu, "/etc/systemd/system/slot.service")).toMatch(/^After=.* nvidia-kmod-load\.service$/m);
  });

  test("starts the agent also where docker could not be had: boot reports that machine", () => {
    const commands = userData(machineArgs).split("\nEND\n").at(-1)?.trim().split("\n") ?? [];
    expect(commands.findIndex((line) => line.includes("install docker"))).toBeLessThan(commands.length - 1);
    expect(commands.at(-1)).toBe("systemctl start --no-block slot.service slot-watch.timer");
    expect(userData(machineArgs)).not.toMatch(/^set -e/m);
  });
});
