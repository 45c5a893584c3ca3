import { type Input, output, secret } from "@pulumi/pulumi";

import type { CopyCount, Dict } from "./contracts.ts";
import { refuse } from "./errors.ts";
import type { Existing } from "./existing.ts";
import { mirror as mirrorForm, problemsOf, reference, stackName } from "./formats.ts";
import { resolveImage } from "./images.ts";
import type { BackupOptions, Restore, Site } from "./topology.ts";

/** What a caller says of its stack; the rest has a default. */
export interface SiteArgs {
  /** Prefix of everything with a global name, as containers and volumes: at most 31 letters, digits and hyphens. */
  readonly name: string;
  /** The public DNS name. */
  readonly hostname: string;
  /** The edge's ports on the host. Default: 80 and 443. Without `https`: TLS ends in front of the edge. */
  readonly ports?: Site["ports"];
  /** The https port that browsers see, where something maps it to the edge's. Default: `ports.https`, or 443. */
  readonly publicPort?: number | undefined;
  /** Data and passwords refuse destroy and replacement. Default: true. */
  readonly protect?: boolean;
  /**
   * How many servers keep the data of each store that can have several: one number for all, or numbers by the store's
   * name, as `{ objects: 1 }`, which count before its ask's own. Default: 3 in a protected stack on a swarm, else 1.
   */
  readonly copies?: CopyCount | Dict<CopyCount> | undefined;
  /** References for images, by key of image-lock.ts. */
  readonly images?: Dict<string>;
  /** Put the rehearsal image in the place of private images that `images` does not name. Default: false. */
  readonly rehearsal?: boolean;
  /**
   * What set-up built on a machine, by key: a mirror has our images under these tags. Default: under their versions.
   */
  readonly built?: Dict<string>;
  /** Run the images in `built` as they are; a mirror comes first. Default: false. */
  readonly localImages?: boolean;
  /** A registry that serves all images, public ones and ours, as `npm run images -- push` fills it. */
  readonly mirror?: string | undefined;
  /** What systems ask the operator for, by name. */
  readonly secrets?: Dict<Input<string>>;
  /** What exists already and is only pointed at, by the need's name: a company's S3, an OpenID provider. */
  readonly existing?: Dict<Existing>;
  /** The stores' dumps, for a system. Default: no backup is made. */
  readonly backup?: BackupOptions | undefined;
  /** Fill the stores, while they are still empty, from a backup. Default: they stay empty. */
  readonly restore?: Restore | undefined;
  /**
   * The operator's words for disks, by the slot, as `{ "db-1": "2026-03-01" }`. Another text makes a new, empty disk in
   * the place of the old one, which is deleted on a Docker host and stays on its node on a swarm; `gone` lets a disk go
   * with its slot. Default: no disk is ever replaced.
   */
  readonly disks?: Dict<string>;
  /**
   * The operator's words for passwords, by the store's name, as `{ db: "2026-03-01" }`. Another text makes another
   * password for the store's clients: the store is told first, then its clients roll. Default: none is ever replaced.
   */
  readonly rotate?: Dict<string>;
  /** Who supplies a need, by its name: `managed` or `container`. Default: what the topology has itself, if it fits. */
  readonly data?: Dict<"managed" | "container">;
  /** The platform that the stack is. */
  readonly system?: string;
}

/** The option of what holds data. Where the site says no, it is left out: a caller's own `protect` counts then. */
export function protection(on: boolean): { readonly protect?: true } {
  return on ? { protect: true } : {};
}

/** @throws ConfigError for a name or a reference that no engine takes. */
export function siteOf(args: SiteArgs): Site {
  refuse([
    ...problemsOf(stackName, "name", args.name),
    ...(args.mirror === undefined ? [] : problemsOf(mirrorForm, "mirror", args.mirror)),
    ...Object.entries(args.images ?? {}).flatMap(([key, ref]) =>
      problemsOf(reference, `images.${key}`, key.endsWith("/*") ? ref.replace("*", "x") : ref),
    ),
  ]);
  const { backup, restore, mirror, built = {}, ports = { http: 80, https: 443 } } = args;
  const choices = {
    overrides: args.images ?? {},
    local: args.localImages ? built : {},
    built,
    rehearsal: args.rehearsal ?? false,
    ...(mirror === undefined ? {} : { mirror }),
  };
  return {
    name: args.name,
    hostname: args.hostname,
    ports,
    publicPort: args.publicPort ?? ports.https ?? 443,
    region: "",
    peers: [],
    protect: args.protect ?? true,
    image: (key) => resolveImage(key, choices),
    secrets: Object.fromEntries(Object.entries(args.secrets ?? {}).map(([key, value]) => [key, secret(output(value))])),
    existing: args.existing ?? {},
    disks: args.disks ?? {},
    rotate: args.rotate ?? {},
    data: args.data ?? {},
    ...(args.system === undefined ? {} : { system: args.system }),
    ...(args.copies === undefined ? {} : { copies: args.copies }),
    ...(backup ? { backup } : {}),
    ...(restore ? { restore } : {}),
  };
}
