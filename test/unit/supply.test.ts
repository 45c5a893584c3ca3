/** Who supplies a need: what exists, what the place has itself, or a container; the same in a dry run as for real. */
import { describe, expect, test } from "@jest/globals";
import { CustomResource, output, secret } from "@pulumi/pulumi";

import type { Ask, Given, Kind, Recipe } from "../../components/core/contracts.ts";
import { sentence } from "../../components/core/errors.ts";
import { check } from "../../components/core/check.ts";
import { Service, type ServiceArgs } from "../../components/core/service.ts";
import { planOf } from "../../components/core/recorder.ts";
import type { At, Managed, Place, Site } from "../../components/core/topology.ts";
import { planStack } from "../../components/deploy.ts";
import { containerServices } from "../../components/services/index.ts";
import { managedPostgres, Postgres } from "../../components/services/postgres.ts";
import { Arkindex, arkindex, arkindexConfig } from "../../components/systems/arkindex.ts";
import { dockerCapabilities } from "../../components/topologies/docker/capabilities.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { record } from "../support/mocks.ts";
import { site } from "../support/sketches.ts";

/** A place with a PostgreSQL of its own, for whoever needs no superuser. */
const managed: Managed = {
  postgres: {
    name: "Elephants as a service",
    unfit: ({ owner }) => (owner?.superuser ? "it gives nobody a superuser" : undefined),
    recipe: managedPostgres,
  },
};
const place = (over: Partial<Site> = {}): Place => ({
  site: site(over),
  capabilities: dockerCapabilities,
  services: containerServices,
  managed,
});
const planned = (over: Partial<Site> = {}, at: Place = place(over)) => planOf(arkindex, arkindexConfig.parse({}), at);
const db = (over: Partial<Site> = {}) => planned(over).needs.find(({ name }) => name === "db");

class Elephant extends CustomResource {}

class Elephants extends DockerHost {
  readonly managed = managed;
  supply<K extends Kind>(_: K, name: string, ask: Ask<K>, { parent, logicalName }: At): Given<K> {
    const made = new Elephant("zoo:index:Elephant", logicalName, { name, ask }, { parent });
    const given = { host: output("db.zoo.example.com"), port: 5432, members: [], user: "postgres", ready: [made] };
    return { ...given, password: secret("zoo") };
  }
}

describe("who supplies PostgreSQL", () => {
  test("the place itself, where it is for the ask", () => {
    expect(db()).toMatchObject({ by: "managed", because: "it is Elephants as a service" });
    expect([...planned().managed]).toEqual([["db", { kind: "postgres", ask: db()?.ask }]]);
    expect([...planned().slots.keys()]).not.toContain("db-1");
  });

  test("a container, where the place's is not for the ask, with the reason", () => {
    const root = planOf(
      (p) =>
        void p.need("postgres", "db", {
          ...{ databases: ["a"], clientTls: "verifies", gib: 1 },
          owner: { name: "root", superuser: true },
        }),
      undefined,
      place(),
    );
    expect(root.needs[0]).toMatchObject({ by: "container", because: "it gives nobody a superuser" });
    expect([...root.slots.keys()]).toEqual(["db-1"]);
  });

  test("whom the operator names: a container, or what exists already", () => {
    expect(db({ data: { db: "container" } })).toMatchObject({ by: "container", because: "data.db says so" });
    const existing = { db: { kind: "postgres", host: "pg.example.com", user: "ark" } } as const;
    expect(db({ existing })).toMatchObject({ by: "existing", because: "existing.db names it" });
  });

  test("a word that cannot be kept is refused with what would be right", () => {
    const said = (over: object) =>
      planStack(
        {
          ...{ system: "arkindex", topology: "docker", hostname: "ark.example.com", rehearsal: true },
          images: { toolbox: "r.example.com/t:1", rehearsal: "r.example.com/r:1" },
          ...over,
        },
        "dev",
      ).problems.map(sentence);
    expect(said({ data: { db: "managed" } })).toEqual(['data.db = "managed": docker has no postgres of its own']);
    expect(said({ data: { dbs: "container" } })).toEqual([
      "data.dbs: nothing here needs it; the system needs db, redis, objects, solr",
    ]);
    expect(said({ data: { db: "cloud" } })).toEqual(['data.db = "cloud": managed or container']);
    expect(said({})).toEqual([]);
  });
});

