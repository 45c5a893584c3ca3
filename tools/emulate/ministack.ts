/** ministack runs the tasks of ECS as containers of this machine's engine. */
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { repo } from "../setup/paths.ts";
import { awsAt } from "../setup/aws-at.ts";
import { pipPackage } from "../setup/pip.ts";
import { Problem } from "../setup/problem.ts";
import { type Emulator, serve } from "./emulator.ts";

import type { AddressInfo } from "node:net";
import type { Say } from "../setup/cache.ts";

const version = "1.5.33";

export interface Ministack {
  readonly region: string;
  /** Whose everything is. Default: ministack's own. */
  readonly account?: string;
  /** The Docker network that stands for the private network. Default: Docker's own. */
  readonly network?: string;
  /** The images of stores. Default: official ones. */
  readonly images?: { readonly postgres: string; readonly valkey: string };
}

export async function ministack(
  { region, account, network, images }: Ministack,
  say: Say = () => undefined,
): Promise<Emulator> {
  const packages = await pipPackage("ministack", version, say, "full,test");
  const port = await freePort();
  const { child, said, close } = serve([join(repo, "tools/emulate/ministack-server.py")], packages, {
    GATEWAY_PORT: String(port),
    BIND_HOST: "127.0.0.1", // its own default is every address of the machine
    MINISTACK_HOST: "127.0.0.1",
    MINISTACK_REGION: region,
    ...(network === undefined ? {} : { DOCKER_NETWORK: network }),
    ...(images === undefined ? {} : { MINISTACK_POSTGRES: images.postgres, MINISTACK_VALKEY: images.valkey }),
  });
  // Its account is the key's id, if that is a number of twelve digits.
  const env: Emulator["env"] = {
    ...awsAt(port, "emulated"),
    ...(account === undefined ? {} : { AWS_ACCESS_KEY_ID: account }),
  };
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
