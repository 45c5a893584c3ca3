/**
 * What other programs import. A provider's SDK is loaded when something is made by it. Each service, system and topology
 * has a path of its own as well: `platform-topologies/services/postgres`, `/systems/arkindex`, `/docker`.
 */
export type * from "./core/contracts.ts";
export { ConfigError, type Problem } from "./core/errors.ts";
export type { Existing } from "./core/existing.ts";
export type { Image } from "./core/images.ts";
export { Service } from "./core/service.ts";
export { siteOf, type SiteArgs } from "./core/site.ts";
export { type Endpoint, type SystemArgs, SystemComponent } from "./core/system.ts";
export type * from "./core/topology.ts";

export { AwsRegion, type AwsRegionArgs } from "./topologies/aws/index.ts";
export { DockerHost, type DockerHostArgs } from "./topologies/docker/index.ts";
export { Swarm, type SwarmArgs } from "./topologies/swarm/index.ts";

export { Cassandra } from "./services/cassandra.ts";
export { ContainerApi } from "./services/containers.ts";
export { Elasticsearch } from "./services/elasticsearch.ts";
export { Influx } from "./services/influx.ts";
export { Nats } from "./services/nats.ts";
export { ObjectStore } from "./services/objects.ts";
export { OpenId } from "./services/oidc.ts";
export { Postgres } from "./services/postgres.ts";
export { RabbitMq } from "./services/rabbitmq.ts";
export { Redis } from "./services/redis.ts";
export { Solr } from "./services/solr.ts";
export { containerServices } from "./services/index.ts";
export { MachineSwarm } from "./services/swarm.ts";

export { ArangoDb, type ArangoDbConfig } from "./systems/arangodb/arangodb.ts";
export { Arkindex, type ArkindexConfig } from "./systems/arkindex.ts";
export { type MachinesConfig, SwarmMachines } from "./systems/machines.ts";
export { type MediaConfig, MediaPlatform } from "./systems/media.ts";
export { Pyrus, type PyrusConfig } from "./systems/pyrus/pyrus.ts";
export type { ShinyProxyConfig } from "./systems/shinyproxy/config.ts";
export { ShinyProxy } from "./systems/shinyproxy/shinyproxy.ts";
