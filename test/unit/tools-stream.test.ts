/** Commands whose output the user sees: without a terminal, and on one. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";

import { repo } from "../../tools/setup/paths.ts";
import { which } from "../../tools/setup/which.ts";

/** Says what it is given and each Ctrl-C it hears of, and ends after a minute: a Pulumi that has much to finish. */
const command = `
  process.on("SIGINT", () => console.log("asked to end"));
  if (process.stdin.isTTY) process.stdin.setRawMode(true).on("data", (keys) => {
    console.log("key " + keys[0]);
    process.exit(9);
  });
  setTimeout(() => {}, 60_000);
  console.log("terminal " + Boolean(process.stdin.isTTY && process.stdout.isTTY));`;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stream-"));
  await writeFile(join(folder, "command.cjs"), command);
  for (const live of [true, false])
    await writeFile(
      join(folder, `live-${String(live)}.ts`),
      `import { listen } from "${repo}/tools/setup/interrupt.ts";
       import { stream } from "${repo}/tools/setup/stream.ts";
       listen();
       process.exitCode = await stream(process.execPath, ["${folder}/command.cjs"], { cwd: ".", live: ${String(live)} });`,
    );
});
afterAll(() => rm(folder, { recursive: true }));

test("without a terminal the command has no keys; the first Ctrl-C asks it once, the second ends it", async () => {
  const child = execa(process.execPath, [join(folder, "live-true.ts")], { stdin: "pipe", all: true, reject: false });
  let said = "";
  child.all.on("data", (text: Buffer) => (said += text.toString()));
  while (!said.includes("terminal")) await once(child.all, "data");
  child.kill("SIGINT");
  while (!said.includes("asked to end")) await once(child.all, "data");
  await sleep(700);
  child.kill("SIGINT");
  expect((await child).exitCode).toBe(137);
  // The two speak on pipes of their own, whose order is not kept.
  expect(said.trim().split(/\n+/).sort()).toEqual([
    "asked to end",
    "ending it now",
    "finishing what has begun; Ctrl-C again ends it at once",
    "terminal false",
  ]);
}, 30_000);

const onTerminal = (await which("script")) !== undefined && process.platform === "linux" ? test : test.skip;

onTerminal.each([
  [true, ["terminal true", "key 3"], 9],
  [false, ["terminal false", "^C", "finishing what has begun; Ctrl-C again ends it at once", "asked to end"], 137],
])(
  "on a terminal, where the display is live (%s), the command hears %j",
  async (live, heard, code) => {
    // A shell that waits has a Ctrl-C of its own: dash then ends with 130.
    const line = `exec ${process.execPath} ${join(folder, `live-${String(live)}.ts`)}`;
    const child = execa("script", ["-qec", line, "/dev/null"], { all: true, reject: false });
    let said = "";
    child.all.on("data", (text: Buffer) => (said += text.toString()));
    while (!said.includes("terminal")) await once(child.all, "data");
    child.stdin.write("\u0003");
    if (!live) {
      while (!said.includes("asked to end")) await once(child.all, "data");
      await sleep(700); // one Ctrl-C may arrive several times: what comes within half a second is no second one
      child.stdin.write("\u0003");
    }
    expect((await child).exitCode).toBe(code);
    expect(
      said
        .trim()
        .split(/[\r\n]+/)
        .slice(0, heard.length),
    ).toEqual(heard);
  },
  30_000,
);
