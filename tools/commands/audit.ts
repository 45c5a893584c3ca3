/** `npm run audit -- <file>…`: what Checkov says of stacks on AWS, each as `pulumi stack export` prints it. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import process from "node:process";

import { scan } from "../audit/checkov.ts";
import { faults, table } from "../audit/report.ts";
import { planJson, plannedOf, type StateResource } from "../audit/terraform.ts";
import { describe, Problem } from "../setup/problem.ts";

const help = `npm run audit -- <file>…, for example
  npm run -s pulumi -- stack export --stack prod > prod.json
  npm run audit -- prod.json

Checkov's controls for AWS over what a stack has made, by its state alone: no account is asked. It fails if a control
fails that tools/audit/waivers.ts has no reason for.
`;

export async function run(files: readonly string[]): Promise<number> {
  if (files.length === 0 || files[0] === "--help") {
    process.stdout.write(help);
    return 0;
  }
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const audited = [];
  for (const file of files)
    audited.push({ stack: basename(file), verdicts: await audit(await resourcesIn(file), say) });
  process.stdout.write(`${table(audited)}\n`);
  const found = audited.flatMap((each) => faults(each).map((fault) => `${each.stack}: ${fault}`));
  for (const fault of found) say(fault);
  return found.length === 0 ? 0 : 1;
}

/** Checkov's verdicts of a stack's resources. */
export async function audit(state: readonly StateResource[], say?: (line: string) => void) {
  return scan(planJson(await plannedOf(state)), say);
}

async function resourcesIn(file: string): Promise<StateResource[]> {
  try {
    const { deployment } = JSON.parse(await readFile(file, "utf8")) as { deployment?: { resources?: StateResource[] } };
    if (deployment?.resources === undefined) throw new Error("it has no resources");
    return deployment.resources;
  } catch (error) {
    throw new Problem(
      `${file} = no stack: ${describe(error)}; make it with \`npm run -s pulumi -- stack export > ${file}\``,
    );
  }
}
