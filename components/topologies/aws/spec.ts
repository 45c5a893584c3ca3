import { all, type Input, type Output, secret } from "@pulumi/pulumi";

import type { Dict, File, List, Mount, Slot, Workload } from "../../core/contracts.ts";
import { imageOf } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import { defaultMode, entry, environment, healthTest, keyAndValue, userOf } from "../containers.ts";

/** What a machine runs, as its agent (slot.py) reads it from Secrets Manager. */
export interface Spec {
  /** The container's host name. */
  readonly name: string;
  readonly image: string;
  readonly user?: string;
  readonly entrypoint?: List<string>;
  readonly command?: List<string>;
  readonly env: Dict<string>;
  readonly files: List<{
    readonly path: string;
    readonly content: string;
    readonly mode: number;
    readonly secret?: boolean;
  }>;
  /** The container has the machine's network. */
  readonly ports: List<number>;
  readonly memoryMib: number;
  readonly cpu: number;
  readonly shmMib?: number;
  readonly health: { readonly test: List<string>; readonly startSeconds: number; readonly stopSeconds: number };
  /** `gib`: another size makes the agent grow the file system, and leaves the container alone. */
  readonly disk?: { readonly path: string; readonly marker?: string; readonly id: string; readonly gib: number };
  readonly maxMapCount?: true;
  /** It gets the engine's socket. */
  readonly socket?: true;
  /** How many the machine has at least. The container gets all of them. */
  readonly gpus?: number;
  /** `source`: a folder of the machine, or a volume by its name. */
  readonly mounts?: List<{ readonly source: string; readonly path: string; readonly readOnly?: true }>;
  /** What no log may show, beside the files that are secret. */
  readonly secrets: List<string>;
}

/** What a container's definition does not say. */
export interface SpecPlace {
  /** The image's reference, with its digest. */
  readonly ref: Input<string>;
  /** The id of a slot's disk. A marker with another id means another state's disk. */
  readonly disk?: Input<string>;
  /** Every password of the stack. The spec repeats those alone that it has anyway. */
  readonly redact: List<Output<string>>;
}

/** The spec of a machine for one slot, or for one replica of a workload. A secret. */
export function specOf(site: Site, name: string, container: Slot | Workload, place: SpecPlace): Output<Spec> {
  const image = imageOf(site, container.image);
  const { entrypoints, command } = entry(container);
  const user = userOf(container, image);
  const { health, needs = [], mounts = [], secretEnv = {}, room } = container;
  const shape = {
    ...(user === undefined ? {} : { user }),
    ...(entrypoints ? { entrypoint: entrypoints } : {}),
    ...(command ? { command } : {}),
    ports: Object.values(container.ports ?? {}).map(({ number }) => number),
    memoryMib: container.memoryMib,
    cpu: container.cpu,
    ...(container.shmMib === undefined ? {} : { shmMib: container.shmMib }),
    health: {
      // Without a look at the disk's room: a full disk would end the reads as well, and a new machine has the same.
      test: healthTest(container, image),
      startSeconds: health.startSeconds,
      stopSeconds: health.stopSeconds,
    },
    ...(needs.includes("max-map-count") ? { maxMapCount: true as const } : {}),
    ...(needs.includes("container-api") ? { socket: true as const } : {}),
    ...(room !== undefined && room.gpus > 0 ? { gpus: room.gpus } : {}),
    ...(mounts.length > 0 ? { mounts: mounts.map(mountOf) } : {}),
  };
  const { files = [] } = container;
  const leaves = all([
    place.ref,
    environment(container, image),
    all(files.map(({ content }) => content)),
    place.disk ?? "",
    all(Object.values(secretEnv)),
    all([...place.redact]),
  ]);
  return secret(
    leaves.apply(([ref, pairs, contents, id, own, passwords]): Spec => {
      const texts = [...pairs, ...contents];
      const held = passwords.filter((password) => password !== "" && texts.some((text) => text.includes(password)));
      return {
        ...{ name, image: ref, ...shape, env: Object.fromEntries(pairs.map(keyAndValue)) },
        files: files.map((file, at) => fileOf(file, contents[at] ?? "")),
        ...("disk" in container ? { disk: diskOf(container, id) } : {}),
        secrets: [...new Set([...own, ...held])].sort(),
      };
    }),
  );
}

/**
 * The text of the secret.
 * @throws Error if Secrets Manager takes no secret of this length.
 */
export function specText(spec: Spec): string {
  const text = JSON.stringify(spec);
  const length = Buffer.byteLength(text);
  if (length > 65_536)
    throw new Error(
      `the spec of ${spec.name} has ${String(length)} bytes, and a secret at most 65536: shorten its files`,
    );
  return text;
}

function fileOf({ path, mode = defaultMode, secret: hidden = false }: File, content: string) {
  return { path, content, mode, ...(hidden ? { secret: true } : {}) };
}

function diskOf({ disk: { path, marker, gib } }: Slot, id: string) {
  return { path, gib, id, ...(marker === undefined ? {} : { marker }) };
}

function mountOf(mount: Mount) {
  const source = "folder" in mount ? mount.folder : mount.volume;
  return { source, path: mount.path, ...(mount.readOnly === true ? { readOnly: true as const } : {}) };
}
