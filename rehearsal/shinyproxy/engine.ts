import { z } from "zod";

import type { Application, Spec } from "../config/shinyproxy.ts";
import { Refusal } from "../errors.ts";
import type { Session } from "./state.ts";

/** What was started: its id, to find it again, and where it answers. */
export interface Started {
  readonly backend: string;
  readonly target: string;
}
export interface Backend {
  start(id: string, spec: Spec, session: Session): Promise<Started>;
  stop(backend: string): Promise<void>;
  /** The request of containerproxy at its own start. */
  check(): Promise<string>;
}

const created = z.object({ Id: z.string() });
const createdService = z.object({ ID: z.string() });
const container = z.object({ Config: z.object({ Hostname: z.string() }) });
const tasks = z.array(
  z.object({
    Status: z.object({ Err: z.string().optional(), ContainerStatus: z.object({ ContainerID: z.string() }).optional() }),
  }),
);

/** The calls of containerproxy's DockerEngineBackend and DockerSwarmBackend, with the fields that they set. */
export function backendOf({ proxy }: Application): Backend {
  const network = (spec: Spec): string => spec["container-network"] ?? proxy.docker["default-container-network"];
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(new URL(path, proxy.docker.url), {
      method,
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await answer.text();
    if (method === "DELETE" && answer.status === 404) return undefined; // it is gone, as asked
    if (!answer.ok) throw new Refusal(`Docker: ${text.slice(0, 300)}`);
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  };
  return proxy["container-backend"] === "docker" ? onEngine(ask, network) : onSwarm(ask, network);
}
type Ask = (method: string, path: string, body?: unknown) => Promise<unknown>;

function onEngine(ask: Ask, network: (spec: Spec) => string): Backend {
  return {
    check: async () => {
      await ask("GET", "/info");
      return "the Docker API answers";
    },
    start: async (id, spec, session) => {
      const image = spec["container-image"];
      await ask("GET", `/images/${image}/json`);
      const made = await ask("POST", `/containers/create?name=sp-container-${id}-0`, {
        Image: image,
        Cmd: spec["container-cmd"] ?? null,
        Env: env(spec, session),
        Labels: labels(id, spec, session),
        ExposedPorts: {},
        HostConfig: {
          PortBindings: {},
          Memory: bytes(spec),
          CpuPeriod: 100_000,
          CpuQuota: Math.round((spec["container-cpu-limit"] ?? 0) * 100_000),
          NetworkMode: network(spec),
          Binds: spec["container-volumes"] ?? null,
          Privileged: false,
          DeviceRequests: [],
        },
      });
      const { Id } = created.parse(made);
      await ask("POST", `/containers/${Id}/start`);
      const { Config } = container.parse(await ask("GET", `/containers/${Id}/json`));
      return { backend: Id, target: `http://${Config.Hostname}:${String(spec.port)}` };
    },
    stop: async (backend) => {
      await ask("DELETE", `/containers/${backend}?force=1`);
    },
  };
}

function onSwarm(ask: Ask, network: (spec: Spec) => string): Backend {
  return {
    check: async () => {
      createdService.parse(await ask("GET", "/swarm"));
      return "the Docker API of a swarm answers";
    },
    start: async (id, spec, session) => {
      const name = `sp-service-${id}-0`;
      const made = await ask("POST", "/services/create", {
        Name: name,
        TaskTemplate: {
          ContainerSpec: {
            Image: spec["container-image"],
            Labels: labels(id, spec, session),
            Command: spec["container-cmd"] ?? null,
            Env: env(spec, session),
            DNSConfig: { Nameservers: null },
            Mounts: (spec["container-volumes"] ?? []).map((volume) => {
              const [Source, Target] = volume.split(":");
              return { Type: "bind", Source, Target };
            }),
            Secrets: [],
          },
          Resources: {
            Limits: { NanoCPUs: Math.round((spec["container-cpu-limit"] ?? 0) * 1e9), MemoryBytes: bytes(spec) },
            Reservations: {},
          },
          Networks: [{ Target: network(spec) }],
          RestartPolicy: { Condition: "none" },
        },
      });
      const { ID } = createdService.parse(made);
      const filters = encodeURIComponent(JSON.stringify({ service: [name] }));
      const end = Date.now() + 60_000;
      for (;;) {
        const [task] = tasks.parse(await ask("GET", `/tasks?filters=${filters}`));
        const found = task?.Status.ContainerStatus?.ContainerID ?? "";
        if (found !== "") return { backend: ID, target: `http://${found.slice(0, 12)}:${String(spec.port)}` };
        if (Date.now() > end) {
          await ask("DELETE", `/services/${ID}`);
          throw new Refusal(`Swarm container did not start in time: ${task?.Status.Err ?? "no task"}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    },
    stop: async (backend) => {
      await ask("DELETE", `/services/${backend}`);
    },
  };
}

function env(spec: Spec, { user, groups }: Session): string[] {
  const all = { SHINYPROXY_USERNAME: user, SHINYPROXY_USERGROUPS: groups.join(","), ...spec["container-env"] };
  return Object.entries(all).map(([key, value]) => `${key}=${value}`);
}

function labels(id: string, spec: Spec, { user }: Session): Record<string, string> {
  const prefix = "openanalytics.eu/sp-";
  const values = { "proxied-app": "true", "proxy-id": id, "spec-id": spec.id, "user-id": user };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]));
}

function bytes(spec: Spec): number {
  const [, size = "0", unit = "m"] = /^(\d+)([mg])$/.exec(spec["container-memory-limit"] ?? "") ?? [];
  return Number(size) * 1024 ** (unit === "g" ? 3 : 2);
}
