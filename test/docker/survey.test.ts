/**
 * A deployment that ends well means that the platform is up, and no data are lost or taken by accident: what is done
 * behind Pulumi's back, on the real engine. README's program of one service.
 */
import process from "node:process";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, eventually, inContainer, localImage, localImages, sweep } from "../support/arkindex.ts";
import { stackName } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "survey";
const volume = `${name}-db-1`;
const minutes = 60_000;
/** Longer than any of them takes: a test that gives up leaves the next one a stack that is half done. */
const patience = 5 * minutes;
let stack: TestStack;

interface Options {
  readonly databases?: readonly string[];
  readonly disks?: Readonly<Record<string, string>>;
  readonly images?: Readonly<Record<string, string>>;
  readonly name?: string;
  readonly protect?: boolean;
}

function program({
  databases = ["shop"],
  disks = {},
  images = {},
  name: called = name,
  protect = false,
}: Options = {}) {
  const site = { name: called, hostname: "survey.localhost", protect, disks, images: { ...localImages(), ...images } };
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { Postgres } from "${repo}/components/services/postgres.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf(${JSON.stringify(site)});
const on = new DockerHost("host", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
const db = new Postgres("db", { on, databases: ${JSON.stringify(databases)}, clientTls: "never", gib: 1 });
export const { host, password } = db.given;
`;
}

const config = { "pulumi:disable-default-providers": ["*"] };

beforeAll(async () => {
  await sweep(name);
  stack = await TestStack.create({ program: program(), config });
  succeeded(await stack.up());
  await sql("CREATE TABLE t (x int); INSERT INTO t VALUES (7)");
}, patience);

afterAll(async () => {
  await stack.run(["state", "unprotect", "--all", "--yes"]);
  await stack.dispose();
}, patience);

async function sql(statement: string, database = "shop"): Promise<string> {
  const { "db-1": container = "" } = await containerIds(name);
  const script = `PGPASSWORD="$(cat /run/postgres/password)" psql -At -h 127.0.0.1 -U app ${database} -c "${statement}"`;
  const { status, body } = await inContainer({ container }, script);
  if (status !== 0) throw new Error(body);
  return body.trim();
}

/** The preview says it, the `up` does it, and nothing is left to do. */
async function heals(sentence: string): Promise<void> {
  expect(succeeded(await stack.preview())).toContain(sentence);
  expect(succeeded(await stack.up())).toContain(sentence);
  succeeded(await stack.preview(["--expect-no-changes"]));
  expect(await sql("SELECT x FROM t")).toBe("7");
}

/** Preview and `up` refuse it, one after the other as often as asked, with the sentence alone; the engine is as it was. */
async function refuses(sentence: string | RegExp, by = stack, ups = 1): Promise<void> {
  const before = await containerIds(name);
  const outcomes = [await by.preview()];
  while (outcomes.length <= ups) outcomes.push(await by.up());
  for (const { code, output } of outcomes) {
    expect(output).toMatch(sentence);
    expect(output).not.toMatch(/error serializing|\n\s+at .*\.[jt]s:\d+/);
    expect(code).not.toBe(0);
  }
  expect(await containerIds(name)).toEqual(before);
}

test(
  "a container that was removed is made again by the next up",
  async () => {
    await engine.getContainer(volume).remove({ force: true });
    await heals(`container ${volume} is gone from the engine: it is made again`);
  },
  patience,
);

test(
  "a container that was stopped runs after the next up",
  async () => {
    await engine.getContainer(volume).stop();
    await heals(`container ${volume} does not run`);
  },
  patience,
);

test(
  "a renamed stack changes nothing",
  async () => {
    const other = `${stackName}-renamed`;
    const ids = await containerIds(name);
    succeeded(await stack.run(["stack", "rename", other]));
    try {
      succeeded(await stack.run(["preview", "--expect-no-changes"], other));
      succeeded(await stack.run(["up", "--yes", "--skip-preview", "--expect-no-changes"], other));
    } finally {
      succeeded(await stack.run(["stack", "rename", stackName], other));
    }
    expect(await containerIds(name)).toEqual(ids);
    expect(await sql("SELECT x FROM t")).toBe("7");
  },
  patience,
);

test(
  "another name in the program of a stack that has data is refused, with the old one to put back",
  async () => {
    await stack.rewrite(program({ name: `${name}-b` }));
    await refuses(`set \`name: ${name}\``);
    await stack.rewrite(program());
  },
  patience,
);

test(
  "a second state of the same name takes nothing, makes nothing, and its destroy deletes nothing",
  async () => {
    const second = await TestStack.create({ program: program(), config });
    try {
      await refuses(
        new RegExp(`volume ${volume}, .* exist and belong to another state: name the stack otherwise`),
        second,
      );
    } finally {
      await second.dispose();
    }
    expect(await sql("SELECT x FROM t")).toBe("7");
  },
  patience,
);

test(
  "a volume whose state was lost is not taken by a new one",
  async () => {
    const kept = `${name}-kept`;
    const labels = { "platform-topologies.name": kept, "platform-topologies.disk": "0123abcd" };
    await engine.createVolume({ Name: `${kept}-db-1`, Labels: labels });
    const second = await TestStack.create({ program: program({ name: kept }), config });
    try {
      await refuses(
        `volume ${kept}-db-1 exists and belongs to another state: name the stack otherwise, or remove it`,
        second,
      );
    } finally {
      await second.dispose();
      await engine.getVolume(`${kept}-db-1`).remove(); // it is still there
    }
  },
  patience,
);

