/** `npm run new`: every pair of system and topology, what it refuses, what it never overwrites, and a terminal. */
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

import { describe, expect, jest, test } from "@jest/globals";
import { execa } from "execa";
import { parse } from "yaml";

import { topologyNames } from "../../components/core/topology.ts";
import { planStack } from "../../components/deploy.ts";
import { type SystemName, systems } from "../../components/systems/index.ts";
import { run } from "../../tools/commands/new.ts";
import { answered, later, refusal, withValue } from "../../tools/new/config.ts";
import { questions } from "../../tools/new/questions.ts";
import { configOf } from "../../tools/setup/config.ts";
import { repo } from "../../tools/setup/paths.ts";
import { which } from "../../tools/setup/which.ts";
import { newFolder } from "../support/folder.ts";

const folder = newFolder("new");
let number = 0;
const newFile = (): string => join(folder, `stack-${String(++number)}.yaml`);

/** What the command prints. */
async function said(...args: string[]): Promise<string> {
  const printed: string[] = [];
  const spy = jest.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  try {
    expect(await run([...args, "--non-interactive"])).toBe(0);
  } finally {
    spy.mockRestore();
  }
  return printed.join("");
}

/** The few values that matter, for each system and each topology. */
const ofSystem: Record<SystemName, string[]> = {
  arangodb: ["--arangodb.mode", "single"],
  arkindex: ["--arkindex.version", "1.7.0", "--arkindex.backends", "2"],
  machines: ["--machines.sshKeys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@example.com"],
  media: ["--media.nodes", "1", "--media.searchNodes", "1"],
  pyrus: ["--pyrus.adminEmail", "admin@example.com", "--pyrus.ha"],
  shinyproxy: ["--shinyproxy.apps.demo.title", "Demo", "--shinyproxy.apps.demo.image", "shiny-demo"],
};
const onTopology: Record<string, string[]> = {
  docker: ["--docker.tls.mode", "acme", "--docker.tls.email", "a@example.com", "--docker.address", "127.0.0.1"],
  swarm: ["--swarm.managers", "ssh://m1, ssh://m2, ssh://m3", "--swarm.socket", "/var/run/docker.sock"],
  aws: [
    ...["--aws.account", "123456789012", "--aws.region", "eu-central-1", "--aws.zones", "eu-central-1a, eu-central-1b"],
    ...["--aws.zoneId", "Z0123456789ABCDEFGHIJ", "--mirror", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/hub"],
  ],
};
const names = Object.keys(systems) as SystemName[];
const pairs = names.flatMap((system) => topologyNames.map((topology) => [system, topology] as const));
const fits = ([system, topology]: readonly [SystemName, string]): boolean =>
  (systems[system].on as readonly string[]).includes(topology);
const flags = (system: SystemName, topology: string) => [
  ...["--system", system, "--topology", topology, "--hostname", "apps.example.com"],
  ...(onTopology[topology] ?? []),
  // nginx, Pyrus' edge, gets no certificates by itself.
  ...(system === "pyrus" && topology === "docker" ? ["--docker.tls", "{ mode: local }"] : []),
  ...ofSystem[system],
];

test.each(pairs.filter(fits))("%s on %s: what is written is what the program takes", async (system, topology) => {
  const file = newFile();
  const told = await said("prod", ...flags(system, topology), "--file", file);
  const { problems, whole } = planStack(await configOf(file), "prod");
  expect(problems.filter((problem) => !later(problem))).toEqual([]);
  expect(whole?.settings).toMatchObject({ system, topology, hostname: "apps.example.com", protect: true });
  // Everything that is still to be given is named, with the command for each secret.
  for (const { key, remedy } of problems)
    expect(told).toContain(key.startsWith("secrets.") ? `--secret ${key} --stack prod` : `${key}: ${remedy}`);
  expect(told).toContain(`npm run pulumi -- up --stack prod --config-file ${file}`);
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/.*\/stack\.schema\.json\n/);
  expect(Object.keys((parse(text) as { config: object }).config).slice(0, 3)).toEqual([
    "pulumi:disable-default-providers",
    "platform-topologies:system",
    "platform-topologies:topology",
  ]);
});

const own: Record<string, string> = {
  "shinyproxy aws": "ShinyProxy starts containers through Docker; choose swarm on this cloud's machines",
  "machines docker": "the machines of a swarm are rented in a cloud: choose the topology aws",
  "machines swarm": "the machines of a swarm are rented in a cloud: choose the topology aws",
};
test.each(pairs.filter((pair) => !fits(pair)))(
  "%s on %s is refused in the topology's words",
  async (system, topology) => {
    const file = newFile();
    const sentence =
      own[`${system} ${topology}`] ??
      `${system} runs on ${systems[system].on.join(", ")}; ${topology} is not built yet`;
    await expect(said("prod", ...flags(system, topology), "--file", file)).rejects.toThrow(
      `topology = "${topology}": ${sentence}`,
    );
    expect(existsSync(file)).toBe(false);
  },
);

