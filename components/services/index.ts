import type { Services } from "../core/topology.ts";
import { Cassandra } from "./cassandra.ts";
import { ContainerApi } from "./containers.ts";
import { Elasticsearch } from "./elasticsearch.ts";
import { Influx } from "./influx.ts";
import { Nats } from "./nats.ts";
import { ObjectStore } from "./objects.ts";
import { OpenId } from "./oidc.ts";
import { Postgres } from "./postgres.ts";
import { RabbitMq } from "./rabbitmq.ts";
import { Redis } from "./redis.ts";
import { Solr } from "./solr.ts";

/** What supplies each kind where a topology knows nothing better: containers. */
export const containerServices: Services = {
  postgres: Postgres,
  redis: Redis,
  objects: ObjectStore,
  solr: Solr,
  amqp: RabbitMq,
  containers: ContainerApi,
  cql: Cassandra,
  elasticsearch: Elasticsearch,
  influx: Influx,
  nats: Nats,
  oidc: OpenId,
};
