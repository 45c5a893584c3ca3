/** What a platform tells a system, and what it makes of members, stores and secrets: in a dry run, and for real. */
import { describe, expect, test } from "@jest/globals";
import { ComponentResource, isSecret, output, type Output, secret } from "@pulumi/pulumi";
import { z } from "zod";

import type { Ask, Dump, Given, Job, Platform, Slot, Workload } from "../../components/core/contracts.ts";
import { type BasePlatform, numbered } from "../../components/core/platform.ts";
import { RealPlatform } from "../../components/core/real.ts";
import { dryRun, planOf } from "../../components/core/recorder.ts";
import { SystemComponent } from "../../components/core/system.ts";
import type { Capabilities, Place, Services, Site } from "../../components/core/topology.ts";
import { ObjectStore } from "../../components/services/objects.ts";
import { Redis } from "../../components/services/redis.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { containerServices } from "../../components/services/index.ts";
import { FakeTopology, ManagingTopology } from "../support/fake-topology.ts";
import { resolved } from "../support/hostile.ts";
import { record } from "../support/mocks.ts";
import { peer, site } from "../support/sketches.ts";

const parent = { named: "parent" } as unknown as ComponentResource;
const health = { ready: { command: ["true"] }, startSeconds: 1, stopSeconds: 1 };
const app: Workload = { image: "toolbox", tier: "app", cpu: 1, memoryMib: 64, replicas: 1, health };
const job: Job = { image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, seconds: 1, trigger: "1" };
const rebuilt = { path: "/data", gib: 1, backup: { rebuilt: "made anew" } };
const kept: Slot = { image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, health, disk: rebuilt };
const dump: Dump = { dump: "save", restore: "fill", drill: "try" };
const dumped: Slot = { ...kept, disk: { ...rebuilt, backup: dump } };
const redis: Ask<"redis"> = { clientTls: "never", clientAuth: false, keep: true, memoryMib: 16 };

/** The platform of a dry run. */
function dry(over: Partial<Site> = {}, can: Capabilities = capabilities.docker): BasePlatform {
  const place: Place = { site: site(over), services: {}, capabilities: can };
  let platform: BasePlatform | undefined;
  dryRun((given) => (platform = given), place);
  if (platform === undefined) throw new Error("it has not run");
  return platform;
}

describe("what a platform tells of itself", () => {
  test("is the site's, and the engine is the topology's", () => {
    const { name, hostname, region, peers, engine } = dry({ name: "shop", peers: [peer] });
    expect([name, hostname, region, peers, engine]).toEqual(["shop", "media.example.com", "eu", [peer], "docker"]);
    expect(dry({}, capabilities.swarm).engine).toBe("swarm");
    expect(dry({}, capabilities.aws).engine).toBeUndefined();
  });

  test("a part answers under its bare name, or below the stack's own domain", () => {
    expect(dry({ name: "shop" }).address("db-1")).toBe("db-1");
    expect(dry({ name: "shop" }, capabilities.aws).address("db-1")).toBe("db-1.shop.internal");
  });

  test.each([
    [443, "", "https://a.example.com", "https://objects.a.example.com"],
    [8443, "", "https://a.example.com:8443", "https://objects.a.example.com:8443"],
    [443, "us", "https://a.example.com", "https://objects.us.a.example.com"],
  ])("with the port %d and the region %j a browser opens %s and %s", (publicPort, region, url, objects) => {
    const platform = dry({ hostname: "a.example.com", publicPort, region });
    expect([platform.url, platform.publicUrl("objects")]).toEqual([url, objects]);
    expect(platform.publicHost("objects")).toBe(new URL(objects).hostname);
  });

  test("an image that the system starts is the site's for a key, and a reference as it is", () => {
    const asked: string[] = [];
    const image: Site["image"] = (key) => {
      asked.push(key);
      return key === "solr" ? { key, remedy: "missing" } : site().image(key);
    };
    const platform = dry({ image });
    expect(platform.image("toolbox")).toBe("toolbox:1");
    expect(platform.image("solr")).toBe("solr");
    for (const reference of ["r.example.com/app:1", "example/demo"]) expect(platform.image(reference)).toBe(reference);
    expect(asked).toEqual(["toolbox", "solr"]);
    expect([platform.reference("toolbox"), platform.reference("solr")]).toEqual(["toolbox:1", ""]);
  });

  test("a secret of all regions is the site's where it has one, else the stack's own", async () => {
    const platform = dry({ shared: { federation: output("of all") } });
    expect(await resolved(platform.shared("federation"))).toBe("of all");
    for (const none of [platform, dry()]) expect(await resolved(none.shared("other"))).toBe("");
  });
});

