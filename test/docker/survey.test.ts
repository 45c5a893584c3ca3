/**
 * A deployment that ends well means that the platform is up, and no data are lost or taken by accident: what is done
 * behind Pulumi's back, on the real engine. More of it: test/long/survey.test.ts.
 */
import { expect, test } from "@jest/globals";

import { engine } from "../support/arkindex.ts";
import { succeeded, TestStack } from "../support/stack.ts";
import { config, heals, patience, program, refuses, sql, stack, volume } from "../support/survey.ts";

test(
  "a container that was removed is made again by the next up",
  async () => {
    await engine.getContainer(volume).remove({ force: true });
    await heals(`container ${volume} is gone from the engine: it is made again`);
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
