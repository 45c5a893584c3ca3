import type * as docker from "@pulumi/docker";

import type { Container, File, Health, Slot } from "../../core/contracts.ts";
import type { Image } from "../../core/images.ts";
import type { Site } from "../../core/topology.ts";
import {
  defaultMode,
  entry,
  environment,
  goDuration,
  healthTest,
  healthTimes,
  labels,
  userOf,
  withRoom,
} from "../containers.ts";
import type { Engine } from "./engine.ts";

/** The networks that a container joins, and its names there. */
interface Joins {
  readonly networks: readonly string[];
  readonly aliases: readonly string[];
}

/** What every container of ours has in common, as the Docker provider wants it. */
export function containerArgs(
  site: Site,
  engine: Engine,
  name: string,
  container: Container & { readonly health: Health; readonly disk?: Slot["disk"] },
  image: Image,
  joins: Joins,
): docker.ContainerArgs {
  const user = userOf(container, image);
  const tests = healthTest(container, image);
  const among = joins.networks.includes("edge") && engine.adopted.of("edge") !== undefined;
  return {
    name: `${site.name}-${name}`,
    // A hostname is a name in each network, too: see `Adopted.aliases`.
    hostname: among ? `${site.name}-${name}` : name,
    image: engine.image(image),
    ...entry(container),
    ...(user === undefined ? {} : { user }),
    envs: environment(container, image),
    uploads: (container.files ?? []).map(upload),
    networksAdvanced: joins.networks.map((network) => {
      const aliases = engine.adopted.aliases(network, joins.aliases);
      return { name: engine.network(network).id, ...(aliases.length > 0 ? { aliases } : {}) };
    }),
    healthcheck: {
      tests: container.disk === undefined ? tests : withRoom(tests, container.disk.path),
      ...healthTimes,
      startPeriod: goDuration(container.health.startSeconds),
    },
    labels: labels(site, name, engine.owner),
    volumes: mounts(container),
    // The engine restarts a process that ends. A container that an operator stops stays stopped.
    restart: "unless-stopped",
    // The gate judges the health: the provider's own check would remove an unhealthy container with its log.
    mustRun: false,
    wait: false,
    init: true,
    memory: container.memoryMib,
    memorySwap: container.memoryMib, // no swap beyond the memory
    ...(container.shmMib === undefined ? {} : { shmSize: container.shmMib }),
    cpus: container.cpu.toFixed(Number.isInteger(container.cpu) ? 1 : 2).replace(/(\.\d)0$/, "$1"), // as it is read back
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    stopTimeout: container.health.stopSeconds,
    // Without this the provider kills at once, whatever stopTimeout says.
    destroyGraceSeconds: container.health.stopSeconds,
  };
}

/** The file is root's: for a file with an owner, Engines before 23 look the user up in the host's passwd, and fail. */
function upload({ path, content, mode = defaultMode }: File): docker.types.input.ContainerUpload {
  return { file: path, content, permissions: `0${mode.toString(8)}` };
}

export function mounts({ mounts: asked = [] }: Container): docker.types.input.ContainerVolume[] {
  return asked.map((mount) => ({
    ...("folder" in mount ? { hostPath: mount.folder } : { volumeName: mount.volume }),
    containerPath: mount.path,
    ...(mount.readOnly === true ? { readOnly: true } : {}),
  }));
}
