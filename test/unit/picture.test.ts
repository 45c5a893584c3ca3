/** Pictures of deployments: what is on them, that they are the same each time, and that nothing in a name is syntax. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "@jest/globals";

import { drawn, planStack } from "../../components/deploy.ts";
import { few, mermaid } from "../../components/picture/mermaid.ts";
import { card, type Picture } from "../../components/picture/model.ts";
import { pictureOfFile, run } from "../../tools/commands/picture.ts";
import { svg } from "../../tools/picture/svg.ts";
import { fitted, widthOf } from "../../tools/picture/text.ts";
import { newFolder } from "../support/folder.ts";
import { builtConfig, planReady } from "../support/ready.ts";

const root = join(import.meta.dirname, "../..");
const stacks = readdirSync(join(root, "stacks")).map((file) => file.replace(/\.yaml$/, ""));

function pictured(stack: string, over: object = {}): Picture {
  const { whole, problems } = planStack({ ...builtConfig(`stacks/${stack}.yaml`), ...over }, stack);
  expect(problems).toEqual([]);
  if (whole === undefined) throw new Error("no plan");
  return drawn(whole);
}

/** Every card in a few words, by its id. */
function cards({ frames }: Picture): Record<string, string> {
  const all = frames.flatMap((frame) => frame.cards);
  return Object.fromEntries(
    all.map(({ id, band, by, title, routes, says, members, rehearses }) => [
      id,
      [
        `${band} ${by}: ${[title, ...says].join("; ")}`,
        ...routes,
        ...members.map(({ name, disk, where }) => [name, disk, where].join(" ").trim()),
        ...(rehearses ? ["rehearses"] : []),
      ].join(" | "),
    ]),
  );
}

/** Arrows between cards, and not frames. */
function calls({ frames, arrows }: Picture): string[] {
  const inside = new Map(frames.map((frame) => [frame.id, frame.cards.map(({ id }) => id)]));
  return arrows.flatMap(([from, to]) =>
    (inside.get(from) ?? []).flatMap((one) => (inside.get(to) ?? []).map((other) => `${one} > ${other}`)),
  );
}

