/** Pulumi's own options, on each component that the package exports: its children heed them. */
import { describe, expect, jest, test } from "@jest/globals";
import {
  ComponentResource,
  type ComponentResourceOptions,
  CustomResource,
  type CustomResourceOptions,
  ProviderResource,
} from "@pulumi/pulumi";

import * as root from "../../components/index.ts";
import { type Choices, kinds, placeNames, places, serviceOn, systemNames, systemOn } from "../support/deployed.ts";
import { record, type Registered } from "../support/mocks.ts";

jest.setTimeout(300_000);

class Provider extends ProviderResource {}
class Outer extends ComponentResource {}
class Earlier extends CustomResource {
  constructor(name: string, opts: CustomResourceOptions) {
    super("random:index/randomPet:RandomPet", name, {}, opts);
  }
}

type Make = (opts: ComponentResourceOptions) => void;
/** A site whose own word protects nothing. */
const bare: Choices = { protect: false, backup: false };
const machines = { count: 3, cpu: 1, memoryMib: 1024, gib: 20 };

/** Each is called `made`; what it runs on, `on`. */
const components: readonly (readonly [string, Make])[] = [
  ...placeNames.map((place): [string, Make] => [place, (opts) => places[place]("made", bare, opts)]),
  ...systemNames.map((system): [string, Make] => [
    system,
    (opts) => {
      systemOn(system, "made", places.DockerHost("on", bare), {}, opts);
    },
  ]),
  ...kinds.map((kind): [string, Make] => [
    kind,
    (opts) => {
      // A container's OpenID provider has a public name, which only a system has.
      serviceOn(kind, "made", places[kind === "oidc" ? "AwsRegion" : "DockerHost"]("on", bare), opts);
    },
  ]),
  [
    "machines",
    (opts) => {
      new root.SwarmMachines("made", { sshKeys: ["ssh-ed25519 AAAA"], on: places.AwsRegion("on", bare) }, opts);
    },
  ],
  [
    "swarm",
    (opts) => {
      const ask = { managers: machines, workers: {}, ports: [443], keys: ["ssh-ed25519 AAAA"] };
      new root.MachineSwarm("made", { ...ask, on: places.AwsRegion("on", bare) }, opts);
    },
  ],
];

/** What `make` registers with every option at once, and whom the caller's transformation saw. */
async function madeWith(make: Make) {
  const seen = new Set<string>();
  const all = await record(() => {
    const mine = (pkg: string): Provider => new Provider(pkg, `my-${pkg}`, {});
    const providers = { random: mine("random"), "platform-topologies": mine("platform-topologies") };
    make({
      parent: new Outer("test:index:Outer", "outer"),
      dependsOn: new Earlier("earlier", { provider: providers.random }),
      aliases: [{ name: "former" }],
      protect: true,
      providers,
      transformations: [
        ({ name }) => {
          seen.add(name);
          return undefined;
        },
      ],
    });
  });
  const made = all.find(({ name, custom }) => name === "made" && !custom);
  if (made === undefined) throw new Error("it is not there");
  return { all, made, seen, below: below(all, made.name) };
}

/** What has `name` among its parents. A component and a resource of one name are one here: both are below. */
function below(all: readonly Registered[], name: string): Registered[] {
  const parents = new Set([name]);
  const found = new Set<Registered>();
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const each of all.filter(({ parent }) => parents.has(parent))) {
      found.add(each);
      parents.add(each.name);
    }
  }
  return [...found];
}

test("every exported component has a row", async () => {
  const exported = Object.entries(root).flatMap(([name, value]) =>
    typeof value === "function" && value.prototype instanceof ComponentResource ? [name] : [],
  );
  const types = new Set<string>();
  for (const [, make] of components) types.add((await madeWith(make)).made.type.split(":").at(-1) ?? "");
  expect([...types].sort()).toEqual(exported.filter((name) => !["Service", "SystemComponent"].includes(name)).sort());
});

describe.each(components)("%s", (_, make) => {
  test("parent, alias, protection, order, transformations and providers reach it and what it makes", async () => {
    const { all, made, seen, below: children } = await madeWith(make);
    expect(made).toMatchObject({ parent: "outer", options: { protect: true } });
    expect(made.aliases).toContain("former");
    expect(made.options.dependsOn.map((each) => each.split(" ").at(-1))).toContain("earlier");
    expect(children.filter(({ custom }) => custom).length).toBeGreaterThan(1);
    const named = (those: readonly Registered[]): string[] => those.map(({ type, name }) => `${type} ${name}`);
    expect(named(children.filter(({ options }) => !options.protect))).toEqual([]);
    expect(named(children.filter(({ name }) => !seen.has(name)))).toEqual([]);
    // Default providers may be disabled: nothing asks for one.
    const custom = all.filter(({ custom: is, type }) => is && !type.startsWith("pulumi:providers:"));
    expect(named(custom.filter(({ provider }) => provider === ""))).toEqual([]);
    // The caller's own counts, for a service inside a system, too.
    const passwords = children.filter(({ type }) => type.endsWith(":RandomPassword"));
    for (const { type, provider } of passwords)
      expect([type, provider]).toEqual([type, expect.stringContaining("::my-random::")]);
  });
});