describe("members", () => {
  const made = (count: number, slot: Slot, retired: number[] = [], over: Partial<Site> = {}) => {
    const on = new FakeTopology(over);
    const platform = new RealPlatform(on, parent);
    const running = platform.slots("kv", { count, retired }, () => slot);
    return { on, platform, running, parts: [...on.slots.values()] };
  };

  test("numbers begin at 1, and leave retired ones out; a zone is its number's; addresses are asked for", () => {
    const of = (count: number, retired?: number[]) =>
      numbered("kv", { count, ...(retired === undefined ? {} : { retired }) });
    expect(of(0)).toEqual([]);
    expect(of(2)).toEqual([
      { name: "kv-1", number: 1, host: "kv-1", zone: 0 },
      { name: "kv-2", number: 2, host: "kv-2", zone: 1 },
    ]);
    expect(of(5, [2, 9]).map(({ number, zone }) => [number, zone])).toEqual([
      ...[
        [1, 0],
        [3, 2],
        [4, 0],
        [5, 1],
        [6, 2],
      ],
    ]);
    expect(numbered("kv", { count: 1 }, (name) => `${name}.there`)).toMatchObject([{ host: "kv-1.there" }]);
  });

  test("those that may start at once are told of each other, and go after each other all the same", () => {
    const { on, parts } = made(3, { ...kept, start: "parallel" }, [2]);
    expect(parts.map(({ together }) => together)).toEqual([
      ["kv-1", "kv-3", "kv-4"],
      ["kv-1", "kv-3", "kv-4"],
      ["kv-1", "kv-3", "kv-4"],
    ]);
    expect(parts.map((slot) => on.waits(slot))).toEqual([[], ["kv-1"], ["kv-3"]]);
    for (const [count, slot] of [
      [1, { ...kept, start: "parallel" }],
      [3, kept],
    ] as const)
      for (const each of made(count, slot).parts) expect(each).not.toHaveProperty("together");
  });

  test("each is made when the one before it is there, and after what it waits for itself", () => {
    const on = new FakeTopology();
    const first = { ready: [on.thing("first")] };
    const platform = new RealPlatform(on, parent);
    const running = platform.slots("kv", { count: 3 }, () => ({ ...kept, after: [first] }));
    expect([...on.slots.values()].map((slot) => on.waits(slot))).toEqual([
      ["first"],
      ["first", "kv-1"],
      ["first", "kv-2"],
    ]);
    expect(running.map(({ ready }) => on.names(ready))).toEqual([["kv-1"], ["kv-2"], ["kv-3"]]);
    const alone = made(2, kept);
    expect(alone.parts.map((slot) => alone.on.waits(slot))).toEqual([[], ["kv-1"]]);
    expect(alone.parts[0]).not.toHaveProperty("after");
  });

  test("a member knows whether it is alone, and its zone", () => {
    const told = (count: number) => made(count, kept).parts.map(({ alone, zone }) => [alone, zone]);
    expect([told(1), told(2)]).toEqual([
      [[true, 0]],
      [
        [false, 0],
        [false, 1],
      ],
    ]);
  });

  test("each has its number, name and address when it is described", () => {
    const on = new FakeTopology();
    const numbers: unknown[] = [];
    new RealPlatform(on, parent).slots("kv", { count: 2, retired: [1] }, (member) => {
      numbers.push(member);
      return kept;
    });
    expect(numbers).toEqual([
      { name: "kv-2", number: 2, host: "kv-2", zone: 1 },
      { name: "kv-3", number: 3, host: "kv-3", zone: 2 },
    ]);
  });

  test("how its data are saved is noted for the backup, with its nodes where it has some", () => {
    expect(made(1, kept).platform.dumps).toEqual([]);
    expect(dry().dumps).toEqual([]);
    expect(made(2, dumped).platform.dumps).toStrictEqual([
      { ...dump, store: "kv-1", tier: "data" },
      { ...dump, store: "kv-2", tier: "data" },
    ]);
    const nodes = { disk: "fast" };
    expect(made(1, { ...dumped, tier: "app", nodes }).platform.dumps).toEqual([
      { ...dump, store: "kv-1", tier: "app", nodes },
    ]);
  });

  test("a server refuses a disk that is not its own; whoever has a marker or no command is left as it is", () => {
    const one = (more: Partial<Slot>) => made(1, { ...kept, ...more }).parts[0];
    const command = ["serve"];
    const guarded = one({ command });
    expect(guarded?.disk).toEqual({ ...rebuilt, marker: ".disk" });
    expect(guarded?.prepare).toMatch(
      /^\[ -e \/data\/\.disk \] \|\| \{ echo "kv-1 has lost its data: [^"]*disks: \{ kv-1: <today> \}" >&2; exit 1; \}$/,
    );
    expect(one({ command, prepare: "before" })?.prepare).toBe(`${guarded?.prepare ?? ""}\nbefore`);
    const own = { ...rebuilt, marker: "mine" };
    for (const free of [{ command, disk: own, prepare: "look" }, { disk: rebuilt }, { disk: own }]) {
      expect(one(free)).toEqual({ ...kept, ...free, alone: true, zone: 0 });
    }
  });
});

