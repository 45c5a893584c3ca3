/** What a preview found, as far as it may be shown and stored: no secret, no time, in an order that does not change. */
import { z } from "zod";

import { compareTexts, differencesOf } from "./differences.ts";
import { monthly, nameOf, typeOf } from "./prices.ts";

import type { Kept, Step } from "./events.ts";
import type { Made } from "./prices.ts";

const difference = z.object({
  path: z.string(),
  before: z.string().optional(),
  after: z.string().optional(),
  replaces: z.literal(true).optional(),
});

const ops = ["replace", "delete", "update", "import", "create"] as const;
export type Op = (typeof ops)[number];

const change = z.object({
  op: z.enum(ops),
  urn: z.string(),
  /** It holds data, or is protected: replacing or deleting it is what a reviewer must not miss. */
  precious: z.boolean(),
  /** Why it is replaced: its properties. None: it follows another resource. */
  causes: z.array(z.string()),
  differences: z.array(difference),
  /** Further ones, which are not listed. */
  more: z.number(),
});

const message = z.object({ severity: z.enum(["error", "warning"]), urn: z.string().optional(), text: z.string() });
const violation = z.object({
  pack: z.string(),
  policy: z.string(),
  level: z.string(),
  urn: z.string(),
  text: z.string(),
});
const cost = z.object({ dollars: z.number(), unpriced: z.array(z.string()) });

/** Pulumi takes no other names. So one needs no escaping wherever it stands. */
export const stackName = /^(?:[A-Za-z0-9_.-]{1,100}\/){0,2}[A-Za-z0-9_.-]{1,100}$/;

const digest = z.object({
  stack: z.string().regex(stackName),
  failed: z.boolean(),
  changes: z.array(change),
  unchanged: z.number(),
  violations: z.array(violation),
  messages: z.array(message),
  /** Monthly; unset: nothing of the stack is on a cloud whose prices are known. */
  cost: z.object({ before: cost, after: cost }).optional(),
});

/** The file of `--data`: what one job found, for the job that may write. */
export const digests = z.object({ version: z.literal(1), stacks: z.array(digest) });

export type Change = z.infer<typeof change>;
export type Digest = z.infer<typeof digest>;
export type Message = z.infer<typeof message>;

/** Properties of one resource that are listed. */
const mostDifferences = 60;
/** Characters of a message. */
const longestMessage = 4000;

/** Where the engine found a plugin is this machine's business. */
const ofTheMachine = /^using pulumi-\S+ from \$PATH/;

/** Types that hold what cannot be made again. */
const stores = new Set([
  ...["docker:index/volume:Volume", "platform-topologies:index:Volume", "platform-topologies:index:VolumeNode"],
  ...["aws:ebs/volume:Volume", "aws:rds/instance:Instance", "aws:rds/cluster:Cluster", "aws:s3/bucket:Bucket"],
  ...["aws:s3/bucketV2:BucketV2", "aws:elasticache/replicationGroup:ReplicationGroup", "aws:efs/fileSystem:FileSystem"],
  ...["aws:dynamodb/table:Table", "aws:opensearch/domain:Domain", "aws:cognito/userPool:UserPool"],
  ...["aws:backup/vault:Vault", "aws:kms/key:Key"],
  ...["gcp:sql/databaseInstance:DatabaseInstance", "gcp:storage/bucket:Bucket", "gcp:compute/disk:Disk"],
  ...["gcp:redis/instance:Instance", "azure-native:storage:StorageAccount", "azure-native:compute:Disk"],
  ...["azure-native:dbforpostgresql:Server", "azure-native:cache:Redis"],
]);

export interface Found {
  readonly stack: string;
  readonly events: readonly Kept[];
  /** What the CLI ended with. */
  readonly exitCode: number;
  /** What it said beside its events: its own reason, where the engine never began. */
  readonly said: string;
  /** Takes secrets out of a text that is to be shown. */
  readonly redact: (text: string) => string;
}

export function digestOf({ stack, events, exitCode, said, redact }: Found): Digest {
  const steps = stepsOf(events);
  const changes = [...steps.values()].flatMap((all) => changeOf(all, redact) ?? []).sort(before);
  const messages = messagesOf(events, redact);
  // The CLI's own verdict: a program may report an error and end well.
  const failed = exitCode !== 0;
  if (failed && !messages.some(({ severity }) => severity === "error")) {
    const text = clipped(redact(plain(said)));
    if (text !== "") messages.unshift({ severity: "error", text });
  }
  const cost = costOf([...steps.values()]);
  return {
    ...{ stack, failed, changes, unchanged: steps.size - changes.length },
    ...{ violations: violationsOf(events, redact), messages },
    ...(cost === undefined ? {} : { cost }),
  };
}

/** All steps of each resource: a replacement has three. What is only read or looked at again changes nothing. */
function stepsOf(events: readonly Kept[]): Map<string, Step[]> {
  const found = new Map<string, Step[]>();
  for (const event of events) {
    if (!("resourcePreEvent" in event)) continue;
    const step = event.resourcePreEvent.metadata;
    if (!Object.hasOwn(opOf, step.op) || isRoot(step.urn)) continue;
    found.set(step.urn, [...(found.get(step.urn) ?? []), step]);
  }
  return found;
}

const opOf: Readonly<Record<string, Op | "same">> = {
  ...{ same: "same", create: "create", update: "update", delete: "delete", import: "import" },
  ...{ replace: "replace", "create-replacement": "replace", "delete-replaced": "replace" },
  ...{ "import-replacement": "replace" },
};

