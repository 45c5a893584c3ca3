/** Compares, before the first resource, what the engine has with the state, and reports what does not fit. */
import process from "node:process";

import { all, log, output, type Output, type Resource, runtime } from "@pulumi/pulumi";
import { z } from "zod";

import type { CopyCount, Dict, List } from "../core/contracts.ts";
import { type Problem, refuse } from "../core/errors.ts";
import { own } from "../core/formats.ts";
import { type Known, logicalName, renamed, stateOfStack } from "../core/known.ts";
import { roleOf } from "./swarm/placement.ts";

export type Kind = "container" | "service" | "network" | "volume" | "image" | "volume node" | "node";

/** One thing on the engine. An image's name is its id. */
export interface Thing {
  readonly kind: Kind;
  readonly name: string;
  /** The engine's own id, which the state has, too. */
  readonly id?: string | undefined;
  readonly labels: Dict<string>;
  /** Why it does not do its work, as `was stopped`; undefined while it does. */
  readonly down?: string | undefined;
  /** Why it does not work, though it is there. */
  readonly broken?: Broken | undefined;
  /** Why this run must not go on, with the remedy. */
  readonly refused?: string | undefined;
  /** How many replicas the service is to have. */
  readonly scale?: number | undefined;
}

export interface Broken {
  readonly why: string;
  /** What to do. Default: to read its log. */
  readonly remedy?: string | undefined;
  /** The hash of its spec. If this run gives it another spec, nothing is reported. */
  readonly spec?: string | undefined;
  /** `mended`: this run mends it. `stays`: this run can do nothing. Default: what this run brings back may help. */
  readonly fate?: "mended" | "stays" | undefined;
}

/** What an engine has, by three or four of its lists. */
export interface There {
  /** The engine's own id, or the swarm's. */
  readonly engine: string;
  /**
   * Ids that no other engine and no other node has: topologies with a common id share names. Default: the engine's id.
   */
  readonly places?: List<string>;
  readonly things: List<Thing>;
  /** Other problems of the engine. */
  readonly problems?: List<Problem>;
}

export interface SurveyArgs {
  /** The topology's name in the program. */
  readonly component: string;
  /** The stack's prefix. */
  readonly name: string;
  /** The operator's words for disks, by the slot: another text means a new disk; `gone`: it may go with its slot. */
  readonly words: Dict<string>;
  /** The key of a further engine of the stack's, which has none of its disks. */
  readonly machine?: string | undefined;
  /** The key of the config that names the engine, and its value. */
  readonly host: { readonly key: string; readonly value: string };
  /** Tokens of the resources that make each kind. */
  readonly types: Dict<Kind>;
  readonly look: (state: List<Known>) => Promise<There>;
  /** Removes what an interrupted run of this very stack has left. */
  readonly remove: (thing: Thing) => Promise<void>;
  /**
   * Pulls an image that the state has and the engine has not. Returns whether it got the same image.
   * @throws one sentence if it cannot.
   */
  readonly pull?: (image: Pruned) => Promise<boolean>;
}

/** `digest`: the reference with its digest, where a registry gave one. */
export interface Pruned {
  readonly ref: string;
  readonly id: string;
  readonly digest: string | undefined;
}

/** The stack's own name. */
export const nameLabel = "platform-topologies.name";
/** The owner: the id of the StackIdentity in the state that made the thing. */
export const ownerLabel = "platform-topologies.owner";
/** Which disk a volume is. */
export const diskLabel = "platform-topologies.disk";

/** A thing that this run wants to make. `logical`: its name in the program, by which the state knows it. */
export interface Wish {
  readonly kind: Kind;
  readonly name: string;
  readonly logical: string;
  /** Others stand in for this member, and another may replace it: a run goes on while it does not work. */
  readonly spare?: boolean;
}

/** What a run has to know of the last ones. */
export interface Memory {
  readonly owner: string | undefined;
  readonly engine: string | undefined;
  /** How often a thing had to be made again, by its kind and logical name. */
  readonly rounds: Dict<number>;
  /** The last word for each slot's disk. */
  readonly words: Dict<string>;
}

