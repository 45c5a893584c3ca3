import type { ComponentResourceOptions } from "@pulumi/pulumi";
import { z } from "zod";

import type { Container, Health, Job, List, Member, Platform, Port, Slot, System } from "../../core/contracts.ts";
import { fingerprint } from "../../core/recipe.ts";
import { curlOption } from "../../core/syntax.ts";
import {
  at,
  bash,
  coordinatorsName,
  drill,
  dump,
  firstPassword,
  leave,
  left,
  maintenance,
  marker,
  memberToken,
  neverEmpty,
  othersAgree,
  paths,
  persisted,
  port,
  restore,
  rootLogin,
  upgraded,
} from "./scripts.ts";
import { type SystemArgs, SystemComponent } from "../../core/system.ts";

/** Sizes of a member. On Docker a volume has no size: `gib` counts only where a topology makes disks. */
const sizes = {
  /** Memory of each, in MiB. */
  memoryMib: z.int().min(256).default(4096),
  /** Cores of each. */
  cpu: z.number().min(0.25).default(2),
};

/** Members of a role. A number in `retired` never comes back: its disk is lost, or it was taken out on purpose. */
function members(least: number, remedy: string) {
  return z
    .strictObject({
      /** How many. Default: 3. */
      count: z.int().min(least, remedy).max(99).default(3),
      /** Numbers that never come back. Default: none. */
      retired: z.array(z.int().min(1)).default([]),
      ...sizes,
      /** The disk of each, in GiB. Default: 20. */
      gib: z.int().min(1).default(20),
    })
    .prefault({});
}

/** Agents are three, fixed for life: ArangoDB keeps the agency's size and members from its first start. */
const agents = ["agent-1", "agent-2", "agent-3"] as const;
const copies = z.int().min(1).max(10);

export const arangodbConfig = z
  .strictObject({
    /**
     * `single`: one server without copies, for development. The other keys may stay; it has the size of a DB server.
     */
    mode: z.enum(["cluster", "single"]).default("cluster"),
    /** The number of agents is fixed: three. */
    agents: z
      .strictObject({
        /** Memory of each, in MiB. Default: 1024. */
        memoryMib: sizes.memoryMib.default(1024),
        /** Cores of each. Default: 1. */
        cpu: sizes.cpu.default(1),
      })
      .prefault({}),
    /** They have the data: at least as many as a shard has copies. */
    dbservers: members(1, "a DB server at least"),
    /** Clients call them: two at least. A single server has none. */
    coordinators: members(2, "two coordinators at least, so that one may fail"),
    /** Copies of each shard unless a collection says otherwise. */
    replicationFactor: copies.default(3),
    /** Copies of the system collections. */
    systemReplicationFactor: copies.default(2),
    /** Copies that must be in sync for a write to be accepted. */
    writeConcern: copies.default(2),
    /** One agent whose disk was lost: it may come back empty under its own name, while the other two have quorum. */
    rebuild: z.array(z.enum(agents)).max(1, "one agent at a time: the other two are the quorum").default([]),
  })
  .superRefine(({ mode, dbservers, replicationFactor, systemReplicationFactor, writeConcern }, context) => {
    const refuse = (key: string, input: number, message: string): void => {
      context.addIssue({ code: "custom", path: [key], input, message });
    };
    if (mode === "single") return;
    const { count } = dbservers;
    const few = `at most dbservers.count, which is ${String(count)}: each copy needs a server of its own`;
    if (replicationFactor > count) refuse("replicationFactor", replicationFactor, few);
    if (systemReplicationFactor > count) refuse("systemReplicationFactor", systemReplicationFactor, few);
    if (writeConcern > replicationFactor) {
      refuse("writeConcern", writeConcern, `at most replicationFactor, which is ${String(replicationFactor)}`);
    }
  });
/** What `ArangoDb` is told, with its defaults filled in. @useDeclaredType */
export type ArangoDbConfig = z.output<typeof arangodbConfig>;

/** Roles whose members may be retired. Agents may not: they keep their names for life. */
export const retirable = { dbserver: ["dbservers"], coordinator: ["coordinators"] } as const;

