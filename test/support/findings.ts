/** What a second tier's tests have found, for the tier's summary; without that (a single test by hand) it goes nowhere. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** `name` orders it among the others. */
export function tellMarkdown(name: string, markdown: string): void {
  const folder = process.env.PLATFORM_TOPOLOGIES_TOLD;
  if (folder !== undefined) writeFileSync(join(folder, name), `${markdown}\n`);
}
