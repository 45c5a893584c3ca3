/** The engine's socket for a container that is given it: where the config says, and nothing made where there is none. */
import { existsSync, rmSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { containerIds, engine, localImages, sweep } from "../support/arkindex.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "socket-alone";
const nowhere = "/run/platform-topologies-no-such-socket";
let stack: TestStack;

const program = (socket: string): string => `
import { siteOf } from "${repo}/components/core/site.ts";
import { ContainerApi } from "${repo}/components/services/containers.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";
const site = siteOf({ name: "${name}", hostname: "socket.example.com", images: ${JSON.stringify(localImages())}, protect: false });
const host = "unix:///var/run/docker.sock";
const on = new DockerHost("host", { site, host, address: "127.0.0.1", tls: { mode: "local" }, ${socket} });
new ContainerApi("reader", { on, may: "read" });
`;

beforeAll(async () => {
  await sweep(name);
  rmSync(nowhere, { recursive: true, force: true });
  const config = { "pulumi:disable-default-providers": ["*"] };
  stack = await TestStack.create({ program: program(""), config });
}, 60_000);

afterAll(async () => {
  await stack.dispose();
}, 60_000);

test("it is the one by which the engine is reached, and a second preview is empty", async () => {
  succeeded(await stack.up());
  succeeded(await stack.preview(["--expect-no-changes"]));
  const ids = await containerIds(name);
  const { Mounts } = await engine.getContainer(ids["reader-1"] ?? "").inspect();
  expect(Mounts.map(({ Type, Source }) => [Type, Source])).toEqual([["bind", "/var/run/docker.sock"]]);
}, 120_000);

test("one that is not there is refused at once, and no folder is made in its place", async () => {
  await stack.rewrite(program(`socket: "${nowhere}"`));
  const { code, output } = await stack.up();
  expect(output).toContain(`bind source path does not exist: ${nowhere}`);
  expect(code).not.toBe(0);
  expect(existsSync(nowhere)).toBe(false);
}, 120_000);
