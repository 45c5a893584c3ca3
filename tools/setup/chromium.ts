/** A real browser for the tests, and what makes it trust an authority of its own. */
import { aptInstall } from "./apt.ts";
import { Problem } from "./problem.ts";
import { which } from "./which.ts";

import type { Say } from "./cache.ts";

export interface Chromium {
  readonly browser: string;
  /** NSS's tool: Chromium on Linux reads a user's own authorities from NSS's database. */
  readonly certutil: string;
}

const find = async () => ({
  browser: (await which("chromium")) ?? (await which("google-chrome")),
  certutil: await which("certutil"),
});

/** The executables' paths; Debian's packages are installed if one is not there. Throws a Problem. */
export async function chromium(say: Say = () => undefined): Promise<Chromium> {
  let { browser, certutil } = await find();
  if (browser === undefined || certutil === undefined) {
    const fonts = ["fonts-liberation", "fonts-dejavu-core"];
    await aptInstall([...(browser === undefined ? ["chromium", ...fonts] : []), "libnss3-tools"], "Chromium", say);
    ({ browser, certutil } = await find());
  }
  if (browser === undefined || certutil === undefined) throw new Problem("Chromium or certutil is not on the PATH");
  return { browser, certutil };
}
