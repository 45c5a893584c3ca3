/** What a topology does for the members of a cluster beyond running them: the disk's marker, and their finalizers. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { ifThere } from "../../ops/docker.ts";
import { containerIds, engine, inContainer, localImage, localImages, sweep } from "../support/arkindex.ts";
import { runLabels } from "../support/run.ts";
import { repo, succeeded, TestStack } from "../support/stack.ts";

const name = "slots";
let stack: TestStack;

/** Members that refuse an empty disk, and write down who said finalizer, and whether the member still answered then. */
function program(members: number, leave = "exit 0"): string {
  return `import { siteOf } from "${repo}/components/core/site.ts";
import { z } from "zod";
import { SystemComponent } from "${repo}/components/core/system.ts";
import { DockerHost } from "${repo}/components/topologies/docker/index.ts";

const job = (script) => ({
  image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, user: "0:0", seconds: 60, needs: ["shared-folders"],
  mounts: [{ volume: "${name}-book", path: "/book" }], command: ["bash", "-euc", script],
});
const said = (what, member) => \`getent hosts \${member} >/dev/null && here=here || here=gone; echo "\${member} \${what} $here" >> /book/log\`;
const system = (p, { count }) => {
  p.slots("member", { count, order: "one-by-one" }, ({ name }) => ({
    image: "toolbox", tier: "data", cpu: 1, memoryMib: 64, user: "0:0",
    prepare: '[ -e /data/.disk ] || { echo "' + name + ' has lost its data" >&2; exit 1; }',
    command: ["sleep", "infinity"],
    health: { ready: { command: ["true"] }, startSeconds: 20, stopSeconds: 1 },
    disk: { path: "/data", gib: 1, marker: ".disk", backup: { rebuilt: "from nothing" } },
    leave: job(said("leaves", name) + ${JSON.stringify(`; ${leave}`)}),
    left: job(said("left", name)),
  }));
};
class Cluster extends SystemComponent {
  constructor(name, args) { super("Cluster", system, z.any(), name, args); }
}
const site = siteOf({ name: "${name}", hostname: "slots.localhost", images: ${JSON.stringify(localImages())}, protect: false });
const on = new DockerHost("docker", { site, host: "unix:///var/run/docker.sock", address: "127.0.0.1", tls: { mode: "local" } });
new Cluster("cluster", { on, count: ${String(members)} });
`;
}

async function book(): Promise<string[]> {
  const script = "cat /book/log 2>/dev/null || true";
  const options = { image: localImage("toolbox"), network: "none", binds: [`${name}-book:/book`] };
  return (await inContainer(options, script)).body.split("\n").filter((line) => line.startsWith("member"));
}

beforeAll(async () => {
  await sweep(name);
  await ifThere(engine.getVolume(`${name}-book`).remove());
  await engine.createVolume({
    Name: `${name}-book`,
    Labels: runLabels,
  });
  stack = await TestStack.create({ program: program(2), config: { "pulumi:disable-default-providers": ["*"] } });
}, 60_000);

afterAll(async () => {
  await stack.dispose();
  await engine.getVolume(`${name}-book`).remove();
  await sweep(name);
}, 60_000);

test("a new disk is marked, and a second preview is empty", async () => {
  succeeded(await stack.up());
  expect(Object.keys(await containerIds(name)).sort()).toEqual(["member-1", "member-2"]);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("a member whose leave fails stays, in the second run too, and says finalizer once", async () => {
  await stack.rewrite(program(2, "echo its shards fit nowhere >&2; exit 7"));
  succeeded(await stack.up()); // only noted
  await stack.rewrite(program(1, "echo its shards fit nowhere >&2; exit 7"));
  for (const run of [1, 2]) {
    const { code, output } = await stack.up();
    expect({ run, code, failed: code !== 0, said: output.includes("its shards fit nowhere") }).toMatchObject({
      failed: true,
      said: true,
    });
    expect(Object.keys(await containerIds(name)).sort()).toEqual(["member-1", "member-2"]);
  }
  expect(await book()).toEqual(["member-2 leaves here", "member-2 leaves here"]);
}, 120_000);

test("a member that goes leaves before its container goes, and has left after it", async () => {
  await stack.rewrite(program(2));
  succeeded(await stack.up());
  const before = (await book()).length;
  await stack.rewrite(program(1));
  succeeded(await stack.up());
  expect(Object.keys(await containerIds(name))).toEqual(["member-1"]);
  expect((await book()).slice(before)).toEqual(["member-2 leaves here", "member-2 left gone"]);
  succeeded(await stack.preview(["--expect-no-changes"]));
}, 120_000);

test("a member that comes back without its data refuses to start", async () => {
  const [id = ""] = Object.values(await containerIds(name));
  const container = engine.getContainer(id);
  expect(await inContainer({ container: id }, "rm /data/.disk")).toMatchObject({ status: 0 });
  await container.stop();
  await container.start();
  for (let tries = 0; tries < 40 && (await container.inspect()).RestartCount === 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 250));
  expect((await container.logs({ stderr: true })).toString()).toContain("member-1 has lost its data");
}, 60_000);

test("destroying the stack asks nobody", async () => {
  const before = await book();
  succeeded(await stack.destroy());
  expect(await containerIds(name)).toEqual({});
  expect(await book()).toEqual(before);
}, 60_000);
