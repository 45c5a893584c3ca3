import type { Input, Output } from "@pulumi/pulumi";

import type { FinalizerArgs } from "../../ops/resources.ts";
import type { Container, Job, Slot } from "../core/contracts.ts";
import { type Image, imageOf } from "../core/images.ts";
import type { Site } from "../core/topology.ts";
import { defaultMode, entry, environment, keyAndValue, labels, userOf } from "./containers.ts";

/** What a job needs to know of where it runs. */
export interface JobPlace {
  /** The image as an engine there knows it. */
  image(image: Image): Input<string>;
  /** On an engine, which knows images by their ids: the registries with credentials, to pull an image again. */
  readonly registries?: readonly string[];
  network(name: string): { readonly id: Input<string> };
  networksOf(container: Container, isSlot: boolean): string[];
  /** The owner that is written on everything. */
  readonly owner: Input<string>;
}

/** A job as `ops` runs it, without its trigger. `redact`: what its log must not show. */
export function jobArgs(
  site: Site,
  place: JobPlace,
  name: string,
  job: Omit<Job, "trigger">,
  redact: readonly Output<string>[],
): FinalizerArgs["job"] {
  const image = imageOf(site, job.image);
  const { entrypoints, command } = entry(job);
  const user = userOf(job, image);
  return {
    name: `${site.name}-${name}`,
    image: place.image(image),
    ...(place.registries === undefined ? {} : { ref: image.ref, registries: [...place.registries] }),
    ...(entrypoints ? { entrypoint: entrypoints } : {}),
    command: command ?? [],
    env: environment(job, image).apply((pairs) => Object.fromEntries(pairs.map(keyAndValue))),
    files: (job.files ?? []).map(({ path, content, secret = false, mode = defaultMode }) => ({
      path,
      content,
      secret,
      mode,
    })),
    networks: place.networksOf(job, job.tier === "data").map((network) => place.network(network).id),
    mounts: (job.mounts ?? []).map((mount) => ({
      source: "folder" in mount ? mount.folder : mount.volume,
      path: mount.path,
    })),
    ...(user === undefined ? {} : { user }),
    memoryMib: job.memoryMib,
    ...(job.shmMib === undefined ? {} : { shmMib: job.shmMib }),
    cpu: job.cpu,
    seconds: job.seconds,
    labels: Object.fromEntries(labels(site, name, place.owner).map(({ label, value }) => [label, value])),
    redact: [...redact],
  };
}

/** With `onlyOnTrigger` another image or command is no reason to run the job again. */
export function jobIgnores({ onlyOnTrigger }: Job): { ignoreChanges?: string[] } {
  return onlyOnTrigger === true ? { ignoreChanges: ["image", "entrypoint", "command"] } : {};
}

/**
 * The marker is left once for a disk, whatever changes later: else a disk that lost its data would pass for a new one.
 */
export const markerIgnores = { ignoreChanges: ["command", "entrypoint", "env", "image", "user"] };

/**
 * Leaves a slot's marker on its new disk, with the disk's id. A marker with another id means another state's disk. The
 * job runs the slot's own image as the slot's own user: at the first use the engine fills a new volume from the image,
 * with the owner of its folder.
 */
export function markerJob({ image, user, disk }: Slot, marker: string, id: Input<string>): Omit<Job, "trigger"> {
  return {
    image,
    tier: "data",
    cpu: 1,
    memoryMib: 64,
    ...(user === undefined ? {} : { user }),
    env: { DISK: id },
    command: ["/bin/sh", "-euc", markerScript, "mark", `${disk.path}/${marker}`],
    seconds: 60,
  };
}

const markerScript = `if [ -e "$1" ] && [ "$(cat "$1")" != "$DISK" ]; then
  echo "there are data of another state on this disk: name the stack otherwise, or remove them" >&2
  exit 1
fi
printf %s "$DISK" >"$1.new"
mv "$1.new" "$1"`;
