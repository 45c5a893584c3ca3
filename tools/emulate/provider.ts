/** The AWS provider's own code as a plugin: upstream's Go module, cut down and bridged by `tools/go/aws`. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { cached, type Say } from "../setup/cache.ts";
import { buildGo, fetchGoModule } from "../setup/go.ts";
import { repo } from "../setup/paths.ts";
import { copyUpstream } from "./upstream.ts";

/** That of @pulumi/aws in package.json. */
const version = "7.48.0";

const module = "tools/go/aws";
const upstream = {
  path: "github.com/hashicorp/terraform-provider-aws",
  version: "v1.60.1-0.20260602190131-5f2286d6d836",
  sum: "h1:haLmsj0WF7e6d2TGbk0fbz5qWdA9f8w9sNpMe6J6WqM=",
};

/** The folder of `pulumi-resource-aws`, for PATH: from the cache, or built, which takes ten minutes. */
export function awsProvider(say: Say = () => undefined): Promise<string> {
  const name = "pulumi-resource-aws";
  const inputs = [module, "tools/emulate/upstream.ts"];
  const make = async (into: string): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), "aws-provider-"));
    try {
      await cp(join(repo, module), folder, { recursive: true });
      await copyUpstream(await fetchGoModule(upstream, folder, say), join(folder, "upstream"));
      const ldflags = `-s -w -X main.version=${version}`;
      await buildGo({ name, module: folder, package: ".", version, ldflags }, into, say);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return cached({ name, version, inputs, options: [upstream.version], make }, say);
}
