/** The root file system that the locally built images share: Debian bookworm, as `debian:bookworm-slim` is made. */
import { access, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import { Problem } from "../setup/problem.ts";
import { loggedTo } from "./log.ts";

import type { Recipe, Say } from "../setup/cache.ts";

export const base: Recipe = {
  name: "debian",
  version: "bookworm",
  inputs: ["tools/images/base.ts"],
  make: debootstrap,
};

/** What every image can do without; dpkg honours it in the images' own builds too. */
const slim = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/info/*",
  "/usr/share/locale/*",
  "/usr/share/lintian/*",
];

/** Leaves `rootfs.tar`. Needs root and Debian's packages; throws a Problem that says so. */
async function debootstrap(into: string, say: Say): Promise<void> {
  const tool = await findDebootstrap(say);
  const sources = await packageSources();
  const root = join(into, "rootfs");
  const run = loggedTo("image-base");
  await run(
    "The base image could not be made from Debian's packages: check the network and the host's apt sources, see the log, and run the same command again",
    // Its mounts of /proc and /sys end with it, however it ends.
    "unshare",
    ["--mount", "--", tool, "--variant=minbase", "--include=ca-certificates", base.version, root, sources[0].site],
    (line) => {
      if (/^I: (Retrieving|Unpacking|Configuring) /.test(line)) say(`Debian: ${line.slice(3).replace(/\.\.\.$/, "")}`);
    },
  );
  const list = sources.map(({ site, suite }) => `deb ${site} ${suite} main\n`).join("");
  await writeFile(join(root, "etc/apt/sources.list"), list);
  await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/slim"), slim.map((path) => `path-exclude ${path}\n`).join(""));
  // Without it a package's installation script starts its server in the build.
  await writeFile(join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const without = ["/var/cache/apt/*", "/var/lib/apt/lists/*", "/var/log/*", "/dev/*", ...slim].flatMap((path) => [
    `--exclude=.${path}`,
  ]);
  await run("The base image could not be packed: see the log", "tar", [
    "--numeric-owner",
    ...without,
    "-C",
    root,
    "-cf",
    join(into, "rootfs.tar"),
    ".",
  ]);
  await rm(root, { recursive: true });
}

async function findDebootstrap(say: Say): Promise<string> {
  if (process.getuid?.() !== 0)
    throw new Problem(
      "Images have to be made from Debian's packages, as no image registry can be reached, and that needs root: run the same command as root, or give the Docker engine a registry mirror",
    );
  const tool = "/usr/sbin/debootstrap";
  if (await exists(tool)) return tool;
  say("installing debootstrap");
  const run = loggedTo("image-debootstrap");
  const missing = "debootstrap is missing and apt-get could not install it: install debootstrap and run this again";
  const quiet = { DEBIAN_FRONTEND: "noninteractive" };
  await run(missing, "apt-get", ["update"], undefined, quiet);
  await run(missing, "apt-get", ["install", "-y", "--no-install-recommends", "debootstrap"], undefined, quiet);
  return tool;
}

interface Source {
  site: string;
  suite: string;
}

/** The mirror that the host's own apt uses for this release, with its security updates; else Debian's. */
async function packageSources(): Promise<[Source, ...Source[]]> {
  const format = "$(ORIGIN) $(SITE) $(RELEASE)";
  const asked = await execa("apt-get", ["indextargets", "--format", format], { reject: false });
  const found = new Map<string, Source>();
  for (const line of asked.failed ? [] : asked.stdout.split("\n")) {
    const [origin, site, suite] = line.split(" ");
    if (origin === "Debian" && site && suite?.startsWith(base.version)) found.set(suite, { site, suite });
  }
  const main = found.get(base.version) ?? { site: "http://deb.debian.org/debian", suite: base.version };
  found.delete(base.version);
  return [main, ...found.values()];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
