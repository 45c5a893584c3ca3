import type { Output, Resource } from "@pulumi/pulumi";

import type {
  Ask,
  Certificate,
  Container,
  CopyCount,
  Dict,
  Dump,
  EdgeOptions,
  Endpoint,
  Engine,
  Given,
  Job,
  Kind,
  List,
  Login,
  Member,
  Members,
  Peer,
  Platform,
  Ready,
  Running,
  Slot,
  Store,
  Workload,
} from "./contracts.ts";
import { drillHost, recovers, restoreJob } from "./backup.ts";
import { own } from "./formats.ts";
import { imageRow } from "./images.ts";
import { copiesOf } from "./supply.ts";
import type { Capabilities, NamedDump, Place, Restore, Site } from "./topology.ts";

/** What the dry run and the real one share: names, addresses, numbering. They differ in what making a thing means. */
export abstract class BasePlatform implements Platform {
  readonly #site: Site;
  readonly #can: Capabilities;
  /** Each store's dump, for the backup. A system and its services share the list. */
  readonly dumps: NamedDump[];
  /** Everything that was needed so far. */
  readonly stores: Ready[] = [];
  abstract readonly ca: Output<string> | undefined;

  constructor({ site, capabilities }: Pick<Place, "site" | "capabilities">, dumps: NamedDump[] = []) {
    this.#site = site;
    this.#can = capabilities;
    this.dumps = dumps;
  }

  get name(): string {
    return this.#site.name;
  }
  get hostname(): string {
    return this.#site.hostname;
  }
  get region(): string {
    return this.#site.region;
  }
  get peers(): List<Peer> {
    return this.#site.peers;
  }
  get copies(): CopyCount {
    return copiesOf(this.#site, this.#can);
  }
  get backedUp(): boolean {
    return this.#site.backup !== undefined;
  }
  get engine(): Engine | undefined {
    return this.#can.engine;
  }
  address(name: string): string {
    return this.#can.address === "name" ? name : `${name}.${this.#site.name}.internal`;
  }
  image(name: string): string {
    const found = imageRow(name) === undefined ? undefined : this.#site.image(name);
    return found !== undefined && "ref" in found ? found.ref : name;
  }
  get url(): string {
    return this.#publicAddress(this.#site.hostname);
  }
  publicUrl(name: string): string {
    return this.#publicAddress(this.publicHost(name));
  }
  publicHost(name: string): string {
    const { hostname, region } = this.#site;
    return region === "" ? `${name}.${hostname}` : `${name}.${region}.${hostname}`;
  }
  #publicAddress(host: string): string {
    const { publicPort } = this.#site;
    return publicPort === 443 ? `https://${host}` : `https://${host}:${String(publicPort)}`;
  }

  abstract secret(name: string, rotates?: string): Output<string>;
  /** A stack of one region has its own. */
  shared(name: string, rotates?: string): Output<string> {
    return this.#site.shared?.[name] ?? this.secret(name, rotates);
  }
  abstract configured(name: string): Output<string>;
  abstract certificate(name: string, hostnames: List<string>): Certificate;
  protected abstract supply<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  abstract managed<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K>;
  abstract edge(wish: EdgeOptions): void;
  abstract job(name: string, job: Job): Ready;
  protected abstract makeWorkload(name: string, workload: Workload): List<Resource>;
  protected abstract makeSlot(name: string, slot: Slot): List<Resource>;

  /** Supplies a need. With `restore` in the config it is ready only when its data are back. */
  need<K extends Kind>(kind: K, name: string, ask: Ask<K>): Given<K> {
    const before = this.dumps.length;
    const { restore } = this.#site;
    const supplied = this.supply(kind, name, ask);
    const ready =
      restore === undefined ? supplied.ready : this.#restored(this.dumps.slice(before), name, restore, supplied);
    const given = { ...supplied, ready };
    this.stores.push(given);
    return given;
  }

  dump(store: string, dump: Dump, nodes?: Dict<string>): void {
    this.dumps.push({ ...dump, store, tier: "data", ...(nodes === undefined ? {} : { nodes }) });
  }

