/** Files of a swarm's job: secrets and configs of the swarm, named by their content, gone with the job. */
import { createHash } from "node:crypto";

import type Docker from "dockerode";
import { z } from "zod";

import { answered } from "./docker.ts";
import type { JobInputs } from "./job-inputs.ts";

/** The label with the job's name: by it we find what an ended provider left behind. */
const owner = "platform-topologies.job-file";

type File = NonNullable<JobInputs["files"]>[number];

const listed = z.array(z.object({ ID: z.string(), Spec: z.object({ Name: z.string() }) }));

export async function fileReferences(
  docker: Docker,
  asked: JobInputs,
): Promise<{ Secrets: Docker.SecretReference[]; Configs: Docker.ConfigReference[] }> {
  const references = { Secrets: new Array<Docker.SecretReference>(), Configs: new Array<Docker.ConfigReference>() };
  for (const file of asked.files ?? []) {
    const Name = nameOf(asked.name, file);
    const ID = await ensure(docker, Name, file, { ...asked.labels, [owner]: asked.name });
    const File = { Name: file.path, UID: "0", GID: "0", Mode: file.mode ?? 0o444 };
    if (file.secret) references.Secrets.push({ File, SecretID: ID, SecretName: Name });
    else references.Configs.push({ File, ConfigID: ID, ConfigName: Name });
  }
  return references;
}

/** A name of at most 64 characters. */
function nameOf(job: string, { content }: File): string {
  return `${job.slice(0, 50)}-${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;
}

async function ensure(
  docker: Docker,
  name: string,
  { content, secret }: File,
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  const wanted = { Name: name, Labels: labels, Data: Buffer.from(content).toString("base64") };
  try {
    const made: unknown = secret ? await docker.createSecret(wanted) : await docker.createConfig(wanted);
    return z.looseObject({ id: z.string() }).parse(made).id;
  } catch (error) {
    if (!answered(error, 409)) throw error;
    // It is another file's with the same content, or was left behind.
    const filters = { name: [name] };
    const found: unknown = secret ? await docker.listSecrets({ filters }) : await docker.listConfigs({ filters });
    const same = listed.parse(found).find(({ Spec }) => Spec.Name === name);
    if (!same) throw error;
    return same.ID;
  }
}

export async function removeFiles(docker: Docker, job: string): Promise<void> {
  const filters = { label: [`${owner}=${job}`] };
  const secrets: unknown = await docker.listSecrets({ filters });
  const configs: unknown = await docker.listConfigs({ filters });
  const all = [
    ...listed.parse(secrets).map(({ ID }) => docker.getSecret(ID)),
    ...listed.parse(configs).map(({ ID }) => docker.getConfig(ID)),
  ];
  for (const one of all) {
    await one.remove().catch((error: unknown) => {
      if (!answered(error, 404)) throw error;
    });
  }
}
