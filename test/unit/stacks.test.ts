/** The two stack files at the top: dev is whole, prod says all that its operator still has to fill in. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { planStack } from "../../components/deploy.ts";
import { planReady, readyConfig } from "../support/ready.ts";
import "../support/unpublished.ts";

const root = join(import.meta.dirname, "../..");

test("dev lacks nothing but what set-up builds", () => {
  const images = { toolbox: "r.example.com/toolbox:1", rehearsal: "r.example.com/rehearsal:1" };
  const { problems, whole, images: used } = planStack({ ...readyConfig("Pulumi.dev.yaml"), images }, "dev");
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
  const { problems, whole } = planStack(readyConfig("Pulumi.prod.yaml"), "prod");
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
    const { problems, whole } = planReady(stack);
    const settings = whole?.settings;
    expect(problems).toEqual([]);
    expect(stack.startsWith(`${settings?.system ?? ""}-${settings?.topology ?? ""}`)).toBe(true);
    expect(settings).toMatchObject({ protect: false });
  },
);

test("neither has a salt of a real stack", () => {
  expect(readFileSync(join(root, "Pulumi.prod.yaml"), "utf8")).not.toContain("encryptionsalt");
});
