/** Users of ShinyProxy on a test's swarm, a client of its InfluxDB, and a witness of what its workers run. */
import { z } from "zod";

import type { Cluster } from "../../tools/swarm/cluster.ts";
import { eventually, type Reply } from "./arkindex.ts";
import { appTasks, Browser } from "./shinyproxy.ts";
import { Load, type LoadOptions, onNetwork } from "./swarm-stack.ts";

export interface UserArgs {
  readonly cluster: Cluster;
  /** The stack's name. */
  readonly name: string;
  readonly url: string;
  readonly ca: string;
  readonly passwords: Readonly<Record<string, string>>;
  readonly user: string;
  /** The app that this user opens. */
  readonly spec: string;
}

/** One user with one app. Each call names the edge node that it goes through. */
export class User {
  readonly #args: UserArgs;
  /** The browser that has signed in. */
  browser: Browser;
  /** The running app's address. */
  app = "";

  constructor(args: UserArgs) {
    this.#args = args;
    this.browser = new Browser(args.ca);
  }

  /** Signs in and opens the app. */
  async begin(edge: string): Promise<void> {
    const { cluster, ca, url, user, passwords } = this.#args;
    this.browser = new Browser(ca, cluster.address(edge));
    const home = await this.browser.signIn(`${url}/`, user, passwords["sign-in"] ?? "");
    if (home.status !== 200) throw new Error(`${user}: ${String(home.status)} ${home.body}`);
    await this.open(edge);
  }

  /** Waits until the app's own page is there. */
  async open(edge: string): Promise<void> {
    const { url, spec } = this.#args;
    const browser = this.#via(edge);
    this.app = await eventually(async () => {
      const { status, body } = await browser.ask(`${url}/app/${spec}`);
      const frame = /src="([^"]+)"/.exec(body)?.[1];
      if (frame === undefined) throw new Error(`${String(status)} ${body.slice(0, 200)}`);
      const page = await browser.ask(url + frame);
      if (!isApp(page)) throw new Error(`${String(page.status)} ${page.body.slice(0, 200)}`);
      return url + frame;
    }, 120);
  }

  /** Stops the app. */
  async close(edge: string): Promise<true> {
    const { status, body } = await this.#via(edge).ask(`${this.#args.url}/api/proxy/${this.#id}`, { method: "DELETE" });
    if (status !== 200) throw new Error(`${String(status)} ${body}`);
    return true;
  }

  /** True if the app's page is there. Signs in nowhere, and starts nothing. */
  async sees(edge: string): Promise<true> {
    const page = await this.#via(edge).ask(this.app);
    if (!isApp(page)) throw new Error(`${this.#args.user}: ${String(page.status)} ${page.body.slice(0, 200)}`);
    return true;
  }

  /** Waits for the first answer other than the app's page. */
  loses(edge: string): Promise<Reply> {
    return eventually(async () => {
      const page = await this.#via(edge).ask(this.app);
      return isApp(page) ? undefined : page;
    }, 60);
  }

  /** Whose app is gone with its worker: told so once, then given a new one, without a new sign-in. Returns what was told. */
  async beginAgain(edge: string): Promise<Reply> {
    const told = await this.loses(edge);
    await this.open(edge);
    return told;
  }

  /** The node that runs the app. */
  async place(): Promise<string | undefined> {
    const { cluster, name } = this.#args;
    const tasks = await eventually(() => appTasks(cluster.manager(), name), 60);
    const [task] = tasks[`sp-service-${this.#id}-0`] ?? [];
    return task?.replace(/^running /, "");
  }

  /** A load of this user's requests. An answer other than the app's page is a lost request. Default: ten a second. */
  load(edge: string, options: Pick<LoadOptions, "perSecond" | "patience"> = {}): Load {
    const { cluster, ca, url } = this.#args;
    return new Load(cluster.address(edge), ca, this.app, {
      perSecond: 10,
      ...options,
      headers: { cookie: this.browser.cookie(url) },
      good: isApp,
    });
  }

  get #id(): string {
    return /\/app_proxy\/([\w-]+)\//.exec(this.app)?.[1] ?? "";
  }
  #via(edge: string): Browser {
    return this.browser.via(this.#args.cluster.address(edge));
  }
}

