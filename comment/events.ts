/**
 * What a comment reads of the engine's events (`pulumi preview --json`, with PULUMI_ENABLE_STREAMING_JSON_PREVIEW: an event
 * a line). All else goes at once: events of severity `debug` carry passwords and private keys in plain text.
 */
import { z } from "zod";

const bag = z.record(z.string(), z.unknown());

const state = z.object({
  id: z.string().optional(),
  protect: z.boolean().optional(),
  /** Left over by a replacement that was interrupted. */
  delete: z.boolean().optional(),
  inputs: bag.nullish(),
  outputs: bag.nullish(),
});

const step = z.object({
  op: z.string(),
  urn: z.string(),
  old: state.nullish(),
  new: state.nullish(),
  /** The properties that ask for a replacement. */
  keys: z.array(z.string()).nullish(),
  detailedDiff: z.record(z.string(), z.object({ diffKind: z.string(), inputDiff: z.boolean() })).nullish(),
});

const diagnostic = z.object({
  severity: z.enum(["error", "warning"]),
  message: z.string(),
  urn: z.string().optional(),
});

const policy = z.object({
  resourceUrn: z.string().optional(),
  message: z.string(),
  policyName: z.string(),
  policyPackName: z.string(),
  enforcementLevel: z.string(),
});

const kept = z.union([
  z.object({ resourcePreEvent: z.object({ metadata: step }) }),
  z.object({ diagnosticEvent: diagnostic }),
  z.object({ policyEvent: policy }),
  z.object({ errorEvent: z.object({ error: z.string() }) }),
  z.object({ summaryEvent: z.object({ resourceChanges: z.record(z.string(), z.number()).nullish() }) }),
]);

export type State = z.infer<typeof state>;
export type Step = z.infer<typeof step>;
export type Kept = z.infer<typeof kept>;

/** The part of an event that is read; undefined: none of it is, or the line is no event. */
export function keptOf(line: string): Kept | undefined {
  if (!line.startsWith("{")) return undefined;
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined; // the engine never writes half a line; a program that prints one is not the engine
  }
  const { data } = kept.safeParse(event);
  return data;
}
