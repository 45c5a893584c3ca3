/** The programs of the machines. Only CommonJS finds the files beside itself both in the source and in dist. */
const { readFileSync } = require("node:fs");

const text = (file) => readFileSync(require.resolve(file), "utf8");
exports.agent = text("./agent.py");
exports.slot = text("./slot.py");
exports.node = text("./node.py");
