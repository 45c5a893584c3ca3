import { type ComponentResourceOptions, output } from "@pulumi/pulumi";

import { drillHost } from "../core/backup.ts";
import type { List, Recipe } from "../core/contracts.ts";
import { Service, type ServiceArgs } from "../core/service.ts";
import { drillCommand, postgresDump } from "./postgres-backup.ts";
import { postgresCopies } from "./postgres-copies.ts";
import {
  checkNames,
  data,
  founding,
  given,
  joins,
  loginsOf,
  memory,
  optionsOf,
  ownerOf,
  password,
  sameVersion,
  saving,
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
  const logins = loginsOf(p, name);
  const { admin } = logins;
  const slot = `${name}-1`;
  const host = p.address(slot);
  const drill = p.address(drillHost(slot));
  const options = optionsOf(ask);
  const server = serverOf(ask, admin.file);
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
          ...{ host, drill },
          ...saving(host, logins, ask),
        }),
        drillServer: { ...server, ...memory(512), names: [], command: drillCommand(password, options), replicas: 1 },
      },
    },
  }));
  // A server that answers is not enough: what waits for the store needs its databases.
  const setup = p.job(`${name}-setup`, {
    ...setUp(host, ask, logins),
    after: first ? [first] : [],
  });
  const at = { host: ask.names?.[0] ?? host, port: 5432, members: [slot] };
  return { ...at, ...given(name, ask, logins), ready: setup.ready };
};

/**
 * The same on a server that the place brings: RDS, Cloud SQL, Flexible Server. Its address is known only when it is
 * there, so scripts read it from a file. A drill restores into a container of ours.
 */
export const managedPostgres: Recipe<"postgres"> = (p, name, ask) => {
  const server = p.managed("postgres", name, ask);
  const logins = loginsOf(p, name, server.password);
  const { admin } = logins;
  // The stack's one toolbox has those of all its servers.
  const hostFile = { path: `/run/postgres/${name}-host`, content: output(server.host) };
  const host = `"$(cat ${hostFile.path})"`;
  const drill = p.address(drillHost(name));
  const role = { ...ownerOf(ask), superuser: false, more: joins };
  const setup = setUp(host, ask, logins, role);
  const made = p.job(`${name}-setup`, { ...setup, files: [...setup.files, hostFile], after: [server] });
  const out = postgresDump({ host, drill, ...saving(name, logins, ask, role) });
  p.dump(name, {
    ...out,
    files: [...(out.files ?? []), hostFile],
    drillServer: {
      ...serverOf(ask, admin.file),
      ...memory(512),
      names: [],
      command: drillCommand(password, optionsOf({ ...ask, gib: 1 })),
      replicas: 1,
    },
  });
  return { ...server, ...given(name, ask, logins), ready: made.ready };
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
