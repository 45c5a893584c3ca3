/** What this stack's state has, as the engine tells it: asked once, and only where there is an engine. */
import { randomUUID } from "node:crypto";

import { expect, test } from "@jest/globals";
import { runtime } from "@pulumi/pulumi";

import { stateOfStack } from "../../components/core/known.ts";

const asked: unknown[] = [];
/** A stack of its own: what is known of one is kept for the process. */
async function under(answer: object, organization: string): Promise<string> {
  const stack = randomUUID();
  asked.length = 0;
  const call = ({ token, inputs }: { token: string; inputs: object }): object => {
    asked.push([token, inputs]);
    return answer;
  };
  await runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call }, "shop", stack, false, organization);
  return stack;
}
const answer = {
  outputs: { "urn:a": { type: "t", outputs: { x: 1 }, more: true }, "urn:b": { type: "u", outputs: {} } },
};
const state = [
  { urn: "urn:a", type: "t", outputs: { x: 1 } },
  { urn: "urn:b", type: "u", outputs: {} },
];

test("the engine is asked once for a stack, by its whole name", async () => {
  const stack = await under(answer, "acme");
  expect(await Promise.all([stateOfStack(), stateOfStack()])).toEqual([state, state]);
  expect(await stateOfStack()).toEqual(state);
  expect(asked).toEqual([["pulumi:pulumi:readStackResourceOutputs", { stackName: `acme/shop/${stack}` }]]);
  await under({ outputs: {} }, "acme");
  expect(await stateOfStack()).toEqual([]);
  expect(asked).toHaveLength(1);
});

test("without an engine, or with an answer of another form, nothing is known", async () => {
  await under(answer, "");
  expect(await stateOfStack()).toBeUndefined();
  expect(asked).toEqual([]);
  await under({ outputs: { "urn:a": { type: 1 } } }, "acme");
  expect(await stateOfStack()).toBeUndefined();
});
