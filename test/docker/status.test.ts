/** `npm run status` of a small stack on the real engine: what it says while all is well, and what of each fault. */
import { stripVTControlCharacters } from "node:util";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { arangoStack } from "../support/arangodb.ts";
import { cleanUp, containerIds, engine, eventually, inContainer, untilHealthy } from "../support/arkindex.ts";
import { stackName } from "../support/run.ts";
import { generatedSecrets } from "../support/secrets.ts";
import { succeeded, type TestStack } from "../support/stack.ts";
import { Asking, findings } from "../support/status.ts";

const name = "status-one";
const https = 15391;
let stack: TestStack;
let ids: Record<string, string>;
let secrets: Record<string, string>;
let asking: Asking;

beforeAll(async () => {
  const backup = { everyHours: 24, keepDays: 1, to: { volume: `${name}-backup` } };
  stack = await arangoStack({ name, https, config: { backup }, arangodb: { mode: "single" } });
  succeeded(await stack.up());
  ids = await containerIds(name);
  secrets = await generatedSecrets(stack);
  asking = new Asking(stack, secrets);
  await untilHealthy(Object.values(ids));
}, 600_000);

afterAll(async () => {
  await cleanUp(stack, name);
}, 600_000);

test("all is well: every part, the certificate that is served, the backup and its drill", async () => {
  expect(await inContainer({ container: ids["backup-1"] ?? "" }, "backup once && backup drill")).toMatchObject({
    status: 0,
  });
  const { exitCode, status: seen } = await asking.json();
  expect({ exitCode, findings: seen.findings }).toEqual({ exitCode: 0, findings: [] });
  const parts = seen.parts.map((part) => [part.name, part.condition, part.where.length, part.since !== undefined]);
  expect(parts).toEqual(
    Object.keys(ids)
      .sort()
      .map((part) => [`${name}-${part}`, "well", 1, true]),
  );
  expect(seen.parts.map(({ image }) => image)).toEqual(
    expect.arrayContaining([expect.stringContaining("arangodb:"), expect.stringContaining("traefik:")]),
  );
  const [certificate] = seen.certificates;
  expect(certificate).toMatchObject({ host: `${name}.localhost`, from: "served", at: `127.0.0.1:${String(https)}` });
  expect(Date.parse(certificate?.ends ?? "") - Date.now()).toBeGreaterThan(390 * 86_400_000);
  expect(seen.backup).toMatchObject({ from: "status", place: `the volume ${name}-backup`, lastDrill: { ok: true } });
  expect(Date.now() - Date.parse(seen.backup?.lastRun ?? "")).toBeLessThan(10 * 60_000);
  const { stdout } = await asking.text();
  expect(stdout.split("\n")[0]).toBe(`${stackName} is well: ${String(parts.length)} parts`);
  expect(stdout).not.toContain("\u001b"); // no terminal
}, 120_000);

test("a container that somebody has stopped comes first, with the command that says more", async () => {
  const [part = "", id = ""] = Object.entries(ids).find(([each]) => !/edge|backup/.test(each)) ?? [];
  await engine.getContainer(id).stop({ t: 1 });
  const { exitCode, stdout } = await asking.text([], { FORCE_COLOR: "1" });
  expect(exitCode).toBe(1);
  const lines = stripVTControlCharacters(stdout).split("\n");
  expect(lines[0]).toMatch(`${stackName} is UNWELL: 1 of ${String(Object.keys(ids).length)} parts does not work`);
  expect(lines[2]).toMatch(new RegExp(`^UNWELL  ${name}-${part}: does not run \\(exit code \\d+\\), for \\d+ s`));
  expect(lines[3]).toBe(`    \`docker logs --tail 50 ${name}-${part}\``);
  expect(stdout).toContain("\u001b[31m");
  expect((await asking.text([], { FORCE_COLOR: "1", NO_COLOR: "1" })).stdout).toContain("UNWELL");
  await engine.getContainer(id).start();
  await untilHealthy([id]);
}, 120_000);

test("a container, a volume and a stranger that do not fit to the state are said", async () => {
  await engine.getContainer(ids.edge ?? "").remove({ force: true });
  const labels = (await engine.getContainer(ids["backup-1"] ?? "").inspect()).Config.Labels;
  const { Image } = await engine.getContainer(ids["backup-1"] ?? "").inspect();
  const stranger = await engine.createContainer({ name: `${name}-left`, Image, Labels: labels });
  try {
    const seen = await asking.json();
    expect(seen.exitCode).toBe(1);
    const machine = seen.status.parts.find(({ condition }) => condition === "well")?.where[0] ?? "";
    expect(findings(seen.status, "unwell")).toEqual([`${name}-edge: is not on its engine ${machine}`]);
    expect(findings(seen.status, "care")).toEqual([
      expect.stringMatching(`^https://${name}.localhost: nobody answers from here: 127.0.0.1:${String(https)}`),
      `${name}-left: is on the engine and not in the state: an up runs now, or was interrupted`,
    ]);
    // By the state, as nobody serves it.
    expect(seen.status.certificates[0]).toMatchObject({ from: "state" });
  } finally {
    await stranger.remove();
  }
}, 120_000);

test("what a health check says is quoted, without a secret; without the passphrase nobody is quoted", async () => {
  succeeded(await stack.up());
  ids = await containerIds(name);
  const [secret = ""] = Object.values(secrets);
  const backup = engine.getContainer(ids["backup-1"] ?? "");
  await inContainer({ container: backup.id }, `echo 'no entry with ${secret}' > /tmp/backup/run`);
  const ill = await eventually(async () => {
    const seen = await asking.json();
    return findings(seen.status, "unwell").length > 0 ? seen : undefined;
  }, 90);
  expect(findings(ill.status, "unwell")).toEqual([
    `${name}-backup-1: its health check fails: the last backup failed: no entry with [secret]`,
  ]);
  const blind = await asking.json({ PULUMI_CONFIG_PASSPHRASE: "wrong" });
  expect(findings(blind.status, "unwell")).toEqual([
    `${name}-backup-1: its health check fails: [not shown: its secrets cannot be read]`,
  ]);
  await backup.stop({ t: 1 });
  expect((await asking.json()).status.backup).toMatchObject({ from: "log" });
}, 180_000);

test("a state that cannot be read, and a stack that is not there, are a sentence and an exit code of their own", async () => {
  const { exitCode, stderr } = await asking.text([], { PULUMI_BACKEND_URL: `file://${stack.folder}/nowhere` });
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(/^error: the state of [^\n]+$/) });
  const none = await asking.text(["--stack", "not-there"]);
  expect(none.exitCode).toBe(2);
  expect(none.stderr).toMatch(/^error: there is no stack not-there; there are [^\n]+$/);
}, 60_000);
