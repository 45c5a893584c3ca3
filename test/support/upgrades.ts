/** The states that releases have written, kept to be previewed by the working tree. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

import { z } from "zod";

import { repo } from "./stack.ts";

export const folder = join(repo, "test/data/upgrades");

/** The name of each recorded stack: its URNs have it, and a state is taken back under no other name. */
export const upgradeStack = "upgrade";

const bag = z.record(z.string(), z.unknown());
const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  inputs: bag.optional(),
  outputs: bag.optional(),
});
export type Recorded = z.infer<typeof resource>;

/** As `pulumi stack export` prints it. */
export const exported = z.looseObject({
  version: z.number(),
  deployment: z.looseObject({ resources: z.array(resource) }),
});
export type Exported = z.infer<typeof exported>;

/** A stack's file: its config, and the salt of what is secret in it. */
const settings = z.object({ encryptionsalt: z.string(), config: bag });
const kept = z.object({
  /** When it was recorded, as 2026-11-29: later, certificates in it would be due. */
  day: z.iso.date(),
  settings,
  state: exported,
});

/** The release that wrote a state, and what it is the state of. */
export interface Origin {
  readonly version: string;
  readonly system: string;
  readonly topology: string;
}

export interface Fixture extends Origin, z.infer<typeof kept> {}

/** What says only when and where the state was written. */
const churn = ["created", "modified", "sourcePosition", "stackTrace", "manifest"];

function without(all: object): object {
  return Object.fromEntries(Object.entries(all).filter(([key]) => !churn.includes(key)));
}

/** The state without that; its order is the engine's own. */
export function withoutChurn({ deployment, ...rest }: Exported): Exported {
  const resources = deployment.resources.map(without);
  return exported.parse({ ...rest, deployment: { ...without(deployment), resources } });
}

const fileOf = ({ version, system, topology }: Origin): string =>
  join(folder, version, `${system}-${topology}.json.br`);

/** Writes one. Returns its size in bytes. */
export function keep(fixture: Fixture): number {
  const file = fileOf(fixture);
  const { day, settings, state } = fixture;
  const text = JSON.stringify({ day, settings, state: withoutChurn(state) });
  // Gzip looks back 32 KiB, and the same script comes again after more.
  const bytes = brotliCompressSync(text, {
    params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return bytes.length;
}

/** All of them, by release and name. */
export function fixtures(): Fixture[] {
  return readdirSync(folder).flatMap((version) =>
    readdirSync(join(folder, version)).map((file) => {
      const [system = "", topology = ""] = file.replace(".json.br", "").split("-");
      const text = brotliDecompressSync(readFileSync(join(folder, version, file))).toString();
      return { version, system, topology, ...kept.parse(JSON.parse(text)) };
    }),
  );
}
