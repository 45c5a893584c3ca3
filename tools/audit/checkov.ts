/** Checkov, an auditor that none of us wrote: installed once into the cache, and run without the network. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

import { execa } from "execa";

import { pipPackage, pythonEnv } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";

import type { Say } from "../setup/cache.ts";

const version = "3.3.30";

/** What a check said of one resource. */
export interface Verdict {
  readonly check: string;
  readonly what: string;
  readonly address: string;
  readonly passed: boolean;
}

/** With `-S`: a machine's own start-up code may write into the packages that it finds, and the cache would be damaged. */
const main =
  "import builtins, runpy, sys; builtins.exit = sys.exit; runpy.run_module('checkov.main', run_name='__main__', alter_sys=True)";

interface Record {
  readonly check_id: string;
  readonly check_name: string;
  readonly resource: string;
}

/** What Checkov says of a plan as `terraform show -json` prints it. */
export async function scan(plan: object, say: Say = () => undefined): Promise<Verdict[]> {
  const packages = await pipPackage("checkov", version, say); // 290 MB
  const folder = await mkdtemp(join(tmpdir(), "audit-"));
  try {
    const file = join(folder, "plan.json");
    await writeFile(file, JSON.stringify(plan));
    const args = ["--framework", "terraform_plan", "--file", file, "--output", "json", "--skip-download"];
    const { stdout, stderr, exitCode } = await execa("python3", ["-S", "-c", main, ...args, "--soft-fail"], {
      env: { ...pythonEnv(packages), LOG_LEVEL: "ERROR", HOME: process.env.HOME ?? folder },
      reject: false,
      maxBuffer: 1 << 30,
    });
    if (exitCode !== 0) throw new Problem(`checkov failed: ${stderr}`);
    const { results } = JSON.parse(stdout) as {
      results: { passed_checks: Record[]; failed_checks: Record[]; parsing_errors: string[] };
    };
    if (results.parsing_errors.length > 0) throw new Problem("checkov could not read the plan");
    const verdicts = (records: readonly Record[], passed: boolean): Verdict[] =>
      records.map((each) => ({ check: each.check_id, what: each.check_name, address: each.resource, passed }));
    return [...verdicts(results.passed_checks, true), ...verdicts(results.failed_checks, false)];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
