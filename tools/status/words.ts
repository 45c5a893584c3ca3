/** Words of somebody else's, made fit to be shown. */
import { stripVTControlCharacters } from "node:util";

import { redactor } from "../../comment/secrets.ts";
import type { Quote } from "./model.ts";

/** Controls, and what turns a line's direction or hides in it. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** One line without anything that a terminal would act on. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(unseen, " ").replaceAll(/ {2,}/g, " ").trim();
}

const longest = 200;

/** `secrets`: the stack's own; undefined if they could not be read, and then nobody is quoted. */
export function quoting(secrets: readonly string[] | undefined): Quote {
  if (secrets === undefined) return (words) => (words.trim() === "" ? "" : "[not shown: its secrets cannot be read]");
  const redact = redactor(secrets);
  return (words) => {
    // A secret of several lines is found before they become one.
    const text = clean(redact(words));
    return text.length > longest ? `${text.slice(0, longest)}…` : text;
  };
}
