/** Builds executables from Go modules, whose sums are committed. */
import { createWriteStream } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { cached } from "./cache.ts";
import { cacheRoot, repo } from "./paths.ts";
import { Problem } from "./problem.ts";

import type { Recipe, Say } from "./cache.ts";

export interface GoBinary {
  /** The executable's name. */
  name: string;
  /** The folder, in the checkout, of the module whose go.mod and go.sum pin everything: `tools/go/<name>`. */
  module: string;
  /** What to build: an import path, or `./folder` in the module. */
  package: string;
  version: string;
  ldflags?: string;
  tags?: string;
}

/** The path of the executable, from the cache or built now. Throws a Problem where Go is missing or the build fails. */
export async function goBinary(binary: GoBinary, say: Say = () => undefined): Promise<string> {
  return join(await cached(goRecipe(binary), say), binary.name);
}

export function goRecipe(binary: GoBinary): Recipe {
  return {
    name: binary.name,
    version: binary.version,
    inputs: [binary.module],
    options: [binary.package, ...flagsOf(binary)],
    make: (into, say) => buildGo({ ...binary, module: join(repo, binary.module) }, into, say),
  };
}

function flagsOf({ ldflags = "-s -w", tags }: GoBinary): string[] {
  return ["-ldflags", ldflags, ...(tags === undefined ? [] : ["-tags", tags])];
}

/** Puts the executable into the folder `into`. `module` is the whole path of its folder here. */
export async function buildGo(binary: GoBinary, into: string, say: Say): Promise<void> {
  const folder = binary.module;
  const go = await findGo(folder, binary.name);
  const env = await environment(go, folder);
  const logs = join(cacheRoot(), "logs");
  await mkdir(logs, { recursive: true });
  const log = join(logs, `${binary.name}.log`);
  say(`building ${binary.name} ${binary.version} from source, minutes the first time`);
  const command = ["build", "-v", "-trimpath", ...flagsOf(binary), "-o", join(into, binary.name), binary.package];
  const child = execa(go, command, { cwd: folder, env, stdin: "ignore", buffer: false, all: true, reject: false });
  child.all.pipe(createWriteStream(log));
  let downloaded = 0;
  let compiled = 0;
  let last = "";
  for await (const line of child.iterable({ from: "all" })) {
    if (line.trim() === "") continue;
    last = line;
    if (line.startsWith("go: downloading")) downloaded++;
    else if (!line.startsWith("#")) compiled++;
    say(`${binary.name}: ${String(downloaded)} modules fetched, ${String(compiled)} packages compiled`);
  }
  const { exitCode } = await child;
  if (exitCode === 0) return;
  throw new Problem(`${binary.name} could not be built${whyNot(last)}`, log);
}

async function environment(go: string, folder: string): Promise<Record<string, string>> {
  const configured = (await execa(go, ["env", "GOPROXY"], { cwd: folder })).stdout;
  return {
    // The first proxy alone: if nothing but the proxy is reachable, Go's direct fetch of repositories would hang.
    GOPROXY: configured.split(/[,|]/)[0] ?? "",
    GOFLAGS: "-mod=readonly",
    GOTOOLCHAIN: "local",
    GOWORK: "off",
    CGO_ENABLED: "0",
  };
}

/** A module's source, as `go.sum` has it in `sum`: the folder in Go's own cache, which nobody writes to. */
export async function fetchGoModule(
  { path, version, sum }: { readonly path: string; readonly version: string; readonly sum: string },
  into: string,
  say: Say,
): Promise<string> {
  const go = await findGo(into, path);
  say(`fetching ${path} ${version}`);
  const command = ["mod", "download", "-json", `${path}@${version}`];
  // Go compares what it fetches for the module in `into` with that module's go.sum, and this is not in it.
  const env = { ...(await environment(go, into)), GOFLAGS: "-mod=mod" };
  const { stdout, exitCode } = await execa(go, command, { cwd: into, env, stdin: "ignore", reject: false });
  const answer = JSON.parse(stdout === "" ? "{}" : stdout) as { Dir?: string; Sum?: string; Error?: string };
  if (exitCode !== 0 || answer.Dir === undefined)
    throw new Problem(`${path} could not be fetched${whyNot(answer.Error ?? "Go says nothing")}`);
  if (answer.Sum !== sum)
    throw new Problem(`${path} ${version} has the sum ${answer.Sum ?? "none"}, not ${sum}: it is not what it was`);
  return answer.Dir;
}

/** The compiler's last line as a reason with its remedy. */
function whyNot(last: string): string {
  if (last.includes("no space left on device"))
    return ", as the disk is full: make room and run the same command again";
  if (/dial tcp|no such host|connection refused|i\/o timeout|TLS handshake/.test(last))
    return ", as the Go module proxy did not answer: check the network, or set GOPROXY to one that does";
  return ` (${last}): see the log`;
}

/** A Go that is new enough for the module, or one sentence that says what to install. */
export async function findGo(folder: string, name: string): Promise<string> {
  const needed = /^go (\d+)\.(\d+)/m.exec(await readFile(join(folder, "go.mod"), "utf8"));
  const [major, minor] = [Number(needed?.[1] ?? 1), Number(needed?.[2] ?? 0)];
  let old = "";
  for (const go of ["go", "/usr/local/go/bin/go"]) {
    const found = await execa(go, ["env", "GOVERSION"], { reject: false, env: { GOTOOLCHAIN: "local" }, cwd: folder });
    const version = /^go(\d+)\.(\d+)/.exec(found.stdout);
    if (found.failed || version === null) continue;
    if (Number(version[1]) > major || (Number(version[1]) === major && Number(version[2]) >= minor)) return go;
    old = found.stdout;
  }
  const remedy = `install Go ${String(major)}.${String(minor)} or later (https://go.dev/dl/) and run the same command again`;
  throw new Problem(
    `${name} has to be built from source, and ${old === "" ? "Go is missing" : `${old} is too old`}: ${remedy}`,
  );
}
