/** moto, somebody else's AWS in memory: its server on this machine's loopback, for as long as it is asked for. */
import { once } from "node:events";
import { devNull } from "node:os";
import { join } from "node:path";

import { execa } from "execa";

import { repo } from "../setup/paths.ts";
import { pipPackage, pythonEnv } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";

import type { Say } from "../setup/cache.ts";

const version = "5.2.5";

export interface Emulator {
  /** What leads the SDKs of AWS and Terraform's provider there, and away from the user's own account. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** `account`: whose everything is, and whose the credentials are. The server ends with this process, too. */
export async function moto(account: string, say: Say = () => undefined): Promise<Emulator> {
  const packages = await pipPackage("moto", version, say, "server");
  const child = execa("python3", ["-S", join(repo, "tools/emulate/server.py")], {
    env: { ...pythonEnv(packages), MOTO_ACCOUNT_ID: account, MOTO_ECS_SERVICE_RUNNING: "1" },
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
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: "emulated",
      AWS_SECRET_ACCESS_KEY: "emulated",
      AWS_SESSION_TOKEN: "",
      AWS_PROFILE: "",
      AWS_CONFIG_FILE: devNull,
      AWS_SHARED_CREDENTIALS_FILE: devNull,
      AWS_EC2_METADATA_DISABLED: "true",
    },
    close: async () => {
      child.stdin.end();
      await child;
    },
  };
}
