/**
 * What no argument says, a transform does: here the memory of one container. Pulumi's transforms, of a stack or of one
 * component (`transforms` among its options), reach every resource that a component makes.
 */
import * as pulumi from "@pulumi/pulumi";
import { DockerHost, Redis, siteOf } from "platform-topologies";

const more: pulumi.ResourceTransform = ({ type, name, props, opts }) =>
  type === "docker:index/container:Container" && name === "jobs-1"
    ? { props: { ...props, memory: 300, memorySwap: 300 }, opts }
    : undefined;

const config = new pulumi.Config();
const on = new DockerHost("host", {
  site: siteOf({
    name: config.get("name") ?? "jobs",
    hostname: "jobs.example.com",
    images: config.getObject<Record<string, string>>("images") ?? {},
    protect: false,
  }),
  host: "unix:///var/run/docker.sock",
  address: "127.0.0.1",
  tls: { mode: "local" },
});
const asked = { clientTls: "never", clientAuth: true, keep: true, memoryMib: 64 } as const;
const jobs = new Redis("jobs", { on, ...asked }, { transforms: [more] });

export const { host, password } = jobs.given;
