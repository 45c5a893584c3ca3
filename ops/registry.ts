/** The credentials that `docker login` on this machine has, for engines that pull. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

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
 * The credentials for the reference's registry, if that is one of `registries`; else, and without a login, undefined.
 * @throws when there is no Docker config, or its credential helper fails.
 */
export async function credentials(ref: string, registries: readonly string[]): Promise<Credentials | undefined> {
  const address = registries.find((registry) => bare(registry) === registryOf(ref));
  return address === undefined ? undefined : login(address);
}

/** Whether `docker login` on this machine has credentials for a registry. If not: the command to run, and why. */
export async function loggedOut(registry: string): Promise<string | undefined> {
  const remedy = `docker login ${registry}`;
  try {
    return (await login(registry)) === undefined ? `nobody has logged in there on this machine: ${remedy}` : undefined;
  } catch (error) {
    const { cmd, code } = error as { readonly cmd?: string; readonly code?: unknown };
    const helper = cmd?.split(" ")[0];
    if (helper !== undefined)
      return `nobody has logged in there on this machine, as far as ${helper} knows${code === "ENOENT" ? " (it is not installed)" : ""}: ${remedy}`;
    return code === "ENOENT"
      ? `nobody has logged in there on this machine: ${remedy}`
      : `${configFile()} cannot be read (is it JSON?): ${remedy}`;
  }
}

async function login(address: string): Promise<Credentials | undefined> {
  const config = dockerConfig.parse(JSON.parse(readFileSync(configFile(), "utf8")));
  const named = (dict: Readonly<Record<string, unknown>>): string | undefined =>
    Object.keys(dict).find((key) => bare(key) === bare(address));
  const helped = named(config.credHelpers);
  const helper = helped === undefined ? config.credsStore : config.credHelpers[helped];
  const key = named(config.auths) ?? helped ?? (bare(address) === hub ? hubKey : address);
  if (helper !== undefined) {
    const running = promisify(execFile)(`docker-credential-${helper}`, ["get"], { env: process.env });
    // If the helper does not read the pipe, its exit code says more than the pipe's error.
    running.child.stdin?.on("error", () => undefined).end(key);
    const { stdout } = await running;
    const { Username, Secret } = z.object({ Username: z.string(), Secret: z.string() }).parse(JSON.parse(stdout));
    return { username: Username, password: Secret, serveraddress: address };
  }
  const [username = "", ...rest] = Buffer.from(config.auths[key]?.auth ?? "", "base64")
    .toString()
    .split(":");
  return username === "" ? undefined : { username, password: rest.join(":"), serveraddress: address };
}

function configFile(): string {
  return join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
}

const hub = "docker.io";
/** The key under which `docker login` keeps Docker Hub. */
const hubKey = "https://index.docker.io/v1/";

/** A registry's name without the scheme and path that a login may keep with it. */
function bare(address: string): string {
  const name = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return ["index.docker.io", "registry-1.docker.io"].includes(name) ? hub : name;
}

/**
 * The registry of a reference, as the engine reads it: its first part, if that has a dot or a port, or is localhost.
 */
function registryOf(ref: string): string {
  const [first = "", ...rest] = ref.split("/");
  return rest.length > 0 && (/[.:]/.test(first) || first === "localhost") ? bare(first) : hub;
}
