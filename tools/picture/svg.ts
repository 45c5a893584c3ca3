/** A picture as SVG: legible on a light page and on a dark one, as it brings its own ground for each. */
import { type Band, bands, type Picture } from "../../components/picture/model.ts";
import { type Box, frameSvg, type Point, rect, sizeOf, text } from "./card.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { at, escaped, widthOf } from "./text.ts";

const style = `
text { font-family: Helvetica, Arial, "Liberation Sans", sans-serif; font-size: 11px; fill: #475569 }
.ground { fill: #ffffff }
.stack { fill: #f8fafc; stroke: #cbd5e1 }
.band { stroke: none }
.band.edge { fill: #dbeafe } .band.app { fill: #dcfce7 } .band.data { fill: #ede9fe } .band.isolated { fill: #e2e8f0 }
.name { font-size: 20px; font-weight: bold; fill: #0f172a }
.where { font-size: 12px }
.tier { font-size: 12px; font-weight: bold; fill: #334155 }
.card { fill: #ffffff; stroke: #94a3b8 }
.frame { fill: none; stroke: #64748b; stroke-dasharray: 4 3 }
.title { font-size: 13.5px; font-weight: bold; fill: #0f172a }
.route { fill: #1d4ed8 } .disk { fill: #0f172a } .more { text-anchor: end }
.edge .card, .world .card { stroke: #2563eb } .managed .card { stroke: #c2410c } .slots .card { stroke: #7c3aed }
.existing .card, .place .card { stroke-dasharray: 5 3 }
.icon { fill: none; stroke: #7c3aed } .icon.public { stroke: #1d4ed8 }
.tag { fill: #e2e8f0 } .tag.managed { fill: #ffedd5 } .tag.rehearses { fill: #fef9c3 }
.tag-text { font-size: 9px } .tag-text.managed { fill: #9a3412 } .tag-text.rehearses { fill: #854d0e }
.arrow { fill: none; stroke: #64748b; stroke-width: 1.4 }
.head { fill: #64748b }
@media (prefers-color-scheme: dark) {
text { fill: #94a3b8 }
.ground { fill: #0d1117 }
.stack { fill: #111827; stroke: #334155 }
.band.edge { fill: #172a4d } .band.app { fill: #12331f } .band.data { fill: #2a2150 } .band.isolated { fill: #1f2937 }
.name, .title, .disk { fill: #f1f5f9 } .tier { fill: #cbd5e1 }
.card { fill: #0f172a; stroke: #475569 }
.frame { stroke: #94a3b8 }
.route { fill: #93c5fd }
.edge .card, .world .card { stroke: #60a5fa } .managed .card { stroke: #fb923c } .slots .card { stroke: #a78bfa }
.icon { stroke: #a78bfa } .icon.public { stroke: #93c5fd }
.tag { fill: #334155 } .tag.managed { fill: #4a2410 } .tag.rehearses { fill: #423306 }
.tag-text { fill: #cbd5e1 } .tag-text.managed { fill: #fdba74 } .tag-text.rehearses { fill: #fde047 }
.arrow { stroke: #94a3b8 } .head { fill: #94a3b8 }
}`;

const tiers: { readonly [B in Band]: List } = {
  world: [],
  edge: ["edge"],
  app: ["app"],
  data: ["data", "no way out"],
  isolated: ["isolated", "by name alone"],
  outside: [],
};
type List = readonly string[];

const margin = 20;
const header = 58;
const bandPad = 18;
/** Left of the frames, for the tiers' names. */
const names = 92;
const legend = "An arrow leads from who calls to who is called; one to a dashed frame, to each in it.";
/** Wider is no longer readable in a page. */
const widest = 820;

/** How many cards a frame has in a row, by its band. */
type Most = Readonly<Partial<Record<Band, number>>>;

