/** Text in an SVG: how wide it is, and how it is escaped. */

/**
 * The width of a text in Helvetica, about, without asking a font: the same on every machine. A letter that is not listed
 * counts as a wide one.
 */
export function widthOf(text: string, size: number, bold = false): number {
  const units = Array.from(text).reduce((sum, letter) => sum + unitsOf(letter), 0);
  return (units / 1000) * size * (bold ? 1.1 : 1);
}

const widths: readonly (readonly [letters: RegExp, units: number])[] = [
  [/[ijl'|]/, 222],
  [/[ ftI.,:;!/\\[\]·]/, 278],
  [/[r()`*-]/, 333],
  [/[ckszvxyJ]/, 500],
  [/[abdeghnopqu0-9L?#$_+=<>~^×]/, 556],
  [/[ABEKPSVXYFTZ&]/, 667],
  [/[wCDHNRU]/, 722],
  [/[GOQ]/, 778],
  [/[mM]/, 833],
];
function unitsOf(letter: string): number {
  return widths.find(([letters]) => letters.test(letter))?.[1] ?? 1000;
}

/** The beginning of a text that fits; `…` says that there was more. */
export function fitted(text: string, size: number, most: number, bold = false): string {
  if (widthOf(text, size, bold) <= most) return text;
  const letters = Array.from(text);
  while (letters.length > 0 && widthOf(`${letters.join("")}…`, size, bold) > most) letters.pop();
  return `${letters.join("")}…`;
}

const special: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for XML. Letters that XML cannot have become a question mark. */
export function escaped(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "?")
    .replaceAll(/[&<>"]/g, (letter) => special[letter] ?? letter);
}

/** A coordinate: digits that nobody sees would differ. */
export function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}
