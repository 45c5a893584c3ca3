/** A topology that a system makes as its own child: one root for the caller's options, after the whole check. */
import { describe, expect, jest, test } from "@jest/globals";
import { CustomResource, ProviderResource } from "@pulumi/pulumi";

import { ConfigError, sentence } from "../../components/core/errors.ts";
import { knownOf } from "../../components/core/known.ts";
import type { SystemComponent } from "../../components/core/system.ts";
import { ownPlaces, placeNames, runsOn, systemNames, systemOn } from "../support/deployed.ts";
import { record, type Registered } from "../support/mocks.ts";

jest.setTimeout(300_000);

class Provider extends ProviderResource {}
class Earlier extends CustomResource {}

const pairs = systemNames.flatMap((system) =>
  placeNames.filter((place) => runsOn(system, place)).map((place) => [system, place] as const),
);

/** The name of what has no parent among `all`: a thing may be called as the component that it is below. */
function rootOf(all: readonly Registered[], thing: Registered): string {
  const above = all.find((each) => each !== thing && !each.custom && each.name === thing.parent);
  return above === undefined ? thing.parent || thing.name : rootOf(all, above);
}

describe.each(pairs)("%s on its own %s", (system, place) => {
  let made: SystemComponent<unknown>;

  test("has one root, which has the caller's options, and no resource asks for a default provider", async () => {
    const all = await record(() => {
      const mine = (pkg: string): Provider => new Provider(pkg, `my-${pkg}`, {});
      const random = mine("random");
      const dependsOn = new Earlier("random:index/randomPet:RandomPet", "earlier", {}, { provider: random });
      made = systemOn(system, "made", ownPlaces[place]("shop"), {}, { protect: true, providers: [random], dependsOn });
    });
    const own = all.filter(({ name, type }) => !/^(my-|earlier)/.test(name) && !type.startsWith("pulumi:pulumi:"));
    expect([...new Set(own.map((each) => rootOf(own, each)))]).toEqual(["made"]);
    const custom = own.filter(({ custom: is, type }) => is && !type.startsWith("pulumi:providers:"));
    expect(custom.filter(({ provider }) => provider === "").map(({ type, name }) => `${type} ${name}`)).toEqual([]);
    expect(custom.filter(({ options }) => !options.protect).map(({ name }) => name)).toEqual([]);
    // The caller's provider is taken where there is one.
    const passwords = custom.filter(({ type }) => type.endsWith(":RandomPassword"));
    for (const { provider } of passwords) expect(provider).toContain("::my-random::");
    // Nothing is made before the stack has its identity, whose survey looks at what is there.
    const identity = all.find(({ type }) => type.endsWith(":StackIdentity"));
    expect(identity?.name).toBe(`made-${ownPlaces[place]("shop").capabilities.name}-identity`);
    expect(identity?.options.dependsOn).toEqual(expect.arrayContaining([expect.stringContaining("earlier")]));
    for (const { name, options } of passwords)
      expect([name, options.dependsOn]).toEqual([name, expect.arrayContaining([expect.stringMatching(/-identity$/)])]);
  });

  test("says what runs, by its name", () => {
    const names = Object.keys(made.nodes);
    expect(names.length).toBeGreaterThan(1);
    expect(names.filter((name) => name.startsWith("shop-"))).toEqual([]);
  });

  test("refuses before anything is registered", async () => {
    let said: string[] = [];
    const all = await record(() => {
      try {
        systemOn(system, "made", ownPlaces[place]("shop", { disks: { nothing: "today" } }));
      } catch (error) {
        if (error instanceof ConfigError) said = error.problems.map(sentence);
      }
    });
    expect(said).toEqual([expect.stringContaining("disks.nothing")]);
    expect(all.filter(({ type }) => !type.startsWith("pulumi:pulumi:"))).toEqual([]);
  });
});

test("of a state each system has what is named after it, and nothing of another whose name begins alike", () => {
  const type = "platform-topologies:index:ArangoDb";
  const known = (name: string, of = "docker:index/container:Container", outputs = {}) => ({
    ...{ urn: `urn:pulumi:s::p::${of}::${name}`, type: of, outputs },
  });
  const systemOutputs = { endpoints: {}, passwords: {} };
  const state = [
    ...[known("db", type, systemOutputs), known("db-single-1"), known("db-2-disk-of-old")],
    ...[known("db-2", type, systemOutputs), known("db-2-single-1"), known("dbs"), known("other")],
  ];
  const names = (component: string) => knownOf(state, component).map(({ urn }) => urn.split("::").at(-1));
  expect(names("db")).toEqual(["db", "db-single-1"]);
  expect(names("db-2")).toEqual(["db-2-disk-of-old", "db-2", "db-2-single-1"]);
  expect(names("none")).toEqual([]);
});