describe("what runs", () => {
  const ports = { web: { number: 80, protocol: "http" }, sql: { number: 5432, protocol: "tcp" } } as const;

  test("is reached under its address at its own ports, and no others", () => {
    const on = new FakeTopology();
    const running = new RealPlatform(on, parent).run("api", { ...app, ports });
    expect(running.host).toBe("api");
    expect(on.names(running.ready)).toEqual(["api"]);
    expect([running.port("web"), running.port("sql")]).toEqual([
      { host: "api", port: 80 },
      { host: "api", port: 5432 },
    ]);
    for (const none of ["other", "constructor"]) expect(() => running.port(none)).toThrow(`api has no port "${none}"`);
    expect(() => dry().run("api", app).port("web")).toThrow('api has no port "web"');
  });

  test("is a child of its parent, with the prefix in its name, also within a component", () => {
    const on = new FakeTopology();
    const platform = new RealPlatform(on, parent, "shop-");
    platform.run("api", app);
    platform.job("setup", job);
    platform.slots("kv", { count: 1 }, () => dumped);
    const inner = { named: "inner" } as unknown as ComponentResource;
    const within = platform.within(inner);
    within.slots("db", { count: 1 }, () => dumped);
    expect(Object.fromEntries(on.places)).toEqual({
      api: { parent, logicalName: "shop-api" },
      setup: { parent, logicalName: "shop-setup" },
      "kv-1": { parent, logicalName: "shop-kv-1" },
      "db-1": { parent: inner, logicalName: "shop-db-1" },
    });
    // What is made within it is backed up with the rest.
    expect(platform.dumps.map(({ store }) => store)).toEqual(["kv-1", "db-1"]);
    expect(within.logicalName("x")).toBe("shop-x");
    expect(new RealPlatform(on, parent).logicalName("x")).toBe("x");
  });
});

