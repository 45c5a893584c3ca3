/** Controls that a stack does not keep on purpose, each with its reason. Others that fail are faults. */
import type { Verdict } from "./checkov.ts";

interface Waiver {
  readonly checks: readonly string[];
  readonly why: string;
  /** The addresses that it holds for. Default: all. */
  readonly on?: RegExp;
}

const waivers: readonly Waiver[] = [
  {
    checks: [
      ...["CKV_AWS_145", "CKV_AWS_149", "CKV_AWS_158", "CKV_AWS_189", "CKV_AWS_191", "CKV_AWS_247", "CKV_AWS_354"],
      "CKV_AWS_26",
    ],
    why: "encrypted with AWS' own keys unless `kmsKey` names another; alarms may not write to a topic under `alias/aws/sns`",
  },
  { checks: ["CKV2_AWS_57"], why: "a secret changes by a deployment, which rolls what has read it" },
  { checks: ["CKV_AWS_338"], why: "`logDays` says how long logs stay; a year is the operator's choice" },
  { checks: ["CKV_AWS_144"], why: "one region; a second one is a topology of its own" },
  { checks: ["CKV2_AWS_62"], why: "nothing waits for an object" },
  {
    checks: ["CKV_AWS_18"],
    on: /-records$/,
    why: "it has the records of requests itself",
  },
  {
    checks: ["CKV_AWS_273"],
    on: /^aws_iam_user\./,
    why: "the application knows keys alone; the user may read and write its own buckets",
  },
  { checks: ["CKV2_AWS_30"], why: "a log of queries would hold what users write" },
  { checks: ["CKV_AWS_161"], why: "the applications sign in with a password" },
  {
    checks: ["CKV_AWS_336"],
    why: "images of others write beside their data; no capability and no privilege is left to them",
  },
  { checks: ["CKV_AWS_378"], why: "TLS ends at the balancer; behind it is the stack's private network" },
  { checks: ["CKV2_AWS_28"], why: "a firewall's common rules refuse uploads above 8 KiB: the operator's own choice" },
  {
    checks: ["CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_260"],
    on: /-(app|data|edge|proxy)-(app|data|proxy|routed)(-\d+)?-in$/,
    why: "from a security group, which Checkov takes for the world",
  },
  { checks: ["CKV_AWS_260"], on: /-world-80$/, why: "port 80 redirects to HTTPS" },
  {
    checks: ["CKV_AWS_290", "CKV_AWS_355"],
    on: /^aws_iam_role_policy\./,
    why: "Systems Manager's agent and DescribeVolumes take no resource",
  },
  {
    checks: ["CKV_AWS_91", "CKV2_AWS_20"],
    on: /^aws_lb\..*-(swarm-edge|edge-tcp)$/,
    why: "a network load balancer passes TCP on, of which AWS records nothing: the edge behind it redirects",
  },
  {
    checks: ["CKV_AWS_318", "CKV2_AWS_59"],
    on: /^aws_opensearch_domain\./,
    why: "three nodes in three zones elect among themselves; masters of their own are for larger domains",
  },
  { checks: ["CKV_AWS_8"], on: /^aws_instance\..*-swarm-/, why: "its launch template says that the disk is encrypted" },
  {
    checks: ["CKV2_AWS_5"],
    on: /\.aws-data$/,
    why: "nothing is in the data network as long as a stack has no store there",
  },
  {
    checks: ["CKV_AWS_31"],
    on: /^aws_elasticache_replication_group\..*-redis$/,
    why: "Arkindex' client knows neither a password nor TLS: docs/aws.md",
  },
];

/** Why a failed check is one that is meant; undefined: it is a fault. */
export function waived({ check, address }: Pick<Verdict, "check" | "address">): string | undefined {
  return waivers.find(({ checks, on }) => checks.includes(check) && (on?.test(address) ?? true))?.why;
}
