import type { Services } from "../core/topology.ts";
import { ContainerApi } from "./containers.ts";
import { Influx } from "./influx.ts";
import { ObjectStore } from "./objects.ts";
import { OpenId } from "./oidc.ts";
import { Postgres } from "./postgres.ts";
import { Redis } from "./redis.ts";
import { Solr } from "./solr.ts";

/** What supplies each kind where a topology knows nothing better: containers. */
export const containerServices: Services = {
  postgres: Postgres,
  redis: Redis,
  objects: ObjectStore,
  solr: Solr,
  influx: Influx,
  oidc: OpenId,
  containers: ContainerApi,
};
