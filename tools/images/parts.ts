/**
 * The parts of images besides their folders. The cache keeps each; a build finds it in its context as `parts/<name>/`.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";

import { build } from "esbuild";

import { goRecipe } from "../setup/go.ts";
import { repo } from "../setup/paths.ts";
import { Problem } from "../setup/problem.ts";
import { loggedTo } from "./log.ts";

import type { Recipe, Say } from "../setup/cache.ts";

export const traefik: Recipe = goRecipe({
  name: "traefik",
  module: "tools/go/traefik",
  package: "github.com/traefik/traefik/v3/cmd/traefik",
  version: "3.6.7",
  ldflags: "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=3.6.7",
});

const minioCmd = "github.com/minio/minio/cmd";
/** The last commit of the archived repository; its official images had stopped before. */
export const minio: Recipe = goRecipe({
  name: "minio",
  module: "tools/go/minio",
  package: "github.com/minio/minio",
  version: "2026-02-12T20:18:48Z",
  ldflags: `-s -w -X ${minioCmd}.Version=2026-02-12T20:18:48Z -X ${minioCmd}.ReleaseTag=RELEASE.2026-02-12T20-18-48Z`,
});

const mcCmd = "github.com/minio/mc/cmd";
export const mc: Recipe = goRecipe({
  name: "mc",
  module: "tools/go/mc",
  package: "github.com/minio/mc",
  version: "2025-03-13T08-02-18Z",
  ldflags: `-s -w -X ${mcCmd}.Version=2025-03-13T08:02:18Z -X ${mcCmd}.ReleaseTag=RELEASE.2025-03-13T08-02-18Z`,
});

export const nats: Recipe = goRecipe({
  name: "nats-server",
  module: "tools/go/nats",
  package: "github.com/nats-io/nats-server/v2",
  version: "2.15.3",
});

/** Debian 12 has 3.4, which is mended no more. */
const etcdVersion = "3.6.16";
export const etcd: Recipe = goRecipe({
  name: "etcd",
  module: "tools/go/etcd",
  package: "./etcd",
  version: etcdVersion,
});
export const etcdctl: Recipe = goRecipe({
  name: "etcdctl",
  module: "tools/go/etcd",
  package: "./etcdctl",
  version: etcdVersion,
});

/** Telegraf with the plugins that the recipes configure: a whole one takes twenty times as long to build. */
export const telegraf: Recipe = goRecipe({
  name: "telegraf",
  module: "tools/go/telegraf",
  package: "github.com/influxdata/telegraf/cmd/telegraf",
  version: "1.37.2",
  ldflags: "-s -w -X github.com/influxdata/telegraf/internal.Version=1.37.2",
  tags: [
    "custom",
    ...["docker", "http", "cpu", "mem", "swap", "disk", "diskio", "net", "system", "processes", "internal"].map(
      (name) => `inputs.${name}`,
    ),
    "parsers.json",
    ...["influxdb", "health", "file"].map((name) => `outputs.${name}`),
  ].join(),
});

/** The Node that runs this. It is the npm package's, linked against the C and C++ libraries alone. */
export const node: Recipe = {
  name: "node",
  version: process.versions.node,
  inputs: [],
  make: (into) => copyFile(process.execPath, join(into, "node")),
};

export const rehearsal = bundle("rehearsal", "rehearsal/main.ts", ["rehearsal", "package-lock.json"]);
/** The proxy before the Docker API. */
export const dockerProxy = bundle("docker-proxy", "docker-proxy/main.ts", ["docker-proxy", "package-lock.json"]);
/** The stand-in for arangod. */
export const arangodb = bundle("arangodb", "rehearsal/arangodb/main.ts", ["rehearsal/arangodb"]);
/** The stand-ins for arangodump and arangorestore. */
export const arangodbTools = copy("arangodb-tools", "tools/images/arangodb/bin/arangodump");
/** The toolbox's schedule, for a toolbox on another base. */
export const backup = copy("backup", "tools/images/toolbox/backup.sh");

function copy(name: string, file: string): Recipe {
  return { name, version: "1", inputs: [file], make: (into) => copyFile(join(repo, file), join(into, basename(file))) };
}

/** A program of ours as JavaScript in pieces, from `entry`; `inputs` decide when it is bundled anew. */
function bundle(name: string, entry: string, inputs: readonly string[]): Recipe {
  const make = async (into: string): Promise<void> => {
    await build({
      entryPoints: [join(repo, entry)],
      outdir: into,
      bundle: true,
      // In pieces: a health probe, which runs every few seconds, then does not parse the clients of every store.
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node24",
      minify: true,
      // oidc-provider keeps its tokens by the names of classes, and messages show those of errors.
      keepNames: true,
      legalComments: "none",
      logLevel: "silent",
      // Packages in CommonJS load Node's own modules through require.
      banner: {
        js: 'import{createRequire as bundledRequire}from"node:module";const require=bundledRequire(import.meta.url);',
      },
    });
  };
  return { name, version: "2", inputs, make };
}

/** Solr with everything that it needs. */
export const solr: Recipe = maven("solr", "9.10.1", ["SolrServer.java"]);

