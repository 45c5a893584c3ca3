import * as app from "./app.ts";
import { type Json, list, object, only, text } from "./json.ts";
import type { AppsPolicy } from "./policy.ts";

/**
 * The service that a swarm is asked for in the place of the client's: one replica on the apps' nodes and network,
 * unprivileged, limited, labelled. An option that is not listed here is refused.
 * @throws Refusal
 */
export function service(asked: Json, policy: AppsPolicy): Json {
  only(asked, "service", [
    "Name",
    "Labels",
    "TaskTemplate",
    "Mode",
    "UpdateConfig",
    "RollbackConfig",
    "Networks",
    "EndpointSpec",
  ]);
  const task = object(asked.TaskTemplate, "TaskTemplate");
  // The policy's placement replaces the client's.
  only(task, "TaskTemplate", [
    "ContainerSpec",
    "Resources",
    "RestartPolicy",
    "Placement",
    "Networks",
    "ForceUpdate",
    "Runtime",
    "LogDriver",
  ]);
  const spec = object(task.ContainerSpec, "ContainerSpec");
  only(spec, "ContainerSpec", [
    "Image",
    "Labels",
    "Command",
    "Args",
    "Env",
    "Hostname",
    "User",
    "Dir",
    "DNSConfig",
    "Mounts",
    "StopGracePeriod",
    "StopSignal",
    "Init",
    "Isolation",
  ]);
  only(object(spec.DNSConfig, "DNSConfig"), "DNSConfig", []);
  only(object(asked.Mode, "Mode"), "Mode", ["Replicated"]);
  only(object(asked.EndpointSpec, "EndpointSpec"), "EndpointSpec", ["Mode"]);
  const attached = [...list(asked.Networks, "Networks"), ...list(task.Networks, "TaskTemplate.Networks")];
  app.networks(
    attached.map((entry) => text(object(entry, "Networks").Target)),
    policy,
  );
  const limits = object(object(task.Resources, "Resources").Limits, "Limits");
  const reserved = object(object(task.Resources, "Resources").Reservations, "Reservations");
  const memory = app.memory(limits.MemoryBytes, policy);
  const cores = app.nanoCpus(limits.NanoCPUs, policy);
  const image = app.image(spec.Image, policy);
  only(limits, "Limits", ["NanoCPUs", "MemoryBytes", "Pids"]);
  only(reserved, "Reservations", ["NanoCPUs", "MemoryBytes"]);
  return {
    Name: asked.Name,
    Labels: app.labels(asked.Labels, policy),
    TaskTemplate: {
      ContainerSpec: {
        ...pick(spec, ["Command", "Args", "Env", "Hostname", "User", "Dir", "StopGracePeriod", "StopSignal"]),
        Image: image,
        Labels: app.labels(spec.Labels, policy),
        Mounts: withSharedMemory(app.mounts(spec.Mounts, policy), app.sharedMemory(policy, image, memory)),
        Init: true,
      },
      Resources: {
        Limits: {
          NanoCPUs: cores,
          MemoryBytes: memory,
          Pids: 1024,
        },
        Reservations: {
          ...app.reserved("NanoCPUs", reserved.NanoCPUs, cores),
          ...app.reserved("MemoryBytes", reserved.MemoryBytes, memory),
        },
      },
      ...pick(task, ["RestartPolicy", "ForceUpdate"]),
      LogDriver: { Name: "json-file", Options: { "max-size": "10m", "max-file": "3" } },
      Placement: { Constraints: [...policy.constraints] },
      Networks: [{ Target: policy.network }],
    },
    Mode: { Replicated: { Replicas: 1 } },
    // ShinyProxy reaches the app by its container's id, so it needs no virtual address and no port.
    EndpointSpec: { Mode: "dnsrr" },
  };
}

/** /dev/shm as a mount: a service has no other way to get more than Docker's 64 MiB. A mount that is there stays. */
function withSharedMemory(mounts: Json[], bytes: number | undefined): Json[] {
  if (bytes === undefined || mounts.some(({ Target }) => Target === shm)) return mounts;
  return [...mounts, { Type: "tmpfs", Target: shm, TmpfsOptions: { SizeBytes: bytes } }];
}
const shm = "/dev/shm";

export function pick(from: Json, keys: readonly string[]): Json {
  return Object.fromEntries(
    keys.flatMap((key) => (from[key] === undefined || from[key] === null ? [] : [[key, from[key]]])),
  );
}
