/** The stand-in for arangod, as real processes on this machine: what its answers promise holds. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { memberToken } from "../../components/systems/arangodb/scripts.ts";
import { documentedNames } from "../../rehearsal/arangodb/documented.ts";
import { eventually } from "../support/arkindex.ts";
import { repo } from "../support/stack.ts";

jest.setTimeout(60_000); // each start of a process takes a second on a busy machine

const folder = mkdtempSync(join(tmpdir(), "stand-in-"));
const program = join(repo, "rehearsal/arangodb/main.ts");
const running = new Map<string, ChildProcess>();
const ports: Record<string, number> = {};
const members = [
  "agent-1",
  "agent-2",
  "agent-3",
  "dbserver-1",
  "dbserver-2",
  "dbserver-3",
  "dbserver-4",
  "coordinator-1",
];
members.forEach((name, index) => (ports[name] = 15110 + index));
const at = (name: string) => `tcp://127.0.0.1:${String(ports[name])}`;
const agents = members.slice(0, 3);

function options(name: string): string[] {
  const own = [`--server.endpoint=tcp://0.0.0.0:${String(ports[name])}`, `--database.directory=${join(folder, name)}`];
  const joining = [
    `--cluster.my-address=${at(name)}`,
    ...agents.map((agent) => `--cluster.agency-endpoint=${at(agent)}`),
  ];
  const jwt = `--server.jwt-secret-keyfile=${join(folder, "jwt")}`;
  if (name.startsWith("agent"))
    return [
      ...own,
      jwt,
      "--agency.activate=true",
      "--agency.size=3",
      "--agency.supervision=true",
      `--agency.my-address=${at(name)}`,
      ...agents.filter((peer) => peer !== name).map((peer) => `--agency.endpoint=${at(peer)}`),
    ];
  const role = name.startsWith("dbserver") ? "DBSERVER" : "COORDINATOR";
  const defaults = ["--cluster.default-replication-factor=3", "--cluster.write-concern=2"];
  return [...own, jwt, `--cluster.my-role=${role}`, ...joining, ...(role === "COORDINATOR" ? defaults : [])];
}

function start(name: string, args = options(name)): ChildProcess {
  const env = { ...process.env, ARANGODB_DEFAULT_ROOT_PASSWORD: "pw", STAND_IN_FAILED_SECONDS: "2" };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  running.set(name, child);
  return child;
}

async function kill(name: string): Promise<void> {
  const child = running.get(name);
  child?.kill("SIGKILL");
  if (child?.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** Its exit code and its last word. */
async function refusal(args: string[]): Promise<[number | null, string]> {
  const child = start("none", args);
  let said = "";
  child.stderr?.on("data", (part: Buffer) => (said += part.toString()));
  await once(child, "close");
  return [child.exitCode, said.trim()];
}

