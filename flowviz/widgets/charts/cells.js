// A matrix's cells at the size at which they are drawn: digits and names that they have room for.

import { formatNumber } from "./numbers.js";

const NUMBER = 13;
const NAME = 12;

/** The numbers of one trace with as many digits as fit into cells of so many pixels, or none. */
export function numbersWithin(values, cell, widthOf) {
  for (const digits of [3, 2, 1]) {
    const texts = values.map((value) => formatNumber(value, digits));
    if (Math.max(...texts.map((text) => widthOf(text, NUMBER))) + 6 <= cell) return texts;
  }
  return null;
}

/**
 * The heatmap's traces and layout with what fits. The second trace has the numbers, the values in
 * `customdata`; it is left out where they do not fit.
 */
export function fittedCells([cells, numbers], layout, size, widthOf, darkest) {
  if (!cells) return { traces: [], layout };
  const [rows, columns] = [cells.z.length, cells.z[0].length];
  const names = [layout.xaxis.ticktext, layout.yaxis.ticktext];
  const aside = Math.max(...names[1].map((name) => widthOf(name, NAME))) + 28;
  const inside = [size.width - aside, size.height - (layout.margin?.t ?? 12) - 34];
  const cell = Math.min(inside[0] / columns, inside[1] / rows);
  const texts = numbers && cell >= NUMBER + 3
    ? numbersWithin([...numbers.customdata], cell, widthOf)
    : null;
  const widest = Math.max(...names[0].map((name) => widthOf(name, NAME)));
  return {
    traces: [
      { ...cells, colorscale: [[0, "--fv-neutral"], [1, darkest]] },
      ...(texts ? [{ ...numbers, text: texts }] : []),
    ],
    layout: {
      ...layout,
      xaxis: thinned(layout.xaxis, (widest + 4) / cell),
      yaxis: thinned(layout.yaxis, (NAME + 2) / cell),
    },
  };
}

/** An axis with every k-th of its names, so that none runs into the next. */
function thinned(axis, k) {
  const every = Math.max(1, Math.ceil(k));
  const kept = (_, i) => i % every === 0;
  return {
    ...axis, tickvals: axis.tickvals.filter(kept), ticktext: axis.ticktext.filter(kept), tickangle: 0,
  };
}
