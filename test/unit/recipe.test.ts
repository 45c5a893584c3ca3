/** What recipes share: options of an ask, names that a caller chose, and a fingerprint of secrets. */
import { expect, test } from "@jest/globals";
import { isSecret, output, secret } from "@pulumi/pulumi";

import type { Platform } from "../../components/core/contracts.ts";
import { fingerprint, named, onlySaid, storeOptions } from "../../components/core/recipe.ts";
import { resolved } from "../support/hostile.ts";

test("of an ask a store takes its image, names and nodes, and leaves out what is not asked", () => {
  expect(storeOptions({}, "redis")).toStrictEqual({ image: "redis" });
  expect(storeOptions({ image: "own", names: ["a"], nodeLabels: { disk: "fast" } }, "redis")).toStrictEqual({
    ...{ image: "own", names: ["a"], nodes: { disk: "fast" } },
  });
});

test("names outside of their grammar are refused, each with its key", () => {
  const check = (...names: string[]) => {
    named("db.databases", names, /^[a-z]+$/, "small letters");
  };
  expect(check).not.toThrow();
  expect(() => {
    check("a", "bc");
  }).not.toThrow();
  expect(() => {
    check("a", "B", "1");
  }).toThrow(/^2 problems[^]*db\.databases = "B": small letters[^]*db\.databases = "1": small letters$/);
});

test("a fingerprint is the same for the same secrets, another for others, tells nothing, and is a secret", async () => {
  const of = async (...texts: string[]) => String(await resolved(fingerprint(...texts.map((text) => secret(text)))));
  expect(await of("a", "b")).toMatch(/^[0-9a-f]{16}$/);
  expect(await of("a", "b")).toBe(await of("a", "b"));
  const others = await Promise.all([of("a", "b"), of("ab"), of("b", "a"), of("a"), of("a", "c"), of()]);
  expect(new Set(others).size).toBe(others.length);
  expect(await isSecret(fingerprint(secret("a")))).toBe(true);
  expect(await isSecret(fingerprint(output("a")))).toBe(false);
});

test("an engine of one host only says that something is unhealthy", () => {
  const on = (engine: Platform["engine"]) => onlySaid({ engine } as Platform);
  expect([on("docker"), on("swarm"), on(undefined)]).toEqual([true, false, false]);
});
