/** What goes into an image besides its folder: each a part of the cache, copied to `parts/<name>/` of the build's context. */
import { copyFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { build } from "esbuild";

import { goRecipe } from "../setup/go.ts";
import { repo } from "../setup/paths.ts";
import { loggedTo } from "./log.ts";

import type { Recipe } from "../setup/cache.ts";

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
  version: "2.10.27",
});

/** Telegraf with the plugins that the recipes configure: the whole of it takes twenty times as long. */
export const telegraf: Recipe = goRecipe({
  name: "telegraf",
  module: "tools/go/telegraf",
  package: "github.com/influxdata/telegraf/cmd/telegraf",
  version: "1.37.2",
  ldflags: "-s -w -X github.com/influxdata/telegraf/internal.Version=1.37.2",
  tags: [
    "custom",
    ...["docker", "cpu", "mem", "swap", "disk", "diskio", "net", "system", "processes", "internal"].map(
      (name) => `inputs.${name}`,
    ),
    ...["influxdb", "health", "file"].map((name) => `outputs.${name}`),
  ].join(),
});

/** The Node that runs this: the npm package's, linked against nothing but the C and C++ libraries. */
export const node: Recipe = {
  name: "node",
  version: process.versions.node,
  inputs: [],
  make: (into) => copyFile(process.execPath, join(into, "node")),
};

export const rehearsal: Recipe = {
  name: "rehearsal",
  version: "1",
  inputs: ["rehearsal", "package-lock.json"],
  async make(into) {
    await build({
      entryPoints: [join(repo, "rehearsal/main.ts")],
      outdir: into,
      bundle: true,
      // In pieces, so that a health probe, which runs every few seconds, does not parse the clients of every store.
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node24",
      minify: true,
      legalComments: "none",
      logLevel: "silent",
      // Packages in CommonJS ask for Node's own modules through require.
      banner: {
        js: 'import{createRequire as rehearsalRequire}from"node:module";const require=rehearsalRequire(import.meta.url);',
      },
    });
  },
};

/** Solr with everything that it needs, from Maven Central: leaves `lib/`. */
export const solr: Recipe = {
  name: "solr",
  version: "9.7.0",
  inputs: ["tools/images/solr/pom.xml", "tools/images/solr/SolrServer.java"],
  async make(into, say) {
    let fetched = 0;
    await loggedTo("solr")(
      "Solr could not be made from Maven Central's libraries: see that mvn and javac of Java 17 are there (apt-get install maven openjdk-17-jdk-headless), check the network, and run the same command again",
      "mvn",
      ["-B", "-f", join(repo, "tools/images/solr/pom.xml"), "package", `-Dout=${into}`],
      (line) => {
        if (/Downloaded from .*\.jar /.test(line)) say(`${String(++fetched)} libraries fetched`);
      },
    );
    // The compiler's leftovers.
    for (const name of await readdir(into)) if (name !== "lib") await rm(join(into, name), { recursive: true });
  },
};
