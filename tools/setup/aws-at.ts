/** What leads the SDKs of AWS and Terraform's provider to a server on this machine, and away from the user's own account. */
import { devNull } from "node:os";

/** `as`: what the keys are called. */
export function awsAt(port: number | string, as: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${String(port)}`,
    AWS_ACCESS_KEY_ID: as,
    AWS_SECRET_ACCESS_KEY: as,
    AWS_SESSION_TOKEN: "",
    AWS_PROFILE: "",
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}
