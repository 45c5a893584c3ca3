import type { Output } from "@pulumi/pulumi";

import type { FarewellArgs } from "../../../ops/resources.ts";
import type { Job } from "../../core/contracts.ts";
import { imageOf } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import { defaultMode, entry, environment } from "./container.ts";
import { type Engine, labels } from "./engine.ts";

/** A job as `ops` runs it in a container, but for when it runs. `redact`: what its log must not show. */
export function jobArgs(
  site: Site,
  engine: Engine,
  name: string,
  job: Omit<Job, "once">,
  redact: readonly Output<string>[],
): FarewellArgs["job"] {
  const image = imageOf(site, job.image);
  const { entrypoints, command } = entry(job);
  const user = job.user ?? (image.rehearsing ? "65534:65534" : undefined);
  return {
    name: `${site.name}-${name}`,
    image: engine.image(image),
    ...(entrypoints ? { entrypoint: entrypoints } : {}),
    command: command ?? [],
    env: environment(job, image).apply((pairs) => Object.fromEntries(pairs.map((pair) => split(pair)))),
    files: (job.files ?? []).map(({ path, content, secret = false, mode = defaultMode }) => ({
      path,
      content,
      secret,
      mode,
    })),
    networks: engine.networksOf(job, job.tier === "data").map((network) => engine.network(network)),
    mounts: (job.mounts ?? []).map((mount) => ({
      source: "folder" in mount ? mount.folder : mount.volume,
      path: mount.path,
    })),
    ...(user === undefined ? {} : { user }),
    memoryMiB: job.memoryMiB,
    cpu: job.cpu,
    seconds: job.seconds,
    labels: Object.fromEntries(labels(site, name).map(({ label, value }) => [label, value])),
    redact: [...redact],
  };
}

function split(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
}
