import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { connect, ping } from "../../ops/docker.ts";
import { repo } from "../support/stack.ts";
import { docker, ensureImage, host, removeContainers, start } from "./ops-support.ts";

/** Stands in for ssh to this very machine: notes its arguments and runs the command after the host. */
const standIn = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/log"
while [ "$1" != -- ]; do shift; done
shift 2
[ -e "$(dirname "$0")/words" ] && { cat "$(dirname "$0")/words" >&2; exit 255; }
exec env -u DOCKER_HOST "$@"
`;
const name = "ops-connect-test";
let folder: string;

beforeAll(async () => {
  await ensureImage();
  folder = await mkdtemp(join(tmpdir(), "ssh-"));
}, 120_000);
afterAll(async () => {
  await removeContainers(name);
  await rm(folder, { recursive: true });
});

test("a unix socket answers, whatever DOCKER_HOST says", async () => {
  process.env.DOCKER_HOST = "tcp://127.0.0.1:1";
  try {
    await ping(host, 5000);
    await expect((await connect(host)).version()).resolves.toHaveProperty("ApiVersion");
  } finally {
    delete process.env.DOCKER_HOST;
  }
});

test.each([
  ["unix:///no/such.sock", "is not there: start the Docker engine"],
  ["tcp://127.0.0.1:1", "refuses the connection: start the Docker engine there"],
  ["tcp://no-such-host.invalid:2375", "cannot be found: check the spelling"],
  ["ssh://root@127.0.0.1:1", "cannot be reached by ssh: check that 127.0.0.1 is up"],
  ["ssh://root@no-such-host.invalid", "cannot be found: no-such-host.invalid has no address"],
  ["/var/run/docker.sock", "is no Docker host: use unix:///var/run/docker.sock"],
])(
  "%s: one sentence",
  async (address, sentence) => {
    await expect(ping(address, 10_000)).rejects.toThrow(sentence);
    await expect(ping(address, 10_000)).rejects.toThrow(address);
  },
  30_000,
);

test("one that takes the connection and never answers is given up", async () => {
  const server = createServer();
  const port = await listen(server);
  const before = Date.now();
  await expect(ping(`tcp://127.0.0.1:${String(port)}`, 500)).rejects.toThrow("did not answer in time");
  expect(Date.now() - before).toBeLessThan(3000);
  server.close();
});

test("ssh: as Docker's own client does, few connections for many requests, nothing left behind", async () => {
  await writeFile(join(folder, "ssh"), standIn);
  await chmod(join(folder, "ssh"), 0o755);
  await apart(`await ping("ssh://deploy@farm.example:2222", 10_000);`);
  const line = (await readFile(join(folder, "log"), "utf8")).trim();
  expect(line).toBe(
    "-o BatchMode=yes -o ConnectTimeout=15 -T -l deploy -p 2222 -- farm.example docker system dial-stdio",
  );

  const script = `
    const docker = await connect("ssh://farm.example");
    for (let i = 0; i < 20; i++) await docker.version();
    const [found] = await docker.listContainers({ all: true, filters: { name: ["${name}"] } });
    console.log((await docker.getContainer(found.Id).logs({ stdout: true, stderr: true })).toString());`;
  await start(name, `echo seen through ssh; yes | head -c 300000; echo the end`);
  await docker("wait", name);
  await rm(join(folder, "log"));
  const stdout = await apart(script);
  expect(stdout).toMatch(/seen through ssh[^]*the end/);
  expect(stdout.match(/y/g)?.length).toBe(150_000);
  expect((await readFile(join(folder, "log"), "utf8")).trim().split("\n").length).toBeLessThan(3);
}, 60_000);

test.each([
  [
    "root@h: Permission denied (publickey,password).",
    "refuses the login: `ssh -p 2222 root@h` must work without a password",
  ],
  ["Host key verification failed.", "is not known to this machine's ssh: connect once with `ssh -p 2222 root@h`"],
  ["bash: line 1: docker: command not found", "has no `docker` command on its PATH"],
  [
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "has no running Docker engine",
  ],
  [
    "dial unix /var/run/docker.sock: connect: permission denied while trying to connect to the docker API",
    "refuses the Docker socket",
  ],
  ["something new", "closed the ssh connection (something new): try `ssh -p 2222 root@h docker info`"],
])("ssh says %j", async (words, sentence) => {
  await writeFile(join(folder, "words"), `Warning: first line\n${words}\n`);
  await expect(apart(`await ping("ssh://root@h:2222", 5000);`)).rejects.toThrow(
    `Docker at ssh://root@h:2222 ${sentence}`,
  );
});

/** In a process of its own, with the stand-in on its PATH; a connection left open would keep it from ending. */
async function apart(script: string): Promise<string> {
  const source = `import { connect, ping } from "${repo}/ops/docker.ts";${script}`;
  const env = { PATH: `${folder}${delimiter}${process.env.PATH ?? ""}` };
  const run = await execa(process.execPath, ["--input-type=module", "-e", source], { env, timeout: 20_000 });
  return run.stdout;
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
