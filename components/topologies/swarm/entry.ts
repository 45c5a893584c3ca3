import { containers } from "../../core/plan.ts";
import { containerServices } from "../../services/index.ts";
import { entry, loggedOutOf } from "../entry.ts";
import { edgeInWords, publishedOn, tlsOf, tlsSecrets } from "../tls.ts";
import { swarmCapabilities } from "./capabilities.ts";
import { checkSwarm, ownImages } from "./check.ts";
import { swarmConfig } from "./config.ts";
import { onNodes } from "./placement.ts";
import { SwarmRetirements } from "./retirements.ts";

/** A swarm, as `topology: swarm` chooses it. */
export const swarm = entry({
  config: swarmConfig,
  capabilities: swarmCapabilities,
  services: containerServices,
  runs: (config) => ownImages(config),
  ports: ({ ports, tls }) => publishedOn(ports, tls),
  asks: ({ tls }) => tlsSecrets(tls),
  where: ({ machines, managers, edge, place, tls }, { site, plan }) => {
    const { title, says } = edgeInWords(site, plan, tls);
    return {
      title: `Docker swarm ${machines === undefined ? `behind ${managers.join(", ")}` : `of the stack ${machines}`}`,
      edge: { title, says: [onNodes(edge.nodes) ?? "", ...says] },
      of: ({ machine, nodes = place }) => (machine === undefined ? onNodes(nodes) : `on ${machine}`),
      disk: () => "volume",
    };
  },
  check: (config, { site, plan, secrets }) =>
    checkSwarm({ ...config, tls: tlsOf(config.tls, secrets, "plain") }, site, plan),
  preflight: async (config, { site, plan }, images) => {
    const { preflight } = await import("./preflight.ts");
    const outside = await loggedOutOf("swarm.registries", config.registries);
    if (outside.length > 0) return outside;
    return preflight({ ...config, site, images, planned: containers(plan), needs: plan.needs });
  },
  own: async (config, { site, secrets }) => {
    const { Swarm } = await import("./index.ts");
    return Swarm.own({ site, ...config, tls: tlsOf(config.tls, secrets, "secret") });
  },
  retirements: ({ managers }, name) => new SwarmRetirements(managers, name),
});