describe("what is on it", () => {
  test("AWS: tiers, what is managed, slots with their disks and zones, what is public, who calls whom", () => {
    const picture = pictured("arkindex-aws");
    expect(picture.where).toBe("AWS eu-central-1, private network 10.80.0.0/16, zones a b c");
    expect(cards(picture)).toEqual({
      Browsers: "world world: Browsers",
      Edge: "edge edge: Application Load Balancer; arkindex.example.com; https 443, TLS: the stack's own authority",
      backend: "app workload: backend ×2; Fargate | / | rehearses",
      worker: "app workload: worker ×2; Fargate | rehearses",
      cantaloupe: "app workload: cantaloupe; Fargate | /iiif/ | rehearses",
      db: "data managed: db; Amazon RDS for PostgreSQL",
      redis: "data managed: redis; Amazon ElastiCache",
      objects: "data managed: objects; Amazon S3",
      solr: "data slots: solr; Solr | solr-1 10 GiB eu-central-1a",
    });
    const stores = ["db", "redis", "objects", "solr"];
    expect(calls(picture).sort()).toEqual(
      [
        ...["Browsers > Edge", "Edge > backend", "Edge > cantaloupe", "cantaloupe > objects"],
        ...stores.flatMap((store) => [`backend > ${store}`, `worker > ${store}`]), // through the jobs that come first
      ].sort(),
    );
  });

  test("a Docker host: machines, what exists already, backups and their drills", () => {
    const picture = pictured("arkindex-docker", {
      docker: {
        ...{ host: "ssh://pilot", socket: "/run/d.sock", tls: { mode: "acme", email: "a@example.com" } },
        machines: { gpu: { host: "ssh://gpu", socket: "/run/d.sock" } },
      },
      arkindex: { agents: { one: { farm: "3f0b9d9c-0c3c-4d0a-9d1c-0a5f5d6f7a8b", machine: "gpu" } } },
      existing: { redis: { kind: "redis", host: "redis.corp.example.com" } },
      backup: { to: { s3: { endpoint: "https://s3.example.com", bucket: "saved" } } },
      secrets: { "ponosSeed-one": "s", backupKey: "k", backupSecret: "s" },
    });
    expect(picture.where).toBe("Docker host ssh://pilot");
    expect(cards(picture)).toMatchObject({
      Edge: "edge edge: Traefik; arkindex.localhost; objects.arkindex.localhost; http 80, https 443; TLS: ACME",
      "agent-one": "app workload: agent-one; on gpu | rehearses",
      redis: "outside existing: redis; Redis; redis.corp.example.com",
      db: "data slots: db; PostgreSQL | db-1 volume",
      objects: "app slots: objects; object store, S3 | objects.arkindex.localhost | objects-1 volume",
      backup: "app workload: backup; saves db-1, objects-1",
      Backups: "outside place: Backups; the bucket saved; https://s3.example.com",
    });
    // A drill's server is the backup's own.
    expect(Object.keys(cards(picture)).filter((id) => id.includes("drill"))).toEqual([]);
    expect(calls(picture)).toEqual(
      expect.arrayContaining(["agent-one > backend", "backend > redis", "backup > Backups", "Edge > objects"]),
    );
    expect(calls(picture).filter((call) => call.startsWith("backup >"))).toEqual(["backup > Backups"]);
  });

  test("a swarm: nodes by their labels, the filters of Docker's API and where users' apps go", () => {
    const picture = pictured("shinyproxy-swarm");
    expect(cards(picture)).toMatchObject({
      runner: "isolated workload: runner; Docker's API, filtered; starts users' apps; on role==worker; on managers",
      reader: "isolated workload: reader; Docker's API, filtered; on managers",
      influx: "data slots: influx; InfluxDB | influx-1 volume on managers",
      "telegraf-node": "data workload: telegraf-node; on each node",
      "sign-in":
        "edge workload: sign-in; sign-in, OpenID; on managers | sign-in.shinyproxy.swarm.example.com | rehearses",
    });
    expect(
      calls(picture)
        .filter((call) => call.startsWith("telegraf"))
        .sort(),
    ).toEqual(["telegraf > influx", "telegraf > reader", "telegraf-node > influx"]);
    const labelled = pictured("arkindex-swarm", { swarm: { managers: ["tcp://m:2375"], place: { disk: "fast" } } });
    expect(cards(labelled)).toMatchObject({ worker: "app workload: worker ×2; on nodes with disk=fast | rehearses" });
  });

  test("a cluster's roles, each member in its zone", () => {
    const picture = pictured("arangodb-aws");
    expect(cards(picture)).toMatchObject({
      agent: expect.stringContaining("agent-1 10 GiB eu-central-1a | agent-2 10 GiB eu-central-1b | agent-3"),
      coordinator:
        "data slots: coordinator | / | coordinator-1 20 GiB eu-central-1a | coordinator-2 20 GiB eu-central-1b",
    });
    expect(calls(picture)).toEqual([
      "Browsers > Edge",
      "Edge > coordinator",
      "dbserver > agent",
      "coordinator > dbserver",
    ]);
  });

  test("machines of a swarm, and the sign-in that the world calls", () => {
    const picture = pictured("machines-aws");
    expect(cards(picture)).toEqual({
      Browsers: "world world: Browsers",
      Managers: "edge managed: managers ×3; 2 CPUs, 3072 MiB, 50 GiB; the world may call 80, 443",
      "Workers-apps": "app managed: workers: apps ×2; 2 CPUs, 7168 MiB, 50 GiB; come and go with the number",
      "sign-in": "edge managed: sign-in; a user pool of Amazon Cognito",
    });
    expect(calls(picture)).toEqual(["Browsers > Managers", "Browsers > sign-in", "Managers > Workers-apps"]);
  });

  test.each(stacks)("%s: every slot and every workload is on it once, and nothing secret is", (stack) => {
    const { whole } = planReady(stack);
    if (whole === undefined) throw new Error("no plan");
    const picture = drawn(whole);
    const all = picture.frames.flatMap((frame) => frame.cards);
    const members = all.flatMap((each) => each.members.map(({ name }) => name));
    expect(members.sort()).toEqual([...whole.plan.slots.keys()].sort());
    const ids = all.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    // What is a part of a store, as the proxies before its servers, is on the store's card.
    const { needs, workloads } = whole.plan;
    const cardOf = (name: string): string => needs.find(({ parts }) => parts.includes(name))?.name ?? name;
    expect([...workloads.keys()].filter((name) => !ids.includes(cardOf(name)))).toEqual([]);
    const known = new Set(picture.frames.map(({ id }) => id));
    for (const arrow of picture.arrows) for (const end of arrow) expect(known).toContain(end);
    for (const secret of Object.keys(whole.settings.secrets)) expect(mermaid(picture)).not.toContain(secret);
  });
});

