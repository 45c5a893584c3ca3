/** Each secret of a config is encrypted by itself: the engine only tells which top keys hold something encrypted. */
import { describe, expect, test } from "@jest/globals";

import { sentence } from "../../components/core/errors.ts";
import { judge } from "../../components/plain-secrets.ts";

const secure = { secure: "v1:abc:def" };

function found(raw: Record<string, unknown>, holding: string[], written?: unknown[]): string[] {
  const { problems, warnings } = judge(raw, holding, written, "Pulumi.dev.yaml");
  const lines = [...problems.map(sentence), ...warnings];
  expect(lines.join()).not.toContain("hunter2");
  return lines.map((line) => line.split(/: in plain text| \(|, as /)[0] ?? "");
}

const raw = { secrets: { backupKey: "k", backupSecret: "hunter2" } };

describe("secrets", () => {
  test("one plain beside an encrypted one is found", () => {
    expect(found(raw, ["secrets"], [{ secrets: { backupKey: secure, backupSecret: "hunter2" } }])).toEqual([
      "secrets.backupSecret",
    ]);
  });
  test("all encrypted, or encrypted as a whole: nothing to say", () => {
    expect(found(raw, ["secrets"], [{ secrets: { backupKey: secure, backupSecret: secure } }])).toEqual([]);
    expect(found(raw, ["secrets"], [{ secrets: secure }])).toEqual([]);
  });
  test("all plain is known without any file", () => {
    expect(found(raw, [])).toEqual(["secrets.backupKey", "secrets.backupSecret"]);
  });
  test("the only one is encrypted: known without any file", () => {
    expect(found({ secrets: { tlsKey: "hunter2" } }, ["secrets"])).toEqual([]);
  });
  test("a file that is not found, or has another config: a warning that says so, not silence", () => {
    const unseen = "whether secrets.backupKey, secrets.backupSecret are encrypted could not be looked at";
    expect(found(raw, ["secrets"])).toEqual([unseen]);
    expect(found(raw, ["secrets"], [{}])).toEqual([unseen]);
  });
  test("the project's file is looked at, too", () => {
    expect(
      found(raw, ["secrets"], [{ secrets: { backupKey: secure } }, { secrets: { backupSecret: "hunter2" } }]),
    ).toEqual(["secrets.backupSecret"]);
  });
  test("secrets inside lists and trees", () => {
    const deep = { secrets: { a: { b: ["x", "hunter2"] }, c: "y" } };
    expect(found(deep, ["secrets"], [{ secrets: { a: { b: [secure, "hunter2"] }, c: secure } }])).toEqual([
      "secrets.a.b.1",
    ]);
  });
});

test("a variable of a user's app that is called as a secret is one", () => {
  const apps = (DB_PASSWORD: unknown) => ({ apps: { demo: { env: { DB_PASSWORD, LANG: "en" } } } });
  expect(found({ shinyproxy: apps("hunter2") }, [])).toEqual(["shinyproxy.apps.demo.env.DB_PASSWORD"]);
  expect(found({ shinyproxy: apps("hunter2") }, ["shinyproxy"], [{ shinyproxy: apps(secure) }])).toEqual([]);
});
