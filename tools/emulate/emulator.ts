/** Somebody else's AWS on this machine's loopback, for as long as it is asked for. */
import { devNull } from "node:os";

export interface Emulator {
  /** What leads the SDKs of AWS and Terraform's provider there, and away from the user's own account. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export function awsAt(port: string | number): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${String(port)}`,
    AWS_ACCESS_KEY_ID: "emulated",
    AWS_SECRET_ACCESS_KEY: "emulated",
    AWS_SESSION_TOKEN: "",
    AWS_PROFILE: "",
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}
