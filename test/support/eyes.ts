/** What a person sees of a page, in a real browser: shown, legible, whole; and its picture for the docs. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";
import { type Browser, chromium, type Page } from "playwright-core";

import { chromium as installed } from "../../tools/setup/chromium.ts";
import { repo } from "./stack.ts";

/** As root, without a graphics card, and without calls to its maker. */
const args = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

const troubles = await readFile(join(import.meta.dirname, "troubles.js"), "utf8");

export const folder = join(repo, "docs/screenshots");

export interface Look {
  readonly url: string;
  /** The window's width in CSS pixels: 360 is a telephone's. Default: 1280. */
  readonly width?: number;
  /** Default: 800. */
  readonly height?: number;
  readonly dark?: boolean;
  /** Signs in, waits: before the page is looked at. */
  readonly before?: (page: Page) => Promise<void>;
  /** The name of its picture in docs/screenshots, which `npm run screenshots` writes. */
  readonly shot?: string;
  /** The part of the page that is in the picture, by its selector. Default: the window. */
  readonly part?: string;
}

export interface Seen {
  readonly title: string;
  /** All text, as it is shown. */
  readonly text: string;
  /** What a person would complain about. */
  readonly troubles: readonly string[];
}

/** A browser with an empty profile and a home of its own. */
export class Eyes {
  readonly #home: string;
  readonly #browser: Browser;

  private constructor(home: string, browser: Browser) {
    this.#home = home;
    this.#browser = browser;
  }

  /** `ca`: an authority in PEM that this user trusts beside the public ones. */
  static async open(ca?: string): Promise<Eyes> {
    const { browser, certutil } = await installed();
    const home = await mkdtemp(join(tmpdir(), "eyes-"));
    if (ca !== undefined) {
      const [database, file] = [join(home, ".pki/nssdb"), join(home, "ca.pem")];
      await writeFile(file, ca);
      await mkdir(database, { recursive: true });
      await execa(certutil, ["-N", "-d", `sql:${database}`, "--empty-password"]);
      await execa(certutil, ["-A", "-d", `sql:${database}`, "-t", "C,,", "-n", "own", "-i", file]);
    }
    const env = { ...process.env, HOME: home };
    return new Eyes(home, await chromium.launch({ executablePath: browser, args, env, timeout: 120_000 }));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await rm(this.#home, { recursive: true, force: true });
  }

  /** Opens a page in a window of its own, with no cookies. Throws what the browser says if it does not come. */
  async look({ url, width = 1280, height = 800, dark = false, before, shot, part }: Look): Promise<Seen> {
    const colorScheme = dark ? "dark" : "light";
    const context = await this.#browser.newContext({ viewport: { width, height }, colorScheme });
    context.setDefaultTimeout(60_000);
    try {
      const page = await context.newPage();
      const said: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) said.push(`the console says: ${message.text()}`);
      });
      page.on("pageerror", (error) => said.push(`the page's script fails: ${error.message}`));
      page.on("requestfailed", (request) => said.push(`${request.url()} did not come`));
      await page.goto(url);
      await before?.(page);
      // A page that reloads itself stays as it is while it is looked at.
      await page.route("**", (route) => route.fulfill({ status: 204 }));
      const seen = await page.evaluate<Pick<Seen, "text" | "troubles">>(troubles);
      if (shot !== undefined && process.env.PLATFORM_TOPOLOGIES_SCREENSHOTS === "write") await kept(page, shot, part);
      return { title: await page.title(), text: seen.text, troubles: [...said, ...seen.troubles] };
    } finally {
      await context.close();
    }
  }
}

/** Small enough for a README. */
const most = 100_000;

async function kept(page: Page, name: string, part: string | undefined): Promise<void> {
  const path = join(folder, name);
  const how = { path, animations: "disabled" } as const;
  await (part === undefined ? page.screenshot(how) : page.locator(part).screenshot(how));
  const { size } = await stat(path);
  if (size > most) throw new Error(`${name} has ${String(size)} bytes: take a smaller part`);
}
