/** A card of a picture: its title, what it says, its disks. */
import { type Card, type Frame, tagsOf } from "../../components/picture/model.ts";
import { few } from "../../components/picture/mermaid.ts";
import { at, escaped, fitted, widthOf } from "./text.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}
export interface Point {
  readonly x: number;
  readonly y: number;
}
export type Box = Point & Size;

const titleSize = 13.5;
const textSize = 11;
const tagSize = 9;
const pad = 12;
const lineHeight = 16;
const widest = 250;
/** Between cards of a frame, and around them. */
const gap = 10;

interface Row {
  readonly text: string;
  readonly class: "says" | "route" | "disk";
  /** At the right end. */
  readonly more?: string;
}

function rowsOf({ says, routes, members }: Card): Row[] {
  const disks = members.map(({ name, disk, where }) => ({
    text: name,
    class: "disk" as const,
    more: where === undefined || where === "" || says.includes(where) ? disk : `${disk} · ${where}`,
  }));
  const shown = disks.length <= 7 ? disks : disks.slice(0, 5);
  return [
    ...says.map((text) => ({ text, class: "says" as const })),
    ...few(routes).map((text) => ({ text, class: "route" as const })),
    ...shown,
    ...(shown === disks ? [] : [{ text: `and ${String(disks.length - shown.length)} more`, class: "says" as const }]),
  ];
}

const tagWidth = (tag: string): number => widthOf(tag, tagSize) + 10;
const diskIcon = 16;

function naturalSize(card: Card): Size {
  const tags = tagsOf(card).reduce((sum, tag) => sum + tagWidth(tag) + 8, 0);
  const rows = rowsOf(card);
  const wide = rows.map(({ text, more, class: kind }) => {
    const right = more === undefined ? 0 : widthOf(more, textSize) + 14;
    return widthOf(text, textSize) + right + (kind === "disk" || kind === "route" ? diskIcon : 0);
  });
  const width = Math.max(
    100,
    Math.min(widest, 2 * pad + Math.max(widthOf(card.title, titleSize, true) + tags, ...wide)),
  );
  return { width: Math.ceil(width), height: 2 * pad + 14 + (rows.length > 0 ? 6 : 0) + rows.length * lineHeight - 4 };
}

/** Rows of at most so many: all cards are as wide as the widest, and those of a row as high as the highest. */
function grid(cards: readonly Card[], most: number) {
  const sizes = cards.map(naturalSize);
  const width = Math.max(...sizes.map((size) => size.width));
  const columns = Math.ceil(cards.length / Math.ceil(cards.length / most));
  const heights: number[] = [];
  for (const [index, { height }] of sizes.entries()) {
    const row = Math.floor(index / columns);
    heights[row] = Math.max(heights[row] ?? 0, height);
  }
  return { width, columns, heights };
}

export function sizeOf({ cards }: Frame, most: number): Size {
  const { width, columns, heights } = grid(cards, most);
  const around = cards.length === 1 ? 0 : 2 * gap;
  return {
    width: columns * width + (columns - 1) * gap + around,
    height: heights.reduce((sum, height) => sum + height, 0) + (heights.length - 1) * gap + around,
  };
}

/** A frame with its cards, its corner at `x`, `y`. One card alone needs no frame. */
export function frameSvg({ cards }: Frame, most: number, { x, y, ...size }: Box): string {
  const { width, columns, heights } = grid(cards, most);
  const alone = cards.length === 1;
  const inset = alone ? 0 : gap;
  const drawn = cards.map((card, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const above = heights.slice(0, row).reduce((sum, height) => sum + height + gap, 0);
    const box = { width, height: heights[row] ?? 0 };
    return cardSvg(card, x + inset + column * (width + gap), y + inset + above, box);
  });
  return [...(alone ? [] : [rect("frame", x, y, size, 12)]), ...drawn].join("\n");
}

export function rect(name: string, x: number, y: number, { width, height }: Size, radius: number): string {
  return `<rect class="${name}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" rx="${String(radius)}"/>`;
}

export function text(name: string, x: number, y: number, content: string): string {
  return `<text class="${name}" x="${at(x)}" y="${at(y)}">${escaped(content)}</text>`;
}

function cardSvg(card: Card, x: number, y: number, size: Size): string {
  const right = x + size.width - pad;
  const inner = size.width - 2 * pad;
  let tagsAt = right;
  const tags = tagsOf(card)
    .reverse()
    .flatMap((tag) => {
      const width = tagWidth(tag);
      tagsAt -= width;
      const made = [
        rect(`tag ${tag}`, tagsAt, y + pad - 2, { width, height: 14 }, 7),
        text(`tag-text ${tag}`, tagsAt + 5, y + pad + 8.5, tag),
      ];
      tagsAt -= 6;
      return made;
    });
  const rows = rowsOf(card).map(({ text: content, class: kind, more }, index) => {
    const base = y + pad + 14 + 6 + index * lineHeight + 9;
    const indent = kind === "says" ? 0 : diskIcon;
    const beside = more === undefined ? 0 : widthOf(more, textSize) + 14;
    return [
      ...(kind === "disk" ? [disk(x + pad, base)] : kind === "route" ? [globe(x + pad, base)] : []),
      text(kind, x + pad + indent, base, fitted(content, textSize, inner - indent - beside)),
      ...(more === undefined ? [] : [text("more", right, base, fitted(more, textSize, inner))]),
    ].join("");
  });
  return [
    `<g class="${card.by}">`,
    rect("card", x, y, size, 8),
    text("title", x + pad, y + pad + 10, fitted(card.title, titleSize, tagsAt - x - pad, true)),
    ...tags,
    ...rows,
    "</g>",
  ].join("\n");
}

/** A cylinder before a line of text. */
function disk(x: number, base: number): string {
  const [left, top] = [at(x), at(base - 8)];
  return `<path class="icon" d="M${left} ${top}v7a5 2 0 0 0 10 0v-7a5 2 0 0 0 -10 0a5 2 0 0 0 10 0"/>`;
}

/** A globe: the world may call this. */
function globe(x: number, base: number): string {
  const [left, middle] = [at(x), at(base - 4)];
  return `<path class="icon public" d="M${left} ${middle}a5 5 0 0 1 10 0a5 5 0 0 1 -10 0h10m-5 -5a2.5 5 0 0 1 0 10a2.5 5 0 0 1 0 -10"/>`;
}