/** The lowest picture that is not too wide, else the narrowest: each band has one to four cards of a frame in a row. */
async function laidOut(picture: Picture): Promise<Layout & { readonly most: Most }> {
  const { frames } = picture;
  const framed = bands.filter((band) => frames.some((frame) => frame.band === band && frame.cards.length > 1));
  const choices = framed.reduce<Most[]>(
    (all, band) => all.flatMap((most) => [4, 3, 2, 1].map((number) => ({ ...most, [band]: number }))),
    [{}],
  );
  const tried = new Map<string, Layout & { readonly most: Most }>();
  for (const most of choices) {
    const sizes = frames.map((frame) => [frame.id, sizeOf(frame, most[frame.band] ?? 1)] as const);
    const key = JSON.stringify(sizes);
    if (!tried.has(key)) tried.set(key, { ...(await layoutOf(picture, new Map(sizes))), most });
  }
  const cost = ({ width, height }: Layout): number => (width <= widest ? height : 1e6 + width);
  return [...tried.values()].reduce((best, next) => (cost(next) < cost(best) ? next : best));
}

export async function svg(picture: Picture): Promise<string> {
  const { title, where, frames, arrows } = picture;
  const layout = await laidOut(picture);
  const inner = Math.max(layout.width, widthOf(where, 12) - names, widthOf(legend, 11) - names, 320);
  const width = inner + names + 2 * margin + 2 * bandPad;
  // Where nobody calls, the stack's own border is the first below the name, and needs more room.
  const above = frames.some(({ band }) => band === "world") ? header : header + 16;
  const moved = { x: margin + names + bandPad + (inner - layout.width) / 2, y: above + bandPad };
  const box = ({ id }: { readonly id: string }): Box => {
    const { x, y, ...size } = layout.boxes.get(id) ?? { x: 0, y: 0, width: 0, height: 0 };
    return { ...size, x: x + moved.x, y: y + moved.y };
  };
  const extents = bands.flatMap((band) => {
    const boxes = frames.filter((frame) => frame.band === band).map(box);
    if (boxes.length === 0) return [];
    const top = Math.min(...boxes.map(({ y }) => y)) - bandPad;
    return [{ band, top, bottom: Math.max(...boxes.map(({ y, height }) => y + height)) + bandPad }];
  });
  const inside = extents.filter(({ band }) => tiers[band].length > 0);
  const stackTop = Math.min(...inside.map(({ top }) => top)) - 8;
  const stackBottom = Math.max(...inside.map(({ bottom }) => bottom)) + 8;
  const bottom = Math.max(...extents.map((extent) => extent.bottom), stackBottom) + 22;
  const height = bottom + margin - 6;
  const wide = width - 2 * margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${at(width)} ${at(height)}" width="${at(width)}" height="${at(height)}" role="img" aria-label="${escaped(`${title}: ${where}`)}">`,
    `<style>${style}\n</style>`,
    `<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>`,
    rect("ground", 0, 0, { width, height }, 10),
    text("name", margin, margin + 18, title),
    text("where", margin, margin + 36, where),
    rect("stack", margin, stackTop, { width: wide, height: stackBottom - stackTop }, 14),
    ...inside.flatMap(({ band, top, bottom: low }) => [
      rect(`band ${band}`, margin + 8, top, { width: wide - 16, height: low - top }, 10),
      ...tiers[band].map((line, row) => text(row === 0 ? "tier" : "says", margin + 22, top + 24 + row * 16, line)),
    ]),
    ...layout.lines.map((line) => arrow(line.map(({ x, y }) => ({ x: x + moved.x, y: y + moved.y })))),
    ...frames.map((frame) => frameSvg(frame, layout.most[frame.band] ?? 1, box(frame))),
    ...(arrows.length > 0 ? [text("says", margin, bottom, legend)] : []),
    "</svg>",
    "",
  ].join("\n");
}

/** A line with round corners. */
function arrow(points: readonly Point[]): string {
  const parts = points.map((point, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (before === undefined) return `M${at(point.x)} ${at(point.y)}`;
    if (after === undefined) return `L${at(point.x)} ${at(point.y)}`;
    const [from, to] = [towards(point, before), towards(point, after)];
    return `L${at(from.x)} ${at(from.y)}Q${at(point.x)} ${at(point.y)} ${at(to.x)} ${at(to.y)}`;
  });
  return `<path class="arrow" d="${parts.join("")}" marker-end="url(#head)"/>`;
}

/** The point a corner's radius away from it, or half way where the next corner is nearer. */
function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const part = length === 0 ? 0 : Math.min(8, length / 2) / length;
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}
