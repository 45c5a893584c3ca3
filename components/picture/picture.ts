/**
 * A picture of a deployment, told from its plan: no state, no engine, no cloud. The same plan gives the same picture;
 * versions, sizes of processes and passwords are not in it.
 */
import { drillHost } from "../core/backup.ts";
import type { Ask, Container, List, Workload } from "../core/contracts.ts";
import { own } from "../core/formats.ts";
import { containers, type Plan, type PlannedNeed, routesOf } from "../core/plan.ts";
import type { BackupPlace, Place, Site } from "../core/topology.ts";
import { machineCards, nameOfKind, startsOf } from "./kinds.ts";
import { type Arrow, type Card, card, type Picture, type Where } from "./model.ts";

/** A card, and the names in the plan of what is on it. */
export type Parted = readonly [card: Card, parts: List<string>];

/**
 * A part calls what it waits for, as systems say it (`after`); a job in between is passed over. Whoever waits for nothing,
 * and learns an address later, has no arrow.
 */
export function pictureOf(place: Place, plan: Plan, where: Where): Picture {
  const parted = [...fixed(place, plan, where), ...workloads(place, plan, where), ...stores(place, plan, where)];
  const owners = new Map(parted.flatMap(([{ id }, parts]) => parts.map((part) => [part, id] as const)));
  const routed = routesOf(plan).map(({ to, hosts, of, host, path }) => {
    const name = host === place.site.hostname ? path : host + path.replace(/\/$/, "");
    return [owners.get(of === "slots" ? (hosts[0] ?? "") : to) ?? "", name] as const;
  });
  const cards = parted.map(([card]) => {
    const routes = routed.flatMap(([id, name]) => (id === card.id ? [name] : []));
    return { ...card, routes: [...new Set(routes)] };
  });
  const arrows = [
    ...(routed.length > 0 ? [["Browsers", "Edge"] as const] : []),
    ...open(plan).map((id) => ["Browsers", id] as const),
    ...cards.flatMap(({ id }) => (id.startsWith("Workers-") ? [["Managers", id] as const] : [])),
    ...routed.map(([id]) => ["Edge", id] as const),
    ...calls(plan, owners),
    ...(owners.has("Backups") ? [["backup", "Backups"] as const] : []),
  ];
  return { title: place.site.name, where: where.title, ...framed(cards, arrows) };
}

/** What the world calls beside the edge: a swarm's managers, and the place's own sign-in. */
function open({ needs }: Plan): string[] {
  return needs.flatMap(({ kind, name, by }) =>
    kind === "swarm" ? ["Managers"] : kind === "oidc" && by === "managed" ? [name] : [],
  );
}

/** Who calls whom, by the ids of cards. */
function calls(plan: Plan, owners: ReadonlyMap<string, string>): Arrow[] {
  const reached = (name: string): string[] => {
    const awaited = plan.waits.get(name) ?? [];
    return awaited.flatMap((other) => owners.get(other) ?? reached(other));
  };
  return [...plan.workloads.keys(), ...plan.slots.keys()]
    .filter((name) => name !== "backup") // it waits for every store, and its own card says which it saves
    .flatMap((name) => reached(name).map((to) => [owners.get(name) ?? "", to] as const));
}

/** Puts cards with the same neighbours into one frame. */
function framed(cards: List<Card>, all: List<Arrow>): Pick<Picture, "frames" | "arrows"> {
  const arrows = all.filter(([from, to]) => from !== to);
  const neighbours = ({ id, band }: Card): string => {
    const from = arrows.flatMap(([one, other]) => (other === id ? [one] : []));
    const to = arrows.flatMap(([one, other]) => (one === id ? [other] : []));
    return JSON.stringify([band, [...new Set(from)].sort(), [...new Set(to)].sort()]);
  };
  const frames = new Map<string, Card[]>();
  for (const card of cards) frames.set(neighbours(card), [...(frames.get(neighbours(card)) ?? []), card]);
  const made = [...frames.values()].map((inside) => ({
    id: inside.map(({ id }) => id).join(" "),
    band: inside[0]?.band ?? "app",
    cards: inside,
  }));
  const frameOf = new Map(made.flatMap(({ id, cards: inside }) => inside.map((card) => [card.id, id] as const)));
  const between = arrows.map(([from, to]) => [frameOf.get(from) ?? "", frameOf.get(to) ?? ""] as const);
  return { frames: made, arrows: [...new Map(between.map((arrow) => [arrow.join("\n"), arrow])).values()] };
}

