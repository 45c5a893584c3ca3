import { output, type Output } from "@pulumi/pulumi";

import type { Endpoint } from "./contracts.ts";

/** Where a server answers that speaks HTTP, as its clients write it: with its own scheme, and no port that this implies. */
export function urlOf({ host, port, tls = false }: Endpoint): Output<string> {
  const usual = tls ? 443 : 80;
  return output(host).apply((name) => {
    const at = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
    return `${tls ? "https" : "http"}://${at}${port === usual ? "" : `:${String(port)}`}`;
  });
}
