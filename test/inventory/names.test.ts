/** Whatever a component makes has a name that begins with its own: so any number of them live in one program. */
import { expect, jest, test } from "@jest/globals";

import type { SystemName } from "../../components/systems/index.ts";
import {
  type Choices,
  kinds,
  type PlaceName,
  placeNames,
  places,
  runsOn,
  serviceOn,
  systemNames,
  systemOn,
} from "../support/deployed.ts";
import { record, type Registered } from "../support/mocks.ts";

jest.setTimeout(300_000); // four whole platforms at once, on a machine that does much else

/** Two topologies of each class. */
const two = placeNames.flatMap((place) =>
  ["a", "b"].map((which) => ({ place, name: `${which}-${place.toLowerCase()}` })),
);

/** Children whose names do not begin with their parent's, and names that two of one type have. */
function misnamed(all: readonly Registered[]) {
  const known = all.map(({ type, name }) => `${type} ${name}`);
  return {
    strange: all
      .filter(({ name, parent }) => parent !== "" && name !== parent && !name.startsWith(`${parent}-`))
      .map(({ type, name, parent }) => `${type} ${name} below ${parent}`),
    twice: known.filter((each, at) => known.indexOf(each) !== at),
  };
}

/** nginx gets no certificate by itself. */
const tls = (system: SystemName): Choices =>
  system === "pyrus" ? {} : { tls: { mode: "acme", email: "operator@example.com" } };

test.each(systemNames)("%s on two topologies of each class in one program: no name is another's", async (system) => {
  const here = two.filter(({ place }) => runsOn(system, place));
  const all = await record(() => {
    for (const { place, name } of here) systemOn(system, `${name}-${system}`, places[place](name, tls(system)));
  });
  expect(misnamed(all)).toEqual({ strange: [], twice: [] });
  for (const { name } of here) {
    expect(all.filter(({ parent }) => parent === name).length).toBeGreaterThan(5);
    expect(all.filter(({ parent }) => parent === `${name}-${system}`).length).toBeGreaterThan(5);
  }
});

/** They have a public name: for a system alone. */
const insideOnly: readonly (typeof kinds)[number][] = ["oidc"];
const alone = (place: PlaceName) =>
  kinds.filter((kind) => !insideOnly.includes(kind) && (place !== "AwsRegion" || kind !== "containers"));

test("every service alone, all of them on two topologies of each class in one program", async () => {
  const all = await record(() => {
    for (const { place, name } of two) {
      const on = places[place](name, { backup: false });
      for (const kind of alone(place)) serviceOn(kind, `${name}-my-${kind}`, on);
    }
  });
  expect(misnamed(all)).toEqual({ strange: [], twice: [] });
  for (const { place, name } of two)
    for (const kind of alone(place))
      expect([kind, all.filter(({ parent }) => parent === `${name}-my-${kind}`).length]).not.toEqual([kind, 0]);
});

test.each(insideOnly)("%s alone has no edge for its public name, and is refused", async (kind) => {
  const refused: unknown[] = [];
  const all = await record(() => {
    try {
      serviceOn(kind, "mine", places.DockerHost("host", { backup: false }));
    } catch (error) {
      refused.push(error);
    }
  });
  expect(String(refused)).toContain("mine: its public name needs an edge: use it inside a system");
  expect(all.filter(({ name }) => name.startsWith("mine"))).toEqual([]);
});
