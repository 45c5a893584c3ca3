/** AWS's older protocol: a form as the question, XML as the answer. */
import { isBag } from "../wire.ts";

import type { Bag } from "../wire.ts";

/** `Names.member.1=a` as `{ Names: ["a"] }`. Only flat lists are asked for. */
export function readQuery(body: string): Bag {
  const found: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(body)) {
    const [name = key, member] = key.split(".member.");
    if (member === undefined) found[name] = value;
    else found[name] = [...((found[name] as string[] | undefined) ?? []), value];
  }
  return found;
}

export function xml(action: string, result: Bag): string {
  const inside = `<${action}Result>${written(result)}</${action}Result>`;
  const id = "<ResponseMetadata><RequestId>00000000-0000-4000-a000-000000000000</RequestId></ResponseMetadata>";
  return `<${action}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">${inside}${id}</${action}Response>`;
}

export function xmlError(code: string, message: string): string {
  const error = `<Type>Sender</Type><Code>${escaped(code)}</Code><Message>${escaped(message)}</Message>`;
  return `<ErrorResponse><Error>${error}</Error><RequestId>00000000</RequestId></ErrorResponse>`;
}

/** The same as EC2 has it: without a result of its own, and with items for members. */
export function ec2Xml(action: string, result: Bag): string {
  const id = "<requestId>00000000-0000-4000-a000-000000000000</requestId>";
  return `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${id}${written(result, "item")}</${action}Response>`;
}

export function ec2Error(code: string, message: string): string {
  const error = `<Code>${escaped(code)}</Code><Message>${escaped(message)}</Message>`;
  return `<Response><Errors><Error>${error}</Error></Errors><RequestID>00000000</RequestID></Response>`;
}

function written(value: unknown, member = "member"): string {
  if (Array.isArray(value)) return value.map((item) => `<${member}>${written(item, member)}</${member}>`).join("");
  if (!isBag(value)) return escaped(String(value));
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => `<${key}>${written(item, member)}</${key}>`)
    .join("");
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
