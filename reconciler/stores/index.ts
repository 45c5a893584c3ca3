/** The stores of a plan whose members others can stand in for. */
import type { Dict } from "../../components/core/contracts.ts";
import { own } from "../../components/core/formats.ts";
import type { Plan } from "../../components/core/plan.ts";
import type { Retirable } from "../../components/core/retirements.ts";
import { roleOf } from "../../components/topologies/swarm/placement.ts";
import type { Instead, Member } from "../judgement.ts";
import { arangodb } from "./arangodb.ts";
import { cassandra } from "./cassandra.ts";
import { etcd } from "./etcd.ts";
import { garage } from "./garage.ts";
import { nats } from "./nats.ts";
import { patroni } from "./patroni.ts";
import { rabbitmq } from "./rabbitmq.ts";
import { redis } from "./redis.ts";
import { search } from "./search.ts";
import { solr } from "./solr.ts";
import type { StoreKind } from "./store.ts";

/** By the kind of the need that the slots `<need>-<number>` carry. */
const kinds: Dict<StoreKind> = {
  amqp: rabbitmq,
  cql: cassandra,
  elasticsearch: search,
  nats,
  postgres: patroni,
  redis,
  solr,
};
/** By the end of their slots' role, as `db-etcd-1`: what a store brings with it, or is made of. */
const byRole: Dict<StoreKind> = { etcd, garage };

/** A store with members, by the name that the stack's outputs have for it. */
export interface Store {
  readonly name: string;
  readonly kind: StoreKind;
  readonly members: readonly Member[];
}

export interface Planned {
  readonly plan: Pick<Plan, "needs" | "slots">;
  readonly retirable?: Retirable | undefined;
  /** The operator's own words for disks. */
  readonly words?: Dict<unknown>;
}

/** Stores of one server are none: nobody stands in for it. */
export function storesOf({ plan, retirable = {}, words = {} }: Planned): Store[] {
  const member = (name: string): Member => {
    const beside = plan.slots.get(name)?.colocate;
    return { name, instead: insteadOf(name, retirable, words), ...(beside === undefined ? {} : { beside }) };
  };
  const store = (name: string, kind: StoreKind, slots: readonly string[]): Store[] =>
    slots.length < 2 ? [] : [{ name, kind, members: slots.map(member) }];
  const slots = [...plan.slots.keys()];
  return [
    // A system that is the store itself.
    ...store(
      "cluster",
      arangodb,
      slots.filter((slot) => /^(agent|dbserver|coordinator)-\d+$/.test(slot)),
    ),
    ...plan.needs.flatMap(({ name, kind, parts }) => {
      const its = (role: string) => parts.filter((part) => plan.slots.has(part) && roleOf(part) === role);
      const asked = own(kinds, kind);
      return [
        ...(asked === undefined ? [] : store(name, asked, its(name))),
        ...Object.entries(byRole).flatMap(([end, other]) => store(`${name}-${end}`, other, its(`${name}-${end}`))),
      ];
    }),
  ];
}

function insteadOf(slot: string, retirable: Retirable, words: Dict<unknown>): Instead {
  const role = roleOf(slot);
  if (role === "agent")
    return {
      by: "operator",
      remedy: `an agent keeps its name: set arangodb.rebuild to ["${slot}"], up, and take it out again`,
    };
  if (Object.hasOwn(retirable, role)) return { by: "number", role, number: Number(slot.slice(role.length + 1)) };
  // A word that still stands in the config would make another empty disk with the next `up`.
  if (own(words, slot) !== undefined)
    return { by: "operator", remedy: `take disks.${slot} out of the stack's config: its word has been done` };
  return { by: "disk" };
}
