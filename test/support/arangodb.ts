/** ArangoDB as a throw-away stack on this machine's engine, and a client of it through the edge. */
import {
  call,
  containerIds,
  dockerConfig,
  dockerStack,
  type DockerTest,
  engine,
  eventually,
  inContainer,
  localImage,
  type Reply,
} from "./arkindex.ts";
import { succeeded, type TestStack } from "./stack.ts";

/** A config as small as it gets. */
export const small = {
  agents: { memoryMib: 256, cpu: 0.5 },
  dbservers: { memoryMib: 256, cpu: 0.5 },
  coordinators: { count: 2, memoryMib: 256, cpu: 0.5 },
};

export interface ArangoTest extends DockerTest {
  /** Keys below `arangodb`; `dbservers` adds to the small config's. */
  readonly arangodb?: { readonly dbservers?: object; readonly [key: string]: unknown };
}

export function arangoConfig(test: ArangoTest): Record<string, unknown> {
  const { arangodb = {} } = test;
  const dbservers = { ...small.dbservers, ...arangodb.dbservers };
  return dockerConfig(test, { system: "arangodb", arangodb: { ...small, ...arangodb, dbservers } });
}

export function arangoStack(test: ArangoTest): Promise<TestStack> {
  return dockerStack(test, arangoConfig(test));
}

export interface ArangoOutputs {
  readonly url: string;
  readonly ca: string;
  readonly rehearsing: string[];
  readonly endpoints: Record<string, { host: string; port: number; user: string }>;
  readonly passwords: Record<string, string>;
}

interface Health {
  readonly Endpoint: string;
  readonly Role: string;
  readonly Status: string;
}

type Ask = (
  path: string,
  options: { method: string; body?: string; headers: Record<string, string> },
) => Promise<Reply>;

/** A client of a test's cluster, as root. */
export class Arango {
  readonly #ask: Ask;
  readonly #authorization: string;

  constructor(ask: Ask, password: string) {
    this.#ask = ask;
    this.#authorization = `Basic ${Buffer.from(`root:${password}`).toString("base64")}`;
  }

  /** A client through the edge of a stack on this machine's engine. */
  static through({ url, ca, passwords }: ArangoOutputs): Arango {
    return new Arango((path, options) => call(`${url}${path}`, ca, options), passwords.cluster ?? "");
  }

  /** @throws an error with status and body, if the status is not in `expected`. */
  async ask<T = unknown>(method: string, path: string, body?: unknown, expected = [200, 201, 202]): Promise<T> {
    const headers = { authorization: this.#authorization };
    const reply = await this.#ask(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!expected.includes(reply.status)) throw new Error(`${method} ${path}: ${String(reply.status)} ${reply.body}`);
    return JSON.parse(reply.body) as T;
  }

  /** A database and a collection with documents that are named by numbers. */
  async fill(database: string, collection: string, documents: number, options: object = {}): Promise<void> {
    await this.ask("POST", "/_api/database", { name: database });
    await this.ask("POST", `/_db/${database}/_api/collection`, { name: collection, numberOfShards: 3, ...options });
    const all = Array.from({ length: documents }, (_, number) => ({ _key: `d${String(number)}`, number }));
    await this.ask("POST", `/_db/${database}/_api/document/${collection}`, all);
  }
  async count(database: string, collection: string): Promise<number> {
    return (await this.ask<{ count: number }>("GET", `/_db/${database}/_api/collection/${collection}/count`)).count;
  }

  /** Members by host: `dbserver-1` is `DBServer GOOD`. */
  async members(): Promise<Record<string, string>> {
    const { Health } = await this.ask<{ Health: Record<string, Health> }>("GET", "/_admin/cluster/health");
    const rows = Object.values(Health).map(({ Endpoint, Role, Status }) => [
      new URL(Endpoint).hostname,
      `${Role} ${Status}`,
    ]);
    return Object.fromEntries(rows.sort()) as Record<string, string>;
  }

  /** Waits until every planned copy of a database's collections is in sync. */
  allInSync(database: string, seconds = 60): Promise<true> {
    const path = `/_db/${database}/_api/replication/clusterInventory`;
    return eventually(async () => {
      const { collections } = await this.ask<{ collections: { allInSync: boolean }[] }>("GET", path);
      return collections.every(({ allInSync }) => allInSync) ? true : undefined;
    }, seconds);
  }
}

/** The time when each container of a stack was started, by workload. */
export async function starts(name: string): Promise<Record<string, string>> {
  const filters = { label: [`platform-topologies.name=${name}`] };
  const rows = await Promise.all(
    (await engine.listContainers({ all: true, filters })).map(async ({ Id, Names }) => {
      const { State } = await engine.getContainer(Id).inspect();
      return [Names[0]?.slice(name.length + 2) ?? Id, `${Id} ${State.StartedAt}`] as const;
    }),
  );
  return Object.fromEntries(rows.sort());
}

/** A client of the stack, once it is up and `shop` has a hundred orders. */
export async function upWithOrders(stack: TestStack): Promise<Arango> {
  succeeded(await stack.up());
  const arango = Arango.through((await stack.outputs()) as unknown as ArangoOutputs);
  await arango.fill("shop", "orders", 100);
  return arango;
}

/** Empties a member's disk and starts it. Returns its log once it has been started again twice. */
export async function loseDisk(name: string, member: string): Promise<string> {
  const { [member]: id = "" } = await containerIds(name);
  const container = engine.getContainer(id);
  await container.stop({ t: 5 });
  const where = { image: localImage("arangodb"), network: "none", binds: [`${name}-${member}:/data`] };
  await inContainer(where, "find /data -mindepth 1 -delete");
  await container.start();
  await eventually(async () => ((await container.inspect()).RestartCount > 1 ? true : undefined));
  return (await container.logs({ stderr: true })).toString();
}
