import { containers } from "../../core/plan.ts";
import { containerServices } from "../../services/index.ts";
import { entry, loggedOutOf } from "../entry.ts";
import { edgeInWords, publishedOn, tlsOf, tlsSecrets } from "../tls.ts";
import { dockerCapabilities } from "./capabilities.ts";
import { checkDocker } from "./check.ts";
import { dockerConfig } from "./config.ts";

/** One Docker host, as `topology: docker` chooses it. */
export const docker = entry({
  config: dockerConfig,
  capabilities: dockerCapabilities,
  services: containerServices,
  ports: ({ ports, tls }) => publishedOn(ports, tls),
  asks: ({ tls }) => tlsSecrets(tls),
  where: ({ host, address, tls }, { site, plan }) => {
    const { title, says } = edgeInWords(site, plan, tls);
    return {
      title: host.startsWith("unix:") ? "Docker engine of this machine" : `Docker host ${host}`,
      edge: { title, says: [...(address === "0.0.0.0" ? [] : [address]), ...says] },
      of: ({ machine }) => (machine === undefined ? undefined : `on ${machine}`),
      disk: () => "volume",
    };
  },
  check: (config, { site, plan, secrets }) =>
    checkDocker({ ...config, tls: tlsOf(config.tls, secrets, "plain") }, site, plan),
  preflight: async (config, { site, plan }, images) => {
    const { preflight } = await import("./preflight.ts");
    const outside = await loggedOutOf("docker.registries", config.registries);
    if (outside.length > 0) return outside;
    const local = images.filter(({ ref }) => ref.startsWith("platform-topologies/"));
    return preflight({ site, ...config, local, planned: containers(plan) });
  },
  own: async (config, { site, secrets }) => {
    const { DockerHost } = await import("./index.ts");
    return DockerHost.own({ site, ...config, tls: tlsOf(config.tls, secrets, "secret") });
  },
});
