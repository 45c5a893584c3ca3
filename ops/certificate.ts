/** A certificate authority of the stack's own and a server certificate from it, for where no public one can be had. */
import { X509Certificate } from "node:crypto";

import { z } from "zod";

import type { Handler } from "./handler.ts";
import { changed } from "./wire.ts";
import type { Bag, Values } from "./wire.ts";

const inputs = z.object({
  hostnames: z.array(z.string()).min(1),
  members: z.boolean().optional(),
});
const outputs = z.object({ caCert: z.string(), caKey: z.string(), cert: z.string() });

const day = 24 * 3600 * 1000;
const renewDays = 30;

/** Loaded only to sign: else it would cost every preview a tenth of a second. */
const signer = () => import("./authority.ts");

/** Outputs `caCert`, `cert` (PEM), and as secrets `key`, `caKey` (PEM, PKCS 8). */
export const certificate: Handler = {
  inputs,
  diff: (olds, news) => ({
    changes: changed(olds, news, ["hostnames", "members"]).length > 0 || due(olds, new Date()),
  }),
  create: async (given) => (await signer()).make(inputs.parse(given.plain), new Date()),
  update: (olds, news) => renew(olds, news, new Date()),
};

/** Whether the server certificate has less than 30 days to go. */
export function due(state: Values, now: Date): boolean {
  const { validTo } = new X509Certificate(outputs.parse(state.plain).cert);
  return new Date(validTo).getTime() - now.getTime() < renewDays * day;
}

export async function renew(olds: Values, news: Values, now: Date): Promise<Bag> {
  return (await signer()).renew(inputs.parse(news.plain), outputs.parse(olds.plain), now);
}
