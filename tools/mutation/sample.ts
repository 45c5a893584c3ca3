/** A checker that lets a share of the mutants through. Stryker counts the others as mutants that do not compile. */
import { createHash } from "node:crypto";
import process from "node:process";

import { CheckStatus } from "@stryker-mutator/api/check";
import { declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";

import type { Checker, CheckResult } from "@stryker-mutator/api/check";
import type { Mutant } from "@stryker-mutator/api/core";

const share = Number(process.env.MUTATION_SHARE ?? "1");

class Sample implements Checker {
  init(): Promise<void> {
    return Promise.resolve();
  }

  check(mutants: Mutant[]): Promise<Record<string, CheckResult>> {
    return Promise.resolve(Object.fromEntries(mutants.map((mutant) => [mutant.id, resultOf(mutant)])));
  }
}

/** The same mutants in each run, as long as their code and its place stay. */
function resultOf({ fileName, location, replacement }: Mutant): CheckResult {
  const name = JSON.stringify([fileName.replace(/.*\/(components|ops|docker-proxy)\//, "$1/"), location, replacement]);
  const drawn = createHash("sha256").update(name).digest().readUInt32BE() / 2 ** 32 < share;
  return drawn ? { status: CheckStatus.Passed } : { status: CheckStatus.CompileError, reason: "not in the sample" };
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, "sample", Sample)];
