/** The files of ops/ that decide. The others talk to an engine, which the tests of the dear tiers do. */
const judging = [
  ...["authority", "certificate", "job-files", "job-inputs", "lifetime", "logs", "placement", "registry"],
  ...["service-verdict", "template", "volume-node-choice", "wire"],
];

export default {
  plugins: ["runner.ts", "sample.ts"].map((file) => new URL(file, import.meta.url).href),
  checkers: ["sample"],
  testRunner: "cheap-tiers",
  dryRunTimeoutMinutes: 30,
  timeoutMS: 20_000,
  coverageAnalysis: "perTest",
  mutate: ["components/**/*.ts", ...judging.map((name) => `ops/${name}.ts`), "docker-proxy/**/*.ts", "!**/main.ts"],
  disableTypeChecks: false,
  concurrency: 3, // two that run tests, and the checker
  maxTestRunnerReuse: 60, // modules that are loaded anew stay in memory
  reporters: ["progress-append-only", "json", "clear-text"],
  jsonReporter: { fileName: ".local/mutation.json" },
  tempDirName: ".local/stryker",
  ignorePatterns: [".local", "dist", "node_modules", ".git"],
  allowConsoleColors: false,
};
