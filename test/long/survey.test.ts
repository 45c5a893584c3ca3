/** The rarer things that are done behind Pulumi's back, on the real engine: test/docker/survey.test.ts has the others. */
import process from "node:process";

import { expect, test } from "@jest/globals";

import { containerIds, engine, eventually, inContainer, localImage } from "../support/arkindex.ts";
import { stackName } from "../support/run.ts";
import { succeeded, TestStack } from "../support/stack.ts";
import { config, heals, name, patience, program, refuses, sql, stack, volume } from "../support/survey.ts";

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
  "a container of a replacement that was interrupted makes way for the one of the next up",
  async () => {
    // The state still has the old one, which is gone; the new one has its name and its labels.
    const old = await engine.getContainer(volume).inspect();
    await engine.getContainer(volume).remove({ force: true });
    await engine.createContainer({ name: volume, Image: old.Config.Image, Labels: old.Config.Labels });
    await heals(`container ${volume} is another one than the state has: it is made anew`);
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
