/** Who uses the components without a stack's config meets the same rules, before anything is made. */
import { beforeAll, expect, test } from "@jest/globals";
import { output, secret } from "@pulumi/pulumi";

import { checkedPair } from "../../components/core/certificates.ts";
import { siteOf } from "../../components/core/site.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { Postgres } from "../../components/services/postgres.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import type { Tls } from "../../components/topologies/tls.ts";
import { Swarm, type SwarmArgs } from "../../components/topologies/swarm/index.ts";
import { certificate, type Made } from "../support/certificates.ts";
import { record } from "../support/mocks.ts";

const hostname = "shop.example.com";
const site = (more: Partial<Parameters<typeof siteOf>[0]> = {}) =>
  siteOf({
    name: "shop",
    hostname,
    rehearsal: true,
    images: { toolbox: "r.example.com/t:1", rehearsal: "r.example.com/r:1" },
    ...more,
  });
const host = (more: Partial<ConstructorParameters<typeof DockerHost>[1]> = {}) =>
  new DockerHost("host", {
    site: site(),
    host: "unix:///run/d.sock",
    address: "0.0.0.0",
    tls: { mode: "local" },
    ...more,
  });
const swarm = (more: Partial<SwarmArgs> = {}) =>
  new Swarm("swarm", { site: site(), managers: ["tcp://m:2375"], tls: { mode: "local" }, ...more });

/** The error of what is made by `make`, and how many resources there were by then. */
async function refused(make: () => void): Promise<string> {
  let message = "";
  await record(() => {
    try {
      make();
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
  });
  return message;
}

test.each([
  ["pr.12", 'name = "pr.12": lower-case letters'],
  ["PR", 'name = "PR": lower-case letters'],
  ["constructor_", 'name = "constructor_": lower-case letters'],
  ["x".repeat(32), "lower-case letters"],
])("a site called %s", async (name, expected) => {
  expect(await refused(() => void site({ name }))).toContain(expected);
});

test("a site's references and mirror", async () => {
  expect(await refused(() => void site({ images: { redis: "r.example.com/Redis:1" } }))).toContain("images.redis");
  expect(await refused(() => void site({ mirror: "myhub" }))).toContain('mirror = "myhub": a registry');
});

test("an image of ours: by its version in a mirror, by the tag of what was built where a site is told", () => {
  const own = { images: {}, rehearsal: false, built: { toolbox: "platform-topologies/toolbox:1-0123abcd" } };
  const mirror = "r.example.com/hub";
  const ref = (more: Partial<Parameters<typeof siteOf>[0]>) => site(more).image("toolbox");
  expect(ref({ ...own, built: {}, mirror })).toMatchObject({ ref: `${mirror}/platform-topologies/toolbox:1` });
  expect(ref({ ...own, mirror })).toMatchObject({ ref: `${mirror}/platform-topologies/toolbox:1-0123abcd` });
  expect(ref({ ...own, localImages: true })).toMatchObject({ ref: own.built.toolbox });
  expect(ref(own)).toMatchObject({ key: "images.toolbox" });
});

test("registries by their bare names", async () => {
  const registries = ["https://r.example.com/group"];
  expect(await refused(() => void host({ registries }))).toContain("registries.0");
  expect(await refused(() => void swarm({ registries }))).toContain("registries.0");
});

test("everything that is wrong in a topology's arguments comes at once", async () => {
  const said = await refused(() => void host({ host: "localhost:2375", address: "eth0", mtu: 12 }));
  expect(said).toContain("3 problems, nothing was changed");
  for (const key of ["host = ", "address = ", "mtu = "]) expect(said).toContain(key);
  expect(await refused(() => void swarm({ managers: [], publish: "both" as "host" }))).toContain("2 problems");
});

test("labels by the grammar of a constraint: of the swarm, and of a store", async () => {
  expect(await refused(() => void swarm({ place: { zone: "eu/a, b@c" } }))).toContain('place.zone = "eu/a, b@c"');
  expect(await refused(() => void swarm({ edge: { nodes: { role: "boss" } } }))).toContain("role is manager or worker");
  const store = { databases: ["shop"], clientTls: "never", gib: 1, nodeLabels: { zone: "a,b" } } as const;
  const made = (): void => {
    new Postgres("db", { on: swarm(), ...store });
  };
  expect(await refused(made)).toContain('db-1.nodes.zone = "a,b"');
});

let right: Made;
let other: Made;
beforeAll(async () => {
  right = await certificate({ name: hostname, hostnames: [hostname, `*.${hostname}`] });
  other = await certificate({ name: hostname, hostnames: [hostname] });
});

test.each(["docker", "swarm"])("a certificate of one's own on %s: its key and every routed name", async (topology) => {
  const made = (tls: Tls) => () => {
    new Arkindex("arkindex", {
      on: topology === "docker" ? host({ tls }) : swarm({ tls, pin: (ref) => Promise.resolve(ref) }),
    });
  };
  const { pem: cert, key } = right;
  expect(await refused(made({ mode: "own", cert, key }))).toBe("");
  expect(await refused(made({ mode: "own", cert, key: other.key }))).toContain("it is not the key of the certificate");
  expect(await refused(made({ mode: "own", cert: other.pem, key: other.key }))).toContain(
    `it does not cover objects.${hostname}`,
  );
});

test("a key that comes later is checked when it comes", async () => {
  const { pem: cert, key } = right;
  const known = (given: string) =>
    new Promise((resolve) => output(checkedPair({ cert, key: secret(given) }, [hostname]).key).apply(resolve));
  expect(await known(key)).toBe(key);
});
