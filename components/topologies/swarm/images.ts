import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";
import { z } from "zod";

import { explain, reach, said } from "../../../ops/docker.ts";

/** What set-up built on this machine: in no registry. */
export function isLocal(ref: string): boolean {
  return ref.startsWith("platform-topologies/");
}

/**
 * The reference with its digest, as a manager finds it in the registry. Without one the manager would add it when a
 * service is made, but not when it is changed, and every preview would show the difference.
 * @throws one sentence when the manager cannot find the image.
 */
export async function pinned(host: string, ref: string, registries: readonly string[]): Promise<string> {
  if (isLocal(ref) || ref.includes("@sha256:")) return ref;
  const engine = await reach(host);
  try {
    const auth = await credentials(ref, registries);
    const found = await engine.getImage(ref).distribution(auth === undefined ? undefined : { authconfig: auth });
    return `${ref}@${distribution.parse(found).Descriptor.digest}`;
  } catch (error) {
    throw new Error(said(explain(error, host)), { cause: error });
  }
}
const distribution = z.object({ Descriptor: z.object({ digest: z.string() }) });

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});

interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

/** What `docker login` on this machine knows of the reference's registry; asked only for those that the config names. */
async function credentials(ref: string, registries: readonly string[]): Promise<Credentials | undefined> {
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