interface Reply {
  status: number;
  body: Record<string, unknown>;
}
async function ask(
  method: string,
  path: string,
  body?: unknown,
  user = "root:pw",
  name = "coordinator-1",
): Promise<Reply> {
  const answer = await fetch(`http://127.0.0.1:${String(ports[name])}${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(user).toString("base64")}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const until = <T>(probe: () => Promise<T | undefined>) => eventually(probe, 30);
const available = (name: string) =>
  until(async () =>
    (await ask("GET", "/_admin/server/availability", undefined, "x:x", name)).status === 200 ? true : undefined,
  );

interface Health {
  Endpoint: string;
  Status: string;
  CanBeDeleted: boolean;
}
async function health(name: string): Promise<Health & { id: string }> {
  const { body } = await ask("GET", "/_admin/cluster/health");
  const found = Object.entries(body.Health as Record<string, Health>).find(([, each]) => each.Endpoint === at(name));
  if (found === undefined) throw new Error(`${name} is not in the cluster's health`);
  return { id: found[0], ...found[1] };
}
const write = (key: string) => ask("POST", "/_db/shop/_api/document/orders", { _key: key });
const read = (key: string) => ask("GET", `/_db/shop/_api/document/orders/${key}`);

async function allInSync(): Promise<void> {
  await until(async () => {
    const { body } = await ask("GET", "/_db/shop/_api/replication/clusterInventory");
    return (body.collections as { allInSync: boolean }[]).every((each) => each.allInSync) ? true : undefined;
  });
}

beforeAll(async () => {
  writeFileSync(join(folder, "jwt"), "secret");
  for (const name of members.filter((each) => each !== "dbserver-4")) start(name);
  await available("coordinator-1");
  expect(await ask("POST", "/_api/database", { name: "shop" })).toMatchObject({ status: 201 });
  expect(await ask("POST", "/_db/shop/_api/collection", { name: "orders" })).toMatchObject({
    status: 200,
    body: { replicationFactor: 3, writeConcern: 2 },
  });
});

afterAll(async () => {
  await Promise.all([...running.keys()].map(kill));
  rmSync(folder, { recursive: true, force: true });
});

test("it knows the documented options, all of them and no other", async () => {
  const listed = readFileSync(join(repo, "test/data/arangod-3.12-options.txt"), "utf8").trim().split("\n");
  expect(documentedNames().sort()).toEqual(listed.sort());
  expect(await refusal(["--cluster.my-adress=x"])).toEqual([
    1,
    expect.stringContaining("unknown option '--cluster.my-adress=x'"),
  ]);
});

test("it says that it is a stand-in, to whoever may ask", async () => {
  expect((await ask("GET", "/_api/version")).body).toMatchObject({ server: "arango", standIn: "platform-topologies" });
  for (const user of ["root:", "root:wrong", "other:pw"])
    expect(await ask("GET", "/_api/version", undefined, user)).toMatchObject({ status: 401, body: { errorNum: 11 } });
});

test("a token of /_open/auth serves as the password does", async () => {
  const { body } = await ask("POST", "/_open/auth", { username: "root", password: "pw" });
  const answer = await fetch(`http://127.0.0.1:${String(ports["coordinator-1"])}/_api/version`, {
    headers: { authorization: `bearer ${String(body.jwt)}` },
  });
  expect(answer.status).toBe(200);
  expect(await ask("POST", "/_open/auth", { username: "root", password: "no" })).toMatchObject({ status: 401 });
});

test("root's password is changed by a member, without the old one", async () => {
  const change = async (secret: string, passwd: string): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${String(ports["coordinator-1"])}/_api/user/root`, {
      method: "PATCH",
      headers: { authorization: `bearer ${memberToken(secret)}` },
      body: JSON.stringify({ passwd }),
    });
    return answer.status;
  };
  expect(await change("wrong", "new")).toBe(401);
  expect(await change("secret", "new")).toBe(200);
  expect(await ask("GET", "/_api/version", undefined, "root:new")).toMatchObject({ status: 200 });
  expect(await ask("GET", "/_api/version", undefined, "root:pw")).toMatchObject({ status: 401 });
  expect(await change("secret", "pw")).toBe(200);
});

test("a member without a JWT secret, or without its id where that must be, does not start", async () => {
  const own = options("dbserver-4");
  expect(await refusal(own.filter((option) => !option.includes("jwt")))).toEqual([
    1,
    expect.stringContaining("jwt-secret-keyfile is needed"),
  ]);
  expect(await refusal([...own, "--cluster.require-persisted-id=true"])).toEqual([1, expect.stringContaining("UUID")]);
});

test("older data wants --database.auto-upgrade, which ends by itself", async () => {
  const directory = mkdtempSync(join(folder, "old-"));
  writeFileSync(join(directory, "VERSION-1"), '{"version":31100}');
  const single = [`--database.directory=${directory}`, "--server.endpoint=tcp://0.0.0.0:15119"];
  expect(await refusal(single)).toEqual([1, expect.stringContaining("--database.auto-upgrade")]);
  expect(await refusal([...single, "--database.auto-upgrade=true"])).toEqual([0, ""]);
  expect(JSON.parse(readFileSync(join(directory, "VERSION-1"), "utf8"))).toMatchObject({ version: 31204 });
});

test("what was written survives its leader, and the failed one catches up", async () => {
  expect(await write("one")).toMatchObject({ status: 201 });
  expect(await write("one")).toMatchObject({ status: 409 });
  const { body } = await ask("GET", "/_db/shop/_api/replication/clusterInventory");
  const { parameters } =
    (body.collections as { parameters: { name: string; shards: Record<string, string[]> } }[])[1] ?? {};
  const [leader] = Object.values(parameters?.shards ?? {})[0] ?? [];
  const name = (await Promise.all(members.slice(3, 6).map(async (each) => ({ each, ...(await health(each)) })))).find(
    ({ id }) => id === leader,
  )?.each;
  if (name === undefined) throw new Error("nobody leads the shard");
  await kill(name);
  expect(await read("one")).toMatchObject({ status: 200 }); // waits for the next leader
  expect(await write("two")).toMatchObject({ status: 201 });
  expect(await health(name)).toMatchObject({ Status: "FAILED", CanBeDeleted: false });
  start(name);
  await available(name);
  await allInSync();
  expect(await read("two")).toMatchObject({ status: 200 });
});

test("writes are refused below the write concern, reads are not", async () => {
  await kill("dbserver-2");
  await kill("dbserver-3");
  await until(async () => ((await health("dbserver-3")).Status === "FAILED" ? true : undefined));
  const refused = await until(async () => {
    const reply = await write(`three-${String(Date.now())}`);
    return reply.status === 403 ? reply : undefined;
  });
  expect(refused.body).toMatchObject({ errorNum: 1429 });
  expect(await read("two")).toMatchObject({ status: 200 });
  for (const name of ["dbserver-2", "dbserver-3"]) start(name);
  await available("dbserver-2");
  await allInSync();
  expect(await write("four")).toMatchObject({ status: 201 });
});

test("a server is cleaned out only where its copies have a place, and removed only when it is gone", async () => {
  const job = async (server: string): Promise<unknown> => {
    const { status, body } = await ask("POST", "/_admin/cluster/cleanOutServer", { server });
    expect(status).toBe(202);
    return until(async () => {
      const reply = await ask("GET", `/_admin/cluster/queryAgencyJob?id=${String(body.id)}`);
      return reply.body.status === "Pending" ? undefined : reply.body.status;
    });
  };
  const { id } = await health("dbserver-3");
  expect(await job(id)).toBe("Failed");
  start("dbserver-4");
  await available("dbserver-4");
  expect(await job(id)).toBe("Finished");
  const remove = () => ask("POST", "/_admin/cluster/removeServer", id);
  expect(await remove()).toMatchObject({ status: 412 });
  await kill("dbserver-3");
  await until(async () => ((await health("dbserver-3")).CanBeDeleted ? true : undefined));
  expect(await remove()).toMatchObject({ status: 200 });
  expect(await remove()).toMatchObject({ status: 404 });
  expect(await read("two")).toMatchObject({ status: 200 });
});

test("in maintenance nobody takes over", async () => {
  expect(await ask("PUT", "/_admin/cluster/maintenance", "on")).toMatchObject({ status: 200 });
  expect((await ask("GET", "/_admin/cluster/maintenance")).body).toMatchObject({ result: "Maintenance" });
  expect(await ask("PUT", "/_admin/cluster/maintenance", "off")).toMatchObject({ status: 200 });
});

test("two agents are enough and one is not; an agent under another id does not count", async () => {
  await kill("agent-1");
  await until(async () => ((await write(`five-${String(Date.now())}`)).status === 201 ? true : undefined));
  // The agency may choose its leader later than a document is written: that asks no agent.
  const create = () => ask("POST", "/_api/database", { name: `second-${String(Date.now())}` });
  await until(async () => ((await create()).status === 201 ? true : undefined));
  rmSync(join(folder, "agent-1"), { recursive: true });
  start("agent-1"); // its disk is lost, and with it its id
  await kill("agent-2");
  expect(await ask("POST", "/_api/database", { name: "third" })).toMatchObject({ status: 503 });
  start("agent-2");
  await until(async () =>
    (await ask("POST", "/_api/database", { name: "fourth" })).status === 201 ? true : undefined,
  );
});
