import type { MakeRole } from "../role.ts";
import { arkindex, migrations, storeChecks } from "./arkindex.ts";
import { takeJobs } from "./queue.ts";

/** `arkindex rqworker`: the backend's stores through the same file, and the queue's other end. No port. */
export const arkindexWorker: MakeRole = (given) => {
  const app = arkindex(given);
  return {
    name: "arkindex-worker",
    title: "Arkindex worker",
    version: app.version,
    checks: [...storeChecks(app, given.host), migrations(app)],
    work: () => takeJobs(app.redis, given.host),
  };
};
