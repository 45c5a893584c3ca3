// The entry of every npm command. It needs nothing but the machine's Node (20 or later): it makes node_modules match
// package-lock.json and hands over to the Node that npm has put there, which runs TypeScript as it is.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { fileURLToPath } from "node:url";

const repo = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(repo, "node_modules/.bin/node");

/** npm writes the hidden lock file last, so an interrupted install never matches. */
function installed() {
  try {
    const want = JSON.parse(readFileSync(join(repo, "package-lock.json"), "utf8")).packages;
    const have = JSON.parse(readFileSync(join(repo, "node_modules/.package-lock.json"), "utf8")).packages;
    const same = (path) => have[path]?.version === want[path].version && have[path]?.integrity === want[path].integrity;
    // An optional package for another operating system is absent here.
    const fits = (path) => path === "" || same(path) || (want[path].optional && have[path] === undefined);
    return existsSync(node) && Object.keys(want).every(fits) && Object.keys(have).every((path) => path in want);
  } catch {
    return false;
  }
}

/** Runs a command to its end. A terminal sends Ctrl-C to the command, too; without one we pass our signals on. */
function run(file, args, options = {}) {
  const atTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const child = spawn(file, args, { cwd: repo, stdio: "inherit", ...options });
  const pass = (signal) => {
    if (signal !== "SIGINT" || !atTerminal) child.kill(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, pass);
  return new Promise((resolve) => {
    child.on("error", (error) => {
      fail(`${file} could not be started (${error.code}): is it installed and on PATH?`);
    });
    child.on("close", (code, signal) => {
      for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, pass);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

function fail(sentence) {
  process.stderr.write(`error: ${sentence}\n`);
  process.exit(1);
}

if (Number(process.versions.node.split(".")[0]) < 20) {
  fail(`Node ${process.versions.node} is too old: install Node 20 or later (https://nodejs.org)`);
}
if (!installed()) {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  process.stderr.write("installing the packages of package-lock.json (npm ci), about a minute\n");
  const ticks = setInterval(() => process.stderr.write(`  npm ci: ${seconds()} s\n`), 10_000);
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  // Under `npm start` the running npm names itself here: that one is used, without a look at PATH.
  const npm = process.env.npm_execpath;
  // npm's report goes to stderr, as stdout belongs to the command.
  const stdio = ["ignore", 2, 2];
  const code = npm ? await run(process.execPath, [npm, ...args], { stdio }) : await run("npm", args, { stdio });
  clearInterval(ticks);
  if (code === 130 || code === 143) process.exit(code);
  if (code !== 0)
    fail("npm ci failed: see npm's message above; check the network and the disk, then run the same command again");
  if (!installed())
    fail(`npm ci left no Node in ${node}: allow install scripts (npm config set ignore-scripts false) and run again`);
  process.stderr.write(`packages installed in ${seconds()} s\n`);
}
process.exitCode = await run(node, [join(repo, "tools/main.ts"), ...process.argv.slice(2)], { cwd: process.cwd() });
