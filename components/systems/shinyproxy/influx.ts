import { output, type Output } from "@pulumi/pulumi";

import type { Given } from "../../core/contracts.ts";

/** `usage`: who signed in and what was started. `metrics`: nodes, services, events. */
export const databases = { usage: "shinyproxy", metrics: "telegraf" } as const;

export function influxUrl({ host, port, ca }: Given<"influx">): Output<string> {
  return output(host).apply((at) => `${ca === undefined ? "http" : "https"}://${at}:${String(port)}`);
}
