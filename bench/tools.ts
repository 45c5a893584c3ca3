/** The peers: Docker Compose and Terraform's docker provider built from their Go modules, Terraform itself as installed. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

import { goBinary } from "../tools/setup/go.ts";
import { Problem } from "../tools/setup/problem.ts";
import { which } from "../tools/setup/which.ts";
import { providerVersion } from "./terraform.ts";

import type { Say } from "../tools/setup/cache.ts";

export interface Peers {
  readonly compose: string;
  readonly terraform: string;
  /** Environment that lets `terraform init` find the provider in a folder. */
  readonly terraformEnv: Readonly<Record<string, string>>;
}

/** `folder`: where the provider's mirror goes. Throws a Problem when Terraform is not installed. */
export async function peers(folder: string, say: Say): Promise<Peers> {
  const terraform = await which("terraform");
  if (terraform === undefined)
    throw new Problem(
      "the bench compares with Terraform: install it (https://developer.hashicorp.com/terraform/install)",
    );
  const compose = await goBinary(
    {
      name: "docker-compose",
      module: "bench/go/compose",
      package: "github.com/docker/compose/v2/cmd",
      version: "2.40.3",
      ldflags: "-s -w -X github.com/docker/compose/v2/internal.Version=v2.40.3",
    },
    say,
  );
  const provider = await goBinary(
    {
      name: "terraform-provider-docker",
      module: "bench/go/terraform-provider-docker",
      package: "github.com/terraform-providers/terraform-provider-docker",
      version: providerVersion,
    },
    say,
  );
  const mirror = join(folder, "mirror");
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  const place = join(mirror, "registry.terraform.io/kreuzwerker/docker", providerVersion, `linux_${arch}`);
  await mkdir(place, { recursive: true });
  await copyFile(provider, join(place, `terraform-provider-docker_v${providerVersion}`));
  const config = join(folder, "terraform.rc");
  await writeFile(config, `provider_installation {\n  filesystem_mirror { path = "${mirror}" }\n}\n`);
  return {
    compose,
    terraform,
    terraformEnv: { TF_CLI_CONFIG_FILE: config, CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1" },
  };
}
