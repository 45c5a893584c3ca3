/** Somebody else's AWS on this machine's loopback, for as long as it is asked for. */
export interface Emulator {
  /** What leads the SDKs of AWS and Terraform's provider there. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}
