/** The edge behind a balancer, or behind a NAT, as both topologies register it. */
import { expect, test } from "@jest/globals";

import { siteOf } from "../../components/core/site.ts";
import type { Topology } from "../../components/core/topology.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { certificate } from "../support/certificates.ts";
import { record, type Registered } from "../support/mocks.ts";

const tls = { mode: "outside", trustedProxies: ["10.0.0.0/8"] } as const;
const site = (more: Partial<Parameters<typeof siteOf>[0]>) =>
  siteOf({
    name: "ark",
    hostname: "ark.example.com",
    images: { toolbox: "toolbox:1", rehearsal: "rehearsal:1" },
    rehearsal: true,
    copies: 1,
    ...more,
  });
const deployed = (make: () => Topology) =>
  record(() => {
    new Arkindex("arkindex", { on: make() });
  });
const one = (all: Registered[], name: string, type: string) => {
  const found = all.find((each) => each.name === name && each.type.endsWith(`:${type}`));
  if (found === undefined) throw new Error(`no ${name}`);
  return found.inputs;
};
const nat = { ports: { http: 8080, https: 8443 }, publicPort: 443 };
const engine = { host: "unix:///run/d.sock", address: "0.0.0.0" };

test("one host: http alone is published, and containers call the public URL inside, by the stack's own authority", async () => {
  const all = await deployed(() => new DockerHost("docker", { site: site({ ports: { http: 8080 } }), ...engine, tls }));
  const edge = one(all, "arkindex-edge", "Container");
  expect(edge.ports).toEqual([{ internal: 80, external: 8080, ip: "0.0.0.0" }]);
  expect(edge.entrypoints).toEqual(["traefik"]);
  expect(edge.command).toContain("--entryPoints.websecure.address=:443");
  const uploads = one(all, "arkindex-backend-1", "Container").uploads as { file: string; content: string }[];
  expect(uploads.find(({ file }) => file === "/run/arkindex/ca.pem")?.content).toBe("CA");
  expect(uploads[0]?.content).toContain("public_hostname: https://ark.example.com\n");
  expect(uploads[0]?.content).toContain("endpoint: https://objects.ark.example.com\n");
});

test("one host behind a NAT: URLs have the public port, the host its own", async () => {
  const all = await deployed(() => new DockerHost("docker", { site: site(nat), ...engine, tls: { mode: "local" } }));
  expect(one(all, "arkindex-edge", "Container").ports).toEqual([
    { internal: 80, external: 8080, ip: "0.0.0.0" },
    { internal: 443, external: 8443, ip: "0.0.0.0" },
  ]);
  const uploads = one(all, "arkindex-backend-1", "Container").uploads as { content: string }[];
  expect(uploads[0]?.content).toContain("public_hostname: https://ark.example.com\n");
});

test("a swarm: the same on its nodes", async () => {
  const swarm = { managers: ["tcp://10.0.0.1:2375"], pin: (ref: string) => Promise.resolve(`${ref}@sha256:0`) };
  const published = async (
    at: Partial<Parameters<typeof siteOf>[0]>,
    more: { readonly tls: typeof tls | { mode: "local" } },
  ) => {
    const all = await deployed(() => new Swarm("swarm", { site: site(at), ...swarm, ...more }));
    const { ports } = one(all, "arkindex-edge", "Service").endpointSpec as { ports: object[] };
    return ports;
  };
  const host = { protocol: "tcp", publishMode: "host" };
  expect(await published({ ports: { http: 8080 } }, { tls })).toEqual([
    { ...host, targetPort: 80, publishedPort: 8080 },
  ]);
  expect(await published(nat, { tls: { mode: "local" } })).toEqual([
    { ...host, targetPort: 80, publishedPort: 8080 },
    { ...host, targetPort: 443, publishedPort: 8443 },
  ]);
});

test("an own authority is handed to whoever calls the edge", async () => {
  const hostnames = ["ark.example.com", "*.ark.example.com"];
  const { pem: cert, key } = await certificate({ name: "ark.example.com", hostnames });
  const own = { mode: "own", cert, key, ca: "OWN CA" } as const;
  const all = await deployed(() => new DockerHost("docker", { site: site({}), ...engine, tls: own }));
  const uploads = one(all, "arkindex-backend-1", "Container").uploads as { file: string; content: string }[];
  expect(uploads.find(({ file }) => file === "/run/arkindex/ca.pem")?.content).toBe("OWN CA");
});
