import { all, type ComponentResourceOptions, output } from "@pulumi/pulumi";

import type { Recipe } from "../core/contracts.ts";
import { urlOf } from "../core/endpoint.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { rcloneSection } from "../core/syntax.ts";
import { named, toolbox, storeOptions } from "../core/recipe.ts";
import { objectsDump, rclone, region } from "./objects-backup.ts";
import { objectsCopies } from "./objects-copies.ts";

const root = "/run/minio/root-password";

/**
 * MinIO as the S3 server, or three of Garage (objects-copies.ts). Browsers and containers use one URL,
 * `objects.<hostname>` at the edge, because a presigned URL is signed with the host's name. Community MinIO has no CORS
 * per bucket, so the origins of all buckets are joined.
 */
export const objects: Recipe<"objects"> = (p, name, ask) => {
  const allowed = "a bucket's name: lower-case letters, digits, dots and hyphens, 3 to 63";
  named(`${name}.buckets`, Object.keys(ask.buckets), /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, allowed);
  if ((ask.copies ?? p.copies) === 3) return objectsCopies(p, name, ask);
  const key = "app"; // MinIO's root user, for the application alone; its password is the secret
  const secret = p.secret(`${name}-password`, name);
  const secretFile = { path: root, content: secret, secret: true };
  const slot = `${name}-1`;
  const host = p.address(slot);
  const section = rclone(name, "Minio", all([key, secret]), `http://${host}:9000`);
  const origins = [...new Set(Object.values(ask.buckets).flatMap(({ cors }) => (cors === undefined ? [] : [cors])))];
  const url = p.publicUrl(name);
  const publicHost = p.publicHost(name);
  const store = p.slots(name, { count: 1 }, () => ({
    ...storeOptions(ask, "minio"),
    tier: "app",
    cpu: 2,
    memoryMib: 1024,
    user: "0:0", // without any capability; a new volume is root's
    files: [secretFile],
    env: {
      MINIO_ROOT_USER: key,
      MINIO_ROOT_PASSWORD_FILE: root,
      MINIO_BROWSER: "off",
      MINIO_REGION: region,
      // An empty list may be none or all: the stack's own address is no stranger.
      ...(ask.browser || origins.length > 0
        ? { MINIO_API_CORS_ALLOW_ORIGIN: (origins.length > 0 ? origins : [p.url]).join(",") }
        : {}),
    },
    command: ["minio", "server", "/data", "--address", ":9000", "--quiet"],
    ports: { s3: { number: 9000, protocol: "http" } },
    ...(ask.browser ? { routes: [{ host: publicHost, path: "/", port: "s3", seconds: 3600 }] } : {}),
    health: { ready: { command: ["mc", "ready", "local"] }, startSeconds: 120, stopSeconds: 30 },
    disk: {
      path: "/data",
      gib: ask.gib,
      backup: objectsDump(name, section),
    },
  }));
  const conf = "/run/rclone/rclone.conf";
  const setup = p.job(`${name}-setup`, {
    ...toolbox,
    tier: "app",
    files: [{ path: conf, content: section, secret: true }],
    command: [
      "sh",
      "-euc",
      Object.keys(ask.buckets)
        .map((b) => `rclone --config ${conf} mkdir ${name}:${b}`)
        .join("\n"),
    ],
    seconds: 300,
    after: store,
  });
  return {
    api: "s3",
    url: ask.browser ? url : `http://${host}:9000`,
    internal: { host, port: 9000, members: [slot] },
    region,
    key: output(key),
    secret,
    bucket: (bucket) => bucket,
    ready: setup.ready,
  };
};

/**
 * The same on a store that the place brings. A backup knows the buckets by their names in the ask, so another place can
 * restore it.
 */
export const managedObjects: Recipe<"objects"> = (p, name, ask) => {
  const store = p.managed("objects", name, ask);
  const names = Object.fromEntries(Object.keys(ask.buckets).map((bucket) => [bucket, store.bucket(bucket)]));
  const section = all([urlOf(store.internal), store.key, store.secret]).apply(([endpoint, key, secret]) =>
    rcloneSection(name, {
      ...{ type: "s3", provider: "Other", endpoint, region: store.region },
      ...{ access_key_id: key, secret_access_key: secret, buckets: JSON.stringify(names) },
    }),
  );
  p.dump(name, objectsDump(name, section));
  return store;
};

/** An S3 object store with its buckets. */
export class ObjectStore extends Service<"objects"> {
  /** How containers supply it. */
  static readonly recipe = objects;

  constructor(name: string, args: ServiceArgs<"objects">, opts?: ComponentResourceOptions) {
    super("ObjectStore", "objects", objects, name, args, opts);
  }
}
