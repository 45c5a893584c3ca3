import { output, type Output } from "@pulumi/pulumi";

import type { Endpoint } from "./contracts.ts";

/** The URL of an HTTP server, as clients write it: without the port if the scheme implies it. */
export function urlOf({ host, port, tls = false }: Endpoint): Output<string> {
  const usual = tls ? 443 : 80;
  return output(host).apply((name) => {
    const at = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
    return `${tls ? "https" : "http"}://${at}${port === usual ? "" : `:${String(port)}`}`;
  });
}
