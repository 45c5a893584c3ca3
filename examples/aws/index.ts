/**
 * An ArangoDB cluster on AWS. A preview needs no credentials; `up` takes them where AWS' own tools do. `pulumi config set`
 * says `account`, and `mirror`: a registry of the account's with the images (docs/aws.md).
 */
import { Config } from "@pulumi/pulumi";
import { ArangoDb, AwsRegion, siteOf } from "platform-topologies";

const config = new Config();
const region = "eu-central-1";
const on = new AwsRegion("aws", {
  site: siteOf({
    name: "graph",
    hostname: "graph.example.com",
    mirror: config.require("mirror"),
    protect: config.getBoolean("protect") ?? true,
  }),
  account: config.require("account"),
  region,
  zones: ["a", "b", "c"].map((zone) => region + zone),
  tls: { mode: "local" }, // `{ mode: "acm" }` with a `zoneId` makes a public one
});
const graph = new ArangoDb("graph", { on, dbservers: { memoryMib: 1024, cpu: 1 } });

export const { url, passwords } = graph;
export const places = on.outputs;
