import { setTimeout as sleep } from "node:timers/promises";

import { connect, type ChannelModel, type ConfirmChannel } from "amqplib";

import type { MediaStores } from "../config/media.ts";
import { Refusal } from "../errors.ts";
import type { Check } from "./check.ts";

interface Open {
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
  /**
   * The health check's queue. It lives as long as the connection: a new one for each check would change the cluster.
   */
  probe?: Promise<string>;
}

/** One connection for the whole process, to any node that answers. It is made anew when it ends, or gives no answer. */
export class Rabbit {
  readonly #access: MediaStores["rabbit"];
  #open: Promise<Open> | undefined;

  constructor(access: MediaStores["rabbit"]) {
    this.#access = access;
  }

  get target(): string {
    const { hosts, port, exchange } = this.#access;
    return `${hosts.join(",")}:${String(port)} ${exchange}`;
  }

  /**
   * Publishes a persistent message; resolves when the cluster has taken it. It may come twice, as index messages may.
   */
  async publish(key: string, message: unknown): Promise<void> {
    let last: unknown;
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await this.#use((open) => this.#publish(open, key, message));
        return;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  async #publish({ channel }: Open, key: string, message: unknown): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const body = Buffer.from(JSON.stringify(message));
      channel.publish(this.#access.exchange, key, body, { persistent: true }, (error: unknown) => {
        if (error === null || error === undefined) resolve();
        else reject(error instanceof Error ? error : new Refusal("rabbit did not take the message"));
      });
    });
  }

  /** Sends a message to this host alone, through the exchange and back. */
  async roundTrip(host: string): Promise<void> {
    await this.#use(async (open) => {
      const key = `probe.${host}`;
      const queue = await (open.probe ??= this.#probe(open, key));
      const value = Date.now();
      await this.#publish(open, key, value);
      for (let attempt = 0; attempt < 20; attempt++) {
        const got = await open.channel.get(queue, { noAck: true });
        if (got !== false && got.content.toString() === String(value)) return;
        if (got === false) await sleep(50);
      }
      throw new Refusal("rabbit took a message and did not deliver it");
    }, 7000);
  }

  async #probe({ channel }: Open, key: string): Promise<string> {
    const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true });
    await channel.bindQueue(queue, this.#access.exchange, key);
    return queue;
  }

  /**
   * Reads this region's own queue, on all nodes, for ever. A message is acknowledged once `handle` has done its work.
   */
  async consume(queue: string, keys: string, handle: (message: unknown) => Promise<void>): Promise<never> {
    for (;;) {
      await this.#consumeUntilLost(queue, keys, handle).catch(() => undefined); // the check `rabbit` says what is wrong
      await sleep(1000);
    }
  }

  async #consumeUntilLost(queue: string, keys: string, handle: (message: unknown) => Promise<void>): Promise<void> {
    const { channel } = await this.#opened();
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
            .catch(() => undefined); // if the channel has closed meanwhile, the message comes again
        })
        .catch(reject);
    });
  }

  /** A node without power neither answers nor closes: after `patience` milliseconds another node is asked. */
  async #use<T>(work: (open: Open) => Promise<T>, patience = 3000): Promise<T> {
    const opened = this.#opened();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Refusal(`rabbit gives no answer within ${String(patience / 1000)} s`));
      }, patience);
    });
    try {
      return await Promise.race([opened.then(work), late]);
    } catch (error) {
      this.#lose(opened);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #opened(): Promise<Open> {
    if (this.#open !== undefined) return this.#open;
    const opening = this.#make();
    this.#open = opening;
    const lose = () => {
      this.#lose(opening);
    };
    opening.then(({ connection, channel }) => {
      connection.on("close", lose);
      channel.on("close", lose);
    }, lose);
    return opening;
  }

  #lose(open: Promise<Open>): void {
    if (this.#open === open) this.#open = undefined;
    open.then(({ connection }) => connection.close()).catch(() => undefined);
  }

  async #make(): Promise<Open> {
    const connection = await this.#connect();
    // An error without a listener would end the process. The close after the error is what counts.
    connection.on("error", () => undefined);
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => undefined);
    return { connection, channel };
  }

  /** Connects to any node, in another order each time. */
  async #connect(): Promise<ChannelModel> {
    const { hosts, port, user, password, tls } = this.#access;
    let last: unknown = new Refusal("no host");
    for (const hostname of hosts.toSorted(() => Math.random() - 0.5)) {
      try {
        const protocol = tls === undefined ? "amqp" : "amqps";
        const at = { protocol, hostname, port, username: user, password, heartbeat: 10 };
        return await connect(at, { timeout: 2000, ...tls });
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
