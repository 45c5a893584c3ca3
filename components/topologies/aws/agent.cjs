/** The machine's agent. Only CommonJS finds the file beside itself both in the source and in dist. */
const { readFileSync } = require("node:fs");

exports.agent = readFileSync(require.resolve("./slot.py"), "utf8");
