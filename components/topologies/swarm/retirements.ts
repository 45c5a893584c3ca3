import { answered, reach } from "../../../ops/docker.ts";
import type { List } from "../../core/contracts.ts";
import {
  nothingRetired,
  type Retirements,
  retirementsSchema,
  type RetirementStore,
  type Version,
} from "../../core/retirements.ts";

/** How many versions are kept, to show what happened. */
const kept = 5;

/** Retirements as swarm configs, `<name>-retired-<n>`: the managers' own log keeps them, and makes a name only once. */
export class SwarmRetirements implements RetirementStore {
  readonly #managers: List<string>;
  readonly #name: string;

  constructor(managers: List<string>, name: string) {
    this.#managers = managers;
    this.#name = name;
  }

  async latest(): Promise<Version> {
    const last = (await this.#versions()).at(-1);
    if (last === undefined) return { number: 0, retirements: nothingRetired };
    return { number: last.number, retirements: retirementsSchema.parse(JSON.parse(last.text)) };
  }

  async add({ number, retirements }: Version): Promise<boolean> {
    const engine = await reach(this.#managers.join(","));
    try {
      await engine.createConfig({
        Name: `${this.#name}-retired-${String(number)}`,
        Data: Buffer.from(JSON.stringify(retirements satisfies Retirements)).toString("base64"),
        Labels: { "platform-topologies.name": this.#name, "platform-topologies.retirements": "retired" },
      });
    } catch (error) {
      if (answered(error, 409)) return false;
      throw error;
    }
    for (const old of (await this.#versions()).slice(0, -kept)) await engine.getConfig(old.id).remove();
    return true;
  }

  /** Oldest first. */
  async #versions(): Promise<{ id: string; number: number; text: string }[]> {
    const engine = await reach(this.#managers.join(","));
    const begin = `${this.#name}-retired-`;
    const found = await engine.listConfigs({ filters: { name: [begin] } });
    return found
      .flatMap(({ ID: id, Spec: { Name = "", Data = "" } = {} }) => {
        const number = Name.startsWith(begin) ? Number(Name.slice(begin.length)) : NaN;
        return Number.isInteger(number) ? [{ id, number, text: Buffer.from(Data, "base64").toString() }] : [];
      })
      .sort((a, b) => a.number - b.number);
  }
}
