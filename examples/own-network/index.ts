/**
 * A platform inside a network of your own: whoever is in it calls the database by its name there, and nothing is made or
 * deleted of the network. The topology is the system's child, so one component has all of it.
 */
import { Config } from "@pulumi/pulumi";
import { ArangoDb, DockerHost, siteOf } from "platform-topologies";

const config = new Config();
const site = siteOf({
  name: config.get("name") ?? "graph",
  hostname: "graph.example.com",
  images: config.getObject<Record<string, string>>("images") ?? {},
  ports: { http: config.getNumber("http") ?? 8080, https: config.getNumber("https") ?? 8443 },
  protect: false, // an example may go
});
const on = DockerHost.own({
  site,
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
  networks: { data: config.get("network") ?? "company" },
});
const graph = new ArangoDb("graph", { on, mode: "single" });

export const { url, passwords } = graph;
/** What runs, by name: `graph.nodes["single-1"]` is its container. */
export const parts = Object.keys(graph.nodes);