  /** Keeps what a need gave, for the outputs. */
  protected abstract offer(name: string, given: Store & Login & Ready): void;

  store(name: string, given: Store & Login & Ready, dump: Dump): Ready {
    const named = { ...dump, store: name, tier: "data" } as const;
    const { restore } = this.#site;
    this.dumps.push(named);
    this.offer(name, given);
    const ready = restore === undefined ? given.ready : this.#restored([named], name, restore, given);
    this.stores.push({ ready });
    return { ready };
  }

  /** Restores a store: a job for each of its dumps, one after another. Ready with the last. */
  #restored(dumps: List<NamedDump>, name: string, restore: Restore, { ready }: Ready): List<Resource> {
    return dumps.reduce((before, dump) => {
      const { store, drillServer } = dump;
      const throwAway = drillServer && recovers(restore, dump) ? [this.run(drillHost(store), drillServer)] : [];
      return this.job(
        `${dumps.length === 1 ? name : store}-restore`,
        restoreJob(restore, dump, this.configured.bind(this), [{ ready: before }, ...throwAway]),
      ).ready;
    }, ready);
  }

  reference(image: string): string {
    const found = this.#site.image(image);
    return "remedy" in found ? "" : found.ref; // `check` reports a missing image
  }

  run(name: string, workload: Workload): Running {
    return running(this.address(name), workload, this.makeWorkload(name, workload));
  }

  slots(role: string, members: Members, each: (member: Member, before: List<Running>) => Slot): List<Running> {
    const made: Running[] = [];
    const all = numbered(role, members, this.address.bind(this));
    const names = all.map(({ name }) => name);
    for (const member of all) {
      const { zone } = member;
      const asked = guarded(member.name, each(member, made));
      const slot = {
        ...asked,
        ...(asked.start === "parallel" && members.count > 1 ? { together: names } : {}),
        ...{ alone: members.count === 1, zone },
      };
      const last = made.at(-1);
      const after = last ? [...(slot.after ?? []), last] : slot.after;
      const complete = after === undefined ? slot : { ...slot, after };
      const { nodes, tier } = slot;
      if ("dump" in slot.disk.backup)
        this.dumps.push({ ...slot.disk.backup, store: member.name, tier, ...(nodes === undefined ? {} : { nodes }) });
      made.push(running(member.host, complete, this.makeSlot(member.name, complete)));
    }
    return made;
  }
}

/** The file on a disk that says whose it is. */
export const diskMarker = ".disk";

/**
 * A server refuses to start on a disk that was not made for it: an empty store that looks healthy would be backed up,
 * and be taken for the real one. A slot with a marker of its own checks that itself.
 */
function guarded(name: string, slot: Slot): Slot {
  const { command, prepare, disk } = slot;
  if (disk.marker !== undefined || command === undefined) return slot;
  const marker = diskMarker;
  const remedy = `bring its disk back, or have a new one filled by restore: disks: { ${name}: <today> }`;
  const look = `[ -e ${disk.path}/${marker} ] || { echo "${name} has lost its data: ${remedy}" >&2; exit 1; }`;
  return { ...slot, disk: { ...disk, marker }, prepare: prepare === undefined ? look : `${look}\n${prepare}` };
}

/** The first `count` numbers that are not retired: a new name takes a lost member's place, never the old one. */
export function numbered(
  role: string,
  { count, retired = [] }: Members,
  address: (name: string) => string = (name) => name,
): List<Member> {
  const numbers: number[] = [];
  for (let number = 1; numbers.length < count; number++) if (!retired.includes(number)) numbers.push(number);
  return numbers.map((number) => ({
    name: `${role}-${String(number)}`,
    number,
    host: address(`${role}-${String(number)}`),
    zone: (number - 1) % 3,
  }));
}

function running(host: string, container: Container, ready: List<Resource>): Running {
  return {
    host,
    ready,
    port(key): Endpoint {
      const port = own(container.ports, key);
      if (port === undefined) throw new Error(`${host} has no port "${key}"`);
      return { host, port: port.number };
    },
  };
}
