/**
 * The Pulumi CLI with its language host and plugins: installed ones come first, then the official download, then a
 * build from source. Every npm command uses the same CLI.
 */
import { createHash } from "node:crypto";
import { copyFile, link, mkdir, mkdtemp, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import process from "node:process";

import { execa } from "execa";

import { cached, isCached } from "./cache.ts";
import { isReachable, pulumiRelease } from "./download.ts";
import { goBinary, goRecipe } from "./go.ts";
import { cacheRoot, local, repo } from "./paths.ts";
import { codeOf } from "./problem.ts";
import { which } from "./which.ts";

import type { Say } from "./cache.ts";
import type { GoBinary } from "./go.ts";

export interface Toolchain {
  /** The CLI's absolute path. */
  pulumi: string;
  /**
   * Variables by which the CLI finds its plugins, language host and passphrase, besides the caller's own environment.
   */
  env: Record<string, string>;
  /** Where the CLI comes from, for a person. */
  how: string;
}

/**
 * The oldest CLI that will do, and the one that set-up builds: an earlier one prints a secret when `up --plan` meets another
 * value than the plan's (pulumi#24567).
 */
export const pulumiVersion = "3.274.1";

/** Published, so that `npm start` asks nothing. It guards development stacks on one's own machine and nothing else. */
export const devPassphrase = "platform-topologies-dev";

const cli: GoBinary = {
  name: "pulumi",
  module: "tools/go/pulumi",
  package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
  version: pulumiVersion,
  ldflags: `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${pulumiVersion}`,
};

/** Versions are those of @pulumi/docker and @pulumi/random in package.json. */
const plugins: readonly GoBinary[] = [plugin("random", "4.21.2"), plugin("docker", "5.2.0")];

function plugin(name: string, version: string): GoBinary {
  return {
    name: `pulumi-resource-${name}`,
    module: "tools/go/plugins",
    package: `./${name}`,
    version,
    ldflags: `-s -w -X main.version=${version}`,
    tags: "no_compose",
  };
}

/** Takes or makes the toolchain: in under a second if it is there, in minutes the first time from source. */
export async function toolchain(say: Say = () => undefined): Promise<Toolchain> {
  const there = await installed();
  if (there) return there;
  if (await isCached(pulumiRelease(pulumiVersion))) return downloaded(say);
  if (await isBuilt()) return fromSource(say);
  say("asking for the official Pulumi CLI");
  return (await isReachable(pulumiVersion)) ? downloaded(say) : fromSource(say);
}

/** Whether the toolchain can be had without minutes of work. */
export async function isReady(): Promise<boolean> {
  return (await installed()) !== undefined || (await isCached(pulumiRelease(pulumiVersion))) || (await isBuilt());
}

async function isBuilt(): Promise<boolean> {
  const parts = await Promise.all([cli, ...plugins].map((binary) => isCached(goRecipe(binary))));
  return parts.every(Boolean);
}

/** The environment that every CLI gets. PATH begins with the Node that runs this. */
function common(): Record<string, string> {
  const own = "PULUMI_CONFIG_PASSPHRASE" in process.env || "PULUMI_CONFIG_PASSPHRASE_FILE" in process.env;
  return {
    PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ""}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    DO_NOT_TRACK: "1",
    NODE_COMPILE_CACHE: join(repo, "node_modules/.cache/node"), // halves the time to load the program and its plugin
    ...(own ? {} : { PULUMI_CONFIG_PASSPHRASE: devPassphrase }),
  };
}

async function installed(): Promise<Toolchain | undefined> {
  const pulumi = await which("pulumi");
  if (pulumi === undefined) return undefined;
  // A CLI of a distribution, without language hosts, would only fail later.
  if ((await which("pulumi-language-nodejs", dirname(pulumi))) === undefined) return undefined;
  const version = await versionOf(pulumi);
  if (!isAtLeast(version, pulumiVersion)) return undefined;
  return { pulumi, env: common(), how: `${version}, installed in ${pulumi}` };
}

async function downloaded(say: Say): Promise<Toolchain> {
  const pulumi = join(await cached(pulumiRelease(pulumiVersion), say), "pulumi/pulumi");
  const env = { ...common(), PULUMI_HOME: join(cacheRoot(), "pulumi-home/official") };
  return { pulumi, env, how: `${pulumiVersion}, the official download` };
}

async function fromSource(say: Say): Promise<Toolchain> {
  const built = await goBinary(cli, say);
  const pulumi = await besideLanguageHost(built);
  const paths: string[] = [];
  for (const each of plugins) paths.push(await goBinary(each, say));
  // Each set of plugin builds has its own home, so that checkouts with different recipes do not fight over one.
  const home = join(cacheRoot(), "pulumi-home", createHash("sha256").update(paths.join()).digest("hex").slice(0, 12));
  const env = { ...common(), PULUMI_HOME: home };
  for (const [index, path] of paths.entries()) {
    const each = plugins[index];
    if (each === undefined) continue;
    const name = each.name.replace("pulumi-resource-", "");
    const place = join(home, "plugins", `resource-${name}-v${each.version}`, each.name);
    if ((await sizeOf(place)) === (await sizeOf(path))) continue;
    say(`installing the ${name} plugin`);
    await execa(pulumi, ["plugin", "install", "resource", name, each.version, "--file", path, "--reinstall"], { env });
  }
  return { pulumi, env, how: `${pulumiVersion}, built from source` };
}

/**
 * The engine looks for its language host beside its own executable, and warns if it finds one on PATH only. So each
 * checkout has a folder with a hard link to the CLI and a symbolic link to the language host.
 */
async function besideLanguageHost(built: string): Promise<string> {
  const place = join(local, "bin", basename(dirname(dirname(built))));
  const pulumi = join(place, "pulumi");
  if ((await sizeOf(pulumi)) === (await sizeOf(built))) return pulumi;
  await mkdir(dirname(place), { recursive: true });
  const draft = await mkdtemp(join(dirname(place), "draft-"));
  try {
    await link(built, join(draft, "pulumi")).catch(() => copyFile(built, join(draft, "pulumi")));
    await symlink(join(repo, "tools/language-host/pulumi-language-nodejs"), join(draft, "pulumi-language-nodejs"));
    await rename(draft, place).catch((error: unknown) => {
      // Another process has made it first.
      if (codeOf(error) !== "ENOTEMPTY") throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return pulumi;
}

/** The CLI's version, without its `v`. */
export async function versionOf(pulumi: string): Promise<string> {
  const env = { PULUMI_SKIP_UPDATE_CHECK: "true" };
  const result = await execa(pulumi, ["version"], { env, reject: false, timeout: 20_000 });
  return result.stdout.trim().replace(/^v/, "");
}

/** Whether version `a` is `b` or later; false for what is not a version. */
export function isAtLeast(a: string, b: string): boolean {
  const [x, y] = [a, b].map((version) => /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number));
  if (!x || !y) return false;
  for (const [index, part] of y.entries()) if (x[index] !== part) return (x[index] ?? 0) > part;
  return true;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => -1,
  );
}
