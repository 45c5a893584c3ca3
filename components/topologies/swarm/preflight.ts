import { connect, hasImage, messageOf } from "../../../ops/docker.ts";
import { fits } from "../../../ops/placement.ts";
import { describeNodes, listNodes, type Node } from "../../../ops/swarm.ts";
import type { Container, Dict, List, Slot } from "../../core/contracts.ts";
import type { Problem } from "../../core/errors.ts";
import type { Image } from "../../core/images.ts";
import type { PlannedNeed } from "../../core/plan.ts";
import { copied } from "../../core/supply.ts";
import { addressProblems } from "../address-preflight.ts";
import type { NodeArgs, SwarmArgs } from "./args.ts";
import { tiers } from "./check.ts";
import { isLocal, pinned } from "./images.ts";
import { firstManager, refusal } from "./managers.ts";
import { constraintsOf, onNodes } from "./placement.ts";
import { asTold, portProblems } from "./ports.ts";

export interface PreflightArgs extends Pick<SwarmArgs, "site" | "edge" | "place" | "publish" | "subnets" | "networks"> {
  readonly managers: List<string>;
  readonly nodes: Dict<NodeArgs>;
  readonly planned: List<readonly [string, Container]>;
  readonly needs: List<PlannedNeed>;
  readonly registries: List<string>;
  readonly images: List<Image>;
}

/**
 * What can be asked of the swarm before the first resource: a manager, the nodes of the config, images for its nodes.
 */
export async function preflight(args: PreflightArgs): Promise<Problem[]> {
  const none = await noManager(args.managers);
  if (none.length > 0) return none;
  const host = await firstManager(args.managers);
  try {
    const engine = await connect(host);
    const nodes = await listNodes(engine);
    return [
      ...unknown(args.nodes, nodes),
      ...tooFew(nodes, args),
      ...(await portProblems(engine, nodes, { ...args, host })),
      ...(await addressProblems(engine, {
        key: "swarm.subnets",
        networks: networksOf(args),
        scope: "swarm",
        here: host.startsWith("unix:"),
        subnets: args.subnets,
      })),
      ...(await images(host, nodes.length, args)),
    ];
  } catch (error) {
    return [manager(host, messageOf(error) || "does not answer as a Docker engine does: is the swarm there, and on?")];
  }
}

/** The networks that the stack makes, by their names in the config. */
function networksOf({ site, planned, networks: there = {} }: PreflightArgs): Dict<string> {
  const joined = planned.flatMap(([, { networks = [] }]) => networks);
  const made = [...tiers, ...joined].filter((name) => !Object.hasOwn(there, name));
  return Object.fromEntries(made.map((name) => [name, `${site.name}-${name}`]));
}

/** Says what each engine of the list is, if none of them is a manager. */
async function noManager(managers: List<string>): Promise<Problem[]> {
  if ((await refusal(await firstManager(managers))) === undefined) return [];
  const refusals = await Promise.all(managers.map(async (each) => [each, await refusal(each)] as const));
  return refusals.map(([each, why]) => manager(each, why ?? "it has become one just now: try again"));
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

/**
 * In a protected stack each copy of a store is on a node of its own, or one lost node would take two of them. Who says
 * `copies: 1` knows what a lost node costs: the preview has told.
 */
function tooFew(nodes: List<Node>, { site, place, nodes: told, planned, needs }: PreflightArgs): Problem[] {
  const { protect, copies } = site;
  if (!protect || copies === 1) return [];
  const parts = new Map(planned);
  return needs.flatMap((need) => {
    const third = need.parts.find((part) => part.endsWith("-3") && "disk" in (parts.get(part) ?? {}));
    if (!copied.has(need.kind) || third === undefined) return [];
    const { nodes: labels = place ?? {} } = parts.get(third) as Slot;
    // A node that is down counts: what it had goes on elsewhere, and the stack must still be able to change.
    const fit = nodes.filter((node) => fits(asTold(node, told), constraintsOf(labels))).length;
    if (fit >= 3) return [];
    const where = onNodes(labels)?.replace(/^on \w+ /, "") ?? "in the swarm";
    const why = copies === 3 ? "" : ", as a protected stack on a swarm has them by default";
    const may = fit === 1 ? "1 node" : `${String(fit)} nodes`;
    const remedy = `${need.name} has three servers${why}, and ${may} ${where} may take them: add nodes, or say platform-topologies:copies: 1`;
    return [{ key: "copies", ...(copies === undefined ? {} : { value: copies }), remedy }];
  });
}

/** Every node pulls images for itself, and cannot have those that only this machine has. */
async function images(host: string, nodes: number, args: PreflightArgs): Promise<Problem[]> {
  const { images: asked, registries } = args;
  const byRef = new Map(asked.map((image) => [image.ref, image]));
  const found = await Promise.all(
    [...byRef.values()].map(async ({ key, ref }): Promise<Problem[]> => {
      const problem = (remedy: string): Problem[] => [{ key: `images.${key}`, value: ref, remedy }];
      if (isLocal(ref)) {
        if (nodes > 1)
          return problem(
            "only this machine has it, and the nodes pull for themselves: `npm run images -- push <registry>`, and name that registry as `mirror`",
          );
        return (await hasImage(await connect(host), ref))
          ? []
          : problem("not on the engine: `npm run images -- build` builds it");
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
