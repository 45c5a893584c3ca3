/** The file of a stack's config, and what its operator does next. */
import { dirname, relative } from "node:path";

import { Document } from "yaml";

import { repo } from "../setup/paths.ts";
import type { Verdict } from "./config.ts";
import type { Config } from "./questions.ts";

const prefix = "platform-topologies:";
/** Keys that a reader looks for first. The topology's and the system's own come last. */
const first = ["system", "topology", "name", "hostname", "rehearsal", "protect", "localImages", "mirror"];

/** The text of the file at `path`. */
export function textOf(config: Config, path: string, commands: readonly string[]): string {
  const last = [String(config.topology), String(config.system)];
  const others = Object.keys(config).filter((key) => !first.includes(key) && !last.includes(key));
  const keys = [...first, ...others.sort(), ...last].filter((key) => config[key] !== undefined);
  const document = new Document({
    config: {
      "pulumi:disable-default-providers": ["*"],
      ...Object.fromEntries(keys.map((key) => [prefix + key, config[key]])),
    },
  });
  const schema = relative(dirname(path), `${repo}/stack.schema.json`);
  document.commentBefore = [
    `yaml-language-server: $schema=${schema.startsWith(".") ? schema : `./${schema}`}`,
    `${String(config.system)} on ${String(config.topology)}. What is still to be done, in this order:`,
    ...commands.map((command) => `  ${command}`),
  ]
    .map((line) => ` ${line}`)
    .join("\n");
  return document.toString({ lineWidth: 120 });
}

/** The commands that lead from the file to a running stack. `file`: as `--config-file` names it; unset: Pulumi's own. */
export function commandsFor(config: Config, stack: string, file: string | undefined, verdict: Verdict): string[] {
  const of = ` --stack ${stack}${file === undefined ? "" : ` --config-file ${file}`}`;
  return [
    `npm run pulumi -- stack init ${stack}`,
    ...verdict.secrets.map((secret) => `npm run pulumi -- config set --path --secret ${secret}${of}`),
    ...(config.topology === "aws" ? [`npm run simulate -- preview${of}`] : []),
    `npm run pulumi -- preview${of}`,
    `npm run pulumi -- up${of}`,
  ];
}