function isApp({ status, body }: Reply): boolean {
  return status === 200 && body.includes("shiny.min.js");
}

const answer = z.object({
  results: z.array(
    z.object({
      error: z.string().optional(),
      series: z.array(z.object({ values: z.array(z.array(z.unknown())) })).optional(),
    }),
  ),
});

/** Users of one app each, on workers. */
export const demoApp = (more: object = {}) => ({
  title: "Demo",
  image: "shiny-demo",
  memoryMib: 256,
  cpu: 0.5,
  ...more,
});
export const demoApps = {
  demo: demoApp({ groups: ["analysts"] }),
  closed: demoApp({ groups: ["others"] }),
  open: demoApp(),
};
export const demoUsers = { "demo-analysts": "demo", "demo-others": "closed", demo: "open", "demo-admins": "open" };

/** InfluxDB as the stack's user, from a manager on the data network. */
export class InfluxClient {
  readonly #run: (script: string) => Promise<string>;
  #written = 0;

  constructor(cluster: Cluster, toolbox: string, network: string, password: string) {
    this.#run = async (script) => {
      const login = `curl -s -u app:${password}`;
      const called = script.replaceAll("$CURL", login);
      const { status, output } = await onNetwork(cluster.manager(), toolbox, network, called);
      if (status !== 0) throw new Error(`${String(status)}: ${output.slice(0, 500)}`);
      return output;
    };
  }

  /** The rows of an InfluxQL answer's first result. */
  async query(database: string, query: string): Promise<unknown[][]> {
    const script = `$CURL -G http://influx-1:8086/query --data-urlencode db=${database} --data-urlencode '${`q=${query}`.replaceAll("'", `'\\''`)}'`;
    const [result] = answer.parse(JSON.parse(await this.#run(script))).results;
    if (result?.error !== undefined) throw new Error(result.error);
    return (result?.series ?? []).flatMap(({ values }) => values);
  }

  /** Writes points of the last minutes, a second apart. */
  async write(tag: string, points: number): Promise<void> {
    const lines = `now=$(date +%s); for n in $(seq ${String(points)}); do echo "probe,tag=${tag} n=$\{n}i $((now - n))"; done`;
    await this.#run(
      `${lines} | $CURL --fail --data-binary @- 'http://influx-1:8086/write?db=telegraf&precision=s' --output /dev/null`,
    );
    this.#written += points;
  }

  /** How many of the written points are gone. */
  async lost(): Promise<number> {
    const count = await eventually(async () => {
      const [row] = await this.query("telegraf", 'SELECT count("n") FROM "probe"');
      return Number(row?.[1] ?? 0);
    }, 60);
    return this.#written - count;
  }
}

/** Looks twice a second at what runs on some nodes, for as long as a test likes. */
export class Witness {
  readonly #seen = new Map<string, Set<string>>();
  #stopped = false;
  looks = 0;

  constructor(cluster: Cluster, nodes: readonly string[]) {
    for (const node of nodes) {
      this.#seen.set(node, new Set());
      void this.#watch(cluster, node);
    }
  }

  /** Services that have had a container there; users' apps are `an app`. */
  seen(node: string): ReadonlySet<string> {
    return this.#seen.get(node) ?? new Set();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #watch(cluster: Cluster, node: string): Promise<void> {
    while (!this.#stopped) {
      // A node without power runs nothing.
      const containers = await cluster
        .dockerOf(node)
        .listContainers({ all: true })
        .catch(() => []);
      for (const { Labels, Names } of containers)
        this.#seen
          .get(node)
          ?.add((Labels["com.docker.swarm.service.name"] ?? Names.join()).replace(/^sp-service-.*/, "an app"));
      this.looks++;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
