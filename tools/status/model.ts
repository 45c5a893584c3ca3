/** What `npm run status` tells of a stack: docs/status.md describes the same for readers of `--json`. */
import type { Dict, List } from "../../components/core/contracts.ts";

/**
 * `care`: it works, and somebody should look at it by day. `unknown`: it could not be asked. `unasked`: a managed store,
 * whose cloud alone tells.
 */
export type Condition = "unwell" | "unknown" | "care" | "unasked" | "well";

/** The worst comes first. */
export const conditions: List<Condition> = ["unwell", "unknown", "care", "unasked", "well"];

/** One container, service, machine or managed store of the state. */
export interface Part {
  /** The engine's own name, as `arkindex-prod-db-1`. */
  readonly name: string;
  readonly kind: "container" | "service" | "machine" | "managed";
  readonly condition: Condition;
  /** Machines, nodes or zones in which it runs; empty where it runs nowhere. */
  readonly where: List<string>;
  /** Since when it runs, if it is well; else since when it does not work. ISO 8601. */
  readonly since?: string | undefined;
  readonly image?: string | undefined;
  /** The rehearsal image runs in the place of a private one, or a stand-in in the place of a server. */
  readonly rehearses?: true | undefined;
  /** Of a service with several. */
  readonly replicas?: { readonly running: number; readonly wanted: number } | undefined;
  /** Why it is not well. */
  readonly why?: string | undefined;
  /** What to type, or what to read. */
  readonly look?: string | undefined;
}

/** Something to know, the worst first: each part that is not well, and what is no part. */
export interface Finding {
  readonly condition: "unwell" | "unknown" | "care";
  readonly what: string;
  readonly why: string;
  readonly since?: string | undefined;
  readonly look?: string | undefined;
}

export interface Certificate {
  readonly host: string;
  /** `served`: by the edge, now. `state`: as the stack's state has it. */
  readonly from: "served" | "state";
  /** The address that was asked. */
  readonly at?: string | undefined;
  readonly begins?: string | undefined;
  readonly ends: string;
}

export interface Backup {
  /** In the container's own words. */
  readonly place?: string | undefined;
  /** When the newest complete run began. */
  readonly lastRun?: string | undefined;
  readonly lastDrill?: { readonly at?: string | undefined; readonly ok: boolean; readonly of: string } | undefined;
  readonly nextRun?: string | undefined;
  readonly nextDrill?: string | undefined;
  readonly everyHours?: number | undefined;
  /** `status`: the container was asked. `log`: its log was read, which begins with the container. */
  readonly from: "status" | "log";
}

/** The form of `--json`. A new key may come; one that is there keeps its meaning as long as `version` is 1. */
export interface Status {
  readonly version: 1;
  readonly stack: string;
  readonly at: string;
  readonly verdict: "well" | "unwell" | "unknown";
  /** The first line. */
  readonly says: string;
  readonly system?: string | undefined;
  readonly topology?: string | undefined;
  readonly url?: string | undefined;
  /** When the state was last written. */
  readonly deployed?: string | undefined;
  readonly simulated: boolean;
  readonly findings: List<Finding>;
  readonly parts: List<Part>;
  readonly certificates: List<Certificate>;
  readonly backup?: Backup | undefined;
  readonly rehearsing: List<string>;
  readonly images: Dict<string>;
  readonly suppliers: Dict<string>;
  readonly places: Dict<unknown>;
}

/** What one topology's engines, or cloud, have told. */
export interface Seen {
  readonly parts: List<Part>;
  readonly findings: List<Finding>;
}

/** Makes words of somebody else's fit to be shown: no secret of the stack, one line, not too long. */
export type Quote = (words: string) => string;

/** What each judgement is told besides the state. */
export interface Around {
  readonly stack: string;
  /** References of images that rehearse or stand in. */
  readonly rehearsing: List<string>;
  readonly quote: Quote;
  readonly now: Date;
}

/** Milliseconds. What has failed in the last one, and works again, is still said. */
export const hour = 3_600_000;
