/** All of test/docker/postgres-copies.test.ts, of which `npm test` has the beginning. */
import { whole } from "../support/later.ts";

whole();
await import("../docker/postgres-copies.test.ts");
