/** ministack runs the tasks of ECS as containers of this machine's engine. */
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { awsAt } from "../setup/aws-at.ts";
import { pipPackage } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";
import { type Emulator, serve } from "./emulator.ts";

import type { AddressInfo } from "node:net";
import type { Say } from "../setup/cache.ts";

const version = "1.5.33";

/** It ends with its standard input, and so with this process. Its own containers go with it. */
const main = `import os, signal, sys, threading
def end():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end, daemon=True).start()
from ministack.app import main
main()`;

export async function ministack(region: string, say: Say = () => undefined): Promise<Emulator> {
  const packages = await pipPackage("ministack", version, say, "full");
  const port = await freePort();
  const { child, said, close } = serve(["-c", main], packages, {
    GATEWAY_PORT: String(port),
    BIND_HOST: "127.0.0.1", // its own default is every address of the machine
    MINISTACK_HOST: "127.0.0.1",
    MINISTACK_REGION: region,
  });
  const env = awsAt(port, "emulated");
  const { AWS_ENDPOINT_URL: url = "" } = env;
  for (let tries = 0; !(await answers(url)); tries++) {
    if (child.exitCode !== null || tries > 300) throw new Problem(`ministack does not answer: ${said()}`);
    await sleep(200);
  }
  return { env, close };
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/_ministack/health`).then(
    () => true,
    () => false,
  );
}

/** It has to be told its port. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
