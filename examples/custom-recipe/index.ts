/**
 * A recipe of one's own takes the place of the package's: this Redis keeps nothing, and has no disk. Any system on this
 * host that needs a Redis would get this one, as a service alone does here.
 */
import { type ComponentResourceOptions, Config } from "@pulumi/pulumi";
import { containerServices, DockerHost, type Recipe, Service, type ServiceArgs, siteOf } from "platform-topologies";

const cache: Recipe<"redis"> = (platform, name, { memoryMib }) => {
  const settings = ['save ""', "protected-mode no", `maxmemory ${String(memoryMib)}mb`, "maxmemory-policy allkeys-lru"];
  const conf = { path: "/run/cache/redis.conf", content: settings.map((line) => `${line}\n`).join("") };
  const { host, ready } = platform.run(name, {
    image: "redis",
    tier: "data",
    replicas: 1,
    cpu: 1,
    memoryMib: memoryMib + 64,
    user: "999:999",
    files: [conf],
    command: ["redis-server", conf.path],
    ports: { redis: { number: 6379, protocol: "tcp" } },
    health: { ready: { command: ["sh", "-c", "redis-cli ping | grep PONG"] }, startSeconds: 30, stopSeconds: 10 },
  });
  return { host, port: 6379, members: [], ready };
};

class Cache extends Service<"redis"> {
  static readonly recipe = cache;

  /** Why it is not for an ask, and what would be. */
  static unfit({ keep, clientAuth }: ServiceArgs<"redis">): string | undefined {
    return keep || clientAuth ? "it keeps nothing, and asks for no password: leave Redis to the package" : undefined;
  }

  constructor(name: string, args: ServiceArgs<"redis">, opts?: ComponentResourceOptions) {
    super("Cache", "redis", cache, name, args, opts);
  }
}

class Host extends DockerHost {
  override readonly services = { ...containerServices, redis: Cache };
}

const config = new Config();
const on = new Host("host", {
  site: siteOf({
    name: config.get("name") ?? "cache",
    hostname: "cache.example.com",
    images: config.getObject<Record<string, string>>("images") ?? {},
    protect: false,
  }),
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});
const made = new Cache("cache", { on, clientTls: "never", clientAuth: false, keep: false, memoryMib: 64 });

export const { host } = made.given;