test("every need of a plan says who supplies it and why", () => {
  for (const { name, by, because } of planned({}, { ...place(), managed: {} }).needs)
    expect([name, by, because]).toEqual([name, "container", expect.stringMatching(/^docker has no \w+ of its own$/)]);
});

test("a managed store has the same databases, backup and restore; only its server is the place's", () => {
  const backup = { everyHours: 24, keepDays: 7, drillEveryHours: 168, to: { volume: "kept" } };
  const plan = planned({ backup });
  expect(check(plan, place({ backup }))).toEqual([]);
  const { command = [], files = [] } = plan.jobs.get("db-setup") ?? {};
  expect(command.at(-1)).toContain('--host="$(cat /run/postgres/db-host)"');
  expect(files.map(({ path }) => path)).toContain("/run/postgres/db-host");
  const saved = plan.workloads.get("backup")?.files?.map(({ path }) => path);
  expect(saved).toEqual(expect.arrayContaining(["/run/backup/scripts/db", "/run/postgres/db-host"]));
  expect([...plan.workloads.keys()]).toContain("db-drill");
});

test("when it is made, the place makes its own, and everything else is as planned", async () => {
  const all = await record(() => {
    const tls = { mode: "local" } as const;
    const on = new Elephants("docker", { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls });
    new Arkindex("arkindex", { on });
  });
  const names = (type: string) => all.filter((each) => each.type === type).map(({ name }) => name);
  expect(names("zoo:index:Elephant")).toEqual(["arkindex-db"]);
  expect(names("docker:index/container:Container")).not.toContain("arkindex-db-1");
  expect(names("platform-topologies:index:Postgres")).toEqual(["arkindex-db"]);
  expect(JSON.stringify(all.find(({ name }) => name === "arkindex-db-setup")?.inputs)).toContain("db.zoo.example.com");
});

test("alone, too: a service asks its topology who supplies it", async () => {
  const all = await record(() => {
    const tls = { mode: "local" } as const;
    const on = new Elephants("docker", { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls });
    new Postgres("db", { on, databases: ["a"], clientTls: "if-asked", gib: 1 });
  });
  expect(all.filter(({ type }) => type === "zoo:index:Elephant").map(({ name }) => name)).toEqual(["db"]);
});

test("alone, a component follows its own recipe, and says itself for whom it is not", async () => {
  class Plain extends Service<"redis"> {
    static unfit({ keep }: ServiceArgs<"redis">): string | undefined {
      return keep ? "it keeps nothing" : undefined;
    }

    constructor(name: string, args: ServiceArgs<"redis">) {
      const recipe: Recipe<"redis"> = (p, its) => {
        const health = { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 };
        const rest = { replicas: 1, cpu: 1, memoryMib: 64, health } as const;
        const { host, ready } = p.run(`${its}-plain`, { image: "redis", tier: "data", ...rest });
        return { host, port: 6379, members: [], ready };
      };
      super("Plain", "redis", recipe, name, args);
    }
  }
  const tls = { mode: "local" } as const;
  const make = (keep: boolean) => () => {
    const on = new DockerHost("docker", { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls });
    new Plain("cache", { on, clientTls: "never", clientAuth: false, keep, memoryMib: 64 });
  };
  const containers = (await record(make(false))).filter(({ type }) => type === "docker:index/container:Container");
  expect(containers.map(({ name }) => name)).toEqual(["cache-plain-1"]);
  await expect(record(make(true))).rejects.toThrow(/cache.*it keeps nothing/);
});
