/** What `docker login` on this machine knows, for whoever asks an engine to pull. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";
import { z } from "zod";

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

/**
 * Those for the reference's registry, if it is one of `registries`; undefined for others, and where nobody has logged in.
 * @throws when there is no Docker config, or its credential helper fails.
 */
export async function credentials(ref: string, registries: readonly string[]): Promise<Credentials | undefined> {
  const address = registries.find((registry) => ref.startsWith(`${registry}/`));
  if (address === undefined) return undefined;
  const folder = process.env.DOCKER_CONFIG ?? join(homedir(), ".docker");
  const config = dockerConfig.parse(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")));
  const helper = config.credHelpers[address] ?? config.credsStore;
  if (helper !== undefined) {
    const { stdout } = await execa(`docker-credential-${helper}`, ["get"], { input: address });
    const { Username, Secret } = z.object({ Username: z.string(), Secret: z.string() }).parse(JSON.parse(stdout));
    return { username: Username, password: Secret, serveraddress: address };
  }
  const [username = "", ...rest] = Buffer.from(config.auths[address]?.auth ?? "", "base64")
    .toString()
    .split(":");
  return username === "" ? undefined : { username, password: rest.join(":"), serveraddress: address };
}