test("every pair that fits is offered, and no other", () => {
  for (const [system, topology] of pairs)
    expect([system, topology, refusal(system, topology) === undefined]).toEqual([
      system,
      topology,
      fits([system, topology]),
    ]);
});

describe("without a terminal", () => {
  const arkindex = flags("arkindex", "docker");

  test("nothing that is there is overwritten without the word", async () => {
    const file = newFile();
    writeFileSync(file, "mine\n");
    await expect(said("prod", ...arkindex, "--file", file)).rejects.toThrow("is there, and is kept");
    expect(readFileSync(file, "utf8")).toBe("mine\n");
    await said("prod", ...arkindex, "--overwrite", "--file", file);
    expect(readFileSync(file, "utf8")).toContain("platform-topologies:system: arkindex");
  });

  test("a disk without room loses nothing: the old file is kept, a new one does not come", async () => {
    const disk = join(folder, "full");
    mkdirSync(disk);
    // One page of memory, which the old file takes. Node ends at a file that may not grow (ulimit).
    const script = `mount -t tmpfs -o size=4k none ${disk} && echo mine >${disk}/old.yaml || exit
for file in old new; do "$@" --file ${disk}/$file.yaml; done
cd ${disk} && ls && cat old.yaml`;
    const command = [process.execPath, `${repo}/tools/main.ts`, "new", "prod", ...arkindex, "--non-interactive"];
    const shell = ["--user", "--map-root-user", "--mount", "sh", "-c", script, "full", ...command, "--overwrite"];
    const { stdout, stderr } = await execa("unshare", shell, { reject: false, timeout: 50_000 });
    expect(stderr.match(/its disk has no room for it, and nothing was changed/g)).toHaveLength(2);
    expect(stdout).toBe("old.yaml\nmine");
  }, 60_000);

  test("a wrong value is refused in the program's words, and nothing is written", async () => {
    const file = newFile();
    const refused = (...more: string[]) => expect(said("prod", ...arkindex, "--file", file, ...more)).rejects;
    await refused("--hostname", "arkindex").toThrow('hostname = "arkindex": a DNS name of two labels or more');
    await refused("--arkindex.backends", "0").toThrow("arkindex.backends = 0: Too small");
    await refused("--arkindex.backend", "2").toThrow('arkindex.backend: unknown key (did you mean "backends"?)');
    await refused("--pyrus.ha").toThrow("pyrus: the stack's system is arkindex: remove this key");
    await refused("--docker.subnets.app", "10.60.0.0/28", "--arkindex.backends", "9").toThrow(
      "1 problem, nothing was written:",
    );
    await refused("--docker.tls.cert", "@/nowhere/chain.pem").toThrow("/nowhere/chain.pem cannot be read");
    await refused("--secrets.backupKey", "x").toThrow("a command line is no place for secrets");
    await expect(said("../prod", ...arkindex)).rejects.toThrow("letters, digits");
    await expect(said("prod", "second", ...arkindex)).rejects.toThrow("one stack at a time: second");
    await expect(said(...arkindex)).rejects.toThrow("the stack's name is missing");
    await expect(said("prod", "--topology", "docker")).rejects.toThrow("--system is missing");
    await expect(said("prod", "--system", "pyrus", "--topology", "kubernetes")).rejects.toThrow(
      /^topology = "kubernetes": one of/,
    );
    await expect(said("prod", "--system", "gitlab", "--topology", "docker")).rejects.toThrow(
      'system = "gitlab": one of',
    );
    await expect(said("prod", ...arkindex, "--file", join(folder, "none/x.yaml"))).rejects.toThrow("no such folder");
    const ready = join(repo, "stacks/new-test.yaml");
    await expect(said("prod", ...arkindex, "--file", ready)).rejects.toThrow("its passphrase is published");
    expect([existsSync(file), existsSync(ready)]).toEqual([false, false]);
  });

  test("a value is the text, the YAML, the list or the file that the program takes there", () => {
    const config = { system: "media", topology: "swarm" };
    const value = (key: string, text: string) => {
      const { config: next, wrong } = answered(config, key, text);
      expect(wrong).toBeUndefined();
      return key.split(".").reduce<unknown>((inner, part) => (inner as Record<string, unknown>)[part], next);
    };
    expect(value("media.version", "1")).toBe("1");
    expect(value("media.nodes", "3")).toBe(3);
    expect(value("swarm.managers", "ssh://a, ssh://b")).toEqual(["ssh://a", "ssh://b"]);
    expect(value("swarm.managers", "ssh://a")).toEqual(["ssh://a"]);
    expect(value("swarm.nodes", "{ m1: { address: 10.0.0.1 } }")).toEqual({ m1: { address: "10.0.0.1" } });
    expect(value("swarm.encrypted", "false")).toBe(false);
    const file = newFile();
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\nx\n");
    expect(answered({ ...config, swarm: { tls: { mode: "own" } } }, "swarm.tls.cert", `@${file}`).config).toMatchObject(
      {
        swarm: { tls: { cert: "-----BEGIN CERTIFICATE-----\nx" } },
      },
    );
    expect(withValue({ a: { b: 1, c: 2 } }, "a.b", undefined)).toEqual({ a: { c: 2 } });
    expect(withValue({ a: { b: 1 }, d: 1 }, "a.b", undefined)).toEqual({ d: 1 });
    expect(withValue({ d: 1 }, "a.b", undefined)).toEqual({ d: 1 });
  });

  test("a rehearsal on this machine leaves nothing to be given", async () => {
    const file = newFile();
    const told = await said("try", ...arkindex, "--protect", "false", "--rehearsal", "--localImages", "--file", file);
    expect(told).not.toMatch(/still to be given|--secret/);
  });
});

