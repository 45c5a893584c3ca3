/** The table of an audit: what each control said of a stack's resources. */
import type { Verdict } from "./checkov.ts";
import { waived } from "./waivers.ts";

export interface Audited {
  readonly stack: string;
  readonly verdicts: readonly Verdict[];
}

/** The failed checks that nobody has waived: `CKV_AWS_16 aws_db_instance.shop-db: …`. */
export function faults({ verdicts }: Audited): string[] {
  return verdicts
    .filter((each) => !each.passed && waived(each) === undefined)
    .map(({ check, address, what }) => `${check} ${address}: ${what}`)
    .sort();
}

/** Markdown: a control a line, with the numbers of all stacks together. */
export function table(audited: readonly Audited[]): string {
  const all = audited.flatMap(({ verdicts }) => verdicts);
  const controls = new Map(all.map(({ check, what }) => [check, what]));
  const rows = [...controls]
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .map(([check, what]) => {
      const its = all.filter((each) => each.check === check);
      const failed = its.filter(({ passed }) => !passed);
      const reasons = [...new Set(failed.flatMap((each) => waived(each) ?? []))];
      const unmeant = failed.filter((each) => waived(each) === undefined).length;
      const numbers = [its.length - failed.length, unmeant, failed.length - unmeant].map(String);
      return `| ${check} | ${what.replaceAll("|", "\\|")} | ${numbers.join(" | ")} | ${reasons.join("; ")} |`;
    });
  return [
    "| control | what it wants | passed | failed | waived | why |",
    "| --- | --- | --: | --: | --: | --- |",
    ...rows,
  ].join("\n");
}
