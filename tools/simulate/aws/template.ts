/**
 * Texts with places to fill: `{12}` is that many hexadecimal digits, `{region}` and `{account}` are the provider's, any
 * other word is an input, `{cluster/}` its part behind the last slash, `{listenerArn:listener-rule}` an ARN of what is
 * below it, `{round family}` a revision, and `{id}` and `{arn}` are in `done`.
 */
import { textAt } from "../wire.ts";
import { region } from "./names.ts";

import type { Making } from "../cloud.ts";

export function written(template: string, making: Making, done: Readonly<Record<string, string>>): string {
  const { inputs, config, digits } = making;
  return template.replace(/\{([^}]*)\}/g, (_, word: string) => {
    if (/^\d+$/.test(word)) return digits(word, Number(word));
    if (word === "account") return config.account;
    if (word === "region") return region(inputs, config);
    if (word === "uuid") return uuid(digits("uuid", 32));
    if (word.startsWith("round ")) return String(making.round(textAt(inputs, word.slice(6)) ?? ""));
    if (word === "id" || word === "arn") return done[word] ?? "";
    const [, name = "", mark, kind = ""] = /^(\w+)([/:]?)(.*)$/.exec(word) ?? [];
    const value = textAt(inputs, name) ?? "";
    if (mark === "/") return value.split("/").at(-1) ?? "";
    // An ARN below another one: the listener of a balancer.
    return mark === ":" && kind !== "" ? value.replace(/:(?:loadbalancer|listener)\//, `:${kind}/`) : value;
  });
}

function uuid(digits: string): string {
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-a$4-$5");
}