describe("stores", () => {
  const login = { host: "there", port: 1, members: [], user: "app", password: secret("word") };

  /** A kind of so many slots, each with a dump or not. */
  function supplying(count: number, slot: Slot = dumped): Services {
    class Store {
      readonly given: Given<"redis">;
      constructor(name: string, { on }: { readonly on: object }) {
        const members = (on as RealPlatform).slots(name, { count }, () => slot);
        this.given = { ...login, ready: members.flatMap(({ ready }) => ready) };
      }
      static recipe(): never {
        throw new Error("the component makes it");
      }
    }
    return { redis: Store };
  }
  const restore = { from: { volume: "v" }, stack: "old", at: "latest" };
  const needed = (count: number, over: Partial<Site>, slot?: Slot) => {
    const on = new FakeTopology(over, supplying(count, slot));
    const platform = new RealPlatform(on, parent);
    const given = platform.need("redis", "cache", redis);
    return { on, platform, given, ready: on.names(given.ready) };
  };

  test("are ready when they are made; with `restore` when the data of each member are back, one after another", () => {
    expect(needed(2, {}).ready).toEqual(["cache-1", "cache-2"]);
    expect([...needed(2, {}).on.jobs.keys()]).toEqual([]);
    const one = needed(1, { restore });
    expect(one.ready).toEqual(["cache-restore"]);
    expect([...one.on.jobs].map(([name, each]) => [name, one.on.waits(each), each.command])).toEqual([
      ["cache-restore", ["cache-1"], ["backup", "restore", "cache-1", "latest"]],
    ]);
    const two = needed(2, { restore });
    expect(two.ready).toEqual(["cache-2-restore"]);
    expect([...two.on.jobs].map(([name, each]) => [name, two.on.waits(each)])).toEqual([
      ["cache-1-restore", ["cache-1", "cache-2"]],
      ["cache-2-restore", ["cache-1-restore"]],
    ]);
    expect(needed(1, { restore }, kept).ready).toEqual(["cache-1"]);
  });

  test("give what they are, and the backup waits for them as their clients do", () => {
    const { on, platform, given } = needed(1, { restore });
    platform.need("redis", "more", redis);
    expect(given).toMatchObject({ host: "there", user: "app" });
    expect(platform.stores.map(({ ready }) => on.names(ready))).toEqual([["cache-restore"], ["more-restore"]]);
    expect(platform.supplied.map(({ name }) => name)).toEqual(["cache", "more"]);
  });

  test("that the system is itself are saved, restored and told like the others", () => {
    for (const [over, ready] of [
      [{}, "made"],
      [{ restore }, "own-restore"],
    ] as const) {
      const on = new FakeTopology(over);
      const platform = new RealPlatform(on, parent);
      const made = { ...login, ready: [on.thing("made")] };
      expect(on.names(platform.store("own", made, dump).ready)).toEqual([ready]);
      expect(platform.dumps).toEqual([{ ...dump, store: "own", tier: "data" }]);
      expect(platform.supplied).toEqual([{ name: "own", given: made }]);
      expect(platform.stores.map((each) => on.names(each.ready))).toEqual([[ready]]);
    }
  });

  test("without a slot are saved as they say", () => {
    const platform = new RealPlatform(new FakeTopology(), parent);
    platform.dump("managed", dump);
    expect(platform.dumps).toEqual([{ ...dump, store: "managed", tier: "data" }]);
  });

  test("that exist already are pointed at; nothing is made, and the operator's password is told", async () => {
    const existing = { cache: { kind: "redis", host: "old.example.com", user: "u" } } as const;
    const on = new FakeTopology({ existing, secrets: { cachePassword: secret("theirs") } }, supplying(1));
    const platform = new RealPlatform(on, parent);
    const given = platform.need("redis", "cache", redis);
    expect([given.host, given.user, await resolved(given.password)]).toEqual(["old.example.com", "u", "theirs"]);
    expect(on.calls).toEqual([]);
    expect(platform.supplied.map(({ name }) => name)).toEqual(["cache"]);
    expect(await resolved(platform.configured("unset"))).toBe("");
    expect(await isSecret(platform.configured("unset"))).toBe(true);
  });

  test("that nobody supplies are refused before anything is made of them", () => {
    const bare = new RealPlatform(new FakeTopology(), parent);
    expect(() => bare.need("redis", "cache", redis)).toThrow("redis: not checked before it was made");
    const data = new RealPlatform(new FakeTopology({ data: { cache: "managed" } }, supplying(1)), parent);
    expect(() => data.need("redis", "cache", redis)).toThrow("redis: not checked before it was made");
    expect(() => bare.managed("redis", "cache", redis)).toThrow("docker has no redis of its own");
    const on = new ManagingTopology();
    const own = new RealPlatform(on, parent, "shop-");
    expect(own.managed("redis", "cache", redis).host).toBe("cache.managed");
    expect(on.calls).toEqual(["redis shop-cache"]);
  });

  test("an authority of the edge's is the topology's", async () => {
    expect(await resolved(new RealPlatform(new FakeTopology(), parent).ca)).toBe("authority");
  });
});

