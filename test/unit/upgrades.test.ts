/** What an upgrade may do by docs/upgrades.yaml, and what is kept of a state: plain values, without an engine. */
import { join } from "node:path";
import process from "node:process";

import { expect, test } from "@jest/globals";
import { execa } from "execa";

import type { Change, Digest } from "../../comment/digest.ts";
import { judge, rulesOf } from "../support/upgrade-rules.ts";
import { exported, withoutChurn } from "../support/upgrades.ts";

const origin = { version: "1.2.0", system: "arangodb", topology: "swarm" };
const service = "docker:index/service:Service";

function change(op: Change["op"], type: string, name: string, causes: string[] = []): Change {
  const urn = `urn:pulumi:upgrade::p::platform-topologies:index:ArangoDb$${type}::${name}`;
  return { op, urn, precious: false, causes, differences: [], more: 0 };
}
function preview(changes: Change[], more: Partial<Digest> = {}): Digest {
  return { stack: "upgrade", failed: false, changes, unchanged: 3, violations: [], messages: [], ...more };
}
/** JSON is YAML. */
const rules = (...all: object[]) =>
  rulesOf(JSON.stringify(all.map((each) => ({ version: "1.3.0", does: "replace", why, ...each }))));
const why = "The edge is away for some seconds.";

test.each([
  [{ name: "arangodb-edge" }, true],
  [{ name: "arangodb-*" }, true],
  [{ name: "edge" }, false],
  [{ name: "arangodb.edge" }, false],
  [{ type: service }, true],
  [{ type: "docker:index/service" }, false],
  [{ type: "docker:*", name: "*-edge" }, true],
  [{ type: "docker:*", name: "*-proxy" }, false],
  [{ type: service, system: "arangodb", topology: "swarm" }, true],
  [{ type: service, topology: "docker" }, false],
  [{ type: service, system: "pyrus" }, false],
  [{ type: service, does: "delete" }, false],
  [{ type: service, version: "2.0.0" }, true],
  [{ type: service, version: "1.2.0" }, false], // the state is of that release itself
  [{ type: service, version: "1.1.9" }, false],
])("a rule of %j is for the replacement: %s", (row, expected) => {
  const { wrong, used } = judge(origin, preview([change("replace", service, "arangodb-edge")]), rules(row));
  expect([wrong.length, used.length]).toEqual(expected ? [0, 1] : [1, 0]);
});

test("what is made, changed or the same is nobody's business", () => {
  const changes = [change("create", service, "arangodb-a"), change("update", service, "arangodb-b")];
  expect(judge(origin, preview(changes), [])).toEqual({ wrong: [], used: [] });
});

test("each is one sentence with its cause, and so is a preview that failed", () => {
  const messages: Digest["messages"] = [
    { severity: "warning", text: "soon" },
    { severity: "error", text: "disks.db-1: the volume shop-db-1 is gone" },
  ];
  const changes = [
    change("replace", service, "arangodb-edge", ["mode.global", "labels"]),
    change("replace", "platform-topologies:index:ServiceGate", "arangodb-edge"),
    change("delete", service, "arangodb-agent-3"),
  ];
  const whose = "arangodb on swarm, as 1.2.0 made it";
  expect(judge(origin, preview(changes, { failed: true, messages }), []).wrong).toEqual([
    `${whose}: no preview: disks.db-1: the volume shop-db-1 is gone`,
    `${whose}: ${service} arangodb-edge is replaced, because of mode.global, labels`,
    `${whose}: platform-topologies:index:ServiceGate arangodb-edge is replaced, with what it depends on`,
    `${whose}: ${service} arangodb-agent-3 is deleted, as nothing in the program has its name`,
  ]);
});

test.each([
  [{ version: "next", name: "a" }, /a release, as 1\.2\.0/],
  [{ does: "update", name: "a" }, /"replace"\|"delete"/],
  [{}, /names neither a type nor a name/],
  [{ name: "a b" }, /\* for anything/],
  [{ name: "a", because: "x" }, /Unrecognized key: "because"/],
  [{ name: "a", why: "so" }, /a sentence for the operator/],
])("%j is refused in docs/upgrades.yaml", (row, message) => {
  expect(() => rules(row)).toThrow(message);
  expect(() => rules(row)).toThrow("docs/upgrades.yaml: ");
});

test("a state is kept without the times and places of its making, and with all else", () => {
  const kept = { urn: "u", type: "t", id: "i", inputs: { created: 1 }, outputs: {}, protect: true };
  const stack = { manifest: { time: "now" }, secrets_providers: { type: "passphrase" } };
  const lost = { created: "now", modified: "now", sourcePosition: "project:///index.ts#1", stackTrace: [] };
  const state = exported.parse({ version: 3, deployment: { ...stack, resources: [{ ...kept, ...lost }] } });
  expect(withoutChurn(state)).toEqual({
    version: 3,
    deployment: { secrets_providers: stack.secrets_providers, resources: [kept] },
  });
});

test("a process lives on the day that it is told, and times that are said stay as they are", async () => {
  const clock = `--import=${join(import.meta.dirname, "../support/clock.ts")}`;
  const script =
    "[new Date(), new Date(Date.now()), new Date(0)].map((each) => each.toISOString().slice(0, 10)).join()";
  const env = { NODE_OPTIONS: clock, TEST_DAY: "2031-02-03" };
  expect((await execa(process.execPath, ["-p", script], { env })).stdout).toBe("2031-02-03,2031-02-03,1970-01-01");
});
