/** What the reconciler has to know of a kind of store. A new kind is a file and a row in `index.ts`. */
import type { Standing } from "../judgement.ts";

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface Cluster {
  /** The members' slots, which are their names in the data network, too. */
  readonly hosts: readonly string[];
  /** As the stack's outputs have it. */
  readonly login: Login;
}

export interface StoreKind {
  /**
   * Bash, run in the toolbox in the data network: prints what the cluster says of itself, as JSON. `$login` is the path of
   * a file with what `login` returns. It fails if no member answers.
   */
  script(hosts: readonly string[]): string;
  /** The content of that file. */
  login(login: Login): string;
  /** What an answer of the script says of each of the hosts. Pure. */
  read(answer: unknown, hosts: readonly string[]): Readonly<Record<string, Standing>>;
}

/** One standing for each of the hosts. */
export function each(
  hosts: readonly string[],
  well: (host: string) => boolean,
  danger: (host: string) => string | undefined,
): Record<string, Standing> {
  return Object.fromEntries(
    hosts.map((host) => [host, { status: well(host) ? "well" : "down", danger: danger(host) } as const]),
  );
}

/** Bash: the words of the first host that answers to the command, which finds it in `$host`; fails if none does. */
export function firstOf(hosts: readonly string[], command: string): string {
  return `for host in ${hosts.join(" ")}; do if ${command}; then exit; fi; done
exit 1`;
}

/** Danger for whoever is lost beside others: a majority of all has to be well without it. */
export function noMajority(host: string, hosts: readonly string[], well: (host: string) => boolean) {
  const others = hosts.filter((other) => other !== host && well(other)).length;
  return others > hosts.length / 2
    ? undefined
    : `${String(others)} of the ${String(hosts.length)} members are well without it, which is no majority`;
}
