// A line chart's layout at the size at which it is drawn: names beside the ends, ticks that fit.

import { apart, withTicks, withTicksAcross } from "./ticks.js";

/** Annotations of this name are the curves' names, at their ends. */
export const END = "end";
const NAME_GAP = 17;
const BESIDE = 6;

/** `layout` with its names apart and its ticks few enough; widthOf(text, px) measures a text. */
export function fitted(layout, { width, height }, widthOf) {
  const ends = (layout.annotations ?? []).filter((note) => note.name === END);
  const others = (layout.annotations ?? []).filter((note) => note.name !== END);
  const widest = Math.max(0, ...ends.map((note) => widthOf(note.text, note.font.size)));
  const margin = { ...layout.margin, r: Math.ceil(widest) + (widest ? BESIDE + 6 : 12) };
  const xTitle = layout.xaxis?.title?.text ? 22 : 0;
  const yTitle = layout.yaxis?.title?.text ? 24 : 0;
  const inside = {
    width: Math.max(width - margin.r - 48 - yTitle, 20),
    height: Math.max(height - (margin.t ?? 12) - 30 - xTitle, 20),
  };
  return {
    ...layout,
    margin,
    xaxis: withTicksAcross({ ticklabelstandoff: 3, ...layout.xaxis }, inside.width, 50, widthOf),
    yaxis: withTicks(layout.yaxis ?? {}, inside.height, 26, 6),
    annotations: [...others, ...named(ends, layout.yaxis?.range, inside.height)],
  };
}

function named(ends, [low, high] = [0, 1], height) {
  const natural = ends.map((note) => ((note.y - low) / (high - low)) * height);
  const moved = apart(natural, NAME_GAP, height);
  return ends.map((note, i) => ({
    ...note,
    xshift: BESIDE,
    yshift: Math.round(moved[i] - natural[i]),
    xanchor: "left",
    showarrow: false,
  }));
}
