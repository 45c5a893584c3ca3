import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Check } from "./checks/check.ts";
import type { Loop } from "./loop.ts";
import type { Secrets } from "./secrets.ts";

/** Answers a request, or returns false: it is not for this handler. */
export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean> | boolean;

/** What one stand-in does. A new one is one file in roles/ and a line in main.ts. */
export interface Role {
  /** The name in `REHEARSAL_ROLE`. */
  readonly name: string;
  /** The application that it stands in for, for readers. */
  readonly title: string;
  readonly version?: string;
  readonly checks: readonly Check[];
  /** The port on which it listens (`PORT` overrides it); absent: none. */
  readonly port?: number;
  /** The application's own health path, beside `/health`. */
  readonly readyPath?: string;
  readonly handle?: Handler;
  /** The role listens by itself, as the paths of the rehearsal's own page would be in the application's way. */
  readonly listen?: (loop: Loop, say: (line: string) => void) => Promise<void>;
  /** Accepts a client that asks for a websocket; absent: none is accepted. */
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
  /** The container's host name, which keeps the probes of replicas apart. */
  readonly host: string;
}

export type MakeRole = (given: Given) => Role;
