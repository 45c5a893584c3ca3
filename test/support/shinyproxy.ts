/** ShinyProxy as a throw-away stack on one engine, and a browser that can sign in. */
import type Docker from "dockerode";
import { z } from "zod";

import { call, dockerConfig, dockerStack, type DockerTest, engine, type Reply, sweep } from "./arkindex.ts";
import type { TestStack } from "./stack.ts";
import { type ServiceName, tasksOfServices } from "./swarm-stack.ts";

export interface ShinyProxyTest extends DockerTest {
  /** Further or other keys of the system's own part. */
  readonly shinyproxy?: Readonly<Record<string, unknown>>;
}

export function shinyproxyConfig(test: ShinyProxyTest): Record<string, unknown> {
  const app = { image: "shiny-demo", memoryMib: 256, cpu: 0.5 };
  return dockerConfig(test, {
    system: "shinyproxy",
    backup: { everyHours: 24, to: { volume: `${test.name}-backup` } },
    shinyproxy: {
      memoryMib: 512,
      influxGib: 1,
      idleMinutes: 30,
      apps: {
        demo: { title: "Demo", ...app, groups: ["analysts"] },
        closed: { title: "Closed", ...app, groups: ["others"] },
      },
      ...test.shinyproxy,
    },
  });
}

/** Users' containers of a stack. */
export function appsOf(name: string) {
  return engine.listContainers({ all: true, filters: { label: [`platform-topologies.app=${name}`] } });
}

/** On a swarm: what runs of each app's service, by its name: `sp-service-…` has `running w1`. */
export async function appTasks(manager: Docker, name: string): Promise<Record<string, string[]>> {
  const label = [`platform-topologies.app=${name}`];
  return tasksOfServices(manager, (await manager.listServices({ filters: { label } })) as ServiceName[]);
}

/** All that carries a test's name, apps first: they hold their network. */
export async function sweepApps(name: string): Promise<void> {
  for (const { Id } of await appsOf(name)) await engine.getContainer(Id).remove({ force: true, v: true });
  await sweep(name);
}

export async function shinyproxyStack(test: ShinyProxyTest): Promise<TestStack> {
  await sweepApps(test.name);
  return dockerStack(test, shinyproxyConfig(test));
}

/** What a browser does, seen at each step: cookies by host, redirects followed by hand. */
export class Browser {
  readonly #ca: string;
  readonly #address: string;
  readonly #cookies = new Map<string, Map<string, string>>();
  /** The address to which the browser was led last. */
  at = "";

  /** `address`: the edge's. Every name leads there. */
  constructor(ca: string, address = "127.0.0.1") {
    this.#address = address;
    this.#ca = ca;
  }

  /** The same browser, whose names lead to another edge. */
  via(address: string): Browser {
    const other = new Browser(this.#ca, address);
    for (const [host, jar] of this.#cookies) other.#cookies.set(host, new Map(jar));
    return other;
  }

  cookie(url: string): string {
    const jar = this.#cookies.get(new URL(url).hostname) ?? new Map<string, string>();
    return [...jar].map(([key, value]) => `${key}=${value}`).join("; ");
  }

  /** One request. */
  async ask(
    url: string,
    options: { method?: string; body?: string; headers?: Record<string, string> } = {},
  ): Promise<Reply> {
    const cookie = this.cookie(url);
    const reply = await call(url, this.#ca, {
      ...options,
      address: this.#address,
      headers: { ...(cookie === "" ? {} : { cookie }), ...options.headers },
    });
    const { hostname } = new URL(url);
    const jar = this.#cookies.get(hostname) ?? new Map<string, string>();
    for (const line of reply.headers?.["set-cookie"] ?? []) {
      const [pair = ""] = line.split(";");
      jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    this.#cookies.set(hostname, jar);
    this.at = url;
    return reply;
  }

  /** Opens an address and follows redirects. `steps`: the addresses on the way, without their queries. */
  async open(
    url: string,
    options: { method?: string; body?: string; headers?: Record<string, string> } = {},
  ): Promise<Reply & { steps: string[] }> {
    const steps: string[] = [];
    let reply = await this.ask(url, options);
    for (let left = 10; left > 0 && [302, 303].includes(reply.status); left--) {
      const to = new URL(reply.headers?.location ?? "", this.at).href;
      steps.push(to.replace(/\?.*/, ""));
      reply = await this.ask(to);
    }
    return { ...reply, steps };
  }

  /** Signs in through the stand-in's form, from an application's address to its page. */
  async signIn(url: string, user: string, password: string): Promise<Reply & { steps: string[] }> {
    const form = await this.open(url);
    const action = /action="([^"]+)"/.exec(form.body)?.[1];
    if (action === undefined) throw new Error(`no sign-in form at ${this.at}: ${form.body}`);
    return this.open(new URL(action, this.at).href, {
      method: "POST",
      body: new URLSearchParams({ user, password }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  }
}

const dashboard = z.object({
  dashboard: z.object({
    panels: z.array(z.object({ title: z.string(), targets: z.array(z.looseObject({ refId: z.string() })) })),
  }),
});
const frames = z.object({
  results: z.record(
    z.string(),
    z.object({ frames: z.array(z.object({ data: z.object({ values: z.array(z.array(z.unknown())) }) })) }),
  ),
});

/** How many rows each panel of Grafana's dashboard has of the last hour, by its title. `viewer` has signed in. */
export async function panelRows(viewer: Browser, grafana: string): Promise<Record<string, number>> {
  const page = await viewer.ask(`${grafana}/api/dashboards/uid/shinyproxy`);
  const { panels } = dashboard.parse(JSON.parse(page.body)).dashboard;
  const rows: Record<string, number> = {};
  for (const { title, targets } of panels) {
    const { status, body } = await viewer.ask(`${grafana}/api/ds/query`, {
      method: "POST",
      body: JSON.stringify({ queries: targets, from: "now-1h", to: "now" }),
    });
    if (status !== 200) throw new Error(`${title}: ${body}`);
    const { results } = frames.parse(JSON.parse(body));
    rows[title] = Object.values(results).flatMap((each) =>
      each.frames.flatMap(({ data }) => data.values[0] ?? []),
    ).length;
  }
  return rows;
}
