/** Stores that were there before any stack, and take nothing but TLS: real PostgreSQL, Redis (Valkey) and MinIO. */
import { dirname } from "node:path";

import type Docker from "dockerode";
import { execa } from "execa";
import { pack } from "tar-stream";

import type { List } from "../../components/core/contracts.ts";
import { engine, eventually, inContainer, localImage, project } from "./arkindex.ts";
import { certificate, type Made } from "./certificates.ts";
import { runLabels } from "./run.ts";
import { succeeded, type TestStack } from "./stack.ts";

type Role = "postgres" | "redis" | "objects";
type Need = "db" | "redis" | "objects";

export interface TlsStoresArgs {
  /** A prefix of their containers. */
  readonly name: string;
  /** This machine's own, which the stack's containers reach. */
  readonly address: string;
  readonly ports: Readonly<Record<Role, number>>;
  readonly buckets: List<string>;
  /** The page whose uploads the buckets take. */
  readonly origin: string;
}

/** Of each store; longer than what a server or a client takes for too weak. */
const password = "of-a-store-that-exists";
const certs = "/run/tls";

/** They listen on this machine itself: a stack's networks have no other way to what is outside. */
export class TlsStores {
  readonly #args: TlsStoresArgs;
  readonly #made: Docker.Container[] = [];
  readonly #authority: Made;

  private constructor(args: TlsStoresArgs, authority: Made) {
    this.#args = args;
    this.#authority = authority;
  }

  static async start(args: TlsStoresArgs): Promise<TlsStores> {
    const stores = new TlsStores(args, await certificate({ name: "A public authority", ca: true }));
    try {
      await stores.#start();
    } catch (error) {
      await stores.remove();
      throw error;
    }
    return stores;
  }

  async #start(): Promise<void> {
    const { address, ports, buckets, origin } = this.#args;
    const { pem, key } = await certificate({ name: address, hostnames: [address], by: this.#authority });
    const pair = { [`${certs}/public.crt`]: pem, [`${certs}/private.key`]: key };
    await this.#run("postgres", localImage("postgis"), "999:999", pair, postgresLine(address, ports.postgres));
    const [port, at] = [String(ports.redis), `--bind ${address} --save '' --requirepass ${password}`];
    const tls = `--tls-cert-file ${certs}/public.crt --tls-key-file ${certs}/private.key --tls-auth-clients no`;
    const redis = `exec redis-server --port 0 --tls-port ${port} ${at} ${tls}`;
    await this.#run("redis", localImage("redis"), "0:0", pair, redis);
    const s3 = new URL(this.url).host;
    const minio = `export MINIO_BROWSER=off MINIO_ROOT_USER=app MINIO_ROOT_PASSWORD=${password} MINIO_API_CORS_ALLOW_ORIGIN=${origin}
exec minio server /tmp/data --address ${s3} --certs-dir ${certs}`;
    await this.#run("objects", localImage("minio"), "0:0", pair, minio);
    const mc = `mc -q --insecure --config-dir /tmp/mc`;
    const make = buckets.map((bucket) => `at/${bucket}`).join(" ");
    await this.#succeeds("objects", `${mc} alias set at https://${s3} app ${password} && ${mc} mb -p ${make}`);
    await this.redis("ping");
    await this.sql("create extension if not exists postgis");
  }

  async #run(role: string, image: string, user: string, files: object, line: string): Promise<void> {
    const name = `${this.#args.name}-${role}`;
    await removed(name);
    const container = await engine.createContainer({
      ...{ name, Image: image, User: user, Entrypoint: ["sh", "-euc", line], Cmd: [], Labels: runLabels },
      HostConfig: { NetworkMode: "host", Init: true },
    });
    this.#made.push(container);
    const [uid = 0, gid = 0] = user.split(":").map(Number);
    const tar = pack();
    for (const [path, content] of Object.entries(files))
      tar.entry({ name: path.slice(1), mode: 0o600, uid, gid }, String(content));
    tar.finalize();
    await container.putArchive(tar, { path: "/" });
    await container.start();
  }

