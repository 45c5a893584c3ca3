/** The two stack files at the top: dev is whole, prod says all that its operator still has to fill in. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { parse } from "yaml";

import { sentence } from "../../components/core/errors.ts";
import { imageLock } from "../../components/core/image-lock.ts";
import { planStack } from "../../components/deploy.ts";

const root = join(import.meta.dirname, "../..");

function configOf(stack: string, file = `Pulumi.${stack}.yaml`): Record<string, unknown> {
  const { config } = parse(readFileSync(join(root, file), "utf8"), decrypted) as { config: Record<string, unknown> };
  const own = Object.entries(config).filter(([key]) => key.startsWith("platform-topologies:"));
  return Object.fromEntries(own.map(([key, value]) => [key.slice("platform-topologies:".length), value]));
}

/** A secret as the program gets it; what it says is not looked at here. */
function decrypted(_: unknown, value: unknown): unknown {
  return typeof value === "object" && value !== null && "secure" in value ? "decrypted" : value;
}

test("dev lacks nothing but what set-up builds", () => {
  const images = { toolbox: "r.example.com/toolbox:1", rehearsal: "r.example.com/rehearsal:1" };
  const { problems, whole, images: used } = planStack({ ...configOf("dev"), images }, "dev");
  expect(problems).toEqual([]);
  expect(whole).toMatchObject({
    settings: { protect: false, rehearsal: true },
    topology: { address: "127.0.0.1" },
  });
  expect(used.filter(({ rehearsing }) => rehearsing).map(({ key }) => key)).toEqual([
    "arkindex/backend",
    "arkindex/cantaloupe",
  ]);
});

test("prod is protected, rehearses nothing, and lists everything that is missing at once", () => {
  const { problems, whole } = planStack(configOf("prod"), "prod");
  expect(whole?.settings).toMatchObject({ protect: true, rehearsal: false, localImages: false });
  expect(problems.map((problem) => sentence(problem).split(/:| =/)[0])).toEqual([
    "hostname",
    "secrets.backupKey",
    "secrets.backupSecret",
    "images.arkindex/backend",
    "images.arkindex/cantaloupe",
    "images.toolbox",
  ]);
});

test.each(readdirSync(join(root, "stacks")).map((file) => file.replace(/\.yaml$/, "")))(
  "stacks/%s.yaml lacks nothing but what set-up builds, and is what its name says",
  (stack) => {
    const config = configOf(stack, `stacks/${stack}.yaml`);
    const images = Object.fromEntries(
      Object.entries(imageLock).flatMap(([key, { built }]) => (built ? [[key, `r.example.com/${key}:1`]] : [])),
    );
    // A mirror has all images, those of ours too.
    const { problems, whole } = planStack("mirror" in config ? config : { ...config, images }, stack);
    const settings = whole?.settings;
    expect(problems).toEqual([]);
    expect(stack.startsWith(`${settings?.system ?? ""}-${settings?.topology ?? ""}`)).toBe(true);
    expect(settings).toMatchObject({ protect: false });
  },
);

test("neither has a salt of a real stack", () => {
  expect(readFileSync(join(root, "Pulumi.prod.yaml"), "utf8")).not.toContain("encryptionsalt");
});
