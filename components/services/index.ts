import type { Services } from "../core/topology.ts";
import { Elasticsearch } from "./elasticsearch.ts";
import { Nats } from "./nats.ts";
import { ObjectStore } from "./objects.ts";
import { Postgres } from "./postgres.ts";
import { Redis } from "./redis.ts";
import { Solr } from "./solr.ts";

/** What supplies each kind where a topology knows nothing better: containers. */
export const containerServices: Services = {
  postgres: Postgres,
  redis: Redis,
  objects: ObjectStore,
  solr: Solr,
  elasticsearch: Elasticsearch,
  nats: Nats,
};
