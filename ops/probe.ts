/** A container's own health check, asked by us. */
import type Docker from "dockerode";

import { answered } from "./docker.ts";
import { pause } from "./lifetime.ts";

/** Milliseconds: Docker's own limit for a check that names none. */
const usual = 30_000;

/**
 * Runs the check once, as the engine would: in the container, as its user. False if the check fails or takes longer
 * than it may, or if there is none.
 */
export async function passes(container: Docker.Container, check: Docker.HealthConfig | undefined): Promise<boolean> {
  const [kind, ...words] = check?.Test ?? [];
  const command = kind === "CMD-SHELL" ? ["/bin/sh", "-c", ...words] : words;
  if (kind === undefined || kind === "NONE" || command.length === 0) return false;
  const limit = Date.now() + (check?.Timeout === undefined || check.Timeout === 0 ? usual : check.Timeout / 1e6);
  try {
    const exec = await container.exec({ Cmd: command });
    (await exec.start({ Detach: true })).resume(); // an unread answer keeps its connection, and ssh has three
    for (;;) {
      const { Running, ExitCode } = await exec.inspect();
      if (!Running) return ExitCode === 0;
      if (Date.now() >= limit) return false;
      await pause(100, "a health check was cancelled: run up again");
    }
  } catch (error) {
    if (answered(error, 404) || answered(error, 409)) return false; // the container has ended meanwhile
    throw error;
  }
}
