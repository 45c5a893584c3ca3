import { Refusal } from "../errors.ts";

export type UsageEvent = "Login" | "Logout" | "ProxyStart" | "ProxyStop";

/** One point, byte for byte as containerproxy's InfluxDBCollector writes it; anything but 204 is a failure. */
export async function record(url: string, user: string, type: UsageEvent, data = ""): Promise<void> {
  const space = (text: string): string => text.replaceAll(" ", "\\ ");
  const body = `event,username=${space(user)},type=${space(type)} data="${data}"`;
  const answer = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(5000) });
  if (answer.status !== 204)
    throw new Refusal(`usage statistics: ${String(answer.status)} ${(await answer.text()).slice(0, 200)}`);
}
