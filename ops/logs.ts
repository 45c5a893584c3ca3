/** The last log lines of a container or task, without secrets. */
import type Docker from "dockerode";

/** Shorter values would blank out half of every log. */
const shortest = 4;

/** Further lines to read: Docker cuts at lines, and a secret of many lines has to be whole to be found. */
const margin = 200;

/** Replaces each of `secrets`, and each longer line of a secret of several lines, by `[secret]`. */
export function redact(text: string, secrets: readonly string[]): string {
  const whole = secrets.map((value) => value.trim()).filter((value) => value.length >= shortest);
  const lines = whole.flatMap((value) => value.split("\n"));
  const long = lines.map((line) => line.trim()).filter((line) => line.length >= 12);
  // Longest first: a password may be part of a connection string.
  const all = [...new Set([...whole, ...long])].sort((a, b) => b.length - a.length);
  return all.reduce((rest, value) => rest.replaceAll(value, "[secret]"), text);
}

/** The last `count` lines of stdout and stderr, redacted. Empty when the logging driver cannot be read. */
export async function lastLines(
  container: Docker.Container,
  count: number,
  secrets: readonly string[],
): Promise<string[]> {
  try {
    const { Config } = await container.inspect();
    const log = await container.logs({ stdout: true, stderr: true, tail: count + margin });
    const text = Config.Tty ? log.toString() : demultiplex(log);
    return tidy(text, count, secrets);
  } catch {
    return [];
  }
}

/** The same for a swarm's task, through a manager. A node that is cut off gives no logs. */
export async function taskLines(
  docker: Docker,
  task: string,
  count: number,
  secrets: readonly string[],
): Promise<string[]> {
  const log = await new Promise<unknown>((resolve) => {
    docker.modem.dial(
      {
        path: `/tasks/${task}/logs?`, // the client puts the options behind it, and else cuts the last character
        options: { stdout: true, stderr: true, tail: count + margin },
        method: "GET",
        statusCodes: { 200: true },
        abortSignal: AbortSignal.timeout(5000),
      },
      (_error, answer) => {
        resolve(answer);
      },
    );
  });
  // Services of ours have no terminal.
  return Buffer.isBuffer(log) ? tidy(demultiplex(log), count, secrets) : [];
}

function tidy(text: string, count: number, secrets: readonly string[]): string[] {
  return redact(text, secrets).replaceAll("\r", "").trimEnd().split("\n").slice(-count);
}

/** As a block below a sentence; nothing when there is nothing to show. */
export function block(title: string, lines: readonly string[]): string {
  const shown = lines.filter((line) => line.trim() !== "");
  return shown.length === 0 ? `\n${title}: none` : `\n${title}:\n${shown.map((line) => `  | ${line}`).join("\n")}`;
}

/** Docker frames each chunk: one byte stream, three bytes zero, four bytes length. */
function demultiplex(log: Buffer): string {
  const chunks: Buffer[] = [];
  for (let at = 0; at + 8 <= log.length;) {
    const length = log.readUInt32BE(at + 4);
    chunks.push(log.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(chunks).toString();
}
