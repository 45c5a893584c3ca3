import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";

/** The absolute path of an executable on PATH (or in the folders given first), if there is one. */
export async function which(name: string, ...first: string[]): Promise<string | undefined> {
  for (const folder of [...first, ...(process.env.PATH ?? "").split(delimiter)]) {
    const path = join(folder, name);
    if (
      folder.startsWith("/") &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}
