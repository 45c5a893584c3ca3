import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Check } from "./checks/check.ts";
import type { Loop } from "./loop.ts";
import type { Secrets } from "./secrets.ts";

/** Answers a request of its own, or returns false: not mine. */
export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean> | boolean;

/** What one stand-in does. A new one is one file in roles/ and a line in main.ts. */
export interface Role {
  /** As in `REHEARSAL_ROLE`. */
  readonly name: string;
  /** The application that it stands in for, for readers. */
  readonly title: string;
  readonly version?: string;
  readonly checks: readonly Check[];
  /** It listens here (`PORT` overrides); absent: no port. */
  readonly port?: number;
  /** Where the application answers for its health, beside `/health`. */
  readonly readyPath?: string;
  readonly handle?: Handler;
  /** Listens by itself: in the place of the rehearsal's own page, whose paths would be in the application's way. */
  readonly listen?: (loop: Loop, say: (line: string) => void) => Promise<void>;
  /** A client that asks for a websocket; absent: none is accepted. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Work beside the checks (a worker's queue) for as long as the process lives; never rejects. */
  readonly work?: () => Promise<never>;
}

/** What a role is made from. */
export interface Given {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What follows the program's name on the command line. */
  readonly args: readonly string[];
  readonly secrets: Secrets;
  /** The container's host name: keeps the probes of replicas apart. */
  readonly host: string;
}

export type MakeRole = (given: Given) => Role;
