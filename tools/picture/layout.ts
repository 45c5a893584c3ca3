/** Where each frame of a picture is drawn, and each arrow. Elk decides; the same picture is laid out the same each time. */
import elk, { type ElkNode } from "elkjs/lib/elk.bundled.js";

import { bands, type Picture } from "../../components/picture/model.ts";
import type { Box, Point, Size } from "./card.ts";

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** By the frame's id. */
  readonly boxes: ReadonlyMap<string, Box>;
  /** The corners of each arrow, from its beginning to its head. */
  readonly lines: readonly (readonly Point[])[];
}

const options = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.randomSeed": "1",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
  // A tier's frames are above those of the next one.
  "elk.partitioning.activate": "true",
  "elk.separateConnectedComponents": "false",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeNode": "20",
  "elk.spacing.edgeEdge": "10",
  "elk.layered.spacing.nodeNodeBetweenLayers": "64",
  "elk.layered.spacing.edgeNodeBetweenLayers": "28",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "10",
};

export async function layoutOf({ frames, arrows }: Picture, sizes: ReadonlyMap<string, Size>): Promise<Layout> {
  const made = await new elk.default().layout<ElkNode>({
    id: "picture",
    layoutOptions: options,
    children: frames.map(({ id, band }) => ({
      id,
      ...(sizes.get(id) ?? { width: 0, height: 0 }),
      layoutOptions: { "elk.partitioning.partition": String(bands.indexOf(band)), "elk.alignment": "TOP" },
    })),
    edges: arrows.map(([from, to], index) => ({ id: `arrow ${String(index)}`, sources: [from], targets: [to] })),
  });
  return {
    width: made.width ?? 0,
    height: made.height ?? 0,
    boxes: new Map(
      (made.children ?? []).map(({ id, x = 0, y = 0, width = 0, height = 0 }) => [id, { x, y, width, height }]),
    ),
    lines: (made.edges ?? []).flatMap(({ sections = [] }) =>
      sections.map(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint]),
    ),
  };
}