/** Browsers, the edge, and the place of backups. */
function fixed({ site }: Place, plan: Plan, { edge }: Where): Parted[] {
  const all = [...new Set(routesOf(plan).map(({ host }) => host))];
  const hosts = all.sort((a, b) => Number(b === site.hostname) - Number(a === site.hostname));
  const { backup } = site;
  return [
    ...(hosts.length > 0 || open(plan).length > 0
      ? [[card("Browsers", "world", "world", "Browsers", []), ["Browsers"]] as const]
      : []),
    ...(hosts.length > 0
      ? [[card("Edge", "edge", "edge", edge.title, [...hosts, ...edge.says]), ["Edge"]] as const]
      : []),
    ...(backup !== undefined && plan.workloads.has("backup")
      ? [[card("Backups", "outside", "place", "Backups", placeOf(backup.to)), ["Backups"]] as const]
      : []),
  ];
}

function placeOf(to: BackupPlace): string[] {
  if ("path" in to) return [`the folder ${to.path}`];
  return "volume" in to ? [`the volume ${to.volume}`] : [`the bucket ${to.s3.bucket}`, to.s3.endpoint];
}

/** What scales, and is no part of a need; a drill's servers are the backup's. */
function workloads({ site }: Place, plan: Plan, where: Where): Parted[] {
  const others = new Set([
    ...plan.needs.flatMap(({ parts }) => parts),
    ...plan.dumps.map(({ store }) => drillHost(store)),
  ]);
  return [...plan.workloads]
    .filter(([name]) => !others.has(name))
    .map(([name, workload]) => {
      const saved = name === "backup" ? [`saves ${plan.dumps.map(({ store }) => store).join(", ")}`] : [];
      const says = [...saved, workload.replicas === "each-node" ? "on each node" : "", where.of(workload) ?? ""];
      const made = card(name, workload.tier, "workload", `${name}${timesOf(workload)}`, says);
      return [{ ...made, rehearses: rehearses(site, workload) }, [name]];
    });
}

function timesOf({ replicas }: Workload): string {
  if (typeof replicas === "object") return ` ×${String(replicas.min)} to ${String(replicas.max)}`;
  return replicas === 1 || replicas === "each-node" ? "" : ` ×${String(replicas)}`;
}

/** Each need is a card, and so is each role of slots that a system has itself. */
function stores(place: Place, plan: Plan, where: Where): Parted[] {
  const needed = new Set(plan.needs.flatMap(({ parts }) => parts));
  const roles = new Map<string, string[]>();
  for (const name of plan.slots.keys()) {
    const role = name.replace(/-\d+$/, "");
    if (!needed.has(name)) roles.set(role, [...(roles.get(role) ?? []), name]);
  }
  return [
    ...plan.needs.flatMap((need): Parted[] =>
      need.kind === "swarm"
        ? machineCards(need.ask as Ask<"swarm">).map((made) => [made, [made.id]])
        : [[storeCard(need, place, plan, where), [need.name, ...need.parts]]],
    ),
    ...[...roles].map(([role, names]): Parted => {
      const made = card(role, plan.slots.get(names[0] ?? "")?.tier ?? "data", "slots", role, []);
      return [{ ...made, ...membersOf(names, plan, place.site, where) }, names];
    }),
  ];
}

function storeCard(need: PlannedNeed, { site, managed, capabilities }: Place, plan: Plan, where: Where): Card {
  const { kind, name, by, parts } = need;
  if (by === "existing") {
    const row = own(site.existing, name);
    const at = row === undefined ? "" : "host" in row ? row.host : "url" in row ? row.url : row.issuer;
    return card(name, "outside", "existing", name, [nameOfKind[kind], at]);
  }
  if (by !== "container")
    return card(name, kind === "oidc" ? "edge" : "data", "managed", name, [managed?.[kind]?.name ?? nameOfKind[kind]]);
  const first = containers(plan).find(([part]) => parts.includes(part))?.[1];
  const slots = parts.filter((part) => plan.slots.has(part));
  const alone = parts.flatMap((part) => plan.workloads.get(part) ?? [])[0];
  const made = card(name, first?.tier ?? "data", slots.length > 0 ? "slots" : "workload", name, [
    nameOfKind[kind],
    ...startsOf(need, capabilities),
    alone === undefined ? "" : (where.of(alone) ?? ""),
  ]);
  const inside = membersOf(slots, plan, site, where);
  return { ...made, ...inside, rehearses: inside.rehearses || (alone !== undefined && rehearses(site, alone)) };
}

function membersOf(names: List<string>, plan: Plan, site: Site, where: Where): Pick<Card, "members" | "rehearses"> {
  const slots = names.flatMap((name) => {
    const slot = plan.slots.get(name);
    return slot === undefined ? [] : [{ name, slot }];
  });
  return {
    members: slots.map(({ name, slot }) => ({ name, disk: where.disk(slot.disk.gib), where: where.of(slot) })),
    rehearses: slots.some(({ slot }) => rehearses(site, slot)),
  };
}

function rehearses(site: Site, { image }: Container): boolean {
  const found = site.image(image);
  return !("remedy" in found) && (found.rehearsing || found.standsIn === true);
}
