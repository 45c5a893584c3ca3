import { existsSync } from "node:fs";
import { z } from "zod";
import { dockerEngine } from "../checks/docker.ts";
import { folder } from "../checks/folder.ts";
import { web } from "../checks/http.ts";
import { parseConfig, readConfig } from "../config/file.ts";
import { Refusal } from "../errors.ts";
import type { Given, MakeRole } from "../role.ts";

const text = z.string().min(1);

const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: "must be an http(s) URL" }),
  farm_id: z.guid({ error: "must be a UUID" }),
  seed: text,
  data_dir: text,
  docker: z
    .strictObject({ network: text, dns: z.array(text), volumes: z.array(text), registries: z.array(z.unknown()) })
    .partial()
    .optional(),
});

const socket = "/var/run/docker.sock";

/**
 * The agent of a Ponos farm: Arkindex over TLS, its own data folder and, where it has one, a Docker engine. No port.
 */
export const ponosAgent: MakeRole = (given) => {
  const path = configPath(given);
  const config = parseConfig(readConfig(path, "PONOS_CONFIG"), path, schema);
  given.secrets.add(config.seed);
  const url = config.url.replace(/\/*$/, "/");
  return {
    name: "ponos-agent",
    title: "Ponos agent",
    checks: [
      web("arkindex", url),
      web("api", `${url}api/v1/`, 400),
      folder("data", config.data_dir),
      ...(existsSync(socket) ? [dockerEngine(socket, config.docker?.network)] : []),
    ],
  };
};

function configPath({ args, env }: Given): string {
  const flag = args.indexOf("--config");
  const path = (flag < 0 ? env.PONOS_CONFIG : args[flag + 1]) ?? "";
  if (path === "") throw new Refusal("PONOS_CONFIG is not set: it must name the agent's YAML file");
  return path;
}