describe("secrets", () => {
  test("are of 32 letters and digits, protected as the site says, and hidden in logs", async () => {
    for (const protect of [true, false]) {
      const on = new FakeTopology({ protect });
      let given: unknown;
      const all = await record(async () => {
        class Mine extends ComponentResource {}
        const mine = new Mine("platform-topologies:index:Mine", "mine");
        const platform = new RealPlatform(on, mine, "shop-");
        given = await resolved([platform.secret("word"), platform.certificate("kv", ["a", "b"])]);
      });
      expect(given).toEqual(["password-of-shop-word", { ca: "CA", cert: "CERT", key: "KEY" }]);
      const [password, certificate] = ["shop-word", "shop-kv"].map((name) => all.find((each) => each.name === name));
      expect(password).toMatchObject({ parent: "mine", options: { protect } });
      expect(password?.inputs).toMatchObject({
        ...{ length: 32, special: false, minLower: 1, minUpper: 1, minNumeric: 1 },
      });
      expect(certificate).toMatchObject({ parent: "mine" });
      expect(certificate?.inputs).toMatchObject({ hostnames: ["a", "b"], members: true });
      expect(await resolved(on.passwords)).toEqual(["password-of-shop-word", "KEY"]);
    }
  });
});

describe("a dry run", () => {
  const place = (over: Partial<Site> = {}, services: Services = {}): Place => ({
    ...{ site: site(over), services, capabilities: capabilities.docker },
  });
  const backup = { everyHours: 24, keepDays: 7, drillEveryHours: 0, to: { volume: "v" } };

  test("notes everything by its name, in its order, and nothing else", () => {
    const plan = dryRun((p) => {
      p.need("solr", "search", { collections: ["a"], gib: 1, memoryMib: 64 });
      p.run("api", app);
      p.slots("kv", { count: 1 }, () => kept);
      p.job("setup", job);
      p.image("toolbox");
      p.image("r.example.com/app:1");
      p.configured("licence");
      p.secret("members");
      p.secret("clients", "kv");
    }, place());
    expect(plan).toEqual({
      needs: [
        {
          ...{ kind: "solr", name: "search", ask: { collections: ["a"], gib: 1, memoryMib: 64 }, by: "nobody" },
          because: "nothing supplies solr on docker yet",
          parts: [],
        },
      ],
      workloads: new Map([["api", app]]),
      slots: new Map([["kv-1", { ...kept, alone: true, zone: 0 }]]),
      jobs: new Map([["setup", job]]),
      waits: new Map([
        ["api", []],
        ["kv-1", []],
        ["setup", []],
      ]),
      dumps: [],
      managed: new Map(),
      rotates: new Set(["kv"]),
      secrets: new Set(["licence"]),
      repeated: new Set(),
      images: new Set(["toolbox"]),
      edge: { proxy: "traefik" },
    });
  });

  test("notes who waits for what, by their names, and the parts of each need", () => {
    const plan = dryRun(
      (p) => {
        const store = p.need("redis", "cache", { clientTls: "never", clientAuth: false, keep: true, memoryMib: 64 });
        const search = p.need("solr", "search", { collections: ["a"], gib: 1, memoryMib: 64 });
        const setup = p.job("setup", { ...job, after: [store] });
        const api = p.run("api", { ...app, after: [setup, search, setup] });
        p.slots("kv", { count: 2 }, () => ({ ...kept, after: [api] }));
      },
      place({}, containerServices),
    );
    expect(plan.needs.map(({ name, parts }) => [name, parts])).toEqual([
      ["cache", ["cache-1"]],
      ["search", ["search-1", "search-setup"]],
    ]);
    expect(plan.waits.get("setup")).toEqual(["cache-1", "cache"]);
    expect(plan.waits.get("api")).toEqual(["setup", "search-setup", "search"]);
    expect(plan.waits.get("kv-2")).toEqual(["api", "kv-1"]);
  });

  test("what the system wants at the edge is the plan's", () => {
    const wish = (p: Platform): void => {
      p.edge({ proxy: "nginx" });
    };
    expect(dryRun(wish, place()).edge).toEqual({ proxy: "nginx" });
  });

  test("nothing is made: passwords are secrets without a word, and what is managed has no members", async () => {
    const seen: Record<string, unknown> = {};
    const secrets = { own: secret("theirs") };
    const plan = dryRun((p) => {
      Object.assign(seen, {
        secret: p.secret("a"),
        key: p.certificate("kv", []).key,
        configured: p.configured("own"),
        unset: p.configured("other"),
        managed: p.managed("redis", "cache", redis),
        oidc: p.managed("oidc", "sign-in", { callback: "", groups: [] }),
      });
      // What stands for them is no resource.
      for (const named of [p.run("api", app), p.job("setup", job)]) expect(named.ready).toStrictEqual([{}]);
    }, place({ secrets }));
    const values = await resolved([seen.secret, seen.key, seen.configured, seen.unset]);
    expect(values).toEqual(["", "", "theirs", ""]);
    for (const each of [seen.secret, seen.key, seen.unset]) expect(await isSecret(each as Output<string>)).toBe(true);
    expect(seen.managed).toMatchObject({ host: "cache-1", members: [] });
    expect(seen.oidc).not.toHaveProperty("members");
    expect([...plan.managed]).toEqual([
      ["cache", { kind: "redis", ask: redis }],
      ["sign-in", { kind: "oidc", ask: { callback: "", groups: [] } }],
    ]);
  });

  test.each<[string, (p: Platform) => void]>([
    ["a workload", (p) => void p.run("kv-1", app)],
    ["a slot", (p) => void p.slots("kv", { count: 1 }, () => kept)],
    ["a job", (p) => void p.job("kv-1", job)],
  ])("a name that %s has is nobody else's", (_, first) => {
    const others: ((p: Platform) => void)[] = [
      (p) => void p.run("kv-1", app),
      (p) => void p.slots("kv", { count: 1 }, () => kept),
      (p) => void p.job("kv-1", job),
    ];
    expect([...dryRun(first, place()).repeated]).toEqual([]);
    for (const other of others) {
      const both = (p: Platform): void => {
        first(p);
        other(p);
      };
      expect([...dryRun(both, place()).repeated]).toEqual(["kv-1"]);
    }
  });

  test("a system's plan has its backup; a part alone has none", () => {
    const run = (p: Platform): void => void p.slots("kv", { count: 1 }, () => dumped);
    expect([...planOf(run, {}, place({ backup })).workloads.keys()]).toEqual(["backup"]);
    expect([...dryRun(run, place({ backup })).workloads.keys()]).toEqual([]);
    expect([...planOf(run, {}, place()).workloads.keys()]).toEqual([]);
  });
});

