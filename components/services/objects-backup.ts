/** How the objects of an S3 store get into a backup and back: by the toolbox's `objects`, whatever the server. */
import type { Output } from "@pulumi/pulumi";

import { rcloneSections } from "../core/backup.ts";
import type { Dump } from "../core/contracts.ts";
import { rcloneSection } from "../core/syntax.ts";

export const region = "us-east-1";

/** A list has the objects' keys and descriptions, so any key fits any place. */
export function objectsDump(name: string, section: Output<string>): Dump {
  return {
    files: [{ path: `${rcloneSections}/${name}.conf`, content: section, secret: true }],
    dump: `objects dump ${name}`,
    check: `objects check ${name}`,
    restore: `objects restore ${name}`,
    drill: `objects drill ${name}`,
    prune: `objects prune ${name}`,
  };
}

/** A section of rclone's configuration. */
export function rclone(
  name: string,
  provider: "Minio" | "Other",
  login: Output<[string, string]>,
  endpoint: string,
): Output<string> {
  return login.apply(([key, secret]) =>
    rcloneSection(name, {
      ...{ type: "s3", provider, endpoint, region },
      access_key_id: key,
      secret_access_key: secret,
    }),
  );
}
