/** What makes a ready stack one that is to stay. */
import { readyConfig } from "./ready.ts";

const place = { s3: { endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: "backups", region: "eu-central-1" } };

/** Keys of the config of a stack in stacks/, with `protect` and a backup. */
export function protecting(stack: string): object {
  if (stack.startsWith("machines")) return { protect: true }; // they have no data
  const { secrets } = readyConfig(`stacks/${stack}.yaml`) as { secrets?: object };
  return {
    protect: true,
    backup: { everyHours: 24, to: place },
    secrets: { ...secrets, backupKey: "the-key", backupSecret: "the-secret" },
  };
}
