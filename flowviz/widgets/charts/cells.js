// A matrix's cells at the size at which they are drawn: digits and names that they have room for.

import { formatNumber } from "./numbers.js";

/** The type of a number, and how small it becomes before the number has fewer digits. */
const NUMBER = { usual: 13, least: 11 };
const NAME = 12;

/**
 * The numbers of a matrix in cells so large: {texts, px, wide} with `wide` where the cells have to be
 * as wide as there is room; null where none fit. Three digits in squares, in smaller type, in wide
 * cells; and only then two: one digit would contradict what is computed from the matrix.
 */
export function numbersWithin(values, [across, high], widthOf) {
  const square = Math.min(across, high);
  for (const digits of [3, 2]) {
    const texts = values.map((value) => formatNumber(value, digits));
    for (const [cell, wide] of [[square, false], [across, true]]) {
      for (let px = NUMBER.usual; px >= NUMBER.least; px--) {
        const widest = Math.max(...texts.map((text) => widthOf(text, px)));
        if (widest + 6 <= cell && px + 3 <= high) return { texts, px, wide };
      }
    }
  }
  return null;
}

/**
 * The heatmap's traces and layout with what fits. A trace of texts has the numbers, the values in
 * `customdata`; it is left out where they do not fit. One of markers hatches cells.
 */
export function fittedCells([cells, ...more], layout, size, widthOf, darkest) {
  if (!cells) return { traces: [], layout };
  const [numbers, hatching] = ["text", "markers"].map((mode) => more.find((one) => one.mode === mode));
  const [rows, columns] = [cells.z.length, cells.z[0].length];
  const names = [layout.xaxis.ticktext, layout.yaxis.ticktext];
  const aside = Math.max(...names[1].map((name) => widthOf(name, NAME))) + 28;
  const inside = [size.width - aside, size.height - (layout.margin?.t ?? 12) - 34];
  const [wide, high] = [inside[0] / columns, inside[1] / rows];
  const square = Math.min(wide, high);
  const written = numbers && numbersWithin([...numbers.customdata], [wide, high], widthOf);
  const cell = written?.wide ? wide : square;
  const widest = Math.max(...names[0].map((name) => widthOf(name, NAME)));
  return {
    traces: [
      { ...cells, colorscale: [[0, "--fv-neutral"], [1, darkest]] },
      ...(hatching ? [hatched(hatching, square)] : []),
      ...(written ? [withTexts(numbers, written)] : []),
    ],
    layout: {
      ...layout,
      xaxis: thinned(layout.xaxis, (widest + 4) / cell),
      yaxis: thinned(written?.wide ? free(layout.yaxis) : layout.yaxis, (NAME + 2) / high),
    },
  };
}

/** A trace of texts with those that fit, in the type in which they do. */
function withTexts(trace, { texts, px }) {
  return { ...trace, text: texts, textfont: { ...trace.textfont, size: px } };
}

/** An axis whose scale is its own. */
function free({ scaleanchor, ...axis }) {
  return axis;
}

/** Strokes from corner to corner of their cells. */
function hatched(trace, cell) {
  return { ...trace, marker: { ...trace.marker, size: Math.max(0.8 * cell, 4) } };
}

/** An axis with every k-th of its names, so that none runs into the next. */
function thinned(axis, k) {
  const every = Math.max(1, Math.ceil(k));
  const kept = (_, i) => i % every === 0;
  return {
    ...axis, tickvals: axis.tickvals.filter(kept), ticktext: axis.ticktext.filter(kept), tickangle: 0,
  };
}
