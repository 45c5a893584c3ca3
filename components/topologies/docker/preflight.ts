import { connect as dial } from "node:net";

import { connect, hasImage, ping } from "../../../ops/docker.ts";
import type { Problem } from "../../core/errors.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";

export interface PreflightArgs {
  readonly site: Site;
  readonly host: string;
  readonly machines: Readonly<Record<string, string>>;
  readonly address: string;
  /** Images that no registry has: they must be on the engine already. */
  readonly local: readonly Image[];
}

/** What can be asked of the engines before the first resource: are they there, are the ports free, the images built? */
export async function preflight(args: PreflightArgs): Promise<Problem[]> {
  const engines = [
    ["docker.host", args.host] as const,
    ...Object.entries(args.machines).map(([key, host]) => [`docker.machines.${key}`, host] as const),
  ];
  const unreachable = (await Promise.all(engines.map(([key, host]) => reachable(key, host)))).flat();
  if (unreachable.length > 0) return unreachable;
  return [...(await ports(args)), ...(await images(args))];
}

async function reachable(key: string, host: string): Promise<Problem[]> {
  try {
    await ping(host, 10_000);
    return [];
  } catch (error) {
    return [{ key, value: host, remedy: error instanceof Error ? error.message : String(error) }];
  }
}

/** A port that another container, or another program of this machine, holds. */
async function ports({ site, host, address }: PreflightArgs): Promise<Problem[]> {
  const containers = await connect(host).listContainers();
  const problems: Problem[] = [];
  for (const [key, port] of Object.entries(site.ports)) {
    const holder = containers.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
    const name = holder?.Names[0]?.slice(1) ?? "";
    if (name === `${site.name}-edge`) continue;
    const taken = holder === undefined ? host.startsWith("unix:") && (await answers(address, port)) : true;
    if (!taken) continue;
    const who = holder === undefined ? "another program listens there" : `the container ${name} has it`;
    problems.push({
      key: `docker.ports.${key}`,
      value: port,
      remedy: `${who}; stop it or choose another port`,
    });
  }
  return problems;
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial({ host: address === "0.0.0.0" ? "127.0.0.1" : address, port, timeout: 1000 });
    const end = (taken: boolean) => (): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
  });
}

async function images({ host, local }: PreflightArgs): Promise<Problem[]> {
  const engine = connect(host);
  const missing = await Promise.all(
    local.map(async ({ key, ref }): Promise<Problem[]> => {
      if (await hasImage(engine, ref)) return [];
      return [{ key: `images.${key}`, value: ref, remedy: "not on the engine: `npm start` builds it" }];
    }),
  );
  return missing.flat();
}
