/** What `npm run verify-cloud` makes of the engine's events, and of what it is asked. */
import { describe, expect, test } from "@jest/globals";

import { run } from "../../tools/commands/verify-cloud.ts";
import { checks } from "../../tools/verify/aws/system.ts";
import { type EngineEvent, resultsOf } from "../../tools/verify/results.ts";

const urn = (type: string, name: string): string =>
  `urn:pulumi:verify::verify-aws::platform-topologies:index:Verify$${type}::${name}`;
const made = (type: string, name: string): EngineEvent => ({ resOutputsEvent: { metadata: { urn: urn(type, name) } } });
const job = "platform-topologies:index:Job";
const gate = "platform-topologies:index:EcsGate";

describe("a check", () => {
  const of = (events: EngineEvent[]) => resultsOf(events, ["port-80", "server"], "verify-");

  test("has passed once its job or its gate is there; what both are made of proves nothing", () => {
    const parts = [
      made("aws:ecs/taskDefinition:TaskDefinition", "verify-port-80"),
      made("aws:ecs/service:Service", "verify-server"),
    ];
    expect(of(parts).map(({ is }) => is)).toEqual(["unreached", "unreached"]);
    expect(of([...parts, made(job, "verify-port-80"), made(gate, "verify-server")]).map(({ is }) => is)).toEqual([
      "passed",
      "passed",
    ]);
  });

  test("that failed says so in the provider's words, without the engine's colours; the others are told apart", () => {
    const its = urn(job, "verify-port-80");
    const said = (severity: string, message: string): EngineEvent => ({
      diagnosticEvent: { urn: its, severity, message },
    });
    const found = of([
      { resOpFailedEvent: { metadata: { urn: its } } },
      said("error", "<{%reset%}>verify-port-80 failed with exit code 28\n<{%reset%}>"),
      said("debug", "password = hunter2"),
      { diagnosticEvent: { severity: "error", message: "update failed" } },
    ]);
    expect(found).toEqual([
      { check: "port-80", is: "failed", why: "verify-port-80 failed with exit code 28" },
      { check: "server", is: "unreached" },
    ]);
  });

  test("is not told by the name of another that begins alike", () => {
    for (const [name, check] of [
      ["verify-found-late", "found"],
      ["verify-disk-address", "disk-1"],
    ] as const)
      expect(resultsOf([made(job, name)], [check], "verify-")).toEqual([{ check, is: "unreached" }]);
  });
});

test("every check has a sentence, and a name that names of resources can end with", () => {
  for (const [name, sentence] of Object.entries(checks)) {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(sentence).toMatch(/^\S.{20,}[^.]$/);
    expect(Object.keys(checks).filter((other) => other.startsWith(`${name}-`))).toEqual([]);
  }
});

test.each([
  [[], "use npm run verify-cloud -- aws"],
  [["gcp"], "verify-cloud gcp: use"],
  [["aws"], "--account is missing"],
  [["aws", "--account", "1", "--zone", "a"], "Unknown option '--zone'"],
  [
    ["aws", "--account", "123456789012", "--region", "eu-central-1", "--zones", "eu-central-1a", "--mirror", "m"],
    "nothing was made: run it again with --yes",
  ],
])("%j is refused before anything is made", async (args, why) => {
  await expect(run(args)).rejects.toThrow(why);
});