describe("a system as a component", () => {
  const schema = z.object({ size: z.number() });
  class Whole extends SystemComponent<{ size: number }> {
    constructor(name: string, args: { size: number; on: FakeTopology }, run: (p: Platform, size: number) => void) {
      super("Whole", (p, { size }) => { run(p, size); }, schema, name, args); // prettier-ignore
    }
  }
  const backup = { everyHours: 24, keepDays: 7, drillEveryHours: 0, to: { volume: "v" } };
  const made = async (on: FakeTopology, run: (p: Platform, size: number) => void, size = 2) => {
    let whole: Whole | undefined;
    const all = await record(() => {
      whole = new Whole("shop", { size, on }, run);
    });
    return { all, whole };
  };

  test("is admitted by its plan, opened, made, backed up and closed, in this order", async () => {
    const on = new FakeTopology({ backup });
    const { all } = await made(on, (p, count) => {
      p.slots("kv", { count }, () => dumped);
      p.run("api", app);
    });
    expect(on.calls).toEqual([
      ...["admit shop, a system", "open shop", "shop-kv-1", "shop-kv-2", "shop-api", "shop-backup", "close shop"],
    ]);
    expect([...(on.admitted[0]?.workloads.keys() ?? [])]).toEqual(["api", "backup"]);
    // No inputs: they would be stored in the state.
    expect(all).toMatchObject([{ type: "platform-topologies:index:Whole", name: "shop", inputs: {} }]);
  });

  test("what is wrong in its config is said before it is admitted", async () => {
    const on = new FakeTopology();
    await expect(made(on, () => undefined, "x" as never)).rejects.toThrow('size = "x": ');
    expect(on.calls).toEqual([]);
  });

  test("tells its address, and where each store answers, with its user and password if there is a login", async () => {
    const s3 = { kind: "objects", api: "s3", url: "https://s3.example.com", region: "eu", prefix: "" } as const;
    const on = new FakeTopology(
      {
        publicPort: 8443,
        existing: {
          ...{ db: { kind: "postgres", host: "pg.example.com", user: "ark" }, objects: s3 },
          "sign-in": { kind: "oidc", issuer: "https://id.example.com", clientId: "c" },
        },
        secrets: { dbPassword: secret("p"), objectsKey: secret("k"), objectsSecret: secret("s") },
      },
      containerServices,
    );
    const { whole } = await made(on, (p) => {
      p.need("postgres", "db", { databases: ["a"], clientTls: "never", gib: 1 });
      p.need("objects", "objects", { apis: ["s3"], buckets: {}, browser: false, gib: 1 });
      p.need("oidc", "sign-in", { callback: "https://a.example.com/back", groups: [] });
      p.store("own", { host: "own-1", port: 7, members: [], ready: [] } as never, dump);
    });
    expect(whole?.url).toBe("https://media.example.com:8443");
    expect(await resolved(whole?.endpoints)).toEqual({
      db: { host: "pg.example.com", port: 5432, user: "ark" },
      objects: { host: "s3.example.com", port: 443, user: "k" },
      "sign-in": { host: "", port: 0 },
      own: { host: "own-1", port: 7 },
    });
    expect(await resolved(whole?.passwords)).toEqual({ db: "p", objects: "s" });
  });
});

