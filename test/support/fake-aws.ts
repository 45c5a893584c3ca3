/** A server that answers as AWS's API would, in JSON 1.1 and in the query protocol, which Auto Scaling and STS speak. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";

import type { Task } from "@aws-sdk/client-ecs";

export interface Call {
  readonly action: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** The id of the access key that signed it. */
  readonly key: string;
}

/** Answers by action, as `RunTask`. `nth`: how often that was asked before. */
export type AwsAnswers = Readonly<Record<string, (input: Call["input"], nth: number) => unknown>>;

export interface FakeAws {
  readonly at: { readonly region: string; readonly endpoint: string };
  readonly calls: Call[];
  /** The inputs of the calls of an action. */
  of(action: string): Call["input"][];
  close(): void;
}

/** What an answer throws to be an exception of the API. */
export class Refusal extends Error {
  readonly type: string;

  constructor(type: string, message = "") {
    super(message);
    this.type = type;
  }
}

/** Credentials for the SDK, and nothing of this machine's own. */
export function forgetAws(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "AKIDTEST",
    AWS_SECRET_ACCESS_KEY: "no secret",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
  });
}

export async function fakeAws(answers: AwsAnswers): Promise<FakeAws> {
  forgetAws();
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      const target = request.headers["x-amz-target"];
      const json = typeof target === "string";
      const form = new URLSearchParams(body);
      const action = json ? (target.split(".")[1] ?? "") : (form.get("Action") ?? "");
      const input = json ? (JSON.parse(body) as Call["input"]) : Object.fromEntries(form);
      const nth = calls.filter((call) => call.action === action).length;
      const key = /Credential=(\w+)/.exec(request.headers.authorization ?? "")?.[1] ?? "";
      calls.push({ action, input, key });
      const [status, answer] = answered(answers[action], action, input, nth);
      response.writeHead(status, { "content-type": json ? "application/x-amz-json-1.1" : "text/xml" });
      if (json) response.end(JSON.stringify(answer));
      else response.end(status === 200 ? wrapped(action, answer) : refused(answer as JsonError));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    at: { region: "eu-central-1", endpoint: `http://127.0.0.1:${String(port)}` },
    calls,
    of: (action) => calls.filter((call) => call.action === action).map(({ input }) => input),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface JsonError {
  readonly __type: string;
  readonly message: string;
}

function answered(
  answer: AwsAnswers[string] | undefined,
  action: string,
  input: Call["input"],
  nth: number,
): [number, unknown] {
  try {
    if (!answer) throw new Refusal("InvalidAction", `nobody answers ${action} here`);
    return [200, answer(input, nth) ?? {}];
  } catch (error) {
    const { type, message } = error instanceof Refusal ? error : new Refusal("InternalError", String(error));
    return [400, { __type: type, message } satisfies JsonError];
  }
}

function wrapped(action: string, answer: unknown): string {
  return `<${action}Response><${action}Result>${xml(answer)}</${action}Result></${action}Response>`;
}

function refused({ __type, message }: JsonError): string {
  const error = xml({ Type: "Sender", Code: __type, Message: message });
  return `<ErrorResponse><Error>${error}</Error></ErrorResponse>`;
}

function xml(value: unknown): string {
  if (Array.isArray(value)) return value.map((item: unknown) => `<member>${xml(item)}</member>`).join("");
  if (typeof value !== "object" || value === null)
    return String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return Object.entries(value)
    .map(([key, item]) => `<${key}>${xml(item)}</${key}>`)
    .join("");
}

/** A task, and what it becomes: a state more at each look. */
export interface FakeTask extends Omit<Task, "stoppedAt"> {
  readonly next?: readonly Task[];
}

const arnOf = (id: string): string => `arn:aws:ecs:eu-central-1:1:task/shop/${id}`;

/** A task of a job's family that has ended by itself, with this exit code. */
export function endedTask(id: string, startedBy: string, exitCode: number): FakeTask {
  return {
    ...{ taskArn: arnOf(id), startedBy, lastStatus: "STOPPED", desiredStatus: "STOPPED" },
    ...{ stopCode: "EssentialContainerExited", stoppedReason: "Essential container in task exited" },
    containers: [{ name: "main", exitCode, lastStatus: "STOPPED" }],
  };
}

/** The same while it runs, and ends at the next look but one. */
export function runningTask(id: string, startedBy: string, exitCode: number): FakeTask {
  const running = { lastStatus: "RUNNING", desiredStatus: "RUNNING" };
  const main = { name: "main", lastStatus: "RUNNING" };
  return {
    taskArn: arnOf(id),
    startedBy,
    ...running,
    containers: [main],
    next: [{}, endedTask(id, startedBy, exitCode)],
  };
}

/** The part of ECS that jobs use, with ECS's own rules. `starts`: what becomes of a new task. */
export function fakeTasks(tasks: FakeTask[], starts: (id: string, startedBy: string) => FakeTask): AwsAnswers {
  const tokens = new Map<unknown, FakeTask>();
  const find = (arn: unknown): number => tasks.findIndex(({ taskArn }) => taskArn === arn);
  return {
    ListTasks: ({ family, desiredStatus, startedBy }) => {
      if (startedBy !== undefined && (family ?? desiredStatus) !== undefined) {
        throw new Refusal("InvalidParameterException", "startedBy must be the only filter");
      }
      if (family !== "shop-migrate") return { taskArns: [] };
      const listed = tasks.filter((task) => task.desiredStatus === (desiredStatus ?? "RUNNING"));
      return { taskArns: listed.map(({ taskArn }) => taskArn) };
    },
    DescribeTasks: (input) => {
      const found = (input.tasks as string[]).map(find).filter((index) => index >= 0);
      return {
        tasks: found.map((index) => {
          const { next: [now, ...next] = [], ...task } = tasks[index] ?? {};
          tasks[index] = { ...task, ...now, next };
          return { ...task, ...now };
        }),
      };
    },
    RunTask: ({ clientToken, startedBy }) => {
      const task = tokens.get(clientToken) ?? starts(`new-${String(tokens.size + 1)}`, String(startedBy));
      if (!tokens.has(clientToken)) tasks.push(task);
      tokens.set(clientToken, task);
      return { tasks: [{ taskArn: task.taskArn }], failures: [] };
    },
    StopTask: ({ task, reason }) => {
      const found = tasks[find(task)];
      if (!found) throw new Refusal("InvalidParameterException", "The referenced task was not found.");
      const stopped = { desiredStatus: "STOPPED", stopCode: "UserInitiated" as const, stoppedReason: String(reason) };
      const containers = [{ name: "main", exitCode: 143, lastStatus: "STOPPED" }];
      tasks[find(task)] = { ...found, ...stopped, next: [{}, { lastStatus: "STOPPED", containers }] };
      return {};
    },
  };
}
