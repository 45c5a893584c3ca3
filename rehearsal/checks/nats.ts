import { jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";

import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

export interface NatsAccess {
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** How many copies JetStream keeps. */
  readonly replicas: number;
}

const stream = "REHEARSAL";

/** A connection of its own for each try; it does not reconnect. */
export async function withNats<T>(access: NatsAccess, work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await natsConnection(access, false);
  try {
    return await work(connection);
  } finally {
    void connection.close().catch(() => undefined);
  }
}

export async function natsConnection(
  { host, user, password }: NatsAccess,
  reconnect: boolean,
): Promise<NatsConnection> {
  try {
    return await connect({
      servers: `${host}:4222`,
      user,
      pass: password,
      timeout: 7500,
      reconnect,
      maxReconnectAttempts: -1,
    });
  } catch (error) {
    if (error instanceof Error && /authorization/i.test(error.message))
      throw new Refusal("nats does not accept this user and password");
    throw error;
  }
}

/** Signs in, keeps a message on disk in a stream of as many copies as there are servers, and gets it back. */
export function nats(access: NatsAccess, host: string): Check {
  return {
    name: "nats",
    target: `${access.host}:4222`,
    required: true,
    run: () =>
      withNats(access, async (connection) => {
        const manager = await jetstreamManager(connection, { timeout: 3000 });
        await manager.streams.add({
          name: stream,
          subjects: ["rehearsal.probe.>"],
          storage: StorageType.File,
          retention: RetentionPolicy.Limits,
          num_replicas: access.replicas,
          max_msgs_per_subject: 1,
        });
        const subject = `rehearsal.probe.${host}`;
        const value = String(Date.now());
        await manager.jetstream().publish(subject, value);
        const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
        if (message?.string() !== value) throw new Refusal("nats gave back another message than was published");
        const payload = connection.info?.max_payload ?? 0;
        return `message kept ${String(access.replicas)} times and read back, payloads up to ${String(payload)} bytes`;
      }),
  };
}
