/** All of test/docker/solr.test.ts, of which `npm test` has the beginning. */
import { whole } from "../support/later.ts";

whole();
await import("../docker/solr.test.ts");