export interface Findings {
  readonly problems: List<Problem>;
  /** Sentences for what this run brings back. */
  readonly healed: List<string>;
  readonly leftovers: List<Thing>;
  readonly pruned: List<Pruned & { readonly wish: Wish }>;
  /** Reasons why things do not work that this run does not make again, by their kind and logical name. */
  readonly broken: Dict<Broken>;
  readonly memory: Memory;
}

/**
 * One engine's survey. A topology names each thing before it makes it (`wants`), and waits for `settled`. A program
 * names all things before its first `await`, so that everything that is wrong comes at once.
 */
export class Survey {
  readonly #args: SurveyArgs;
  readonly #wishes: Wish[] = [];
  readonly #names = new Map<string, string>();
  readonly #stores: string[] = [];
  readonly #judged: Promise<Findings>;
  readonly #findings: Promise<Findings>;
  /** The ids of the engine's networks by their names. */
  readonly #networks = new Map<string, string>();

  constructor(args: SurveyArgs) {
    this.#args = args;
    surveys.push(this);
    this.#judged = this.#judge();
    const found = this.#act();
    // This one rejection is unhandled: it ends the program, and prints everything that is wrong. `settled` never
    // rejects, as each waiting resource would print the same again, wrapped in words of the SDK.
    void found.then(() => undefined);
    this.#findings = found.catch(() => never);
  }

  /**
   * For `dependsOn`: nothing is made before every survey of the program is over. If one finds something wrong, nothing
   * is made at all.
   */
  get settled(): Promise<Resource[]> {
    return this.#findings.then(() => Promise.all(surveys.map((each) => each.#findings))).then(() => []);
  }

  /** What the state has under the component's former name is that component's. Said before the first `await`. */
  was(former: string, name: string): void {
    this.#names.set(former, name);
  }

  /** The names of stores whose `copies` may be another number than before. Said before the first `await`. */
  stores(names: List<string>): void {
    this.#stores.push(...names);
  }

