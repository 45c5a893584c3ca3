import { setTimeout as sleep } from "node:timers/promises";

import { connect, type ChannelModel, type ConfirmChannel } from "amqplib";

import type { MediaStores } from "../config/media.ts";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

/** One connection for the whole process, to whichever node answers; made anew when it ends. */
export class Rabbit {
  readonly #access: MediaStores["rabbit"];
  #channel: Promise<ConfirmChannel> | undefined;

  constructor(access: MediaStores["rabbit"]) {
    this.#access = access;
  }

  get target(): string {
    const { hosts, port, exchange } = this.#access;
    return `${hosts.join(",")}:${String(port)} ${exchange}`;
  }

  channel(): Promise<ConfirmChannel> {
    this.#channel ??= this.#open().catch((error: unknown) => {
      this.#channel = undefined;
      throw error;
    });
    return this.#channel;
  }

  /** Persistent; resolves when the cluster has taken it. */
  async publish(key: string, message: unknown): Promise<void> {
    const channel = await this.channel();
    await new Promise<void>((resolve, reject) => {
      const body = Buffer.from(JSON.stringify(message));
      channel.publish(this.#access.exchange, key, body, { persistent: true }, (error: unknown) => {
        if (error === null || error === undefined) resolve();
        else reject(error instanceof Error ? error : new Refusal("rabbit did not take the message"));
      });
    });
  }

  /** A message to this host alone, through the exchange and back. */
  async roundTrip(host: string): Promise<void> {
    const channel = await this.channel();
    const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true });
    try {
      const key = `probe.${host}`;
      await channel.bindQueue(queue, this.#access.exchange, key);
      const value = String(Date.now());
      await this.publish(key, value);
      for (let attempt = 0; attempt < 20; attempt++) {
        const got = await channel.get(queue, { noAck: true });
        if (got !== false && got.content.toString() === JSON.stringify(value)) return;
        await sleep(50);
      }
      throw new Refusal("rabbit took a message and did not deliver it");
    } finally {
      await channel.deleteQueue(queue).catch(() => undefined);
    }
  }

  /** This region's own queue, on all nodes: each message is answered once `handle` has done its work. For ever. */
  async consume(queue: string, keys: string, handle: (message: unknown) => Promise<void>): Promise<never> {
    for (;;) {
      await this.#consumeUntilLost(queue, keys, handle).catch(() => undefined); // the check `rabbit` says what is wrong
      await sleep(1000);
    }
  }

  async #consumeUntilLost(queue: string, keys: string, handle: (message: unknown) => Promise<void>): Promise<void> {
    const channel = await this.channel();
    await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
    await channel.bindQueue(queue, this.#access.exchange, keys);
    await channel.prefetch(10);
    await new Promise<void>((resolve, reject) => {
      channel.once("close", resolve);
      channel
        .consume(queue, (message) => {
          if (message === null) {
            resolve(); // the queue has gone
            return;
          }
          handle(JSON.parse(message.content.toString()))
            .then(() => {
              channel.ack(message);
            })
            .catch(async () => {
              await sleep(1000);
              channel.nack(message);
            })
            .catch(() => undefined); // a channel that has closed meanwhile delivers it again
        })
        .catch(reject);
    });
  }

  async #open(): Promise<ConfirmChannel> {
    const connection = await this.#connect();
    const lost = () => {
      this.#channel = undefined;
    };
    connection.on("error", lost);
    connection.on("close", lost);
    const channel = await connection.createConfirmChannel();
    channel.on("error", lost);
    channel.on("close", lost);
    return channel;
  }

  /** Any node, in another order each time. */
  async #connect(): Promise<ChannelModel> {
    const { hosts, port, user, password, tls } = this.#access;
    let last: unknown = new Refusal("no host");
    for (const hostname of hosts.toSorted(() => Math.random() - 0.5)) {
      try {
        const protocol = tls ? "amqps" : "amqp";
        const at = { protocol, hostname, port, username: user, password, heartbeat: 10 };
        return await connect(at, { timeout: 2000 });
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/** Publishes to the exchange and gets the message back from a queue of its own. */
export function amqp(rabbit: Rabbit, host: string): Check {
  return {
    name: "rabbit",
    target: rabbit.target,
    required: true,
    run: async () => {
      await rabbit.roundTrip(host);
      return "message published and delivered";
    },
  };
}
