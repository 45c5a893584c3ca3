/** All of test/docker/redis-copies.test.ts, of which `npm test` has the beginning. */
import { whole } from "../support/later.ts";

whole();
await import("../docker/redis-copies.test.ts");
