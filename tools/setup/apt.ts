/** Debian's packages, installed where this user is root. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { cacheRoot } from "./paths.ts";
import { Problem } from "./problem.ts";
import { which } from "./which.ts";

import type { Say } from "./cache.ts";

/** Throws a Problem where there is no apt-get, or it fails. `what` is for the person who reads it. */
export async function aptInstall(packages: readonly string[], what: string, say: Say): Promise<void> {
  if (!(await which("apt-get")))
    throw new Problem(`there is no ${what}, and no apt-get to install it: install ${packages.join(", ")} first`);
  const log = join(cacheRoot(), "logs", "apt.log");
  await mkdir(join(cacheRoot(), "logs"), { recursive: true });
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", ...packages]]) {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const child = execa("apt-get", args, { env, stdin: "ignore", all: true, reject: false });
    let text = "";
    for await (const line of child.iterable({ from: "all" })) {
      text += `${line}\n`;
      say(`apt-get ${args[0] ?? ""}: ${line}`);
    }
    const { exitCode } = await child;
    await writeFile(log, text);
    if (exitCode !== 0)
      throw new Problem(
        `${what} could not be installed: check the network and /etc/apt, then run the same command again`,
        log,
      );
  }
}
