/** The losses that a run of `npm run test:swarm` has seen, as a table. */

/** One loss. Times are in seconds, but for `slowest`, in milliseconds. */
export interface Failure {
  readonly system: string;
  /** What was lost: a node and what ran on it, a process, a disk. */
  readonly killed: string;
  /** Requests through the edge from a little before the loss until all was as before. */
  readonly sent?: number;
  /** How many of these were not answered below 400. No client tried again, unless `killed` says so. */
  readonly lost?: number;
  readonly slowest?: number;
  /** From the loss until everything ran that can run elsewhere. */
  readonly elsewhere?: number;
  /** From the node's return, or from the loss where nothing returns, until all was as before. */
  readonly back?: number;
  /** How many rows of those written before and during the loss are gone for good. */
  readonly rows?: number;
}

/** Markdown, in the order in which they happened. */
export function failureTable(failures: readonly Failure[]): string[] {
  if (failures.length === 0) return [];
  const cell = (value: number | undefined, unit = ""): string =>
    value === undefined ? "–" : `${String(value)}${unit}`;
  return [
    "## What was lost, and what it cost",
    "",
    "Requests are of a steady load through an edge that stayed, without a second try unless a row says so. Elsewhere: until",
    "what can run on another node did. Back: from the node's return (or from the loss, where nothing returns) until all was",
    "as before, stores' copies with it.",
    "",
    "Applications rehearse; ShinyProxy, Grafana and ArangoDB are stand-ins; stores, proxies and the swarm are real. What has",
    "one copy is away until it runs elsewhere or its node is back: ShinyProxy and its Redis, Pyrus' databases, all that media",
    "has on its only manager; `copies` are the same with three of each. Requests to ArangoDB and messages to RabbitMQ wait",
    "while a copy takes over; those that wait longer than ten seconds count as lost.",
    "",
    "| system | killed | requests | lost | slowest | elsewhere | back | rows lost |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...failures.map(({ system, killed, sent, lost, slowest, elsewhere, back, rows }) =>
      [
        "",
        ...[system, killed.replaceAll("|", "\\|"), cell(sent), cell(lost), cell(slowest, " ms")],
        ...[cell(elsewhere, " s"), cell(back, " s"), cell(rows)],
        "",
      ]
        .join(" | ")
        .trim(),
    ),
    "",
  ];
}

/** Reads the lines that tests have appended; an empty line is none. */
export function failuresOf(lines: string): Failure[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Failure);
}