describe("a service as a component", () => {
  test("is admitted alone by its own plan, and its parts bear their own names", async () => {
    const on = new FakeTopology({}, containerServices);
    const all = await record(() => {
      new Redis("cache", { on, ...redis });
    });
    expect(on.calls).toEqual(["admit cache, a service", "cache-1"]);
    expect(on.admitted.map(({ needs, slots }) => [needs[0]?.kind, [...slots.keys()]])).toEqual([
      ["redis", ["cache-1"]],
    ]);
    expect(all[0]).toMatchObject({ type: "platform-topologies:index:Redis", name: "cache", inputs: {} });
  });

  test("within a system is admitted with it, and bears its prefix", async () => {
    const on = new FakeTopology({}, containerServices);
    const all = await record(() => {
      class Mine extends ComponentResource {}
      const mine = new Mine("platform-topologies:index:Mine", "mine");
      new RealPlatform(on, mine, "shop-").need("redis", "cache", redis);
    });
    expect(on.calls).toEqual(["shop-cache-1"]);
    expect(all[1]).toMatchObject({ type: "platform-topologies:index:Redis", name: "shop-cache", parent: "mine" });
  });

  test("with a public name is for a system alone: nothing of it is made", async () => {
    const on = new FakeTopology({}, containerServices);
    const ask = { apis: ["s3"], buckets: {}, gib: 1 } as const;
    const store = (browser: boolean) =>
      record(() => {
        new ObjectStore("files", { on, ...ask, browser });
      });
    await expect(store(true)).rejects.toThrow("files-1: its public name needs an edge: use it inside a system");
    expect(on.calls).toEqual([]);
    await store(false);
    expect(on.calls[0]).toBe("admit files, a service");
  });
});
