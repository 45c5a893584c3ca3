/** What one Redis server and three of them have in common. */
import type { Dict, Slot } from "../core/contracts.ts";

/** Where the servers listen, and the proxy in front of three. */
export const port = 6379;
/** Where each of three does, by its number. */
export const memberPort = (number: number): number => port + number;

const folder = "/run/redis";
/** Files of a server. */
export const paths = {
  conf: `${folder}/redis.conf`,
  /** The clients' password. */
  password: `${folder}/password`,
  /** The password of the members among each other. */
  members: `${folder}/members-password`,
  sentinel: `${folder}/sentinel.conf`,
  /** The sentinel's settings for the three, which it takes only once it knows who leads. */
  group: `${folder}/group.conf`,
} as const;

/** A server as its slot has it, wherever it runs. */
export type Server = Omit<Slot, "image"> & Required<Pick<Slot, "files" | "ports">>;

/** For redis-cli, as a client. */
export const signIn = `REDISCLI_AUTH="$(cat ${paths.password})"; export REDISCLI_AUTH\n`;

/** A configuration file. */
export function lines(settings: Dict<string>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}
