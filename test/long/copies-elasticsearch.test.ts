/** All of test/docker/elasticsearch.test.ts, of which `npm test` has the beginning. */
import { whole } from "../support/later.ts";

whole();
await import("../docker/elasticsearch.test.ts");
