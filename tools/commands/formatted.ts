import { format, resolveConfig } from "prettier";

/** A page that a command writes, as `npm test` wants to find it. */
export async function formatted(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}
