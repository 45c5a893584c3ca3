/** The same containers for `docker compose up --wait`. */
import { stringify } from "yaml";

import type { Container, Definition } from "./definition.ts";

export function composeFile({ networks, volumes, containers }: Definition): string {
  const jobs = new Set(containers.filter(({ health }) => health === undefined).map(({ name }) => name));
  const configs: Record<string, { content: string }> = {};
  const service = (each: Container): object => ({
    image: each.image,
    container_name: each.name,
    ...(each.hostname === undefined ? {} : { hostname: each.hostname }),
    ...(each.user === undefined ? {} : { user: each.user }),
    ...(each.entrypoint.length > 0 ? { entrypoint: each.entrypoint.map(literal) } : {}),
    ...(each.command.length > 0 ? { command: each.command.map(literal) } : {}),
    environment: each.env.map(literal),
    configs: each.files.map(({ path, content, mode }, index) => {
      const source = `${each.name}-${String(index)}`;
      configs[source] = { content: literal(content) };
      return { source, target: path, mode };
    }),
    networks: Object.fromEntries(each.networks.map(({ name, aliases }) => [name, { aliases }])),
    volumes: each.volumes.map(({ source, path }) => `${source}:${path}`),
    ports: each.ports.map(({ ip, port }) => `${ip}:${String(port)}:${String(port)}`),
    mem_limit: `${String(each.memoryMib)}m`,
    cpus: each.cpus,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    init: true,
    restart: each.health === undefined ? "no" : "unless-stopped",
    depends_on: Object.fromEntries(
      each.after.map((name) => [
        name,
        { condition: jobs.has(name) ? "service_completed_successfully" : "service_healthy" },
      ]),
    ),
    ...(each.health === undefined
      ? {}
      : {
          healthcheck: {
            test: each.health.test.map(literal),
            interval: each.health.interval,
            timeout: each.health.timeout,
            start_period: each.health.startPeriod,
            retries: each.health.retries,
          },
        }),
  });
  const services = Object.fromEntries(containers.map((each) => [each.name, service(each)]));
  return stringify({
    services,
    configs,
    networks: Object.fromEntries(
      networks.map(({ name, internal, options }) => [name, { name, internal, driver_opts: options }]),
    ),
    // Named volumes only; a path is a folder of the host.
    volumes: Object.fromEntries(named(containers, volumes).map((name) => [name, { name }])),
  });
}

/** Every volume that a container mounts by name. */
export function named(containers: readonly Container[], volumes: readonly string[]): string[] {
  const mounted = containers.flatMap((each) => each.volumes.map(({ source }) => source));
  return [...new Set([...volumes, ...mounted.filter((source) => !source.startsWith("/"))])];
}

/** Compose puts variables in the place of `$`. */
export function literal(text: string): string {
  return text.replaceAll("$", "$$$$");
}
