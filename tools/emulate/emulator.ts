/** Somebody else's AWS on this machine's loopback, for as long as it is asked for. */
import { execa } from "execa";

import { pythonEnv } from "../setup/pip.ts";

export interface Emulator {
  /** What leads the SDKs of AWS and Terraform's provider there. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * A server of Python, with the packages of this folder. Its standard input is open as long as it shall run: it ends with
 * it, and so with this process, however that ends.
 */
export function serve(args: readonly string[], packages: string, env: Readonly<Record<string, string>>) {
  const child = execa("python3", ["-S", ...args], {
    env: { ...pythonEnv(packages), ...env },
    ...({ stdin: "pipe", buffer: false, reject: false } as const),
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
  const close = async (): Promise<void> => {
    child.stdin.end();
    await child;
  };
  return { child, said: () => said.trim(), close };
}
