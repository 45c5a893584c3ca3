import { connect, hasImage, ping } from "../../../ops/docker.ts";
import type { Container, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import { addressProblems } from "../address-preflight.ts";
import type { NetworkChoices } from "../subnets.ts";
import { hostOf, type Machine, networksOn } from "./machines.ts";
import { conflict, held, published } from "./ports.ts";

export interface PreflightArgs extends NetworkChoices {
  readonly site: Site;
  readonly host: string;
  readonly machines: Readonly<Record<string, Machine>>;
  readonly planned: List<readonly [string, Container]>;
  readonly address: string;
  /** Images that no registry has: they must be on the engine already. */
  readonly local: readonly Image[];
}

/** What can be asked of the engines before the first resource: are they there, are the ports free, the images built? */
export async function preflight(args: PreflightArgs): Promise<Problem[]> {
  const engines = [
    ["docker.host", args.host] as const,
    ...Object.entries(args.machines).map(([key, machine]) => [`docker.machines.${key}`, hostOf(machine)] as const),
  ];
  const unreachable = (await Promise.all(engines.map(([key, host]) => reachable(key, host)))).flat();
  if (unreachable.length > 0) return unreachable;
  return [...(await ports(args)), ...(await addresses(args)), ...(await images(args))];
}

async function addresses({
  site,
  host,
  machines,
  planned,
  networks: there = {},
  ...choices
}: PreflightArgs): Promise<Problem[]> {
  const found = Object.entries({ "": host, ...machines }).map(async ([machine, engine]) => {
    const names = Object.entries(networksOn(machine, planned)).filter(([key]) => !Object.hasOwn(there, key));
    const networks = Object.fromEntries(names.map(([key, network]) => [key, `${site.name}-${network}`]));
    const here = hostOf(engine).startsWith("unix:");
    return addressProblems(await connect(hostOf(engine)), {
      key: "docker.subnets",
      networks,
      scope: "local",
      here,
      subnets: choices.subnets,
      mtu: choices.mtu,
    });
  });
  return (await Promise.all(found)).flat();
}

async function reachable(key: string, host: string): Promise<Problem[]> {
  try {
    await ping(host, 10_000);
    return [];
  } catch (error) {
    return [{ key, value: host, remedy: error instanceof Error ? error.message : String(error) }];
  }
}

/** A port that another container has at the same address, or another program of this machine. */
async function ports({ site, host, address }: PreflightArgs): Promise<Problem[]> {
  const containers = await (await connect(host)).listContainers();
  const known = containers.flatMap(published);
  const others = containers.filter(({ Names }) => !Names.includes(`/${site.name}-edge`));
  const problems: Problem[] = [];
  for (const [key, port] of Object.entries(site.ports)) {
    const wanted = { address, port };
    const holder = others.find((container) => published(container).some((each) => conflict(each, wanted)));
    // On another machine we can see the containers only, not the programs.
    if (holder === undefined && !(host.startsWith("unix:") && (await held(wanted, known)))) continue;
    const who =
      holder === undefined
        ? `another program listens there on ${address}`
        : `the container ${holder.Names[0]?.slice(1) ?? ""} has it`;
    problems.push({
      key: `docker.ports.${key}`,
      value: port,
      remedy: `${who}; stop it or choose another port`,
    });
  }
  return problems;
}

async function images({ host, local }: PreflightArgs): Promise<Problem[]> {
  const engine = await connect(host);
  const missing = await Promise.all(
    local.map(async ({ key, ref }): Promise<Problem[]> => {
      if (await hasImage(engine, ref)) return [];
      return [{ key: `images.${key}`, value: ref, remedy: "not on the engine: `npm run images -- build` builds it" }];
    }),
  );
  return missing.flat();
}
