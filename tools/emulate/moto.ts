/** moto keeps all of it in memory, and starts nothing. */
import { once } from "node:events";
import { join } from "node:path";

import { execa } from "execa";

import { awsAt } from "../setup/aws-at.ts";
import { repo } from "../setup/paths.ts";
import { pipPackage, pythonEnv } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";

import type { Say } from "../setup/cache.ts";
import type { Emulator } from "./emulator.ts";

const version = "5.2.5";

/** `account`: whose everything is, and whose the credentials are. */
export async function moto(account: string, say: Say = () => undefined): Promise<Emulator> {
  const packages = await pipPackage("moto", version, say, "server");
  const child = execa("python3", ["-S", join(repo, "tools/emulate/moto-server.py")], {
    // Every service has as many tasks as it should.
    env: { ...pythonEnv(packages), MOTO_ACCOUNT_ID: account, MOTO_ECS_SERVICE_RUNNING: "100" },
    stdin: "pipe", // its end is the server's: so does ours, however it comes
    buffer: false,
    reject: false,
  });
  let said = ""; // a line for each request
  child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const [first] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as [unknown];
  const port = Buffer.isBuffer(first) ? first.toString().trim() : "";
  if (port === "") throw new Problem(`moto ended at once: ${said.trim()}`);
  return {
    env: awsAt(port, "emulated"),
    close: async () => {
      child.stdin.end();
      await child;
    },
  };
}
