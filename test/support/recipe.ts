/** Runs a recipe's own containers on the engine without a stack, to see what a server does in a bad hour. */
import { type Input, type Output, output, type Resource } from "@pulumi/pulumi";
import type Docker from "dockerode";
import { execa } from "execa";
import { pack } from "tar-stream";

import type { Engine, Ask, Certificate, Kind, Recipe, Slot } from "../../components/core/contracts.ts";
import { BasePlatform } from "../../components/core/platform.ts";
import { capabilities } from "../../components/topologies/capabilities.ts";
import { entry, healthTest, withRoom } from "../../components/topologies/containers.ts";
import { engine, localImage } from "./arkindex.ts";
import { runLabels } from "./run.ts";
import { site } from "./sketches.ts";

/** Records what a recipe asks for. Every secret is the same word. */
class Written extends BasePlatform {
  readonly ca = undefined;
  readonly made = new Map<string, Slot>();
  readonly secret = (): Output<string> => output("secret");
  readonly configured = (): Output<string> => output("secret");
  readonly certificate = (): Certificate => ({ ca: output(""), cert: output(""), key: output("") });
  edge(): void {
    // has none
  }
  protected offer(): void {
    // to nobody
  }
  job(): { ready: [] } {
    return { ready: [] };
  }
  protected makeSlot(name: string, slot: Slot): Resource[] {
    this.made.set(name, slot);
    return [];
  }
  protected makeWorkload(): never {
    throw new Error("a store has no workloads");
  }
  protected supply(): never {
    throw new Error("a store needs no other");
  }
  managed(): never {
    throw new Error("a container is nobody's managed store");
  }
}

export interface Asked<K extends Kind> {
  readonly recipe: Recipe<K>;
  readonly ask: Ask<K>;
  /** The name of its slots, before their number. Default: `store`. */
  readonly name?: string;
  /** The engine, if it is not Docker. */
  readonly engine?: Engine;
}

/** The slots of a recipe, by name: `store-1` and on. */
export function slotsOf<K extends Kind>({
  recipe,
  ask,
  name = "store",
  engine: on = "docker",
}: Asked<K>): Map<string, Slot> {
  const platform = new Written({ site: site({ name: "field", copies: 1 }), capabilities: capabilities[on] });
  recipe(platform, name, ask);
  return platform.made;
}

/** One slot of a recipe. */
export function slotOf<K extends Kind>(asked: Asked<K>, number = 1): Slot {
  const found = slotsOf(asked).get(`${asked.name ?? "store"}-${String(number)}`);
  if (found === undefined) throw new Error("no such slot");
  return found;
}

/** What a test makes otherwise than the topologies. */
export interface Differently {
  /** A disk of so many MiB, gone with the container. */
  readonly diskMib?: number;
  /** The limit of open files that a host gives its containers. */
  readonly openFiles?: { readonly soft: number; readonly hard: number };
}

/** The start script without its check for the marker, which no topology has left on this disk. */
function unmarked({ prepare, disk: { path } }: Slot): Pick<Slot, "prepare"> {
  const [look = "", ...rest] = (prepare ?? "").split("\n");
  return look.startsWith(`[ -e ${path}/.disk ]`) ? { prepare: rest.join("\n") || ":" } : {};
}

/** A slot's container. Its disk is a volume of its name, which outlives it until `sweep`. */
export class Server {
  readonly container: Docker.Container;
  readonly #test: string[];

  private constructor(container: Docker.Container, test: string[]) {
    this.container = container;
    this.#test = test;
  }

  static async start(name: string, slot: Slot, over: Differently = {}): Promise<Server> {
    await sweepContainer(name);
    await (made ??= engine.createNetwork({ Name: network, Internal: true, Labels: runLabels }).catch(() => undefined));
    const { path } = slot.disk;
    const { entrypoints = [], command = [] } = entry({ ...slot, ...unmarked(slot) });
    const disk: Docker.MountSettings =
      over.diskMib === undefined
        ? { Type: "volume", Source: name, Target: path }
        : {
            Type: "tmpfs",
            Source: "",
            Target: path,
            TmpfsOptions: { SizeBytes: over.diskMib * 1024 * 1024, Mode: 0o777 },
          };
    if (over.diskMib === undefined) await engine.createVolume({ Name: name, Labels: runLabels });
    const container = await engine.createContainer({
      name,
      Image: localImage(slot.image),
      Hostname: name,
      User: slot.user ?? "",
      Entrypoint: entrypoints,
      Cmd: command,
      Env: await Promise.all(
        Object.entries(slot.env ?? {}).map(async ([key, value]) => `${key}=${await resolved(value)}`),
      ),
      Labels: runLabels,
      HostConfig: {
        Init: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
        Memory: slot.memoryMib * 1024 * 1024,
        NetworkMode: network,
        Mounts: [disk],
        ...(over.openFiles
          ? { Ulimits: [{ Name: "nofile", Soft: over.openFiles.soft, Hard: over.openFiles.hard }] }
          : {}),
      },
    });
    const tar = pack();
    for (const { path: file, content, mode = 0o444 } of slot.files ?? [])
      tar.entry({ name: file.slice(1), mode }, await resolved(content));
    tar.finalize();
    await container.putArchive(tar, { path: "/" });
    await container.start();
    const [, ...test] = withRoom(
      healthTest(slot, { key: slot.image, ref: "", rehearsing: false, client: "curl", secrets: "files" }),
      path,
    );
    return new Server(container, test);
  }

  /** Runs a command. Returns its output and exit code. */
  async run(words: readonly string[]): Promise<{ code: number; said: string }> {
    const ended = await execa("docker", ["exec", this.container.id, ...words], { reject: false, all: true });
    return { code: ended.exitCode ?? -1, said: ended.all };
  }

  /** Runs a shell line. Throws its output if it fails. */
  async sh(line: string): Promise<string> {
    const { code, said } = await this.run(["sh", "-c", line]);
    if (code !== 0) throw new Error(`${line}: ${String(code)}: ${said}`);
    return said;
  }

  /** Runs the container's health check once. */
  check(): Promise<{ code: number; said: string }> {
    return this.run(this.#test);
  }

  async log(): Promise<string> {
    return (await execa("docker", ["logs", this.container.id], { all: true })).all;
  }
}

function resolved(value: Input<string>): Promise<string> {
  return new Promise((resolve) => {
    output(value).apply(resolve);
  });
}

/** A network for these servers alone: a server calls itself by its name. */
const network = "field-stores";
let made: Promise<unknown> | undefined;

async function sweepContainer(name: string): Promise<void> {
  await engine
    .getContainer(name)
    .remove({ force: true, v: true })
    .catch(() => undefined);
}

/** Takes the containers of these names away, with their disks. */
export async function sweepServers(names: readonly string[]): Promise<void> {
  for (const name of names) {
    await sweepContainer(name);
    await engine
      .getVolume(name)
      .remove()
      .catch(() => undefined);
  }
  await engine
    .getNetwork(network)
    .remove()
    .catch(() => undefined);
}
