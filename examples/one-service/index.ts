/**
 * One service alone: a PostgreSQL on this machine's Docker engine, with its disk, its password and a database. Whoever
 * has no `toolbox` in a registry yet names one: `pulumi config set --path images.toolbox …` (docs/importing.md).
 */
import { Config } from "@pulumi/pulumi";
import { DockerHost, Postgres, siteOf } from "platform-topologies";

const config = new Config();
const site = siteOf({
  name: config.get("name") ?? "shop",
  hostname: "shop.example.com",
  images: config.getObject<Record<string, string>>("images") ?? {},
  protect: false, // a real one leaves this line out: then no `destroy` takes the data
});
const on = new DockerHost("host", {
  site,
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});
const db = new Postgres("db", { on, databases: ["shop"], clientTls: "never", gib: 1 });

export const { host, port, user, password } = db.given;
