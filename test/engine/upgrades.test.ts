/**
 * The states that earlier releases wrote, previewed with the working tree: nothing is replaced or deleted that
 * docs/upgrades.yaml does not name. No engine and no cloud is there but stand-ins that have what the state says.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, expect, test } from "@jest/globals";

import { repo } from "../support/stack.ts";
import { judge, type Rule, rulesOf } from "../support/upgrade-rules.ts";
import { type Upgraded, upgraded } from "../support/upgraded.ts";
import { exported, type Fixture, fixtures } from "../support/upgrades.ts";

const minutes = 60_000;
const rules = rulesOf(readFileSync(join(repo, "docs/upgrades.yaml"), "utf8"));
const recorded = fixtures();

const begun = new Map<Fixture, Promise<Upgraded>>();
function previewed(fixture: Fixture): Promise<Upgraded> {
  const found = begun.get(fixture) ?? upgraded(fixture);
  found.catch(() => undefined); // until its own test asks for it
  begun.set(fixture, found);
  return found;
}
afterAll(() => Promise.allSettled(begun.values()), 10 * minutes);

test.each(recorded.map((each, index) => [`${each.system}-${each.topology} of ${each.version}`, index] as const))(
  "%s keeps what it has",
  async (_, index) => {
    const [fixture, next] = recorded.slice(index, index + 2);
    if (fixture === undefined) throw new Error("no such fixture");
    const mine = previewed(fixture);
    if (next !== undefined) void previewed(next); // two at a time: each is a CLI with its plugins
    const { found, asked } = await mine;
    expect(judge(fixture, found, rules).wrong).toEqual([]);
    // Nothing was made, and all that was there was looked at.
    expect(asked.filter((each) => !each.startsWith("GET "))).toEqual([]);
    expect(found.changes.length + found.unchanged).toBeGreaterThanOrEqual(
      fixture.state.deployment.resources.length - 2,
    );
  },
  10 * minutes,
);

test(
  "each rule of docs/upgrades.yaml is for something",
  async () => {
    const used: Rule[] = [];
    for (const fixture of recorded) used.push(...judge(fixture, (await previewed(fixture)).found, rules).used);
    expect(rules.filter((each) => !used.includes(each))).toEqual([]);
  },
  10 * minutes,
);

test("no state has what is its machine's: a path, a host or a registry", () => {
  const ours = /(^|\.)(example\.com|localhost|internal|amazonaws\.com|amazoncognito\.com)$/;
  const registries = /^(platform-topologies|10\.213\.181\.1:5000|\d+\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com)\//;
  for (const { system, topology, settings, state } of recorded) {
    const text = JSON.stringify({ settings, state });
    const { images } = state.deployment.resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs ?? {};
    const hosts = Array.from(text.matchAll(/\/\/([a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,})\b/g), ([, host = ""]) => host);
    const wrong = [
      ...["/root/", "/home/", "/Users/", "/work/", "/tmp/stack-", "node_modules", repo].filter((each) =>
        text.includes(each),
      ),
      ...hosts.filter((each) => !ours.test(each)),
      ...Object.values(images as Record<string, string>).filter((each) => !registries.test(each)),
    ];
    expect([system, topology, hosts.length > 0, wrong]).toEqual([system, topology, true, []]);
  }
});

test(
  "another name, parent or type, or a property that replaces is seen, with its cause, unless a rule is for it",
  async () => {
    const fixture = recorded.find(({ system, topology }) => system === "arangodb" && topology === "docker");
    if (fixture === undefined) throw new Error("the state of arangodb-docker is not there");
    const { found } = await upgraded(otherwise(fixture));
    const whose = "arangodb on docker, as 0.1.0 made it";
    const gate = "platform-topologies:index:Gate";
    expect(judge(fixture, found, []).wrong.sort()).toEqual([
      `${whose}: docker:index/container:Container arangodb-coordinator-2 is replaced, because of healthcheck.interval`,
      `${whose}: ${gate} arangodb-agent-1 is deleted, as it has another parent now, without an alias`,
      `${whose}: ${gate} arangodb-coordinator-2 is replaced, because of container`,
      `${whose}: ${gate} arangodb-proxy is deleted, and arangodb-edge of its type is made, without an alias`,
      `${whose}: platform-topologies:index:ServiceGate arangodb-agent-2 is deleted, as arangodb-agent-2 is a ${gate} now`,
    ]);
    const why = "The members start anew, one after the other.";
    const of = { version: "0.2.0", system: "arangodb", topology: "docker", why };
    const named: Rule[] = [
      { ...of, does: "replace", name: "arangodb-coordinator-*" },
      { ...of, does: "delete", type: "platform-topologies:index:*Gate", name: "arangodb-*" },
    ];
    expect(judge(fixture, found, named)).toEqual({ wrong: [], used: named });
  },
  10 * minutes,
);

/** As a release would have written it that named, placed and made some things otherwise. */
function otherwise(fixture: Fixture): Fixture {
  const of = "urn:pulumi:upgrade::platform-topologies::";
  const system = `${of}platform-topologies:index:ArangoDb$platform-topologies:index:`;
  const topology = `${of}platform-topologies:index:DockerHost`;
  const moves = [
    [`${system}Gate::arangodb-edge`, `${system}Gate::arangodb-proxy`],
    [`${system}Gate::arangodb-agent-2`, `${system}ServiceGate::arangodb-agent-2`],
    [`${system}Gate::arangodb-agent-1`, `${topology}$platform-topologies:index:Gate::arangodb-agent-1`],
  ] as const;
  let text = JSON.stringify(fixture.state);
  for (const [from, to] of moves) text = text.replaceAll(`"${from}"`, `"${to}"`);
  const state = exported.parse(JSON.parse(text));
  for (const each of state.deployment.resources) {
    each.type = each.urn.split("::")[2]?.split("$").at(-1) ?? "";
    if (each.urn === moves[2][1]) each.parent = `${topology}::docker`;
    if (!each.urn.endsWith(":Container::arangodb-coordinator-2")) continue;
    for (const side of [each.inputs, each.outputs])
      Object.assign(side ?? {}, { healthcheck: { ...(side?.healthcheck as object), interval: "7s" } });
  }
  return { ...fixture, state };
}