  /** For a resource's `replacementTrigger`: changes when the thing has to be made again. */
  wants(wish: Wish): Output<string> {
    this.#wishes.push(wish);
    return output(this.#findings.then(({ memory }) => String(memory.rounds[keyOf(wish)] ?? 0)));
  }

  /** The same for the gate of a thing: it waits anew for a thing that does not work. */
  gate({ logical }: Wish): Output<string> {
    return output(this.#findings.then(({ memory }) => String(memory.rounds[`gate ${logical}`] ?? 0)));
  }

  /** For a container that joins a network which is no part of the stack: its id. As long as nobody looks, its name. */
  network(name: string): Output<string> {
    return output(this.#findings.then(() => this.#networks.get(name) ?? name));
  }

  /** The word that a slot's disk has: this config's, or the last one's. */
  word(slot: string): Output<string> {
    return output(this.#findings.then(({ memory }) => memory.words[slot] ?? ""));
  }

  /** For the identity, which remembers it until the next run. */
  get memory(): Promise<Memory> {
    return this.#findings.then(({ memory }) => memory);
  }

  /**
   * In a preview, reports a thing that does not work if nothing in this run would change it; in an `up` its gate fails.
   * `stays`: in a preview it is known only if the thing stays as it is. `spec`: the hash of what it is to be.
   */
  complain(wish: Wish, stays: Output<unknown>, spec?: Output<string>): void {
    output(this.#findings).apply(({ broken, healed }) => {
      const found = broken[keyOf(wish)];
      if (found === undefined || found.fate === "mended") return;
      all([stays, spec]).apply(([, asked]) => {
        if (asked !== undefined && found.spec !== asked) return;
        const read = "look at its log; what is changed elsewhere to mend it is deployed by `pulumi up --skip-preview`";
        const sentence = `${this.#whose}${called(wish)} does not work: ${found.why}: ${found.remedy ?? read}`;
        const stuck = healed.length === 0 || found.fate === "stays";
        const fails = runtime.isDryRun() && stuck && wish.spare !== true;
        if (!fails) void log.warn(sentence);
        else {
          void log.error(sentence);
          process.exitCode = reported; // an error that is logged does not fail a program by itself
        }
      });
    });
  }

  async #judge(): Promise<Findings> {
    const before = await stateOfStack();
    if (before === undefined) return nothing;
    const state = renamed(before, this.#names);
    const { look, name } = this.#args;
    const there = await look(state);
    for (const thing of there.things)
      if (thing.kind === "network") this.#networks.set(thing.name, thing.id ?? thing.name);
    const places = (there.places ?? [there.engine]).map((place) => `${name} on ${place}`);
    if (places.some((place) => taken.has(place)))
      return { ...nothing, problems: [{ key: "name", value: name, remedy: sameName }] };
    for (const place of places) taken.add(place);
    return judge({ ...this.#args, stores: this.#stores }, this.#wishes, state, there);
  }

  /** Reports what is wrong on any engine of the program at once: the first survey with a finding does it. */
  async #act(): Promise<Findings> {
    const found = await this.#judged;
    const all = await Promise.all(
      surveys.map(async (each) => ({ each, found: await each.#judged.catch(() => never) })),
    );
    const wrong = all.filter(({ found }) => found.problems.length > 0);
    if (wrong.length > 0 && wrong[0]?.each !== this) return never;
    refuse(wrong.flatMap(({ each, found }) => found.problems.map((one) => ({ ...one, key: each.#whose + one.key }))));
    // The program has thrown an error meanwhile: without this the SDK would make all that it had named before.
    if (log.hasErrors()) return never;
    for (const sentence of found.healed) void log.warn(this.#whose + sentence);
    if (runtime.isDryRun()) return found;
    for (const thing of [...found.leftovers].reverse()) await this.#args.remove(thing); // a network goes after who is in it
    return this.#pullAgain(found);
  }

  /** The topology's name before a sentence, if the program has several topologies. */
  get #whose(): string {
    const components = new Set(surveys.map((each) => each.#args.component));
    return components.size > 1 ? `${this.#args.component}: ` : "";
  }

  async #pullAgain(found: Findings): Promise<Findings> {
    const { pull = () => Promise.resolve(false) } = this.#args;
    const rounds: Record<string, number> = { ...found.memory.rounds };
    for (const { wish, ...image } of found.pruned) {
      try {
        if (!(await pull(image))) rounds[keyOf(wish)] = (rounds[keyOf(wish)] ?? 0) + 1;
      } catch (error) {
        const remedy = `${error instanceof Error ? error.message : String(error)}: build, push or pull it`;
        refuse([
          { key: `${this.#whose}images`, value: image.ref, remedy: `was removed from the engine, and ${remedy}` },
        ]);
      }
    }
    return { ...found, memory: { ...found.memory, rounds } };
  }
}

/** The surveys of all topologies of this program. */
const surveys: Survey[] = [];
const never = new Promise<never>(() => undefined);
/** The names of this program's topologies, by engine: two of one name could not tell their things apart. */
const taken = new Set<string>();
const sameName = "another topology of this program has this name on the same engine: give each site a name of its own";

/** The exit code by which the SDK's host knows that the user has been told. */
const reported = 32;

const nothing: Findings = {
  problems: [],
  healed: [],
  leftovers: [],
  pruned: [],
  broken: {},
  memory: { owner: undefined, engine: undefined, rounds: {}, words: {} },
};

const keyOf = ({ kind, logical }: Pick<Wish, "kind" | "logical">): string => `${kind} ${logical}`;
/** A thing's name in sentences. */
const called = ({ kind, name }: Pick<Wish, "kind" | "name">): string => `${kind} ${name}`;

/** Compares. Plain values in and out. */
export function judge(
  args: Pick<SurveyArgs, "component" | "name" | "host" | "machine" | "words" | "types"> & {
    readonly stores?: List<string>;
  },
  wishes: List<Wish>,
  state: List<Known>,
  { engine, things, problems: others = [] }: There,
): Findings {
  const { component, name, host, machine, words, types, stores = [] } = args;
  const identity = identityOf(state, component);
  const last = machine === undefined ? identity.engine : own(identity.machines ?? {}, machine);
  const known = knownThings(state, types, name, component);
  const there = new Map(things.map((thing) => [called(thing), thing]));
  const renewing = Object.fromEntries(Object.entries(words).filter(([, word]) => word !== gone));
  const slotOf = (disk: { readonly name: string }): string => disk.name.slice(name.length + 1);
  const moved = last !== undefined && last !== engine && !allDisks(known, there);
  const problems: Problem[] = moved ? [otherEngine(host, machine, last, engine)] : [...others];
  const healed: string[] = [];
  const leftovers: Thing[] = [];
  const foreign: Thing[] = [];
  const pruned: (Pruned & { wish: Wish })[] = [];
  const broken: Record<string, Broken> = {};
  const rounds: Record<string, number> = { ...identity.rounds };

  const next = (key: string): void => {
    rounds[key] = (rounds[key] ?? 0) + 1;
  };
  const again = (wish: Wish, why: string, what = "made again"): void => {
    next(keyOf(wish));
    healed.push(`${called(wish)} ${why}: it is ${what}`);
  };
  for (const wish of wishes) {
    const thing = there.get(called(wish));
    const before = known.get(keyOf(wish));
    if (wish.kind === "volume") {
      if (before !== undefined && isNew(renewing[slotOf(wish)], before)) continue;
      if (thing === undefined) {
        if (before !== undefined && !moved) problems.push(lostVolume(wish.name, slotOf(wish)));
      } else if (before === undefined ? !isKnownDisk(state, thing) : thing.labels[diskLabel] !== before.disk) {
        foreign.push(thing);
      }
    } else if (wish.kind === "volume node" || wish.kind === "node") {
      if (wish.kind === "volume node" && before !== undefined && isNew(renewing[slotOf(wish)], before)) continue;
      if (thing?.refused !== undefined) problems.push({ key: `disks.${slotOf(wish)}`, remedy: thing.refused });
      else if (before !== undefined && thing?.down !== undefined) again(wish, thing.down, "put back");
    } else if (wish.kind === "image") {
      // With another reference the image is another one anyway.
      const image = before?.image;
      if (image?.ref !== wish.name || there.has(called({ kind: "image", name: image.id }))) continue;
      healed.push(`image ${wish.name} is gone from the engine: it is pulled again`);
      pruned.push({ ...image, wish });
    } else if (before === undefined) {
      if (thing === undefined) continue;
      const ours = identity.owner !== undefined && thing.labels[ownerLabel] === identity.owner;
      (ours ? leftovers : foreign).push(thing);
      if (ours) healed.push(`${called(wish)} was left by a run that was interrupted: it is made anew`);
    } else if (thing === undefined) {
      if (!moved) again(wish, "is gone from the engine");
    } else if (thing.labels[ownerLabel] !== identity.owner) {
      foreign.push(thing);
    } else if (thing.id !== undefined && before.id !== undefined && thing.id !== before.id) {
      // A replacement was interrupted: its old part is gone, and the engine of Pulumi has not heard of the new one.
      leftovers.push(thing);
      again(wish, "is another one than the state has", "made anew");
    } else if (thing.down !== undefined) {
      again(wish, thing.down);
    } else if (before.scale !== undefined && thing.scale !== undefined && thing.scale !== before.scale) {
      next(`gate ${wish.logical}`); // the gate scales it
      healed.push(`${called(wish)} was scaled to ${String(thing.scale)}: it is scaled back to ${String(before.scale)}`);
    } else if (thing.broken !== undefined) {
      broken[keyOf(wish)] = thing.broken;
      if (wish.spare !== true) next(`gate ${wish.logical}`);
    }
  }
  problems.push(...foreignThings(name, foreign));
  const wanted = new Set(wishes.map(keyOf));
  const fresh = wishes.filter((wish) => isDisk(wish) && !known.has(keyOf(wish))).map(slotOf);
  for (const [key, before] of known)
    if (isDisk(before) && !before.spare && !wanted.has(key) && words[slotOf(before)] !== gone)
      problems.push(dropped(before, slotOf(before), insteadOf(slotOf(before), stores, fresh)));
  const kept = [...known.values()].filter(isDisk);
  const said = { ...identity.words, ...Object.fromEntries(kept.map((before) => [slotOf(before), before.word])) };
  const spoken = Object.fromEntries(Object.entries(said).filter(([, word]) => word !== ""));
  return {
    ...{ problems, healed, leftovers, pruned, broken },
    memory: { owner: identity.owner, engine, rounds, words: { ...spoken, ...renewing } },
  };
}

/** A thing of the state. `disk`, `word` and `spare` are a volume's or a volume node's, `image` is an image's. */
interface Before {
  readonly kind: Kind;
  readonly name: string;
  readonly id: string | undefined;
  readonly disk: unknown;
  readonly word: string;
  /** It may go without the operator's word, as its data are elsewhere, too. */
  readonly spare: boolean;
  readonly image: Pruned | undefined;
  readonly scale: number | undefined;
}

const isDisk = ({ kind }: Pick<Before, "kind">): boolean => kind === "volume" || kind === "volume node";
/** The labels of a thing of the state, which the Docker provider keeps as a list. */
const labelled = z.union([
  z.record(z.string(), z.string()),
  z
    .array(z.object({ label: z.string(), value: z.string() }))
    .transform((list): Dict<string> => Object.fromEntries(list.map(({ label, value }) => [label, value]))),
]);
function labelsOf({ labels }: Known["outputs"]): Dict<string> | undefined {
  return labelled.safeParse(labels).data;
}
/** The stack's name on a thing of the state, and whose it is. */
export function marksOf(outputs: Known["outputs"]): { readonly name?: string; readonly owner?: string } {
  const { [nameLabel]: name, [ownerLabel]: owner } = labelsOf(outputs) ?? {};
  return { ...(name === undefined ? {} : { name }), ...(owner === undefined ? {} : { owner }) };
}
const mode = z.object({ replicated: z.object({ replicas: z.number() }) });

/** The state's things of this topology. Another topology of the program may have the same names on another engine. */
function knownThings(state: List<Known>, types: Dict<Kind>, prefix: string, component: string): Map<string, Before> {
  const { owner } = identityOf(state, component);
  // Before its first run a topology has no identity: things of another topology are known by that one's.
  const theirs = new Set(state.filter(({ type }) => type === identityType).map(({ outputs }) => outputs.owner));
  const found = new Map<string, Before>();
  for (const { urn, type, outputs } of state) {
    const kind = Object.hasOwn(types, type) ? types[type] : undefined;
    const { spare } = outputs;
    const name = kind === "node" ? outputs.node : outputs.name;
    const disk = kind === "volume node" ? outputs.value : outputs.disk;
    const word = kind === "volume node" ? outputs.generation : outputs.word;
    if (kind === undefined || typeof name !== "string") continue;
    const whose = kind === "volume node" ? z.string().safeParse(outputs.owner).data : marksOf(outputs).owner;
    if (whose !== undefined && (owner === undefined ? theirs.has(whose) : whose !== owner)) continue;
    // `shop-eu` has things that begin as those of `shop`.
    if (kind !== "image" && kind !== "node" && !name.startsWith(prefix + (kind === "volume node" ? "." : "-")))
      continue;
    if ((marksOf(outputs).name ?? prefix) !== prefix) continue;
    const logical = logicalName(urn);
    found.set(keyOf({ kind, logical }), {
      ...{ kind, name, disk },
      id: typeof outputs.id === "string" ? outputs.id : undefined,
      word: typeof word === "string" ? word : "",
      spare: spare === true,
      image: imageOf(name, outputs),
      scale: mode.safeParse(outputs.mode).data?.replicated.replicas,
    });
  }
  return found;
}

function imageOf(ref: string, { imageId, repoDigest }: Known["outputs"]): Pruned | undefined {
  if (typeof imageId !== "string") return undefined;
  return { ref, id: imageId, digest: typeof repoDigest === "string" && repoDigest !== "" ? repoDigest : undefined };
}

const memory = z.object({
  name: z.string(),
  topology: z.string(),
  owner: z.string().optional(),
  engine: z.string().optional(),
  machines: z.record(z.string(), z.string()).default({}),
  rounds: z.record(z.string(), z.number()).default({}),
  words: z.record(z.string(), z.string()).default({}),
});

const identityType = "platform-topologies:index:StackIdentity";

/** What the last run's identity remembers. */
function identityOf(state: List<Known>, component: string): Partial<z.infer<typeof memory>> {
  const found = state.find(({ type, urn }) => type === identityType && urn.endsWith(`::${component}-identity`));
  return memory.safeParse(found?.outputs).data ?? {};
}

/** The owner of a topology's things. */
export function ownerOf(state: List<Known>, component: string): string | undefined {
  return identityOf(state, component).owner;
}

/** Whether the operator has given another word, and so wants a new disk. */
function isNew(word: string | undefined, before: Before): boolean {
  return word !== undefined && word !== before.word;
}

/** The word with which a disk may go with its slot. It says nothing about a slot that is there. */
const gone = "gone";

/** Whether an interrupted run has made the disk: the state had its id before. */
function isKnownDisk(state: List<Known>, { labels }: Thing): boolean {
  const disk = labels[diskLabel];
  return disk !== undefined && state.some(({ type, outputs }) => type.endsWith(":RandomId") && outputs.hex === disk);
}

/** Whether the engine has all known disks: under another id it was then installed anew over its data. */
function allDisks(known: Map<string, Before>, there: Map<string, Thing>): boolean {
  const disks = [...known.values()].filter(isDisk);
  return disks.length > 0 && disks.every((each) => there.get(called(each))?.labels[diskLabel] === each.disk);
}

function otherEngine(host: SurveyArgs["host"], machine: string | undefined, before: string, now: string): Problem {
  const move =
    machine === undefined
      ? "make a new stack with `restore` there"
      : "deploy once without what runs there, then with it under the new address";
  return {
    ...host,
    remedy:
      `another engine answers there (${now}) than the one that has this stack's things (${before}): put the ` +
      `old address back; to move, ${move}`,
  };
}

function lostVolume(volume: string, slot: string): Problem {
  return {
    key: `disks.${slot}`,
    remedy:
      `the volume ${volume} is gone, and with it the data of ${slot}: bring it back; or say disks: { ${slot}: <today> } ` +
      "for a new, empty one, which `restore` can fill from a backup",
  };
}

/** A store that would get other disks, and the number of `copies` with which it keeps those that it has. */
interface Instead {
  readonly store: string;
  readonly copies: CopyCount;
}

/** `fresh`: the slots of new disks. Three servers may be others than one: they take the place of its disk. */
function insteadOf(slot: string, stores: List<string>, fresh: List<string>): Instead | undefined {
  const store = stores.find((name) => slot.startsWith(`${name}-`));
  const others = fresh.filter((each) => each.startsWith(`${String(store)}-`) && roleOf(each) !== roleOf(slot));
  return store === undefined || others.length === 0 ? undefined : { store, copies: others.length === 1 ? 3 : 1 };
}

/** Data that the config does not use any more: they go only by the operator's word. */
function dropped({ kind, name }: Before, slot: string, instead: Instead | undefined): Problem {
  const [what, fate] =
    kind === "volume node" ? ["volume node", "forgotten (they stay on its node)"] : ["volume", "deleted"];
  const back =
    instead === undefined
      ? "put back what used it"
      : `${instead.store} would have other servers: to keep these say copies: { ${instead.store}: ${String(instead.copies)} }, and ` +
        "docs/ha.md has the way to carry the data over";
  return {
    key: `disks.${slot}`,
    remedy:
      `nothing in this config uses the ${what} ${name} any more, and its data would be ${fate}: ${back}; or, if they ` +
      `may go, say disks: { ${slot}: gone }`,
  };
}

function foreignThings(name: string, things: List<Thing>): Problem[] {
  if (things.length === 0) return [];
  things = [...things].sort((a, b) => Number(b.kind === "volume") - Number(a.kind === "volume"));
  const shown = things.slice(0, 3).map(called).join(", ");
  const more = things.length > 3 ? ` and ${String(things.length - 3)} more` : "";
  const ours = things.some(({ labels }) => labels[nameLabel] !== undefined);
  const [belong, them] = things.length > 1 ? ["exist and belong", "them"] : ["exists and belongs", "it"];
  const whose = ours ? "another state" : "somebody else";
  return [
    {
      key: "name",
      value: name,
      remedy: `${shown}${more} ${belong} to ${whose}: name the stack otherwise, or remove ${them}`,
    },
  ];
}
