import { format, resolveConfig } from "prettier";

/** Formats a page that a command writes, so that the checks of `npm test` pass. */
export async function formatted(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}
