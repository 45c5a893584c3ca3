/** Which secrets a stack has, and whether a text gives one away. */
import { z } from "zod";

import type { TestStack } from "./stack.ts";

const exported = z.object({
  deployment: z.object({
    resources: z.array(
      z.object({ urn: z.string(), type: z.string(), outputs: z.record(z.string(), z.unknown()).optional() }),
    ),
  }),
});
const plaintext = z.object({ plaintext: z.string() });

/** The secret outputs of each resource type. */
const made: Readonly<Record<string, readonly string[]>> = {
  "random:index/randomPassword:RandomPassword": ["result"],
  "platform-topologies:index:Certificate": ["key", "caKey"],
};

/** Everything that the stack generated, decrypted; passwords by their logical name without the system's. */
export async function generatedSecrets(stack: TestStack): Promise<Record<string, string>> {
  const { code, output } = await stack.run(["stack", "export", "--show-secrets"]);
  if (code !== 0) throw new Error(`pulumi stack export failed: ${output}`);
  const { resources } = exported.parse(JSON.parse(output)).deployment;
  const found = resources.flatMap(({ urn, type, outputs = {} }) =>
    (made[type] ?? []).map((property) => {
      const name = property === "result" ? (urn.split("::").at(-1) ?? "").replace(/^[a-z]+-/, "") : property;
      return [name, z.string().parse(JSON.parse(plaintext.parse(outputs[property]).plaintext))] as const;
    }),
  );
  return Object.fromEntries(found);
}

/** The names of the secrets in `text`: as they are, or as JSON, URLs, base64 and the lines of a PEM file show them. */
export function leaks(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets)
    .filter(([, value]) => forms(value).some((form) => text.includes(form)))
    .map(([name]) => name);
}

function forms(value: string): string[] {
  const lines = value.split("\n").filter((line) => line.length > 16 && !line.startsWith("-----"));
  // A key's last line is of its public half, which its certificate has, too, and sometimes as a line of its own.
  const secret = lines.length > 1 ? lines.slice(0, -1) : lines;
  return [value, ...secret].flatMap((form) => [
    form,
    encodeURIComponent(form),
    JSON.stringify(form).slice(1, -1),
    // Inside a longer text a secret's base64 has three forms, by its place; both ends depend on the neighbours.
    ...[0, 1, 2].map((skip) => Buffer.from(form).subarray(skip).toString("base64").slice(0, -4)),
  ]);
}
