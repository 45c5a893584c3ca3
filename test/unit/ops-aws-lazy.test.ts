/** Where nothing of AWS is handled its SDK is not loaded: a Docker stack works where it is not installed. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

import { expect, test } from "@jest/globals";

import { fakeEngine } from "../support/fake-engine.ts";

const ops = join(import.meta.dirname, "../../ops");

const program = `
import { registerHooks } from "node:module";
registerHooks({
  resolve: (specifier, context, next) => {
    if (!/^@(aws-sdk|smithy)[/]/.test(specifier)) return next(specifier, context);
    throw Object.assign(new Error("Cannot find package '" + specifier + "'"), { code: "ERR_MODULE_NOT_FOUND" });
  },
});
const { job } = await import(${JSON.stringify(join(ops, "job.ts"))});
const { finalizer } = await import(${JSON.stringify(join(ops, "finalizer.ts"))});
const { ecsGate } = await import(${JSON.stringify(join(ops, "ecs-gate.ts"))});
const { machine } = await import(${JSON.stringify(join(ops, "machine.ts"))});
const { values } = await import(${JSON.stringify(join(ops, "wire.ts"))});
await import(${JSON.stringify(join(ops, "resources.ts"))});
const base = { name: "j", image: "i", command: ["true"], seconds: 5, trigger: "1" };
const place = { at: { region: "eu-central-1" }, cluster: "c", container: "m", logGroup: "/l" };
const ecs = { ...place, taskDefinition: "d/j:1", subnets: [], securityGroups: [] };
await job.create(values({ ...base, host: process.argv[1], networks: [] }));
const others = [
  [job, { ...base, ecs }],
  [ecsGate, { ...place, service: "s", taskDefinition: "d/s:1", name: "s", seconds: 1 }],
  [machine, { at: place.at, name: "m", group: "g", spec: "v", template: "1", seconds: 1 }],
];
const said = [];
for (const [handler, given] of others) {
  said.push(handler.inputs.safeParse(given).success, handler.diff(values(given), values(given)).changes);
  said.push(await handler.create(values(given)).then(String, (error) => error.message));
}
console.log(JSON.stringify(said));
`;

test("a job on an engine runs, and a preview of AWS's resources works, without the SDK", async () => {
  const engine = await fakeEngine({
    "POST /containers/create": { Id: "c", Warnings: [] },
    "POST /containers/c/start": { status: 204, body: "" },
    "GET /containers/c/json": { State: { Status: "exited", ExitCode: 0 }, Config: { Labels: {} } },
    "DELETE /containers/c": { status: 204, body: "" },
  });
  try {
    const args = ["--input-type=module", "--disable-warning=ExperimentalWarning", "--eval", program, engine.host];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const missing = (part: string) => `the AWS SDK is not installed: run \`npm install @aws-sdk/client-${part}\``;
    expect(JSON.parse(stdout)).toEqual([
      ...[true, false, missing("ecs")],
      ...[true, false, missing("ecs")],
      ...[true, false, missing("auto-scaling")],
    ]);
    expect(engine.asked.some((each) => each.startsWith("POST /containers/create"))).toBe(true);
  } finally {
    engine.close();
  }
});
