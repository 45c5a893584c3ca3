import * as app from "./app.ts";
import { type Json, list, object, only, text } from "./json.ts";
import type { AppsPolicy } from "./policy.ts";
import { Refusal } from "./refusal.ts";
import { pick } from "./service.ts";

const cpuPeriod = 100_000;

/**
 * The container that one engine is asked for in the place of the client's.
 * @throws Refusal
 */
export function container(asked: Json, policy: AppsPolicy): Json {
  only(asked, "container", [
    "Image",
    "Labels",
    "Cmd",
    "Entrypoint",
    "Env",
    "Hostname",
    "User",
    "WorkingDir",
    "HostConfig",
    "NetworkingConfig",
    "StopSignal",
    "StopTimeout",
    "AttachStdout",
    "AttachStderr",
  ]);
  const host = object(asked.HostConfig, "HostConfig");
  only(host, "HostConfig", [
    "Memory",
    "MemoryReservation",
    "NanoCpus",
    "CpuPeriod",
    "CpuQuota",
    "NetworkMode",
    "Binds",
    "Mounts",
    "RestartPolicy",
    "AutoRemove",
    "Init",
    "ShmSize",
    "LogConfig",
  ]);
  const endpoints = Object.keys(
    object(object(asked.NetworkingConfig, "NetworkingConfig").EndpointsConfig, "EndpointsConfig"),
  );
  app.networks([text(host.NetworkMode), ...endpoints], policy);
  const limit = app.memory(host.Memory, policy);
  const image = app.image(asked.Image, policy);
  const shared = app.sharedMemory(policy, image, limit);
  return {
    ...pick(asked, ["Cmd", "Entrypoint", "Env", "Hostname", "User", "WorkingDir", "StopSignal", "StopTimeout"]),
    Image: image,
    Labels: app.labels(asked.Labels, policy),
    HostConfig: {
      Memory: limit,
      MemorySwap: limit, // no swap beyond the memory
      ...app.reserved("MemoryReservation", host.MemoryReservation, limit),
      NanoCpus: app.nanoCpus(cpus(host), policy),
      PidsLimit: 1024,
      ...(shared === undefined ? {} : { ShmSize: shared }),
      NetworkMode: policy.network,
      Mounts: app.mounts([...list(host.Binds, "Binds").map(bind), ...list(host.Mounts, "Mounts")], policy),
      SecurityOpt: ["no-new-privileges:true"],
      Init: true,
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
    },
  };
}

/** The limit of cores. ShinyProxy asks for a quota of a period. */
function cpus({ NanoCpus, CpuPeriod, CpuQuota }: Json): unknown {
  if (typeof CpuQuota === "number" && CpuQuota > 0)
    return (CpuQuota / (typeof CpuPeriod === "number" && CpuPeriod > 0 ? CpuPeriod : cpuPeriod)) * 1e9;
  return NanoCpus;
}

/** `source:target[:ro]` */
function bind(value: unknown): Json {
  const [source, target, mode = ""] = (text(value) ?? "").split(":");
  if (target === undefined) throw new Refusal("a bind is source:target", 400);
  return { Type: "bind", Source: source, Target: target, ReadOnly: mode.split(",").includes("ro") };
}