  /** What a shell line says in a store's container, once it succeeds. */
  #succeeds(role: Role, line: string): Promise<string> {
    return eventually(async () => {
      const { status, body } = await this.#says(role, line);
      if (status !== 0) throw new Error(`${role}: ${body}`);
      return body.trim();
    });
  }

  #says(role: Role, line: string) {
    return inContainer({ container: `${this.#args.name}-${role}` }, line);
  }

  /** By the socket, beside the clients. */
  sql(statement: string): Promise<string> {
    const at = `-h /tmp -p ${String(this.#args.ports.postgres)} -U app arkindex`;
    return this.#succeeds("postgres", `psql -At ${at} -c "${statement}"`);
  }

  redis(command: string): Promise<string> {
    return this.#succeeds("redis", `${this.#redisCli} --tls --insecure -a ${password} --no-auth-warning ${command}`);
  }
  get #redisCli(): string {
    return `redis-cli -h ${this.#args.address} -p ${String(this.#args.ports.redis)}`;
  }

  /** What each says to a client that speaks none. */
  async withoutTls(): Promise<Record<Role, string>> {
    const { address, ports } = this.#args;
    const psql = `PGPASSWORD=${password} psql 'host=${address} port=${String(ports.postgres)} user=app dbname=arkindex sslmode=disable'`;
    return {
      postgres: (await this.#says("postgres", `${psql} -c 'select 1'`)).body,
      redis: (await this.#says("redis", `${this.#redisCli} ping`)).body,
      objects: await (await fetch(this.url.replace("https:", "http:"))).text(),
    };
  }

  /** What PostgreSQL says of the connections that came over the network. */
  async connections(): Promise<string[]> {
    const log = (await engine.getContainer(`${this.#args.name}-postgres`).logs({ stderr: true })).toString();
    return log.split("\n").filter((line) => line.includes("connection authorized") && line.includes("=rehearsal"));
  }

  /** As a stack's config names them. */
  existing(needs: List<Need>): Record<string, object> {
    const { address: host, ports } = this.#args;
    const all = {
      db: { kind: "postgres", host, port: ports.postgres, user: "app", tls: true },
      redis: { kind: "redis", host, port: ports.redis, user: "default", tls: true },
      objects: { kind: "objects", url: this.url },
    };
    return Object.fromEntries(needs.map((need) => [need, all[need]]));
  }

  /** Of the object store. */
  get url(): string {
    return `https://${this.#args.address}:${String(this.#args.ports.objects)}`;
  }

  /** An image of the rehearsal for which this authority is a public one, as those in its /etc/ssl are. */
  async trusted(): Promise<string> {
    const image = localImage("rehearsal");
    const [repo = ""] = image.split(":");
    const made = await engine.createContainer({ Image: image, Labels: runLabels });
    const tar = pack();
    tar.entry({ name: "etc/ssl/cert.pem", mode: 0o444 }, this.#authority.pem);
    tar.finalize();
    await made.putArchive(tar, { path: "/" });
    // Node brings a list of its own, and reads the system's beside it when it is told to.
    await made.commit({ repo, tag: this.#args.name, changes: "ENV NODE_USE_SYSTEM_CA=1" });
    await made.remove();
    return (this.#image = `${repo}:${this.#args.name}`);
  }
  #image?: string;

  async remove(): Promise<void> {
    for (const container of this.#made.splice(0)) await container.remove({ force: true, v: true });
    if (this.#image !== undefined) await engine.getImage(this.#image).remove({ force: true });
  }
}

/** As a database that the operator's company has: one owner, its database, and no door without TLS but its own. */
function postgresLine(address: string, port: number): string {
  const ssl = `-c ssl=on -c ssl_cert_file=${certs}/public.crt -c ssl_key_file=${certs}/private.key`;
  return `printf %s ${password} > /tmp/password
initdb -D /tmp/pg -U app --pwfile=/tmp/password -E UTF8 --locale=C.UTF-8 >/dev/null
printf 'local all all trust\\nhostssl all all all scram-sha-256\\n' > /tmp/pg/pg_hba.conf
echo 'create database arkindex' | postgres --single -D /tmp/pg postgres >/dev/null
exec postgres -D /tmp/pg -c listen_addresses=${address} -c port=${String(port)} -c unix_socket_directories=/tmp -c fsync=off -c log_connections=on ${ssl}`;
}

/** This machine, as containers of any network reach it. A new engine does not tell the gateway of its own network. */
export async function gateway(): Promise<string> {
  const { Options } = (await engine.getNetwork("bridge").inspect()) as { Options: Record<string, string> };
  // Node's own list leaves out a bridge on which nothing runs.
  const show = ["-json", "-4", "address", "show", Options["com.docker.network.bridge.name"] ?? "docker0"];
  const [bridge] = JSON.parse((await execa("ip", show)).stdout) as { addr_info: { local: string }[] }[];
  const own = bridge?.addr_info[0]?.local;
  if (own === undefined) throw new Error("the engine's own network has no address on this machine");
  return own;
}

async function removed(name: string): Promise<void> {
  await engine
    .getContainer(name)
    .remove({ force: true, v: true })
    .catch(() => undefined);
}

/** The passwords of such a stack's config, each encrypted. */
export async function tellPasswords(stack: TestStack, needs: List<Need>): Promise<void> {
  const secrets = {
    db: { dbPassword: password },
    redis: { redisPassword: password },
    objects: { objectsKey: "app", objectsSecret: password },
  };
  for (const [key, value] of needs.flatMap((need) => Object.entries(secrets[need])))
    succeeded(await stack.run(["config", "set", "--path", "--secret", `${project}:secrets.${key}`, value]));
}

/** The same container again, of an image that knows no more authorities than all have: not started yet. */
export async function unknowing(id: string, folder: string, command?: string[]): Promise<Docker.Container> {
  const like = engine.getContainer(id);
  const { Config, NetworkSettings } = await like.inspect();
  const [network = "", ...more] = Object.keys(NetworkSettings.Networks);
  const made = await engine.createContainer({
    ...{ Image: localImage("rehearsal"), User: Config.User, Labels: runLabels },
    Env: Config.Env.filter((pair) => !pair.startsWith("NODE_USE_SYSTEM_CA=")),
    Cmd: command ?? Config.Cmd,
    HostConfig: { NetworkMode: network },
  });
  for (const each of more) await engine.getNetwork(each).connect({ Container: made.id });
  await made.putArchive(await like.getArchive({ path: folder }), { path: dirname(folder) });
  return made;
}
