/**
 * Two platforms in one program, on one engine: each has a topology and a site of its own, and so its own names, networks
 * and ports.
 */
import { Config } from "@pulumi/pulumi";
import { ArangoDb, DockerHost, siteOf } from "platform-topologies";

const config = new Config();
const images = config.getObject<Record<string, string>>("images") ?? {};

function database(name: string, https: number): ArangoDb {
  const on = new DockerHost(`${name}-host`, {
    site: siteOf({ name, hostname: `${name}.example.com`, ports: { http: https - 1, https }, images }),
    host: "unix:///var/run/docker.sock",
    address: "127.0.0.1",
    tls: { mode: "local" },
  });
  return new ArangoDb(name, { on, mode: "single" });
}

const first = config.get("name") ?? "graph";
export const urls = [database(`${first}-one`, 9443), database(`${first}-two`, 9543)].map(({ url }) => url);
