import { amqp, Rabbit } from "../checks/amqp.ts";
import { Cassandra, cassandra } from "../checks/cassandra.ts";
import type { Check } from "../checks/check.ts";
import { redis } from "../checks/redis.ts";
import { bucket, s3Client } from "../checks/s3.ts";
import { Search, search } from "../checks/search.ts";
import { mediaStores, type MediaStores } from "../config/media.ts";
import type { Given } from "../role.ts";

/** What every service of the media platform has in common: one file, the same stores. */
export interface Media {
  readonly stores: MediaStores;
  readonly cassandra: Cassandra;
  readonly rabbit: Rabbit;
  readonly search: Search;
  readonly s3: ReturnType<typeof s3Client>;
}

export function media(given: Given): Media {
  const stores = mediaStores(given);
  const { url: endpoint, region, key: accessKeyId, secret: secretAccessKey } = stores.objects;
  return {
    stores,
    cassandra: new Cassandra(stores.cassandra),
    rabbit: new Rabbit(stores.rabbit),
    search: new Search(stores.search),
    s3: s3Client({ endpoint, region, accessKeyId, secretAccessKey }),
  };
}

export function mediaChecks({ stores, cassandra: cluster, rabbit, search: index, s3 }: Media, host: string): Check[] {
  const { redis: cache, objects } = stores;
  const {
    hosts: [first = ""],
    ...access
  } = cache;
  return [
    cassandra(cluster, host),
    amqp(rabbit, host),
    search(index, host),
    redis({ host: first, ...access }, host),
    ...Object.values(objects.buckets).map((name) => bucket(s3, objects.url, name, host)),
  ];
}

/** An index message: what changed, with its version, so that it may come twice and late. */
export interface Change {
  readonly id: string;
  readonly version: number;
  readonly title: string;
}
export const index = "assets";
