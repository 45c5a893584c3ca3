/**
 * A small AWS: the calls that our own provider makes, on 127.0.0.1. The SDKs reach it by AWS_ENDPOINT_URL. It reads what
 * the simulated provider remembers, so a service has the task definition that was stored for it.
 */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { awsAt } from "../../setup/aws-at.ts";
import { Refused } from "./answers.ts";
import { ecs, logs } from "./ecs.ts";
import { ec2 } from "./networks.ts";
import { ec2Error, ec2Xml, readQuery, xml, xmlError } from "./query.ts";
import { groups, ssm, sts } from "./systems.ts";

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Faults } from "../faults.ts";
import type { Bag } from "../wire.ts";
import type { World } from "../world.ts";
import type { Answers } from "./answers.ts";

export interface Api {
  /** What leads the SDKs of AWS here, and away from the user's own account. */
  env: Record<string, string>;
  close(): Promise<void>;
}

const byTarget: Readonly<Record<string, Answers>> = {
  AmazonEC2ContainerServiceV20141113: ecs,
  AmazonSSM: ssm,
  Logs_20140328: logs,
};

const byForm: Answers = { ...groups, ...sts, ...ec2 };

/** Listens on a free port until it is closed. */
export async function api(world: World, faults: Faults): Promise<Api> {
  const server = createServer((request, response) => {
    void answer(request, response, world, faults);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    env: awsAt(port, "simulated"),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections(); // clients keep theirs open
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, world: World, faults: Faults): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const target = request.headers["x-amz-target"];
  const query = typeof target !== "string";
  const [service = "", action = ""] = query ? ["", new URLSearchParams(body).get("Action") ?? ""] : target.split(".");
  const send = (status: number, text: string): void => {
    response.writeHead(status, { "content-type": query ? "text/xml" : "application/x-amz-json-1.1" }).end(text);
  };
  try {
    const answers = query ? byForm : (byTarget[service] ?? {});
    const handle = Object.hasOwn(answers, action) ? answers[action] : undefined;
    if (!handle)
      throw new Refused("UnknownOperationException", `the simulation does not answer ${query ? action : target}`);
    await sleep(faults.milliseconds("call", action));
    if (faults.throttles("call", action))
      throw new Refused(query ? "Throttling" : "ThrottlingException", "Rate exceeded");
    if (faults.fails("call", action))
      throw new Refused("AccessDeniedException", `${action}, as SIMULATE_FAIL asks for it`);
    const given = query ? readQuery(body) : (JSON.parse(body === "" ? "{}" : body) as Bag);
    const found = handle(given, world, faults);
    const write = Object.hasOwn(ec2, action) ? ec2Xml : xml;
    send(200, query ? write(action, found) : JSON.stringify(found));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Refused ? error.code : "InternalFailure";
    const status = error instanceof Refused ? 400 : 500;
    const write = Object.hasOwn(ec2, action) ? ec2Error : xmlError;
    send(status, query ? write(code, message) : JSON.stringify({ __type: code, message }));
  }
}
