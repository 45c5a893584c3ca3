/** A job whose image somebody has pruned: pulled again by its reference, or named with what to do. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { afterEach, expect, test } from "@jest/globals";

import { job } from "../../ops/job.ts";
import { fingerprint, job as inputs } from "../../ops/job-inputs.ts";
import { values } from "../../ops/wire.ts";
import { type Answer, type Answers, type FakeEngine, fakeEngine } from "../support/fake-engine.ts";

let engine: FakeEngine;
afterEach(() => {
  engine.close();
});
const id = `sha256:${"7".repeat(64)}`;
const registry = "registry.example.com";
const ref = `${registry}/toolbox:1`;
const missing: Answer = { status: 404, body: { message: `No such image: ${id}` } };
const asked = { name: "j", image: id, command: ["true"], networks: [], seconds: 5, trigger: "1" };

/** An engine that has the image once it has been pulled. `pulled`: what a pull says. */
async function pruned(pulled: unknown, comesBack = true): Promise<void> {
  let there = false;
  const answers: Answers = {
    "POST /containers/create": () => (there ? { Id: "c", Warnings: [] } : missing),
    "POST /images/create": () => {
      there = comesBack;
      return pulled;
    },
    "POST /containers/c/start": { status: 204, body: "" },
    "GET /containers/c/json": { State: { Status: "exited", ExitCode: 0 }, Config: { Labels: {} } },
    "DELETE /containers/c": { status: 204, body: "" },
  };
  engine = await fakeEngine(answers);
}
const run = (more: object): Promise<unknown> => job.create(values({ ...asked, host: engine.host, ...more }));

test("its reference is pulled, and it runs", async () => {
  await pruned({ status: "done" });
  await run({ ref });
  expect(engine.asked).toContain(`POST /images/create?fromImage=${encodeURIComponent(`${registry}/toolbox`)}&tag=1`);
  expect(engine.asked.filter((each) => each.startsWith("POST /containers/create"))).toHaveLength(2);
});

test("with the credentials of a registry that is named", async () => {
  const before = process.env.DOCKER_CONFIG;
  const folder = await mkdtemp(join(tmpdir(), "docker-config-"));
  process.env.DOCKER_CONFIG = folder;
  try {
    const auth = Buffer.from("puller:word").toString("base64");
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [registry]: { auth } } }));
    await pruned({ status: "done" });
    await run({ ref, registries: [registry] });
    const sent = engine.headers.find((_, index) => engine.asked[index]?.startsWith("POST /images/create"));
    const decoded = Buffer.from(String(sent?.["x-registry-auth"]), "base64").toString();
    expect(JSON.parse(decoded)).toEqual({ username: "puller", password: "word", serveraddress: registry });
  } finally {
    if (before === undefined) delete process.env.DOCKER_CONFIG;
    else process.env.DOCKER_CONFIG = before;
    await rm(folder, { recursive: true });
  }
});

test.each<[string, object, unknown, boolean, string]>([
  [
    "it cannot be pulled",
    { ref },
    { status: 500, body: { message: "manifest unknown" } },
    false,
    `the image ${ref} is not on HOST and cannot be pulled (manifest unknown): push it, or run \`docker login\` for its registry and name that in docker.registries`,
  ],
  [
    "the pull breaks off",
    { ref },
    { error: "unexpected EOF" },
    false,
    `the image ${ref} is not on HOST and cannot be pulled (unexpected EOF): push it`,
  ],
  [
    "set-up built it here",
    { ref: "platform-topologies/toolbox:1" },
    undefined,
    false,
    "the image platform-topologies/toolbox:1 is not on HOST, and no registry has it: `npm run images -- build` builds it",
  ],
  ["nobody knows its reference", {}, undefined, false, `the image ${id} is not on HOST: build or pull it there first`],
  [
    "the reference is another image now",
    { ref },
    { status: "done" },
    false,
    `j could not be created: ${ref} is another image now: run \`pulumi up --refresh\``,
  ],
])("%s: one sentence", async (_, more, pulled, comesBack, sentence) => {
  await pruned(pulled, comesBack);
  await expect(run(more)).rejects.toThrow(sentence.replace("HOST", engine.host));
});

test("another reference or registry for the same image is no difference, nor another run", () => {
  const old = { ...asked, host: "unix:///a", ref };
  const changed = { ...old, ref: "mirror.example.com/toolbox:1", registries: [registry] };
  expect(job.diff(values(old), values(changed)).changes).toBe(false);
  expect(fingerprint(inputs.parse(old))).toBe(fingerprint(inputs.parse(changed)));
});

test("a run that was made for another disk is not taken for this one's, nor one of another volume with its id", () => {
  const run = (disk: string, made: string) =>
    fingerprint(inputs.parse({ ...asked, host: "h", disks: { db: disk } }), [made]);
  expect(new Set([run("d1", "m1"), run("d2", "m1"), run("d1", "m2")]).size).toBe(3);
  expect(run("d1", "m1")).toBe(run("d1", "m1"));
});
