/** Lists what one Docker engine has, for a survey. */
import { z } from "zod";

import { connect, explain, hasImage, ifThere, messageOf } from "../../../ops/docker.ts";
import { pull } from "../../../ops/pull.ts";
import type { Dict, List } from "../../core/contracts.ts";
import { type Adopted, type Member, networkShape } from "../adopted.ts";
import { type Kind, nameLabel, type Pruned, type There, type Thing } from "../survey.ts";

/** The types of the resources that make each kind on a further machine. */
export const machineTypes: Dict<Kind> = {
  "docker:index/container:Container": "container",
  "docker:index/network:Network": "network",
  "docker:index/remoteImage:RemoteImage": "image",
};

/** The same on the stack's own host, which has all of the stack's disks. */
export const types: Dict<Kind> = { ...machineTypes, "platform-topologies:index:Volume": "volume" };

/** The engine's id, and all of its containers, networks, volumes and images, by one request for each kind. */
export async function lookAt(host: string, adopted?: Adopted): Promise<There> {
  const engine = await connect(host);
  try {
    const [info, containers, networks, volumes, images] = await Promise.all([
      engine.info() as Promise<Info>,
      engine.listContainers({ all: true }),
      engine.listNetworks(),
      engine.listVolumes(),
      engine.listImages(),
    ]);
    return {
      engine: info.ID,
      places: placesOf(info),
      things: [
        ...containers.map(({ Id, Names, Labels, State, Status }): Thing => ({
          kind: "container",
          name: Names[0]?.slice(1) ?? "",
          id: Id,
          labels: Labels,
          down: stopped(State, Status),
          broken: failing(State, Status),
        })),
        ...networks.map(({ Id, Name, Labels }): Thing => ({
          kind: "network",
          name: Name,
          id: Id,
          labels: Labels ?? {},
        })),
        ...images.map(({ Id }): Thing => ({ kind: "image", name: Id, labels: {} })),
        ...listed
          .parse(volumes)
          .Volumes.map(({ Name, Labels }): Thing => ({ kind: "volume", name: Name, labels: Labels })),
      ],
      ...(adopted === undefined
        ? {}
        : {
            problems: await adopted.problems({
              driver: "bridge",
              networks: z.array(networkShape).parse(networks),
              members: (names) => membersOf(engine, names),
            }),
          }),
    };
  } catch (error) {
    throw explain(error, host);
  }
}

/** The containers in some networks, stopped ones too, and what each is called in all of its networks. */
async function membersOf(engine: Awaited<ReturnType<typeof connect>>, networks: List<string>): Promise<Member[]> {
  const inside = await engine.listContainers({ all: true, filters: { network: [...networks] } });
  const found = await Promise.all(inside.map(({ Id }) => ifThere(engine.getContainer(Id).inspect())));
  return found.flatMap((each): Member[] => {
    if (each === undefined) return []; // it has ended meanwhile
    const name = each.Name.slice(1);
    const names = Object.entries(attached.parse(each.NetworkSettings.Networks)).map(
      ([network, { Aliases, DNSNames }]) => [network, [name, ...(Aliases ?? []), ...(DNSNames ?? [])]] as const,
    );
    return [{ what: `the container ${name}`, stack: each.Config.Labels[nameLabel], names: Object.fromEntries(names) }];
  });
}

/** Newer engines keep what the container was given apart from all by which it is found. */
const attached = z.record(
  z.string(),
  z.object({ Aliases: z.array(z.string()).nullish(), DNSNames: z.array(z.string()).nullish() }),
);

interface Info {
  readonly ID: string;
  readonly Name: string;
  readonly Swarm?: { readonly NodeID?: string };
}

/** By its host's name, too: engines of copied machines may have one id. As a node of a swarm, whose topology names it so. */
export function placesOf({ ID, Name, Swarm: { NodeID: node = "" } = {} }: Info): string[] {
  return [`${ID} ${Name}`, ...(node === "" ? [] : [node])];
}

/** Engines answer null for no labels, and some engines do for no volumes. */
const listed = z.object({
  Volumes: z
    .array(
      z.object({
        Name: z.string(),
        Labels: z
          .record(z.string(), z.string())
          .nullish()
          .transform((found) => found ?? {}),
      }),
    )
    .nullish()
    .transform((found) => found ?? []),
});

/** Why a container fails that the engine goes on starting. Its gate decides whether it recovers. */
function failing(state: string, status: string): Thing["broken"] {
  if (state === "restarting") return { why: `its process ends again and again (${withoutTime(status)})` };
  return status.includes("(unhealthy)") ? { why: "its health check fails" } : undefined;
}

/** The status without its time: `Exited (0) 8 seconds ago` would be another message at each preview. */
function withoutTime(status: string): string {
  return status.replace(/ [^()]* ago$/, "");
}

function stopped(state: string, status: string): string | undefined {
  switch (state) {
    case "exited":
    case "dead":
      return `does not run (${withoutTime(status)})`;
    case "created":
      return "was never started";
    case "paused":
      return "is paused";
    default:
      return undefined;
  }
}

/** Removes what an interrupted run has left. No volume is removed here. */
export async function removeFrom(host: string, { kind, name }: Thing): Promise<void> {
  const engine = await connect(host);
  if (kind === "container") await ifThere(engine.getContainer(name).remove({ force: true, v: true }));
  if (kind === "network") await ifThere(engine.getNetwork(name).remove());
}

/** Pulls by the digest, if there is one: the tag may be another image by now. */
export async function pullAgain(host: string, registries: List<string>, { ref, id, digest }: Pruned): Promise<boolean> {
  const engine = await connect(host);
  const refs = digest === undefined ? [ref] : [digest, ref];
  for (const [index, each] of refs.entries()) {
    try {
      await pull(engine, each, registries);
      break;
    } catch (error) {
      if (index === refs.length - 1) throw new Error(`${each} cannot be pulled: ${messageOf(error)}`, { cause: error });
    }
  }
  return hasImage(engine, id);
}
