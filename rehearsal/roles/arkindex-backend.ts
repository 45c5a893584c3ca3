import type { Check } from "../checks/check.ts";
import { withRedis } from "../checks/redis.ts";
import { Refusal } from "../errors.ts";
import type { MakeRole } from "../role.ts";
import { arkindex, migrations, storeChecks, type Arkindex } from "./arkindex.ts";
import { backendRoutes } from "./arkindex-routes.ts";
import { enqueue, lastHeartbeat } from "./queue.ts";

/** The REST API: every store, the migrations, a job for the worker at each round. */
export const arkindexBackend: MakeRole = (given) => {
  const app = arkindex(given);
  return {
    name: "arkindex-backend",
    title: "Arkindex backend",
    version: app.version,
    port: 8000,
    checks: [...storeChecks(app, given.host, (client) => enqueue(client, given.host)), migrations(app), worker(app)],
    handle: backendRoutes(app),
  };
};

/** The check of the worker. Not required, as the worker starts after the backend. */
function worker(app: Arkindex): Check {
  return {
    name: "worker",
    target: "through the queue in Redis",
    required: false,
    run: () =>
      withRedis(app.redis, async (client) => {
        const beat = await lastHeartbeat(client);
        if (beat === undefined) throw new Refusal("no worker has answered a job in the last 30 s");
        return `${beat} answers jobs`;
      }),
  };
}
