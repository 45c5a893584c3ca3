import { Refusal } from "./errors.ts";

/**
 * `REHEARSAL_PATIENCE=3`: a third as many checks, each with three times as long. Dozens of applications that ask every
 * store every five seconds keep a small machine busy, and then find the stores slow.
 */
export function patience(env: Readonly<Record<string, string | undefined>>): number {
  const { REHEARSAL_PATIENCE: text } = env;
  const times = text === undefined ? 1 : Number(text);
  if (Number.isInteger(times) && times > 0 && times <= 12) return times;
  throw new Refusal(`REHEARSAL_PATIENCE is "${text ?? ""}"; it must be 1 to 12`);
}
