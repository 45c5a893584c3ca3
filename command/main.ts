#!/usr/bin/env node
/** `npx platform-topologies <command>`: what the package brings beside its components. */
import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";

import { messageOf } from "../comment/forge.ts";
import { installPlugin } from "./install-plugin.ts";
import { previewComment } from "./preview-comment.ts";

const usage = `platform-topologies <command>

  install-plugin             installs the provider of this package for all of your programs
  preview-comment …          what a change does to your stacks, as a comment; --help says more`;

/** The file that runs is dist/command/main.js, behind a link of npm's. */
const root = dirname(dirname(dirname(realpathSync(process.argv[1] ?? ""))));

function run([command, ...args]: readonly string[]): Promise<number> {
  if (command === "install-plugin" && args.length === 0) return installPlugin(root);
  if (command === "preview-comment") return previewComment(args);
  if (command !== "--help") throw new Error(usage);
  process.stdout.write(`${usage}\n`);
  return Promise.resolve(0);
}

Promise.resolve(process.argv.slice(2))
  .then(run)
  .then((code) => {
    process.exitCode = code;
  })
  .catch((error: unknown) => {
    process.stderr.write(`error: ${messageOf(error)}\n`);
    process.exitCode = 2; // 1 is a preview that failed
  });
