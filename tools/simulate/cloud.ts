/** What the simulation has to know of one cloud: all that no typings say. */
import type { Bag } from "./wire.ts";
import type { World } from "./world.ts";

/** What an explicit provider was given. */
export interface Config {
  /** The account or project. */
  readonly account: string;
  readonly region: string;
  /** Tags that each resource gets besides its own. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A thing that is about to be made, or was made before. */
export interface Making {
  readonly urn: string;
  readonly token: string;
  readonly inputs: Bag;
  readonly config: Config;
  /** Digits that are the same in each run, for this incarnation of this resource alone. */
  readonly digits: (of: string, length: number) => string;
  /** How many of this family were made before, plus one: a revision. */
  readonly round: (family: string) => number;
}

/** A name that the cloud's API takes once, and how long it may be. */
export interface Name {
  readonly property: string;
  /** Characters. */
  readonly longest: number;
  readonly lower?: true;
  /** Undefined where others may have the same. */
  readonly claim?: (inputs: Bag, config: Config) => string | undefined;
  /** What the API says when somebody has it. */
  readonly taken?: (name: string, holder: "held" | "reserved") => string;
}

export interface Cloud {
  /** As in `pulumi-resource-<name>` and `@pulumi/<name>`. */
  readonly name: string;
  /** Where the SDK declares the resource: the file below its folder, without `.d.ts`, and the class. */
  typings(token: string): { file: string; name: string } | undefined;
  /** Throws what the provider says to a config that it cannot work with. */
  config(given: Bag): Config;
  nameOf(token: string): Name | undefined;
  /** Inputs that the provider adds when they are not given. */
  defaults(token: string): Bag;
  /** Properties (`a.b` for nested ones) whose change makes another resource, besides those that the typings name. */
  replaces(token: string, olds: Bag, news: Bag): readonly string[];
  /** The property by which a change of the provider's place makes another resource; undefined if there is none. */
  moved(oldOutputs: Bag, news: Bag, config: Config): string | undefined;
  /** Whether another one can never be made before the old one is gone. */
  deletesFirst(token: string): boolean;
  /** Whether a block without anything in it is one for the provider: it is none in what Terraform's older SDK makes. */
  keepsEmptyBlocks(token: string): boolean;
  /** Problems that the provider finds before it calls the API, besides those of the typings. */
  problems(token: string, inputs: Bag): readonly string[];
  id(making: Making): string;
  /** Outputs that are special to a resource; all others are made up from their names and types. */
  outputs(making: Making, id: string): Bag;
  /** The outputs that an update changes by itself: a version. */
  counted(token: string): readonly string[];
  /** Why the API refuses to delete it; undefined if it does not. */
  keeps(token: string, inputs: Bag, filled: boolean, world: World): string | undefined;
  /** How long its name is taken after its end, in days. */
  reservedDays(token: string, inputs: Bag): number;
  /** Whether a delete leaves it where it is. */
  stays(token: string, inputs: Bag): boolean;
  /** What the API's answers need of it; never a secret. */
  facts(token: string, outputs: Bag): Bag | undefined;
  /** What else is there once it is made or changed: the machine of a group. */
  made(token: string, id: string, outputs: Bag, world: World): void;
  /** What ends with it. */
  gone(token: string, id: string, world: World): void;
}
