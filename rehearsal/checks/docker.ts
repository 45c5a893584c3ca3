import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";
import { ask } from "./http.ts";

/** Asks the Docker engine behind a socket for its version and, if one is named, for the network of its tasks. */
export function dockerEngine(socketPath: string, network: string | undefined): Check {
  return {
    name: "docker",
    target: socketPath,
    required: true,
    run: async (signal) => {
      const version = await ask("http://docker/version", { socketPath, signal });
      if (version.status !== 200) throw new Refusal(`the Docker engine answers ${String(version.status)}`);
      const engine = /"Version":"([^"]+)"/.exec(version.body)?.[1] ?? "?";
      if (network === undefined) return `engine ${engine}`;
      const found = await ask(`http://docker/networks/${encodeURIComponent(network)}`, { socketPath, signal });
      if (found.status !== 200) throw new Refusal(`the Docker engine has no network ${network} for Ponos' tasks`);
      return `engine ${engine}, network ${network} found`;
    },
  };
}
