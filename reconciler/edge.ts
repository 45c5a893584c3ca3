import { request } from "node:https";
import { connect } from "node:tls";

/** How anybody outside reaches a coordinator: through the edge, with the stack's own authority. */
export interface EdgeArgs {
  /** As `https://db.example.com`. */
  readonly url: string;
  readonly ca: string | undefined;
  readonly user: string;
  readonly password: string;
  /** Addresses of the edge, of which the first that answers is taken. None: the address of its name. */
  readonly addresses: readonly string[];
}

export type Ask = <T>(path: string) => Promise<T>;

/** Sends a GET, and returns the JSON answer. @throws one sentence if no edge node gives one. */
export function through({ url, ca, user, password, addresses }: EdgeArgs): Ask {
  const { hostname, port } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const ask = (address: string, path: string): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          path,
          headers: { authorization, host: new URL(url).host },
          createConnection: () =>
            connect({
              host: address,
              port: Number(port || 443),
              servername: hostname,
              ...(ca === undefined ? {} : { ca }),
            }),
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (part: string) => (text += part));
          answer.on("end", () => {
            resolve({ status: answer.statusCode ?? 0, text });
          });
        },
      );
      sent.setTimeout(10_000, () => sent.destroy(new Error("no answer within 10 s")));
      sent.on("error", reject);
      sent.end();
    });
  return async <T>(path: string) => {
    const failures: string[] = [];
    for (const address of addresses.length > 0 ? addresses : [hostname]) {
      try {
        const { status, text } = await ask(address, path);
        if (status === 200) return JSON.parse(text) as T;
        failures.push(`${address} answers ${String(status)}`);
      } catch (error) {
        failures.push(`${address}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new Error(`the cluster does not answer at ${url}${path}: ${failures.join("; ")}`);
  };
}
