/** Snapshots of machines' disks: each night, kept for 14 days, by the tag `backup` that disks with data have. */
import { LifecyclePolicy } from "@pulumi/aws/dlm/lifecyclePolicy.js";
import { RolePolicyAttachment } from "@pulumi/aws/iam/rolePolicyAttachment.js";

import { makeRole, type Region } from "./region.ts";

/** Each disk is as a power cut would leave it: what is consistent over several is the stack's own backup. */
export function makeSnapshots(region: Region): void {
  const { site, alarms } = region;
  const name = `${region.name}-snapshots`;
  const options = region.under();
  const trusted = { service: "dlm.amazonaws.com", does: "takes snapshots of the machines' disks" };
  const role = makeRole(region, name, "snapshots", trusted, options);
  const policyArn = "arn:aws:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole";
  const rights = new RolePolicyAttachment(name, { role: role.name, policyArn }, options);
  const policy = new LifecyclePolicy(
    name,
    {
      description: `${site.name} disks`,
      executionRoleArn: role.arn,
      state: "ENABLED",
      policyDetails: {
        resourceTypes: ["VOLUME"],
        targetTags: { backup: site.name },
        schedules: [
          {
            name: "nightly",
            createRule: { interval: 24, intervalUnit: "HOURS", times: "03:00" },
            retainRule: { interval: 14, intervalUnit: "DAYS" },
            copyTags: true,
          },
        ],
      },
    },
    { ...options, dependsOn: rights },
  );
  const from = { namespace: "AWS/EBS", dimensions: { DLMPolicyId: policy.id }, statistic: "Sum", every: 60 } as const;
  const look = `\`aws dlm get-lifecycle-policies --state ERROR --region ${region.region}\`, then \`aws ec2 describe-snapshots --filters Name=tag:backup,Values=${site.name} --region ${region.region}\``;
  alarms.watch(
    `${name}-missing`,
    {
      ...{ ...from, look, says: "no snapshot of the machines' disks for two nights" },
      ...{ metric: "SnapshotsCreateCompleted", when: "below", threshold: 1, minutes: 49 * 60, silence: "rings" },
    },
    options,
  );
  alarms.watch(
    `${name}-failed`,
    {
      ...{ ...from, look, says: "a snapshot of a machine's disk has failed" },
      ...{ metric: "SnapshotsCreateFailed", when: "above", threshold: 0, minutes: 60 },
    },
    options,
  );
}
