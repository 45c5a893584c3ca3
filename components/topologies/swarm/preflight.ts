import { connect, hasImage, reach, said } from "../../../ops/docker.ts";
import { describeNodes, listNodes } from "../../../ops/swarm.ts";
import type { Dict, List } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { Image } from "../../core/images.ts";
import type { NodeArgs } from "./args.ts";
import { isLocal, pinned } from "./images.ts";
import { firstManager } from "./managers.ts";

export interface PreflightArgs {
  readonly managers: List<string>;
  readonly nodes: Dict<NodeArgs>;
  readonly registries: List<string>;
  readonly images: List<Image>;
}

/** What can be asked of the swarm before the first resource: a manager, the nodes of the config, images for its nodes. */
export async function preflight(args: PreflightArgs): Promise<Problem[]> {
  const host = await firstManager(args.managers);
  try {
    const engine = await reach(host);
    const { Swarm } = (await engine.info()) as { Swarm?: { LocalNodeState?: string; ControlAvailable?: boolean } };
    if (Swarm?.LocalNodeState !== "active")
      return [manager(host, "no swarm there: run `docker swarm init` on it, or name a manager of the swarm")];
    if (Swarm.ControlAvailable !== true) return [manager(host, "a worker of the swarm: name a manager")];
    const nodes = await listNodes(engine);
    return [...unknown(args.nodes, nodes), ...(await images(host, nodes.length, args))];
  } catch (error) {
    return [manager(host, said(error) || "does not answer as a Docker engine does: is the swarm there, and on?")];
  }
}

function manager(value: string, remedy: string): Problem {
  return { key: "swarm.managers", value, remedy };
}

function unknown(wanted: Dict<NodeArgs>, nodes: Awaited<ReturnType<typeof listNodes>>): Problem[] {
  const there = new Set(nodes.map(({ Description }) => Description.Hostname));
  return Object.keys(wanted)
    .filter((node) => !there.has(node))
    .map((node) => ({ key: `swarm.nodes.${node}`, remedy: `no such node; there are ${describeNodes(nodes)}` }));
}

/** Every node pulls for itself: what only this machine has, it cannot have. */
async function images(host: string, nodes: number, { images: asked, registries }: PreflightArgs): Promise<Problem[]> {
  const byRef = new Map(asked.map((image) => [image.ref, image]));
  const found = await Promise.all(
    [...byRef.values()].map(async ({ key, ref }): Promise<Problem[]> => {
      const problem = (remedy: string): Problem[] => [{ key: `images.${key}`, value: ref, remedy }];
      if (isLocal(ref)) {
        if (nodes > 1)
          return problem(
            "only this machine has it, and the nodes pull for themselves: `npm run images -- push <registry>`, and name that registry as `mirror`",
          );
        return (await hasImage(connect(host), ref)) ? [] : problem("not on the engine: `npm start` builds it");
      }
      try {
        await pinned(host, ref, registries);
        return [];
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return problem(
          `the manager cannot find it (${why}): push it, or name its registry in swarm.registries and log in`,
        );
      }
    }),
  );
  return found.flat();
}
