/** Our provider, for every program of this user's: the engine finds an installed plugin by its name alone. */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Returns the CLI's exit code. `root`: the package's folder. Throws a sentence if there is no CLI. */
export async function installPlugin(root: string): Promise<number> {
  const { name, version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<string, string>;
  const args = ["plugin", "install", "resource", name ?? "", version ?? "", "--reinstall"];
  const child = spawn("pulumi", [...args, "--file", join(root, "dist/provider")], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", ({ message }) => {
      const remedy = "install the Pulumi CLI (https://www.pulumi.com/docs/iac/download-install), and put it on PATH";
      reject(new Error(`pulumi cannot be started (${message}): ${remedy}`));
    });
    child.on("close", (code) => {
      resolve(code ?? 1);
    });
  });
}
