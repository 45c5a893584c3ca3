/** The workflows, as actionlint reads them, and what no linter knows. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { parse } from "yaml";

import { publishable } from "../../tools/images/list.ts";
import { actionlint } from "../../tools/setup/actionlint.ts";
import { repo } from "../../tools/setup/paths.ts";

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly { readonly uses?: string; readonly run?: string; readonly with?: object }[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: object;
  readonly concurrency?: { readonly "cancel-in-progress": unknown };
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(repo, ".github/workflows");
const files = readdirSync(folder).filter((file) => file.endsWith(".yml"));
const read = (file: string): string => readFileSync(join(folder, file), "utf8");
const workflow = (file: string): Workflow => parse(read(file)) as Workflow;
const steps = (file: string) => Object.values(workflow(file).jobs).flatMap((job) => job.steps ?? []);

test(
  "actionlint finds nothing, and finds what is wrong",
  async () => {
    const program = await actionlint();
    const options = { cwd: repo, reject: false, all: true } as const;
    const { all, exitCode } = await execa(program, ["-no-color", "-shellcheck=", "-pyflakes="], options);
    expect([all, exitCode]).toEqual(["", 0]);
    const broken = read("deploy.yml").replace("needs: staging", "needs: nothing");
    const found = await execa(program, ["-no-color", "-"], { ...options, input: broken });
    expect([found.exitCode, found.all]).toEqual([1, expect.stringContaining("nothing")]);
  },
  10 * 60_000,
);

test.each(files)(
  "%s: actions are pinned by their commit, and the token can do nothing unless a job says so",
  (file) => {
    for (const { uses } of steps(file).filter((step) => step.uses !== undefined))
      expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
    const { permissions, on } = workflow(file);
    expect(["{}", '{"contents":"read"}']).toContain(JSON.stringify(permissions));
    expect(Object.keys(on)).not.toContain("pull_request_target");
  },
);

test.each(files)(
  "%s: nothing that others write becomes a part of a script, and no checkout keeps its token",
  (file) => {
    for (const step of steps(file)) {
      expect(step.run ?? "").not.toContain("${{");
      if (step.uses?.startsWith("actions/checkout@")) expect(step.with).toMatchObject({ "persist-credentials": false });
    }
  },
);

test("what may write a comment runs no code of the pull request", () => {
  const writing = files.filter((file) => read(file).includes("pull-requests: write"));
  expect(writing).toEqual(["comment.yml"]);
  for (const step of steps("comment.yml").filter(({ uses }) => uses?.startsWith("actions/checkout@")))
    expect(step.with).not.toHaveProperty("ref");
  for (const job of Object.values(workflow("preview.yml").jobs))
    expect(Object.values(job.permissions ?? {}).filter((each) => each === "write")).toHaveLength(
      "id-token" in (job.permissions ?? {}) ? 1 : 0,
    );
});

test("a deployment is never cancelled, never beside another, and waits for a person", () => {
  expect(workflow("deploy.yml").concurrency).toEqual({ group: "deploy", "cancel-in-progress": false });
  const { plan, up } = workflow("deploy-one.yml").jobs as Record<
    "plan" | "up",
    Job & { environment?: string; needs?: string }
  >;
  expect([plan.environment, up.needs, up.environment]).toEqual([undefined, "plan", "${{ inputs.environment }}"]);
  const runs = (job: Job): string => (job.steps ?? []).map(({ run = "" }) => run).join("\n");
  expect(runs(plan)).toContain("--save-plans");
  expect(runs(plan)).not.toContain(" up ");
  expect(runs(up)).toMatch(/ up --yes .*--plan /s);
  expect(read("drift.yml")).not.toMatch(/ (?:up|refresh|destroy) --/);
});

test("a release tests first, publishes each image of ours, and nothing but npm runs where the package may be published", () => {
  const {
    test: tested,
    images,
    publish,
  } = workflow("release.yml").jobs as Record<
    "test" | "images" | "publish",
    Job & { uses?: string; needs?: string[]; environment?: string; strategy?: { matrix: { image: string[] } } }
  >;
  expect([tested.uses, images.needs]).toEqual(["./.github/workflows/test.yml", ["check", "test"]]);
  expect(images.strategy?.matrix.image.sort()).toEqual(publishable.map(({ key }) => key).sort());
  expect([publish.environment, publish.permissions]).toEqual(["npm", { "id-token": "write" }]);
  const used = publish.steps?.flatMap(({ uses, run }) => (uses ?? run ?? "").split("@")[0]);
  expect(used).toEqual([
    "actions/setup-node",
    "actions/download-artifact",
    expect.stringMatching(/^ *case .*npm publish/s),
  ]);
  // npm and GitHub know the job by its own token: no secret is stored.
  expect(read("release.yml")).not.toContain("secrets.");
  expect(workflow("release.yml").concurrency).toMatchObject({ "cancel-in-progress": false });
});
