/**
 * A system of one's own, in twenty lines: a wiki with its database, behind the edge. Its components, checks, networks
 * and certificates are those of the package, on any topology.
 */
import { type ComponentResourceOptions, Config } from "@pulumi/pulumi";
import { DockerHost, siteOf, type System, type SystemArgs, SystemComponent } from "platform-topologies";
import { z } from "zod";

const wikiConfig = z.strictObject({ replicas: z.int().min(1).default(2) });
type WikiConfig = z.output<typeof wikiConfig>;

/** Called twice, first as a dry run: so it is a pure function of its config. */
const wiki: System<WikiConfig> = (platform, { replicas }) => {
  const db = platform.need("postgres", "db", { databases: ["wiki"], clientTls: "if-asked", gib: 10 });
  const password = { path: "/run/wiki/password", content: db.password, secret: true };
  platform.run("wiki", {
    ...{ image: "wiki/app", tier: "app", replicas, cpu: 1, memoryMib: 512, after: [db], files: [password] },
    env: { DB_TYPE: "postgres", DB_HOST: db.host, DB_USER: db.user, DB_NAME: "wiki", DB_PASS_FILE: password.path },
    ports: { http: { number: 3000, protocol: "http" } },
    routes: [{ host: platform.hostname, path: "/", port: "http" }],
    health: {
      ready: { command: ["wget", "-qO-", "http://localhost:3000/healthz"] },
      startSeconds: 120,
      stopSeconds: 30,
    },
  });
};

class Wiki extends SystemComponent<WikiConfig> {
  constructor(name: string, args: SystemArgs<typeof wikiConfig>, opts?: ComponentResourceOptions) {
    super("wiki:index:Wiki", wiki, wikiConfig, name, args, opts);
  }
}

const config = new Config();
const site = siteOf({
  name: config.get("name") ?? "wiki",
  hostname: config.get("hostname") ?? "wiki.example.com",
  ports: { http: config.getNumber("http") ?? 80, https: config.getNumber("https") ?? 443 },
  images: { "wiki/app": "docker.io/requarks/wiki:2", ...config.getObject<Record<string, string>>("images") },
  protect: false, // a real one leaves this line out: then no `destroy` takes the data
});
const on = new DockerHost("host", {
  site,
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});

export const { url } = new Wiki("wiki", { on, replicas: 1 });
