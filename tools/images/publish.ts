/**
 * Our own images in a registry, as a release makes them: for amd64 and arm64, on the public bases, each with its provenance
 * and a list of its contents (SBOM) beside it. Needs Docker's buildx, with a builder that emulates the other machine.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { z } from "zod";

import { contextOf, folderOf } from "./build.ts";
import { loggedTo } from "./log.ts";

import type { Say } from "../setup/cache.ts";
import type { LocalImage } from "./list.ts";

export const platforms = ["linux/amd64", "linux/arm64"] as const;

/** Where a release has an image: `ghcr.io/<owner>/<repository>/toolbox:0.1.0`. */
export function nameIn(registry: string, key: string, tag: string): string {
  return `${registry}/${key}:${tag}`;
}

/** Builds one image and pushes it. Returns its reference with the digest of the list of both machines' images. */
export async function publish(image: LocalImage, registry: string, tag: string, say: Say): Promise<string> {
  const { key, base, parts = [] } = image;
  if (base === undefined) throw new Error(`${key} has no public base`);
  const scratch = await mkdtemp(join(tmpdir(), `platform-topologies-publish-${key}-`));
  try {
    const context = await contextOf(folderOf(image), parts, scratch, say);
    const name = nameIn(registry, key, tag);
    const metadata = join(scratch, "metadata.json");
    const args = ["buildx", "build", "--platform", platforms.join(), "--pull", "--build-arg", `BASE=${base}`];
    args.push("--provenance", "mode=max", "--sbom", "true", ...labels(tag), "--metadata-file", metadata);
    const sentence = `${name} could not be published: see the log, whether buildx is there with a builder for ${platforms.join(" and ")}, and whether docker is logged in to the registry`;
    await loggedTo(`image-${key}-publish`)(sentence, "docker", [...args, "--tag", name, "--push", context], (line) => {
      const step = /^#\d+ \[[^\]]*\]/.exec(line)?.[0];
      if (step !== undefined) say(step);
    });
    const { "containerimage.digest": digest } = built.parse(JSON.parse(await readFile(metadata, "utf8")));
    return `${name}@${digest}`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const built = z.looseObject({ "containerimage.digest": z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** What links an image to its source, where a forge's runner builds it. */
function labels(tag: string): string[] {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_SHA: revision } = process.env;
  const said = {
    version: tag,
    licenses: "Apache-2.0",
    ...(server === undefined || repository === undefined ? {} : { source: `${server}/${repository}` }),
    ...(revision === undefined ? {} : { revision }),
  };
  return Object.entries(said).flatMap(([key, value]) => ["--label", `org.opencontainers.image.${key}=${value}`]);
}
