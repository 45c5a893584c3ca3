/** Contenders by turns: each comes up, is looked at unchanged, and goes. */
import type { Say } from "../tools/setup/cache.ts";
import type { Contender } from "./contenders.ts";
import { median, seconds, table } from "./measure.ts";

const previews = 3;

interface Times {
  readonly contender: Contender;
  readonly up: number[];
  readonly preview: number[];
  readonly down: number[];
}

/** A table of medians. The others' cells say how much of each the first one takes, which is called `first` there. */
export async function inTurn(
  contenders: readonly Contender[],
  rounds: number,
  first: string,
  say: Say,
): Promise<string> {
  const times = contenders.map((contender): Times => ({ contender, up: [], preview: [], down: [] }));
  for (let round = 1; round <= rounds; round++)
    for (const each of times) {
      await measure(each);
      say(`round ${String(round)}, ${each.contender.name}: up ${(each.up.at(-1) ?? NaN).toFixed(1)} s`);
    }
  return compared(times, first);
}

async function measure({ contender, up, preview, down }: Times): Promise<void> {
  try {
    up.push(await seconds(() => contender.up()));
    for (let look = 0; contender.preview && look < previews; look++) preview.push(await seconds(contender.preview));
  } finally {
    down.push(await seconds(() => contender.down()));
  }
}

function compared(times: readonly Times[], first: string): string {
  const cell =
    (of: "up" | "preview" | "down") =>
    (each: Times, index: number): string => {
      if (each[of].length === 0) return "–";
      const took = median(each[of]);
      const ratio = median(times[0]?.[of] ?? []) / took;
      return `${took.toFixed(1)} s${index === 0 ? "" : ` (${first} is ${ratio.toFixed(2)} of it)`}`;
    };
  return table(
    ["", "up, until all is healthy", "unchanged preview or plan", "down"],
    times.map((each, index) => [
      each.contender.name,
      cell("up")(each, index),
      cell("preview")(each, index),
      cell("down")(each, index),
    ]),
  );
}
