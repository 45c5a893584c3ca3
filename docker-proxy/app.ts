/** What a service and a container of a user's app have in common. */
import { type Json, isObject, list, object, text } from "./json.ts";
import { type AppsPolicy, appLabel } from "./policy.ts";
import { Refusal } from "./refusal.ts";

export function image(value: unknown, { images }: AppsPolicy): string {
  const asked = text(value) ?? "";
  if (images.includes(asked)) return asked;
  throw new Refusal(`image ${asked} is not one of the configured apps': ${images.join(", ")}`);
}

/** The client's labels and ours. Ours win: no client can give a container to another stack, or to another program. */
export function labels(value: unknown, { stack }: AppsPolicy): Json {
  const asked = Object.entries(object(value, "Labels")).filter(
    ([key]) => !/^(platform-topologies|com\.docker)\./.test(key),
  );
  return { ...Object.fromEntries(asked), [appLabel]: stack };
}

/** The asked memory, at most the policy's; the policy's if none is asked. */
export function memory(value: unknown, { memoryMib }: AppsPolicy): number {
  const most = memoryMib * 1024 * 1024;
  return typeof value === "number" && value > 0 ? Math.min(value, most) : most;
}
export function nanoCpus(value: unknown, { cpu }: AppsPolicy): number {
  const most = Math.round(cpu * 1e9);
  return typeof value === "number" && value > 0 ? Math.min(value, most) : most;
}

/** A reservation as a field, at most the app's own limit. None is made if none is asked: clients send 0 and null for it. */
export function reserved(key: string, value: unknown, limit: number): Json {
  return typeof value === "number" && value > 0 ? { [key]: Math.min(value, limit) } : {};
}

/** /dev/shm in bytes: the size for the image's apps, but never more than the container's memory. */
export function sharedMemory({ shmMib }: AppsPolicy, image: string, memory: number): number | undefined {
  const mebibytes = Object.hasOwn(shmMib, image) ? shmMib[image] : undefined;
  return mebibytes === undefined ? undefined : Math.min(mebibytes * 1024 * 1024, memory);
}

/** Refuses every network but `network`, in any of Docker's places for a network. */
export function networks(asked: readonly (string | undefined)[], { network }: AppsPolicy): void {
  const other = asked.find((name) => name !== undefined && name !== "" && name !== "default" && name !== network);
  if (other !== undefined) throw new Refusal(`network ${other} is not the apps' own, ${network}`);
}

/** Named volumes of the policy's list. A bind mount, which would show the host's own files, is refused. */
export function mounts(value: unknown, { volumes }: AppsPolicy): Json[] {
  return list(value, "Mounts").map((entry) => {
    const mount = object(entry, "Mounts");
    const [type, source] = [text(mount.Type), text(mount.Source) ?? ""];
    const target = text(mount.Target) ?? "";
    if (!target.startsWith("/")) throw new Refusal("a mount needs an absolute target", 400);
    // ShinyProxy writes all mounts as binds. A bind whose source is no path is a volume.
    if ((type === "volume" || (type === "bind" && !source.startsWith("/"))) && volumes.includes(source))
      return { Type: "volume", Source: source, Target: target, ReadOnly: mount.ReadOnly === true };
    if (type === "tmpfs" && source === "") return { Type: "tmpfs", Target: target };
    throw new Refusal(
      `mount ${source} is not allowed: ${volumes.length > 0 ? `volumes are ${volumes.join(", ")}` : "apps have no volumes"}`,
    );
  });
}

export function isApp(found: unknown, { stack }: AppsPolicy): boolean {
  return isObject(found) && found[appLabel] === stack;
}
