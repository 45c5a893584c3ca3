/** Native ES modules; types are stripped by the same Node that runs the program, so line numbers stay true. */
export default {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/test/support/strip-types.js" },
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  modulePathIgnorePatterns: ["<rootDir>/.local"], // mutation tests have copies of the repository there
  watchman: false,
  // Two cores that do much else: a hook that loads three SDKs may take longer than jest's five seconds.
  testTimeout: 60_000,
};