export const cassandra: Recipe = maven("cassandra", "5.0.5");

/** OpenSearch, dressed as Elasticsearch. */
export const elasticsearch: Recipe = maven("elasticsearch", "2.15.0", [
  "StandIn.java",
  "Gate.java",
  "JsonNames.java",
  "resources",
]);

/** Cassandra's shell, as PyPI has it: leaves one wheel. The host fetches it: images know only public authorities. */
export const cqlsh: Recipe = {
  name: "cqlsh",
  version: "6.1.3",
  inputs: ["tools/images/cassandra/cqlsh.txt"],
  make: (into) =>
    loggedTo("cqlsh")(
      "cqlsh could not be had from PyPI: see that pip is there (apt-get install python3-pip), check the network, and run the same command again",
      "python3",
      [
        ...["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", into],
        ...["--requirement", join(repo, "tools/images/cassandra/cqlsh.txt")],
      ],
    ),
};

/** Debian 12's is 3.0, which lost acknowledged rows in a trial. */
export const patroni: Recipe = patroniOf("4.1.5", "tools/images/postgres-ha/patroni.txt");

/** Patroni as PyPI has it, unpacked, with its command: what it needs besides is Debian's own. */
export function patroniOf(version: string, requirements: string): Recipe {
  const command = "tools/images/postgres-ha/patronictl";
  return {
    name: "patroni",
    version,
    inputs: [requirements, command],
    async make(into) {
      await loggedTo("patroni")(
        "patroni could not be had from PyPI: see that pip is there (apt-get install python3-pip), check the network, and run the same command again",
        "python3",
        [
          ...["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--no-compile", "--require-hashes"],
          ...["--target", into, "--requirement", join(repo, requirements)],
        ],
      );
      // What pip leaves there names the Python of this machine.
      await rm(join(into, "bin"), { recursive: true });
      await mkdir(join(into, "bin"));
      await copyFile(join(repo, command), join(into, "bin/patronictl"));
      await chmod(join(into, "bin/patronictl"), 0o755);
    },
  };
}

export const garage: Recipe = garageOf("2.5.0", "e1752af176a3cd84e9afd6edf30df594db92b7730cc67bddcd74769841b3f3f5");

/**
 * Garage from crates.io, with LMDB alone. Cargo compares every crate with the crate's own lock file; the crate itself is
 * compared with `sum` here.
 */
export function garageOf(version: string, sum: string): Recipe {
  return {
    name: "garage",
    version,
    inputs: [],
    options: [sum],
    async make(into, say) {
      let compiled = 0;
      const scratch = join(into, "scratch");
      await loggedTo("garage")(
        "garage could not be built from crates.io: see that cargo and a C compiler are there (https://rustup.rs, apt-get install gcc), check the network, and run the same command again",
        "cargo",
        [
          ...["install", "garage", "--version", `=${version}`, "--locked", "--no-default-features"],
          ...["--features", "bundled-libs,lmdb", "--config", "profile.release.strip=true", "--no-track"],
          ...["--root", scratch, "--target-dir", join(scratch, "target")],
        ],
        (line) => {
          if (line.trim().startsWith("Compiling")) say(`garage: ${String(++compiled)} crates compiled`);
        },
      );
      const sums = await crateSums(`garage-${version}.crate`);
      if (!sums.includes(sum))
        throw new Problem(`garage ${version} has the sum ${sums.join() || "none"}, not ${sum}: it is not what it was`);
      await rename(join(scratch, "bin/garage"), join(into, "garage"));
      await rm(scratch, { recursive: true });
    },
  };
}

/** Of the crate's file, in each registry that Cargo keeps it for. */
async function crateSums(file: string): Promise<string[]> {
  const kept = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry/cache");
  const found = (await readdir(kept)).map((registry) => join(kept, registry, file)).filter(existsSync);
  return Promise.all(
    found.map(async (path) =>
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    ),
  );
}

/** Libraries from Maven Central, and what is compiled against them: leaves `lib/`. */
function maven(name: string, version: string, sources: readonly string[] = []): Recipe {
  return {
    name,
    version,
    inputs: ["pom.xml", ...sources].map((file) => `tools/images/${name}/${file}`),
    make: (into, say) => packageMaven(name, join(repo, `tools/images/${name}/pom.xml`), into, say),
  };
}

/** The same, of a pom anywhere. */
export async function packageMaven(name: string, pom: string, into: string, say: Say): Promise<void> {
  let fetched = 0;
  await loggedTo(name)(
    `${name} could not be made from Maven Central's libraries: see that mvn and javac of Java 17 are there (apt-get install maven openjdk-17-jdk-headless), check the network, and run the same command again`,
    "mvn",
    ["-B", "-f", pom, "package", `-Dout=${into}`],
    (line) => {
      if (/Downloaded from .*\.jar /.test(line)) say(`${String(++fetched)} libraries fetched`);
    },
  );
  // Removes what the compiler leaves.
  for (const left of await readdir(into)) if (left !== "lib") await rm(join(into, left), { recursive: true });
}
