import { createHash } from "node:crypto";

import { type CustomResourceOptions, type Input, mergeOptions, type Output, output, secret } from "@pulumi/pulumi";
import * as docker from "@pulumi/docker";

import type { Container, File } from "../../core/contracts.ts";
import type { Site } from "../../core/topology.ts";
import { defaultMode, labels } from "../containers.ts";

/** A service's files, as its spec refers to them. */
export interface Files {
  /** The ids of all secrets and configs. */
  readonly ids: Output<string>[];
  readonly secrets: docker.types.input.ServiceTaskSpecContainerSpecSecret[];
  readonly configs: docker.types.input.ServiceTaskSpecContainerSpecConfig[];
}

/**
 * Each file is a secret or a config of the swarm. A swarm cannot change these: new content makes a new one, under a new
 * name at the same path. The provider ends the name with random digits. A hash of the content would do, but if a roll
 * fails and the operator goes back to the old config, the old name would still be taken. The old secret or config is
 * deleted at the end of an `up`, when the gate of the service that used it has passed.
 */
export function files(
  site: Site,
  name: string,
  container: Container,
  logicalName: string,
  owner: Input<string>,
  options: CustomResourceOptions,
): Files {
  const made: Files = { ids: [], secrets: [], configs: [] };
  for (const file of container.files ?? []) {
    const { path, content, mode: fileMode = defaultMode } = file;
    // 64 characters are the engine's limit, and 8 are the provider's ending.
    const logical = shortened(`${logicalName}-${slug(file)}`, 56);
    const opts = mergeOptions(options, { deleteBeforeReplace: false });
    if (file.secret === true) {
      const args = { data: secret(base64(content)), labels: labels(site, name, owner) };
      const { id, name: secretName } = new docker.Secret(logical, args, opts);
      made.ids.push(id);
      made.secrets.push({ secretId: id, secretName, fileName: path, fileMode });
    } else {
      const { id, name: configName } = new docker.ServiceConfig(
        logical,
        { data: base64(content), labels: labels(site, name, owner) },
        opts,
      );
      made.ids.push(id);
      made.configs.push({ configId: id, configName, fileName: path, fileMode });
    }
  }
  return made;
}

function slug({ path }: File): string {
  return path.slice(1).replaceAll(/[^a-zA-Z0-9]+/g, "-");
}

/** A name that is too long is cut, and ends in a hash of all of it. */
export function shortened(name: string, length: number): string {
  if (name.length <= length) return name;
  return `${name.slice(0, length - 7)}-${createHash("sha256").update(name).digest("hex").slice(0, 6)}`;
}

function base64(content: Input<string>) {
  return output(content).apply((text) => Buffer.from(text).toString("base64"));
}
