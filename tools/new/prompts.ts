/** Questions on a terminal. */
import process from "node:process";

import { confirm, isCancel, log, select, text as ask } from "@clack/prompts";

// A terminal may not know its size: each letter would be on a line of its own.
if (process.stdout.columns === 0) Object.assign(process.stdout, { columns: 80, rows: 24 });

/** The user has ended the questions, with Ctrl-C or Escape. */
export class Ended extends Error {}

function answer<T>(given: T): Exclude<T, symbol> {
  if (isCancel(given)) throw new Ended();
  return given as Exclude<T, symbol>;
}

/** `wrong`: why an answer is none; undefined: it is one. */
async function text(
  message: string,
  offered: string,
  wrong: (text: string) => string | undefined,
  example?: string,
): Promise<string> {
  const given = await ask({
    message,
    initialValue: offered,
    ...(example === undefined ? {} : { placeholder: example }),
    validate: (value = "") => wrong(value),
  });
  return answer(given);
}

async function yesOrNo(message: string, usual: boolean): Promise<boolean> {
  return answer(await confirm({ message, initialValue: usual }));
}

/** `disabled`: why a choice is none. */
async function choice<T>(
  message: string,
  choices: readonly { readonly value: T; readonly label: string; readonly disabled?: string | undefined }[],
  usual: unknown,
): Promise<T | undefined> {
  const options = choices.map(({ label, disabled }, value) => ({
    value,
    label,
    ...(disabled === undefined ? {} : { disabled: true, hint: disabled }),
  }));
  const fits = (index: number): boolean => choices[index]?.disabled === undefined;
  const wished = choices.findIndex(({ value }, index) => value === usual && fits(index));
  const initialValue = wished >= 0 ? wished : options.findIndex(({ value }) => fits(value));
  return choices[answer(await select({ message, options, initialValue }))]?.value;
}

export const prompts = { text, yesOrNo, choice, say: (line: string): void => log.warn(line) };
