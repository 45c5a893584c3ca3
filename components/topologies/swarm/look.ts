/** What a swarm has, as a survey wants it. */
import { explain, ifThere, reach } from "../../../ops/docker.ts";
import type { Dict } from "../../core/contracts.ts";
import { type Kind, Survey, type There, type Thing } from "../survey.ts";
import type { SwarmArgs } from "./args.ts";

/** The resources that make each kind. */
const types: Dict<Kind> = {
  "docker:index/service:Service": "service",
  "docker:index/network:Network": "network",
};

/** Looks at a swarm before anything is made on it. */
export function surveyOf({ site, managers }: SwarmArgs): Survey {
  const host = managers.join(",");
  return new Survey({
    name: site.name,
    words: site.disks,
    host: { key: "swarm.managers", value: host },
    types,
    look: () => lookAt(host),
    remove: (thing) => removeFrom(host, thing),
  });
}

async function lookAt(host: string): Promise<There> {
  try {
    const engine = await reach(host);
    const [swarm, services, networks] = await Promise.all([
      engine.swarmInspect() as Promise<{ ID: string }>,
      engine.listServices(),
      engine.listNetworks(),
    ]);
    return {
      engine: swarm.ID,
      things: [
        ...services.map(({ Spec }): Thing => ({ kind: "service", name: Spec?.Name ?? "", labels: Spec?.Labels ?? {} })),
        ...networks.map(({ Name, Labels }): Thing => ({ kind: "network", name: Name, labels: Labels ?? {} })),
      ],
    };
  } catch (error) {
    throw explain(error, host);
  }
}

/** Of a run that was interrupted. */
async function removeFrom(host: string, { kind, name }: Thing): Promise<void> {
  const engine = await reach(host);
  if (kind === "service") await ifThere(engine.getService(name).remove());
  if (kind === "network") await ifThere(engine.getNetwork(name).remove());
}
