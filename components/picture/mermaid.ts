/** A picture as Mermaid's text, which forges draw in comments and pages. */
import type { List } from "../core/contracts.ts";
import { type Band, bands, type Card, type Frame, type Picture, tagsOf } from "./model.ts";

const titles: { readonly [B in Band]: string } = {
  world: "",
  edge: "edge",
  app: "app",
  data: "data: no way out",
  isolated: "isolated",
  outside: "",
};

/** `flowchart TB` with a subgraph for each tier. Names are quoted: nothing in them is syntax. */
export function mermaid({ title, where, frames, arrows }: Picture): string {
  const lines = (band: Band): string[] => frames.filter((frame) => frame.band === band).flatMap(drawn);
  const ids = new Map(frames.map((frame) => [frame.id, idOf(frame)]));
  const tiers = bands.filter((band) => titles[band] !== "");
  return [
    "flowchart TB",
    ...indented(lines("world")),
    `  subgraph stack [${quoted(`${title}: ${where}`)}]`,
    ...tiers.flatMap((band) => indented(indented(subgraph(band, titles[band], lines(band))))),
    "  end",
    ...indented(lines("outside")),
    ...arrows.map(([from, to]) => `  ${ids.get(from) ?? ""} --> ${ids.get(to) ?? ""}`),
    "",
  ].join("\n");
}

function drawn(frame: Frame): string[] {
  const nodes = frame.cards.map((card) => node(card, nodeId(card)));
  return nodes.length === 1 ? nodes : subgraph(idOf(frame), " ", nodes);
}

/** By names, so that one part more is one line more. None is a word of Mermaid's, as `end`. */
function nodeId({ id }: Card): string {
  return `n_${id.replaceAll(/[^a-zA-Z0-9]/g, (letter) => (letter === "-" ? "_" : `_${String(letter.codePointAt(0))}_`))}`;
}

function idOf({ cards }: Frame): string {
  const [first] = cards;
  if (first === undefined) return "";
  return cards.length === 1 ? nodeId(first) : `with_${nodeId(first)}`;
}

function subgraph(id: string, title: string, lines: List<string>): string[] {
  return lines.length === 0 ? [] : [`subgraph ${id} [${quoted(title)}]`, ...indented(lines), "end"];
}

/** A store is a cylinder, what exists or is managed has round ends. */
function node(card: Card, id: string): string {
  const { by, title, says, members, routes } = card;
  const disks =
    members.length === 0
      ? []
      : [`${members.length === 1 ? "" : `${String(members.length)} × `}${members[0]?.disk ?? ""}`];
  const text = quoted([title, ...says, ...disks, ...few(routes), ...tagsOf(card)].join("\n"));
  const [open, close] =
    by === "slots" ? ["[(", ")]"] : by === "managed" || by === "existing" ? ["([", "])"] : ["[", "]"];
  return `${id}${open}${text}${close}`;
}

/** The first names of a long list. */
export function few(names: List<string>, most = 3): string[] {
  if (names.length <= most) return [...names];
  return [...names.slice(0, most - 1), `and ${String(names.length - most + 1)} more`];
}

const indented = (lines: List<string>): string[] => lines.map((line) => `  ${line}`);

/** Mermaid's own escapes are `#` and a character's number. */
function quoted(text: string): string {
  const escaped = text.replaceAll(/[^\p{L}\p{N} .,:/×@_()'-]/gu, (letter) =>
    letter === "\n" ? "<br>" : `#${String(letter.codePointAt(0))};`,
  );
  return `"${escaped}"`;
}