describe("the same each time", () => {
  test.each(stacks)(
    "docs/pictures/%s.svg is what the stack would be now (npm run picture -- --docs)",
    async (stack) => {
      const file = join(root, "stacks", `${stack}.yaml`);
      const text = await svg(await pictureOfFile(file, stack));
      expect(text).toBe(readFileSync(join(root, "docs/pictures", `${stack}.svg`), "utf8"));
      expect(await svg(await pictureOfFile(file, stack))).toBe(text);
      expect(Number(/width="(\d+)/.exec(text)?.[1])).toBeLessThan(1100);
    },
  );

  test("there is a picture of each ready stack, and of nothing else", () => {
    const there = readdirSync(join(root, "docs/pictures"));
    expect(there.sort()).toEqual(stacks.map((stack) => `${stack}.svg`).sort());
  });

  test("one service more is one line more", () => {
    const services = { frontend: { path: "/" }, search: { path: "/API/search/" } };
    const lines = (over: object) => mermaid(pictured("media-docker", { media: { services: over } })).split("\n");
    const before = lines(services);
    const after = lines({ ...services, users: { path: "/API/users/" } });
    expect(before.filter((line) => !after.includes(line))).toEqual([]);
    expect(after.filter((line) => !before.includes(line)).map((line) => line.trim())).toEqual([
      'n_users["users<br>/API/users/<br>rehearses"]',
    ]);
  });

  test("another version, size or password is no other picture; another replica is", () => {
    const picture = (over: object) => mermaid(pictured("arkindex-docker", { arkindex: over }));
    const before = picture({ version: "1.7.0" });
    expect(picture({ version: "1.8.0", solrMemoryMib: 1024, postgresGib: 50 })).toBe(before);
    expect(picture({ backends: 2 })).not.toBe(before);
  });
});

describe("text", () => {
  const words = `<b>"x" & 'y'</b> \`id\` | [z] #1; end\n--> %% \u0000 é漢字`;
  const hostile: Picture = {
    title: words,
    where: words,
    frames: [
      { id: "a", band: "app", cards: [{ ...card("a", "app", "workload", words, [words]), routes: [words] }] },
      {
        id: "b c",
        band: "data",
        cards: [
          { ...card("b", "data", "slots", words, []), members: [{ name: words, disk: words, where: words }] },
          card("c", "data", "managed", "c", []),
        ],
      },
    ],
    arrows: [["a", "b c"]],
  };

  test("is never a part of the SVG", async () => {
    const text = await svg(hostile);
    const tags = [...text.replace(/<style>[^<]*<\/style>/, "").matchAll(/<\/?([^\s/>]*)/g)].map(([, name]) => name);
    expect([...new Set(tags)].sort()).toEqual(["defs", "g", "marker", "path", "rect", "svg", "text"]);
    expect(text).toContain("&lt;b&gt;");
    expect(text).not.toContain("\u0000");
    expect(text.match(/<text/g)?.length).toBe(text.match(/<\/text>/g)?.length);
  });

  test("is never a part of Mermaid's", () => {
    const lines = mermaid(hostile).trimEnd().split("\n");
    // A label is one text in quotes: nothing in it ends them, or begins a tag but the line break.
    for (const line of lines.filter((each) => each.includes('"')))
      expect(line.replace(/"[^"]*"/, "").replaceAll("<br>", "")).toMatch(
        /^ *(subgraph )?\w+ ?(\[|\[\(|\(\[)(\]|\)\]|\]\))$/,
      );
    expect(lines.join("\n")).not.toMatch(/<b>|`|\||-->.*%%/);
    expect(lines).toContain("  n_a --> with_n_b");
  });

  test("is cut where it is too long, and many paths are a few", () => {
    expect(fitted("short", 11, 100)).toBe("short");
    expect(fitted("x".repeat(100), 11, 100)).toMatch(/^x+…$/);
    expect(widthOf(fitted("x".repeat(100), 11, 100), 11)).toBeLessThanOrEqual(100);
    expect(few(["a", "b", "c"])).toEqual(["a", "b", "c"]);
    expect(few(["a", "b", "c", "d"])).toEqual(["a", "b", "and 2 more"]);
  });
});

describe("screenshots", () => {
  const folder = join(root, "docs/screenshots");
  const page = readFileSync(join(folder, "README.md"), "utf8");
  const shown = [...page.matchAll(/\]\((\w+\.png)\)/g)].map(([, name = ""]) => name);
  const tests = ["arkindex", "browser", "shinyproxy"].map((name) => join(root, `test/docker/${name}.test.ts`));
  const source = tests.map((file) => readFileSync(file, "utf8")).join("\n");

  test("their page has each of them, and nothing else", () => {
    expect(readdirSync(folder).sort()).toEqual([...shown, "README.md"].sort());
  });

  test.each(shown)("%s is a small image, and a test takes it (npm run screenshots)", (name) => {
    const bytes = readFileSync(join(folder, name));
    expect(bytes.subarray(1, 4).toString()).toBe("PNG");
    expect(bytes.length).toBeLessThan(100_000);
    expect(source).toContain(`test("docs/screenshots/${name}`);
    expect(source).toContain(`shot: "${name}"`);
  });
});

describe("npm run picture", () => {
  test("writes what it is asked for, without a cloud or an engine", async () => {
    const folder = newFolder("picture");
    const [image, text] = [join(folder, "a.svg"), join(folder, "a.mmd")];
    const config = ["--stack", "media-aws", "--config-file", join(root, "stacks/media-aws.yaml")];
    expect(await run([...config, "--svg", image, "--mermaid", text])).toBe(0);
    const picture = await pictureOfFile(join(root, "stacks/media-aws.yaml"), "media-aws");
    expect(readFileSync(image, "utf8")).toBe(await svg(picture));
    expect(readFileSync(text, "utf8")).toBe(mermaid(picture));
    await expect(run([...config, "--svg", join(folder, "none/a.svg")])).rejects.toThrow("cannot be written");
  });

  test("says how it is called, and draws nothing of a wrong config", async () => {
    await expect(run([])).rejects.toThrow("npm run picture -- --stack");
    await expect(run(["--other"])).rejects.toThrow("npm run picture -- --stack");
    await expect(run(["--stack", "prod", "--config-file", join(root, "Pulumi.prod.yaml")])).rejects.toThrow(
      "hostname: missing",
    );
  });
});
