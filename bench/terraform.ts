/** The same containers for Terraform's docker provider, as its JSON configuration. */
import { named } from "./compose.ts";
import type { Container, Definition } from "./definition.ts";

export const providerVersion = "4.5.0";

export function terraformFile({ networks, volumes, containers }: Definition, host: string): string {
  const every = named(containers, volumes);
  const reference = (name: string): string =>
    every.includes(name) ? `\${docker_volume.${key(name)}.name}` : literal(name);
  const container = (each: Container): object => ({
    name: each.name,
    image: each.image,
    ...(each.hostname === undefined ? {} : { hostname: each.hostname }),
    ...(each.user === undefined ? {} : { user: each.user }),
    ...(each.entrypoint.length > 0 ? { entrypoint: each.entrypoint.map(literal) } : {}),
    ...(each.command.length > 0 ? { command: each.command.map(literal) } : {}),
    env: each.env.map(literal),
    upload: each.files.map(({ path, content, mode }) => ({
      file: path,
      content: literal(content),
      permissions: `0${mode.toString(8)}`,
    })),
    networks_advanced: each.networks.map(({ name, aliases }) => ({
      name: `\${docker_network.${key(name)}.id}`,
      aliases,
    })),
    volumes: each.volumes.map(({ source, path }) =>
      source.startsWith("/")
        ? { host_path: source, container_path: path }
        : { volume_name: reference(source), container_path: path },
    ),
    ports: each.ports.map(({ ip, port }) => ({ internal: port, external: port, ip })),
    memory: each.memoryMib,
    memory_swap: each.memoryMib,
    cpus: String(each.cpus),
    capabilities: { drop: ["ALL"] },
    security_opts: ["no-new-privileges:true"],
    init: true,
    depends_on: each.after.map((name) => `docker_container.${key(name)}`),
    ...(each.health === undefined
      ? { attach: true, must_run: false, restart: "no" }
      : {
          restart: "unless-stopped",
          wait: true,
          wait_timeout: 180,
          healthcheck: {
            test: each.health.test.map(literal),
            interval: each.health.interval,
            timeout: each.health.timeout,
            start_period: each.health.startPeriod,
            retries: each.health.retries,
          },
        }),
  });
  const keyed = <T>(entries: readonly T[], name: (entry: T) => string, make: (entry: T) => object): object =>
    Object.fromEntries(entries.map((entry) => [key(name(entry)), make(entry)]));
  return JSON.stringify({
    terraform: { required_providers: { docker: { source: "kreuzwerker/docker", version: providerVersion } } },
    provider: { docker: { host } },
    resource: {
      docker_network: keyed(
        networks,
        ({ name }) => name,
        ({ name, internal, options }) => ({
          name,
          ...(internal ? { internal } : {}),
          ...(Object.keys(options).length > 0 ? { options } : {}),
        }),
      ),
      ...(every.length > 0
        ? {
            docker_volume: keyed(
              every,
              (name) => name,
              (name) => ({ name }),
            ),
          }
        : {}),
      docker_container: keyed(containers, ({ name }) => name, container),
    },
  });
}

function key(name: string): string {
  return name.replaceAll(/[^a-z0-9_]/gi, "_");
}

/** Terraform puts expressions in the place of `${` and `%{`. */
function literal(text: string): string {
  return text.replaceAll(/[$%](?=\{)/g, (sign) => sign + sign);
}
