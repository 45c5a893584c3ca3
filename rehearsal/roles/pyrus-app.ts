/** Pyrus' ten applications: each tries the stores that the vendor's chart has it wait for. */
import { setTimeout as sleep } from "node:timers/promises";

import { pyrusApps, type PyrusApp } from "../command.ts";
import type { Check } from "../checks/check.ts";
import { web } from "../checks/http.ts";
import { withPostgres } from "../checks/postgres.ts";
import { pyrusConfig, type PyrusConfig } from "../config/pyrus.ts";
import { Refusal } from "../errors.ts";
import type { Given, MakeRole, Role } from "../role.ts";
import { bus, databases, files, search, setup } from "./pyrus.ts";
import { events } from "./pyrus-bind.ts";
import { fileRoutes } from "./pyrus-files.ts";
import { webRoutes } from "./pyrus-web.ts";

type Store = "elastic" | "nats" | "s3" | "identity";
const most: readonly Store[] = ["elastic", "nats"];
const uses: Readonly<Record<PyrusApp, readonly Store[]>> = {
  "web-api": [...most, "s3"],
  files: [...most, "s3", "identity"],
  bind: ["nats"],
  "identity-server": [],
  "mail-sender": most,
  "mail-reader": most,
  "notification-service": most,
  "async-worker": [...most, "s3"],
  "preview-generator": [...most, "s3"],
  scheduler: [],
};

export const pyrusApp: MakeRole = (given) => {
  const app = pyrusApps.find((name) => `pyrus-${name}` === given.env.REHEARSAL_ROLE);
  if (app === undefined) throw new Refusal("REHEARSAL_ROLE names no application of Pyrus");
  const config = pyrusConfig(given);
  const more: Readonly<Record<Store, () => Check>> = {
    elastic: () => search(config, given),
    nats: () => bus(config, given.host),
    s3: () => files(config, given),
    identity: () => web("identity-server", "http://pyrus-identity-server/health/ready", 300),
  };
  return {
    name: `pyrus-${app}`,
    title: `Pyrus ${app}`,
    version: config.version,
    checks: [...databases(config, given.host), setup(config, given), ...uses[app].map((store) => more[store]())],
    readyPath: "/health/ready",
    ...particular(app, config, given),
  };
};

/** What only one of the applications has. */
function particular(app: PyrusApp, config: PyrusConfig, given: Given): Partial<Role> {
  switch (app) {
    case "web-api":
      return { port: 80, handle: webRoutes(config, given) };
    case "files":
      return { port: 18888, handle: fileRoutes(config, given) };
    case "bind":
      return { port: 80, ...events(config, given) };
    case "scheduler":
      return { port: 80, work: () => tick(config, given.host) };
    case "async-worker":
    case "preview-generator":
      return {};
    default:
      return { port: 80 };
  }
}

/** Writes a row with the host's name every two seconds: the table would show two schedulers at once. */
async function tick({ databases: { MAIN_CONN_STRING: main } }: PyrusConfig, host: string): Promise<never> {
  for (;;) {
    // The check of the database reports the error.
    await withPostgres(main, (client) => client.query("insert into rehearsal_ticks (host) values ($1)", [host])).catch(
      () => undefined,
    );
    await sleep(2000);
  }
}