const { disk, jwt, rootPassword, login, member } = paths;
const ports: Readonly<Record<"api", Port>> = { api: { number: port, protocol: "http" } };
const minute = 60;
const hour = 60 * minute;

/**
 * ArangoDB as a cluster: agency, DB servers, coordinators, in the order in which they start and are upgraded. Each
 * member is a slot: a failed member is started again under its name, and a new name takes the place of a lost one.
 */
export const arangodb: System<ArangoDbConfig> = (p, c) => {
  const files = filesOf(p);
  const running = c.mode === "single" ? single(p, c, files) : cluster(p, c, files);
  const checked = p.job("root-login", {
    ...inToolbox(files)(rootLogin, 5 * minute),
    files: [files.member, files.root, files.login],
    trigger: fingerprint(files.password),
    after: running,
  });
  const store = { host: coordinatorsName, port, members: [], user: "root", password: files.password };
  const out = { files: [files.root, files.login], image: "arangodb-toolbox", dump, restore, drill };
  const filled = p.store("cluster", { ...store, ready: checked.ready }, out);
  if (c.mode === "cluster") p.job("upgrade-end", { ...change(p, files, "off"), after: [filled] });
};

type Files = ReturnType<typeof filesOf>;
function filesOf(p: Platform) {
  const password = p.secret("root-password", "cluster");
  const members = p.secret("jwt"); // 32 characters; more than 64 are refused
  return {
    password,
    jwt: { path: jwt, content: members, secret: true },
    root: { path: rootPassword, content: password, secret: true },
    login: {
      path: login,
      content: password.apply((value) => curlOption("user", `root:${value}`)),
      secret: true,
    },
    member: {
      path: member,
      content: members.apply((secret) => curlOption("header", `Authorization: bearer ${memberToken(secret)}`)),
      secret: true,
    },
  } as const;
}

function cluster(p: Platform, c: ArangoDbConfig, files: Files) {
  const server = { image: "arangodb", user: "0:0", ports, needs: ["max-map-count"], tier: "data" } as const;
  const job = inToolbox(files);
  const begun = p.job("upgrade-begin", change(p, files, "on"));
  const rebuilt = c.rebuild.map((agent) =>
    p.job(`rebuild-${agent}`, { ...job(othersAgree(p.address(agent)), 5 * minute), trigger: "1", after: [begun] }),
  );

  const agency = p.slots("agent", { count: agents.length }, ({ name }) => ({
    ...server,
    ...sized(c.agents),
    files: [files.jwt],
    command: arangod(
      "--agency.activate=true",
      `--agency.size=${String(agents.length)}`,
      "--agency.supervision=true",
      // The agent's id for life: an agent that is made again comes back as itself. A new id would be a member too many.
      `--agency.disaster-recovery-id=AGNT-${name}`,
      `--agency.my-address=${at(p.address(name))}`,
      ...agents.filter((peer) => peer !== name).map((peer) => `--agency.endpoint=${at(p.address(peer))}`),
    ),
    prepare: `${c.rebuild.some((agent) => agent === name) ? "set -eu" : neverEmpty(name, remake)}\n${upgraded}`,
    health: available(5 * minute, minute),
    disk: kept(10),
    after: [begun, ...rebuilt],
  }));

  const dbservers = p.slots("dbserver", ordered(c.dbservers), (m) => ({
    ...server,
    ...sized(c.dbservers),
    files: [files.jwt],
    command: arangod(...joining(p, m, "DBSERVER")),
    prepare: [neverEmpty(m.name, retire), persisted, upgraded].join("\n"),
    health: available(6 * hour, hour), // the server first replays a large write-ahead log
    disk: kept(c.dbservers.gib),
    leave: job(leave(m.host), 12 * hour),
    left: job(left(m.host), hour),
    after: agency,
  }));

  return p.slots("coordinator", ordered(c.coordinators), (m) => ({
    ...server, // in the data tier, beside the other members; its route joins the edge to it
    ...sized(c.coordinators),
    ...front(p),
    files: [files.jwt],
    command: arangod(
      ...joining(p, m, "COORDINATOR"),
      `--cluster.default-replication-factor=${String(c.replicationFactor)}`,
      `--cluster.system-replication-factor=${String(c.systemReplicationFactor)}`,
      `--cluster.write-concern=${String(c.writeConcern)}`,
      `--javascript.app-path=${disk}/apps`,
    ),
    // The coordinator that does the first bootstrap gives root this password; the image's own way is for single servers.
    // `prepare` exports it, so no inspection of the container shows it.
    prepare: [neverEmpty(m.name, retire), persisted, firstPassword, upgraded].join("\n"),
    health: available(hour, hour),
    disk: kept(c.coordinators.gib),
    left: job(left(m.host), hour),
    after: dbservers,
  }));
}

