/** Each secret of a config is encrypted by itself: the engine only tells which top keys hold something encrypted. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { execa } from "execa";

import { sentence } from "../../components/core/errors.ts";
import { encryptedKeys, judge, plainSecrets } from "../../components/plain-secrets.ts";
import { newFolder } from "../support/folder.ts";

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

describe("the files of a stack", () => {
  const project = "platform-topologies";
  const before = { ...process.env };
  beforeEach(() =>
    pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, project, "dev"),
  );
  afterEach(() => {
    process.env = { ...before };
  });
  const config = (tree: unknown) => JSON.stringify({ config: { [`${project}:secrets`]: tree } }); // JSON is YAML
  const half = { backupKey: secure, backupSecret: "hunter2" };

  /** What is found in a project with these files. `root`: where the program is. */
  function look(files: Readonly<Record<string, string>>, root = "."): string[] {
    const folder = newFolder("secrets");
    for (const [file, text] of Object.entries({ "a/b/none": "", ...files })) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    process.env.PULUMI_NODEJS_ROOT_DIRECTORY = join(folder, root);
    process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify([`${project}:secrets`, "other:hostname"]);
    const { problems, warnings } = plainSecrets(raw);
    return [...problems.map(({ key }) => key), ...warnings];
  }
  const plain = ["secrets.backupSecret"];
  const unseen = [expect.stringContaining("the stack's file was not found, or not read")];

  test.each<[string, Record<string, string>, string?]>([
    ["beside the project's", { "Pulumi.yaml": "name: x", "Pulumi.dev.yaml": config(half) }],
    ["of another ending", { "Pulumi.yml": "name: x", "Pulumi.dev.yml": config(half) }],
    ["in JSON, with a mark of its byte order", { "Pulumi.json": "{}", "Pulumi.dev.json": `\uFEFF${config(half)}` }],
    ["above the program", { "Pulumi.yaml": "name: x", "Pulumi.dev.yaml": config(half) }, "a/b"],
    ["in a folder of their own", { "Pulumi.yaml": "stackConfigDir: stacks", "stacks/Pulumi.dev.yaml": config(half) }],
    ["in a folder as it was once called", { "Pulumi.yaml": "config: stacks", "stacks/Pulumi.dev.yaml": config(half) }],
    [
      "in a folder, whatever lies beside the project's",
      {
        "Pulumi.yaml": "stackConfigDir: stacks",
        "Pulumi.dev.yaml": config(secure),
        "stacks/Pulumi.dev.yaml": config(half),
      },
    ],
    [
      "the project's own, with defaults",
      {
        "Pulumi.yaml": JSON.stringify({ config: { [`${project}:secrets`]: { value: half } } }),
        "Pulumi.dev.yaml": config({ backupKey: secure }),
      },
    ],
    [
      "the project's own, with another word for a default",
      { "Pulumi.yaml": JSON.stringify({ config: { [`${project}:secrets`]: { default: half } } }) },
    ],
    ["the project's own, without a word", { "Pulumi.yaml": config(half) }],
  ])("%s", (...[, files, root]) => {
    expect(look(files, root)).toEqual(plain);
  });

  test("a key of another project is none of ours", () => {
    const other = JSON.stringify({
      config: { "other:secrets": half, secrets: { backupKey: secure, backupSecret: secure } },
    });
    expect(look({ "Pulumi.yaml": "name: x", "Pulumi.dev.yaml": other })).toEqual([]);
  });

  test("a stack's name with its organization has one file", async () => {
    await pulumi.runtime.setMocks(
      { newResource: () => ({ id: "", state: {} }), call: () => ({}) },
      project,
      "ours/dev",
    );
    expect(look({ "Pulumi.yaml": "name: x", "Pulumi.ours-dev.yaml": config(half) })).toEqual(plain);
  });

  test("a file that is none, or that cannot be read, is said to be", () => {
    expect(look({})).toEqual(unseen);
    expect(look({ "Pulumi.yaml": "name: x", "Pulumi.dev.yaml": "a: [" })).toEqual(unseen);
    expect(look({ "Pulumi.yaml": "name: x", "Pulumi.prod.yaml": config(half) })).toEqual([
      expect.stringMatching(/Pulumi\.dev\.yaml does not have them/),
    ]);
  });

  test("only the project's own encrypted keys count", () => {
    process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify([`${project}:secrets`, "other:secrets", `x${project}:tls`]);
    expect(encryptedKeys(project)).toEqual(["secrets"]);
    delete process.env.PULUMI_CONFIG_SECRET_KEYS;
    expect(encryptedKeys(project)).toEqual([]);
  });

  describe("the one that the caller of the program names", () => {
    const ppid = Object.getOwnPropertyDescriptor(process, "ppid") ?? { get: () => 1 };
    afterEach(() => {
      Object.defineProperty(process, "ppid", ppid);
    });

    /** What is found if a shell with these words, or a shell below it, is what called the program. */
    async function calledBy(words: readonly string[], below = false): Promise<string[]> {
      const caller = newFolder("caller");
      writeFileSync(join(caller, "named.yaml"), config(half));
      const script = below ? "sh -c 'echo $$; read end' program; exit" : "echo $$; read end";
      const shell = execa("sh", ["-c", script, "pulumi", ...words], { cwd: caller, buffer: false });
      try {
        const pid = await new Promise<number>((resolve) =>
          shell.stdout.once("data", (text) => {
            resolve(Number(text));
          }),
        );
        Object.defineProperty(process, "ppid", { value: pid, configurable: true });
        return look({
          "Pulumi.yaml": "name: x",
          "Pulumi.dev.yaml": config({ backupKey: secure, backupSecret: secure }),
        });
      } finally {
        shell.stdin.end();
        await shell.catch(() => undefined); // however it ends
      }
    }

    test.each([[["up", "--config-file", "named.yaml"]], [["up", "--config-file=named.yaml", "--yes"]]])(
      "%j",
      async (words) => {
        expect(await calledBy(words)).toEqual(plain);
        expect(await calledBy(words, true)).toEqual(plain);
      },
    );

    test("none does: the usual one", async () => {
      expect(await calledBy(["up", "named.yaml"])).toEqual([]);
      Object.defineProperty(process, "ppid", { value: 2 ** 30, configurable: true }); // nobody is called so
      expect(look({ "Pulumi.yaml": "name: x", "Pulumi.dev.yaml": config(half) })).toEqual(plain);
    });
  });
});

test.each([
  "DB_PASSWORD",
  "passwd",
  "passphrase",
  "a_secret",
  "TOKEN",
  "credentials",
  "private_key",
  "PRIVATEKEY",
  "api_key",
  "apikey",
  "access_key",
  "ACCESSKEY",
])("a variable %s of a user's app is taken for a secret", (name) => {
  const apps = { demo: { env: { [name]: "hunter2", KEY: "x", PASS: "x", ACCESS: "x" } }, other: {} };
  expect(found({ shinyproxy: { apps } }, [])).toEqual([`shinyproxy.apps.demo.env.${name}`]);
});

test("a secret of nothing is one in plain text, too", () => {
  expect(found({ secrets: { backupKey: null, backupSecret: undefined } }, [])).toEqual(["secrets.backupKey"]);
  expect(found({ secrets: {} }, [])).toEqual([]);
  expect(found({ shinyproxy: { apps: null } }, [])).toEqual([]);
});