test(
  "a container that does not work fails the preview and the up, and neither once it works",
  async () => {
    const { State } = await engine.getContainer(volume).inspect();
    const { Processes } = (await engine.getContainer(volume).top({ ps_args: "-eo pid,cmd" })) as {
      Processes: string[][];
    };
    const server = Number(Processes.find(([, command = ""]) => command.startsWith("postgres -D"))?.[0]);
    expect(State.Running && server > 0).toBe(true);
    process.kill(server, "SIGSTOP");
    try {
      await eventually(async () =>
        (await engine.getContainer(volume).inspect()).State.Health?.Status === "unhealthy" ? true : undefined,
      );
      const { code, output } = await stack.preview();
      expect(output).toContain(`container ${volume} does not work: its health check fails`);
      expect(code).not.toBe(0);
    } finally {
      process.kill(server, "SIGCONT");
    }
    await eventually(async () =>
      (await engine.getContainer(volume).inspect()).State.Health?.Status === "healthy" ? true : undefined,
    );
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "what an up that was killed has left on the engine does not stand in the way of the next",
  async () => {
    const urn =
      (await stack.state()).resources.find(({ type }) => type === "docker:index/container:Container")?.urn ?? "";
    succeeded(await stack.run(["state", "delete", urn, "--target-dependents", "--yes"]));
    await heals(`container ${volume} was left by a run that was interrupted: it is made anew`);
  },
  patience,
);

test(
  "an image that was pruned and cannot be pulled is one sentence with its name",
  async () => {
    const repository = `localhost:1/${name}/toolbox`;
    const reference = `${repository}:1`;
    const images = { toolbox: reference };
    // Another image than set-up's, which has to stay.
    const made = await engine.createContainer({ Image: localImage("toolbox") });
    await made.commit({ repo: repository, tag: "1" });
    await made.remove();
    await stack.rewrite(program({ images }));
    succeeded(await stack.up());
    await engine.getImage(reference).remove();
    await stack.rewrite(program({ images, databases: ["shop", "more"] }));
    const { code, output } = await stack.up();
    expect(code).not.toBe(0);
    expect(output).toContain(`images = "${reference}": was removed from the engine, and ${reference} cannot be pulled`);
    await stack.rewrite(program({ databases: ["shop", "more"] }));
    succeeded(await stack.up());
    expect(await sql("SELECT 1", "more")).toBe("1");
  },
  patience,
);

test(
  "a server whose disk was emptied refuses to start, and names the way back",
  async () => {
    const { "db-1": id = "" } = await containerIds(name);
    await engine.getContainer(id).stop();
    const empty = { image: localImage("postgis"), network: "none", binds: [`${volume}:/disk`] };
    await inContainer(empty, "mkdir /disk/aside && mv /disk/.disk /disk/pgdata /disk/aside/");
    await engine.getContainer(id).start();
    await eventually(async () => ((await engine.getContainer(id).inspect()).RestartCount > 0 ? true : undefined));
    const log = (await engine.getContainer(id).logs({ stderr: true })).toString();
    expect(log).toContain("db-1 has lost its data: bring its disk back, or have a new one filled by restore");
    await engine.getContainer(id).stop();
    await inContainer(empty, "mv /disk/aside/.disk /disk/aside/pgdata /disk/ && rmdir /disk/aside");
    await heals(`container ${volume} does not run`);
  },
  patience,
);

test(
  "a volume that is gone is refused, after a refresh too, until the operator says the word; then all is set up",
  async () => {
    await engine.getContainer(volume).remove({ force: true });
    await engine.getVolume(volume).remove();
    const gone = `disks.db-1: the volume ${volume} is gone, and with it the data of db-1`;
    await refuses(gone, stack, 2);
    const refreshed = await stack.up(["--refresh"]);
    expect({ ...refreshed, failed: refreshed.code !== 0 }).toMatchObject({ failed: true });
    expect(refreshed.output).toContain(gone);
    const options = { databases: ["shop", "more"], disks: { "db-1": "2026-03-01" } };
    await stack.rewrite(program(options));
    succeeded(await stack.up());
    expect(await sql("SELECT count(*) FROM pg_tables WHERE tablename = 't'")).toBe("0");
    expect(await sql("SELECT 1", "more")).toBe("1");
    await stack.rewrite(program({ ...options, disks: {} }));
    succeeded(await stack.preview(["--expect-no-changes"]));
  },
  patience,
);

test(
  "a disk that the program does not use any more is not deleted without the word",
  async () => {
    const { host } = (await stack.outputs()) as { host: string };
    expect(host).toBe("db-1");
    const without = (disks: object) =>
      program({ databases: ["shop", "more"] })
        .replace('"disks":{}', `"disks":${JSON.stringify(disks)}`)
        .replace(/^const db = .*\n.*\n/m, "");
    await stack.rewrite(without({}));
    await refuses(`nothing in this config uses the volume ${volume} any more`);
    await stack.rewrite(without({ "db-1": "gone" }));
    succeeded(await stack.up());
    expect((await engine.listVolumes({ filters: { name: [volume] } })).Volumes).toEqual([]);
  },
  patience,
);