/** One server that is all three at once. No copies, no failover. */
function single(p: Platform, c: ArangoDbConfig, files: Files) {
  return p.slots("single", { count: 1 }, ({ name }) => ({
    image: "arangodb",
    user: "0:0",
    ports,
    needs: ["max-map-count"],
    tier: "data",
    ...sized(c.dbservers),
    ...front(p),
    files: [files.jwt],
    command: arangod(`--javascript.app-path=${disk}/apps`),
    prepare: [neverEmpty(name, "restore a backup into a new stack"), firstPassword, upgraded].join("\n"),
    health: available(hour, hour),
    disk: kept(c.dbservers.gib),
  }));
}

/** How clients reach the servers: one name inside, one address at the edge, the same server for an hour. */
function front(p: Platform): Pick<Slot, "names" | "routes"> {
  const sticky = { cookie: "coordinator", seconds: hour };
  return {
    names: [coordinatorsName],
    routes: [{ host: p.hostname, path: "/", port: "api", seconds: hour, pool: "coordinator", sticky }],
  };
}

/**
 * The job before or after a change of the image, which replaces all members one after another. No other change runs it.
 */
function change(p: Platform, files: Files, mode: "on" | "off"): Job {
  return { ...inToolbox(files)(maintenance(mode), 5 * minute), trigger: p.reference("arangodb") };
}

function inToolbox(files: Files) {
  return (script: string, seconds: number) =>
    ({
      image: "toolbox",
      tier: "data",
      cpu: 1,
      memoryMib: 128,
      user: "65534:65534",
      files: [files.member],
      command: bash(script),
      seconds,
    }) as const;
}

function ordered({ count, retired }: ArangoDbConfig["dbservers"]) {
  return { count, retired } as const;
}

/** The command of every role. It and its options are ours: the image's entrypoint sets up a single server. */
function arangod(...options: List<string>): List<string> {
  return [
    "arangod",
    `--server.endpoint=tcp://0.0.0.0:${String(port)}`,
    "--server.authentication=true",
    `--server.jwt-secret-keyfile=${jwt}`,
    ...options,
  ];
}

function joining(p: Platform, { host }: Member, role: "DBSERVER" | "COORDINATOR"): List<string> {
  return [
    `--cluster.my-role=${role}`,
    `--cluster.my-address=${at(host)}`,
    ...agents.map((agent) => `--cluster.agency-endpoint=${at(p.address(agent))}`),
  ];
}

/** Tells the server its size: it does not see the container's limit, and would count on the machine's whole memory. */
function sized({ cpu, memoryMib }: { cpu: number; memoryMib: number }): Pick<Container, "cpu" | "memoryMib" | "env"> {
  return {
    cpu,
    memoryMib,
    env: {
      ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY: String(memoryMib * 1024 * 1024),
      ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES: String(Math.max(1, Math.floor(cpu))),
    },
  };
}

function available(startSeconds: number, stopSeconds: number): Health {
  return { ready: { http: "api", path: "/_admin/server/availability" }, startSeconds, stopSeconds };
}

function kept(gib: number): Slot["disk"] {
  return { path: disk, gib, marker, backup: { rebuilt: "from the other members; the dump is of the whole cluster" } };
}
const remake = "name it in arangodb.rebuild, alone, while the other two are healthy";
const retire = "retire its number";

/**
 * ArangoDB on a topology. Another image upgrades it member by member; another count adds or retires members; the mode
 * is for life.
 */
export class ArangoDb extends SystemComponent<ArangoDbConfig> {
  constructor(name: string, args: SystemArgs<typeof arangodbConfig>, opts?: ComponentResourceOptions) {
    super("ArangoDb", arangodb, arangodbConfig, name, args, opts);
  }
}
