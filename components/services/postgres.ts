import { type ComponentResourceOptions, output } from "@pulumi/pulumi";

import { drillHost } from "../core/backup.ts";
import type { List, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { drillCommand, postgresDump } from "./postgres-backup.ts";
import { postgresCopies } from "./postgres-copies.ts";
import {
  checkNames,
  data,
  databases,
  founding,
  joins,
  memory,
  optionsOf,
  ownerOf,
  password,
  sameVersion,
  serverOf,
  setUp,
} from "./postgres-setup.ts";

/**
 * One PostgreSQL server, with PostGIS at hand unless the application brings its own image. The recipe sets command,
 * user and configuration; of the official image it uses only the programs on PATH and the user postgres (999).
 */
export const postgres: Recipe<"postgres"> = (p, name, ask) => {
  checkNames(name, ask);
  if ((ask.copies ?? p.copies) === 3) return postgresCopies(p, name, ask);
  const secret = p.secret(`${name}-password`);
  const secretFile = { path: password, content: secret, secret: true };
  const slot = `${name}-1`;
  const host = p.address(slot);
  const { name: user, superuser } = ownerOf(ask);
  const drill = p.address(drillHost(slot));
  const options = optionsOf(ask);
  const server = serverOf(ask, secretFile);
  const [first] = p.slots(name, { count: 1 }, () => ({
    ...server,
    ...memory(ask.memoryMib),
    prepare: `
set -eu
if [ ! -d ${data}/pgdata ]; then
  ${founding()}
fi
${sameVersion(host)}${trusted(ask.outputPlugins)}`,
    command: ["postgres", "-D", `${data}/pgdata`, ...options],
    disk: {
      path: data,
      gib: ask.gib,
      backup: {
        ...postgresDump({
          ...{ host, drill, setup: (at) => databases(at, ask, user, superuser) },
          // The stack's one toolbox has those of all its servers.
          passwordFile: { ...secretFile, path: `/run/postgres/${host}-password` },
        }),
        drillServer: { ...server, ...memory(512), names: [], command: drillCommand(password, options), replicas: 1 },
      },
    },
  }));
  // A server that answers is not enough: what waits for the store needs its databases.
  const setup = p.job(`${name}-setup`, {
    ...setUp(secretFile, databases(host, ask, user, superuser)),
    after: first ? [first] : [],
  });
  return { host: ask.names?.[0] ?? host, port: 5432, members: [slot], user, password: secret, ready: setup.ready };
};

/**
 * The same on a server that the place brings: RDS, Cloud SQL, Flexible Server. Its address is known only when it is
 * there, so scripts read it from a file. A drill restores into a container of ours.
 */
export const managedPostgres: Recipe<"postgres"> = (p, name, ask) => {
  const server = p.managed("postgres", name, ask);
  const { name: user } = ownerOf(ask);
  const secretFile = { path: password, content: server.password, secret: true };
  // The stack's one toolbox has those of all its servers.
  const hostFile = { path: `/run/postgres/${name}-host`, content: output(server.host) };
  const savedBy = { ...secretFile, path: `/run/postgres/${name}-password` };
  const host = `"$(cat ${hostFile.path})"`;
  const drill = p.address(drillHost(name));
  const setup = (at: string): string => databases(at, ask, user, false, joins);
  const made = p.job(`${name}-setup`, {
    ...setUp(secretFile, setup(host)),
    files: [secretFile, hostFile],
    after: [server],
  });
  const out = postgresDump({ host, drill, passwordFile: savedBy, setup });
  p.dump(name, {
    ...out,
    files: [savedBy, hostFile],
    drillServer: {
      ...serverOf(ask, secretFile),
      ...memory(512),
      names: [],
      command: drillCommand(password, optionsOf({ ...ask, gib: 1 })),
      replicas: 1,
    },
  });
  return { ...server, user, ready: made.ready };
};

/** Minor releases of 2026 load only output plugins that a new setting names. Older ones refuse to start with it. */
function trusted(plugins: List<string> = []): string {
  if (plugins.length === 0) return "";
  return `
if known="$(postgres -D ${data}/pgdata -C output_plugin_libraries 2>/dev/null)"; then
  set -- "$@" -c "output_plugin_libraries=$known,${plugins.join(",")}"
fi`;
}

/** PostgreSQL with PostGIS, its databases and their owner. */
export class Postgres extends Service<"postgres"> {
  /** How containers supply it. */
  static readonly recipe = postgres;

  constructor(name: string, args: ServiceArgs<"postgres">, opts?: ComponentResourceOptions) {
    super("Postgres", "postgres", postgres, name, args, opts);
  }
}
