/** Checkov, an auditor that none of us wrote, over every AWS stack as one that is to stay registers it. */
import { afterAll, describe, expect, test } from "@jest/globals";

import { type Audited, faults, table } from "../../tools/audit/report.ts";
import type { StateResource } from "../../tools/audit/terraform.ts";
import { audit } from "../../tools/commands/audit.ts";
import { tellMarkdown } from "../support/findings.ts";
import type { Registered } from "../support/mocks.ts";
import { protecting } from "../support/protected.ts";
import { recordReady } from "../support/ready.ts";

const minutes = 60_000;
const audited: Audited[] = [];

/** As the engine would write it down. */
function stateOf(all: readonly Registered[]): StateResource[] {
  const urn = (id: string): string => `urn:pulumi:test::platform-topologies::${id}`;
  return all.map(({ type, name, custom, inputs, from }) => ({
    ...{ urn: urn(`${type}::${name}`), type, custom, inputs },
    propertyDependencies: Object.fromEntries(Object.entries(from).map(([key, ids]) => [key, ids.map(urn)])),
  }));
}

afterAll(() => {
  if (audited.length === 0) return;
  const title = `## Checkov over ${audited.map(({ stack }) => stack).join(", ")}`;
  const words = "Each stack with `protect: true`, all resources together; a waived control has its reason.";
  tellMarkdown("1-audit", [title, "", words, "", table(audited), ""].join("\n"));
});

/** AWS' own search, which no ready stack has: it is the operator's word. */
const search = { media: { searchSpeaks: ["opensearch2"] } };

describe.each([
  ...["arkindex-aws", "arangodb-aws", "machines-aws", "media-aws", "pyrus-aws"].map(
    (ready) => [ready, ready, {}] as const,
  ),
  ["media-aws with AWS' own search", "media-aws", search] as const,
])("%s", (stack, ready, over) => {
  test(
    "keeps every control, but for those that are waived with a reason",
    async () => {
      const verdicts = await audit(stateOf(await recordReady(ready, { ...protecting(ready), ...over })));
      audited.push({ stack, verdicts });
      expect(faults({ stack, verdicts })).toEqual([]);
      expect(verdicts.filter(({ passed }) => passed).length).toBeGreaterThan(stack === "machines-aws" ? 100 : 300);
    },
    10 * minutes,
  );
});

test(
  "the auditor reads what we hand it: what is wrong with one resource, and with two together, is told",
  async () => {
    const state = stateOf(await recordReady("arkindex-aws", protecting("arkindex-aws")))
      .filter(({ urn }) => !urn.endsWith("BucketPublicAccessBlock::arkindex-objects-export"))
      .map((each) => {
        if (each.type === "aws:rds/instance:Instance")
          return { ...each, inputs: { ...each.inputs, storageEncrypted: false } };
        if (each.type === "aws:ec2/launchTemplate:LaunchTemplate")
          return { ...each, inputs: { ...each.inputs, metadataOptions: { httpTokens: "optional" } } };
        return each;
      });
    const told = faults({ stack: "broken", verdicts: await audit(state) }).map((fault) => fault.split(":")[0]);
    expect(told).toEqual(
      expect.arrayContaining([
        "CKV_AWS_16 aws_db_instance.arkindex-db",
        "CKV_AWS_79 aws_launch_template.arkindex-solr-1",
        "CKV2_AWS_6 aws_s3_bucket.arkindex-objects-export",
      ]),
    );
  },
  5 * minutes,
);
