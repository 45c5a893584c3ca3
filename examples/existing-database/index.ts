/**
 * Arkindex beside a database that is there already: nothing is made for what `existing` names, and everything else is as
 * it always is. The password comes by `pulumi config set --secret dbPassword`.
 */
import { Config } from "@pulumi/pulumi";
import { Arkindex, DockerHost, siteOf } from "platform-topologies";

const config = new Config();
const site = siteOf({
  name: config.get("name") ?? "arkindex",
  hostname: "arkindex.example.com",
  images: config.getObject<Record<string, string>>("images") ?? {},
  rehearsal: config.getBoolean("rehearsal") ?? false, // stand-ins for images that are not public
  existing: { db: { kind: "postgres", host: "db.example.com", user: "arkindex", tls: true } },
  secrets: { dbPassword: config.requireSecret("dbPassword") },
});
const on = new DockerHost("host", {
  site,
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});
const arkindex = new Arkindex("arkindex", { on, workers: 2 });

export const { url, endpoints } = arkindex;
export const passwords = arkindex.passwords;