test("every question's example is an answer", () => {
  for (const { key, example } of questions) {
    if (example === undefined || example.startsWith("@")) continue;
    const [first = ""] = key.split(".");
    const system = Object.hasOwn(systems, first) ? first : "arkindex";
    const topology = ["docker", "swarm", "aws"].includes(first) ? first : system === "machines" ? "aws" : "docker";
    const mode = { email: "acme", trustedProxies: "outside" }[key.split(".").at(-1) ?? ""];
    const begun = { system, topology, ...(mode === undefined ? {} : { [first]: { tls: { mode } } }) };
    expect([key, answered(begun, key, example).wrong]).toEqual([key, undefined]);
  }
});

const onTerminal = (await which("script")) !== undefined && process.platform === "linux" ? describe : describe.skip;

onTerminal("on a terminal", () => {
  /** Runs the command, and answers each question as it comes; `\r` takes what is offered. */
  async function answering(args: string, answers: readonly (readonly [question: string, keys: string])[]) {
    // A shell that waits has a Ctrl-C of its own.
    const line = `exec ${process.execPath} ${repo}/tools/main.ts new ${args}`;
    const child = execa("script", ["-qec", line, "/dev/null"], { all: true, reject: false, timeout: 50_000 });
    let heard = "";
    child.all.on("data", (text: Buffer) => (heard += text.toString()));
    for (const [question, keys] of answers) {
      while (!heard.includes(question)) {
        await Promise.race([once(child.all, "data"), child]);
        if (child.exitCode !== null) throw new Error(`it ended before "${question}": ${heard}`);
      }
      heard = heard.slice(heard.indexOf(question) + question.length);
      child.stdin.write(keys);
    }
    const { exitCode, all } = await child;
    return { exitCode, all };
  }
  const down = "\u001b[B";

  test("it asks for what is not given, refuses what is wrong, and writes what was answered", async () => {
    const file = newFile();
    const { exitCode, all } = await answering(`pilot --file ${file} --system pyrus`, [
      ["Where", "\r"],
      ["The public DNS name", "\r"],
      ["Protect data", "\r"],
      ["Rehearse", "\r"],
      ["release of Pyrus", "\r"],
      ["administrator's e-mail", "admin\r"],
      ["Invalid", "@example.com\r"],
      ["High availability", "\r"],
      ["host's address", "\r"],
      ["port for http", "\r"],
      ["port for https", "0\r"],
      ["Too big", "\u007f\r"],
      ["Who signs", "\r"],
      ["A registry", "\r"],
      ["set-up builds", "\r"],
      ["Where backups go", `${down}\r`],
      ["volume's name", "\r"],
    ]);
    expect([exitCode, all]).toEqual([0, expect.stringContaining("next:")]);
    expect(await configOf(file)).toMatchObject({
      ...{ system: "pyrus", topology: "docker", hostname: "pyrus.localhost", protect: false, rehearsal: true },
      ...{
        localImages: true,
        docker: { address: "127.0.0.1", ports: { http: 8080, https: 8443 }, tls: { mode: "local" } },
      },
      backup: { to: { volume: "backup" } },
      pyrus: { version: "1.22.1", adminEmail: "admin@example.com", ha: false },
    });
    expect(all).toContain("--secret secrets.pyrusLicence --stack pilot");
  }, 60_000);

  test("Ctrl-C leaves nothing", async () => {
    const file = newFile();
    const { exitCode, all } = await answering(`pilot --file ${file} --system arkindex`, [
      ["Where", "\r"],
      ["The public DNS name", "\u0003"],
    ]);
    expect([exitCode, all]).toEqual([130, expect.stringContaining("nothing was written")]);
    expect(existsSync(file)).toBe(false);
  }, 60_000);

  test("a file that is there is kept unless one says otherwise", async () => {
    const file = newFile();
    writeFileSync(file, "mine\n");
    const { exitCode } = await answering(`pilot --file ${file} --system arkindex`, [
      ["Where", "\r"],
      ["overwrite it?", "\r"],
    ]);
    expect(exitCode).toBe(1);
    expect(readFileSync(file, "utf8")).toBe("mine\n");
  }, 60_000);
});
