/** A caller's options join the topology's own, whoever makes the component. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";

import { siteOf } from "../../components/core/site.ts";
import { Postgres } from "../../components/services/postgres.ts";
import { Arkindex } from "../../components/systems/arkindex.ts";
import { DockerHost } from "../../components/topologies/docker/index.ts";
import { Swarm } from "../../components/topologies/swarm/index.ts";
import { record, type Registered } from "../support/mocks.ts";

class Provider extends pulumi.ProviderResource {}
class Thing extends pulumi.CustomResource {
  constructor(name: string, opts: pulumi.CustomResourceOptions = {}) {
    super("aws:s3/bucket:Bucket", name, {}, opts);
  }
}

/** What the engine is told beside the inputs. */
interface Told {
  readonly protect: boolean;
  readonly dependencies: readonly string[];
  readonly aliases: readonly string[];
}
const { prototype } = MockMonitor as unknown as { prototype: { registerResource: (...args: unknown[]) => unknown } };
const original = prototype.registerResource;
let told: Map<string, Told>;
let transformed: Set<string>;
beforeEach(() => {
  told = new Map();
  transformed = new Set();
  prototype.registerResource = function (this: unknown, ...args: unknown[]) {
    const request = args[0] as {
      getName(): string;
      getType(): string;
      getProtect(): boolean;
      getDependenciesList(): string[];
      getAliasesList(): { getUrn(): string; getSpec(): { getName(): string } | undefined }[];
    };
    told.set(`${request.getType().split(":").at(-1) ?? ""} ${request.getName()}`, {
      protect: request.getProtect(),
      dependencies: request.getDependenciesList().map((urn) => urn.split("::").at(-1) ?? ""),
      aliases: request.getAliasesList().map((alias) => alias.getSpec()?.getName() ?? alias.getUrn()),
    });
    return original.apply(this, args);
  };
});
afterEach(() => {
  prototype.registerResource = original;
});

const site = () =>
  siteOf({
    ...{ name: "own", hostname: "own.example.com", rehearsal: true, copies: 1 },
    images: { toolbox: "t:1", rehearsal: "r:1" },
  });
const topologies = {
  DockerHost: (opts?: pulumi.ComponentResourceOptions) =>
    new DockerHost(
      "on",
      { site: site(), host: "unix:///run/d.sock", address: "0.0.0.0", tls: { mode: "local" } },
      opts,
    ),
  Swarm: (opts?: pulumi.ComponentResourceOptions) =>
    new Swarm(
      "on",
      { site: site(), managers: ["unix:///run/d.sock"], tls: { mode: "local" }, pin: (ref) => Promise.resolve(ref) },
      opts,
    ),
};
type On = DockerHost | Swarm;
const components = {
  service: (on: On, opts: pulumi.ComponentResourceOptions) =>
    new Postgres("made", { on, databases: ["a"], clientTls: "never", gib: 1 }, opts),
  system: (on: On, opts: pulumi.ComponentResourceOptions) => new Arkindex("made", { on }, opts),
};

function options(): pulumi.ComponentResourceOptions {
  return {
    providers: { aws: new Provider("aws", "mine", {}) },
    dependsOn: new Thing("earlier"),
    protect: true,
    aliases: [{ name: "former" }],
    transformations: [
      ({ name }) => {
        transformed.add(name);
        return undefined;
      },
    ],
  };
}

function joined(all: readonly Registered[], type: string, name: string): void {
  expect(told.get(`${type} ${name}`)).toMatchObject({ protect: true });
  expect(told.get(`${type} ${name}`)?.dependencies).toContain("earlier"); // beside the topology's identity
  expect(told.get(`${type} ${name}`)?.aliases).toContain("former");
  expect(transformed.has(name)).toBe(true);
  // A child of the caller's kind has the caller's provider, and ours have the topology's, never a default one.
  expect(all.find((each) => each.name === "child")?.provider).toContain("::mine::");
  for (const { custom, type: of, provider, name: each } of all)
    if (custom && /^(docker|random|platform-topologies):/.test(of)) expect([each, provider]).not.toEqual([each, ""]);
}

describe.each(Object.entries(topologies))("%s", (type, make) => {
  test("itself", async () => {
    const all = await record(() => {
      const on = make(options());
      new Thing("child", { parent: on });
      components.service(on, {});
    });
    joined(all, type, "on");
  });

  test.each(Object.entries(components))("a %s on it", async (_, component) => {
    const all = await record(() => {
      const made = component(make(), options());
      new Thing("child", { parent: made });
    });
    joined(all, _ === "service" ? "Postgres" : "Arkindex", "made");
    expect(all.filter(({ type: of }) => of.startsWith("pulumi:providers:random"))).toHaveLength(1);
  });

  test("a provider of the caller's for what we make ourselves is used", async () => {
    const all = await record(() => {
      const own = new Provider("random", "mine", {});
      components.service(make({ providers: { random: own } }), {});
    });
    const password = all.find(({ type: of }) => of.endsWith(":RandomPassword"));
    expect(password?.provider).toContain("::mine::");
  });
});

test("volume nodes wait for the identity as for the nodes' labels", async () => {
  await record(() => {
    const on = new Swarm(
      "on",
      {
        site: site(),
        managers: ["unix:///run/d.sock"],
        nodes: { a: { labels: { disk: "ssd" } } },
        tls: { mode: "local" },
        pin: (ref) => Promise.resolve(ref),
      },
      { dependsOn: new Thing("earlier") },
    );
    components.service(on, {});
  });
  expect(new Set(told.get("VolumeNode on-made-1")?.dependencies)).toEqual(new Set(["on-a", "on-identity", "earlier"]));
});
