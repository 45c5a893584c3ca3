/** A media platform's region as a throw-away stack, and a client of its rehearsing services. */
import { call, dockerConfig, dockerStack, type DockerTest } from "./arkindex.ts";
import type { TestStack } from "./stack.ts";

export interface MediaTest extends DockerTest {
  /** The system's own config, over the small one. */
  readonly media?: Readonly<Record<string, unknown>>;
}

/**
 * One node of each store with the least memory that it starts with, and a service for each part of the rehearsed API.
 */
export const smallMedia = {
  nodes: 1,
  searchNodes: 1,
  cassandraMemoryMib: 1024,
  rabbitMemoryMib: 384,
  searchHeapMib: 384,
  redisMemoryMib: 64,
  services: { assets: { path: "/" }, files: { path: "/API/files/" }, indexer: {} },
};

export function mediaConfig(test: MediaTest): Record<string, unknown> {
  const backup = { everyHours: 24, to: { volume: `${test.name}-backup` } };
  return dockerConfig(test, { system: "media", backup, media: { ...smallMedia, ...test.media } });
}

export function mediaStack(test: MediaTest): Promise<TestStack> {
  return dockerStack(test, mediaConfig(test));
}

export interface MediaOutputs {
  readonly url: string;
  readonly ca: string;
  readonly rehearsing: string[];
  readonly endpoints: Readonly<Record<string, { host: string; port: number; user?: string }>>;
  readonly passwords: Readonly<Record<string, string>>;
}

/** The rehearsed API through the edge; throws where an answer is not the expected one. */
export class MediaApi {
  readonly #outputs: MediaOutputs;

  constructor(outputs: MediaOutputs) {
    this.#outputs = outputs;
  }

  async create(title: string): Promise<string> {
    return (await this.#json<{ id: string }>("/API/assets/", 201, "POST", JSON.stringify({ title }))).id;
  }
  async rename(id: string, title: string): Promise<void> {
    await this.#json(`/API/assets/${id}`, 200, "PUT", JSON.stringify({ title }));
  }
  async title(id: string): Promise<string> {
    return (await this.#json<{ title: string }>(`/API/assets/${id}`, 200)).title;
  }
  /** The ids of all assets, which a failure test compares with those that were acknowledged. */
  async ids(): Promise<string[]> {
    return (await this.#json<{ ids: string[] }>("/API/assets/", 200)).ids;
  }
  async search(text: string): Promise<string[]> {
    return (await this.#json<{ ids: string[] }>(`/API/search/?q=${encodeURIComponent(text)}`, 200)).ids;
  }

  async #json<T>(path: string, expected: number, method = "GET", sent?: string): Promise<T> {
    const options = sent === undefined ? { method } : { method, body: sent };
    const { status, body } = await call(this.#outputs.url + path, this.#outputs.ca, options);
    if (status !== expected) throw new Error(`${method} ${path}: ${String(status)} ${body}`);
    return JSON.parse(body) as T;
  }
}
