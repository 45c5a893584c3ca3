/** moto keeps all of it in memory, and starts nothing. */
import { once } from "node:events";
import { join } from "node:path";

import { awsAt } from "../setup/aws-at.ts";
import { repo } from "../setup/paths.ts";
import { pipPackage } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";
import { type Emulator, serve } from "./emulator.ts";

import type { Say } from "../setup/cache.ts";

const version = "5.2.5";

/** `account`: whose everything is, and whose the credentials are. */
export async function moto(account: string, say: Say = () => undefined): Promise<Emulator> {
  const packages = await pipPackage("moto", version, say, "server");
  const { child, said, close } = serve([join(repo, "tools/emulate/moto-server.py")], packages, {
    MOTO_ACCOUNT_ID: account,
    MOTO_ECS_SERVICE_RUNNING: "100", // every service has as many tasks as it should
  });
  const [first] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as [unknown];
  const port = Buffer.isBuffer(first) ? first.toString().trim() : "";
  if (port === "") throw new Problem(`moto ended at once: ${said()}`);
  return { env: awsAt(port, "emulated"), close };
}