/** The stack itself, whose difference is that of its outputs. */
function isRoot(urn: string): boolean {
  return typeOf(urn) === "pulumi:pulumi:Stack";
}

function changeOf(all: readonly Step[], redact: (text: string) => string): Change | undefined {
  // The new one of a replacement has the reasons, the old one's delete has not.
  const telling = all.find(({ op }) => op.endsWith("-replacement")) ?? all.find(({ op }) => op === "replace");
  const leftover = (step: Step): boolean => step.op === "delete" && step.old?.delete === true;
  const step = telling ?? all.find((each) => each.op !== "same" && !leftover(each));
  const op = step && opOf[step.op];
  if (step === undefined || op === undefined || op === "same") return undefined;
  const listed = op === "update" || op === "replace" ? differencesOf(step, redact) : [];
  const differences = listed.slice(0, mostDifferences);
  const replacing = listed.filter(({ replaces }) => replaces).map(({ path }) => path);
  return {
    ...{ op, urn: step.urn },
    precious: stores.has(typeOf(step.urn)) || all.some((each) => (each.old ?? each.new)?.protect === true),
    causes:
      op === "replace" ? [...new Set(replacing.length > 0 ? replacing : (step.keys ?? []))].sort(compareTexts) : [],
    ...{ differences, more: listed.length - differences.length },
  };
}

/** What matters most first. */
function before(a: Change, b: Change): number {
  return rank(a) - rank(b) || compareTexts(a.urn, b.urn);
}

function rank({ op, precious }: Change): number {
  return ops.indexOf(op) + (precious && atStake({ op, precious }) ? 0 : ops.length);
}

/** Whether data may be lost. */
export function atStake({ op, precious }: Pick<Change, "op" | "precious">): boolean {
  return precious && (op === "replace" || op === "delete");
}

function messagesOf(events: readonly Kept[], redact: (text: string) => string): Message[] {
  const found = new Map<string, Message>();
  for (const event of events) {
    const said =
      "diagnosticEvent" in event
        ? event.diagnosticEvent
        : "errorEvent" in event
          ? { severity: "error" as const, message: event.errorEvent.error }
          : undefined;
    if (said === undefined) continue;
    const { severity, urn } = { urn: undefined, ...said };
    const text = clipped(redact(plain(said.message)));
    const message = { severity, ...(urn === undefined || isRoot(urn) ? {} : { urn }), text };
    if (text !== "" && !ofTheMachine.test(text)) found.set(JSON.stringify([severity, urn, text]), message);
  }
  // The engine's own last word has no reason in it.
  const reasons = [...found].filter(([, { text }]) => text !== "preview failed");
  return reasons.sort(([a], [b]) => compareTexts(a, b)).map(([, message]) => message);
}

function violationsOf(events: readonly Kept[], redact: (text: string) => string): Digest["violations"] {
  const found = events.flatMap((event) => {
    if (!("policyEvent" in event)) return [];
    const { policyPackName, policyName, enforcementLevel, resourceUrn = "", message } = event.policyEvent;
    const text = clipped(redact(plain(message)));
    return [{ pack: policyPackName, policy: policyName, level: enforcementLevel, urn: resourceUrn, text }];
  });
  const key = (each: (typeof found)[number]): string =>
    JSON.stringify([each.level !== "mandatory", each.policy, each.urn, each.text]);
  return [...new Map(found.map((each) => [key(each), each]))]
    .sort(([a], [b]) => compareTexts(a, b))
    .map(([, each]) => each);
}

function costOf(all: readonly (readonly Step[])[]): Digest["cost"] {
  const side = (which: "old" | "new"): Made[] =>
    all.flatMap((steps) => {
      const state = steps.map((step) => step[which]).find((each) => each !== undefined && each !== null);
      const step = steps[0];
      // What goes has no new state, and what is left of an earlier replacement is none that is counted twice.
      if (step === undefined || !state) return [];
      if (which === "new" && steps.every(({ op }) => op === "delete")) return [];
      return [{ urn: step.urn, inputs: state.inputs ?? {}, outputs: { id: state.id, ...state.outputs } }];
    });
  const [old, now] = [monthly(side("old")), monthly(side("new"))];
  if (old === undefined && now === undefined) return undefined;
  const nothing = { dollars: 0, unpriced: [] };
  const shown = ({ dollars, unpriced }: { dollars: number; unpriced: readonly string[] }) => ({
    dollars,
    unpriced: [...unpriced],
  });
  return { before: shown(old ?? nothing), after: shown(now ?? nothing) };
}

/** Without the engine's marks for colours, and a terminal's. */
function plain(text: string): string {
  return (
    text
      .replaceAll(/<\{%[^%]*%\}>/g, "")
      // eslint-disable-next-line no-control-regex -- that is what they are
      .replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, "")
      .replaceAll("\r\n", "\n")
      // Of a stack, the program's own lines.
      .replaceAll(/^ +at .*(?:\/node_modules\/|\bnode:).*\n?/gm, "")
      .trim()
  );
}

function clipped(text: string): string {
  if (text.length <= longestMessage) return text;
  return `${text.slice(0, longestMessage)}\n… (${String(text.length - longestMessage)} further characters)`;
}

/** How a resource is called where it is shown. */
export function titleOf(urn: string): string {
  return `${typeOf(urn)}  ${nameOf(urn)}`;
}
