// A waterfall: each bar starts where the last one ended, and the sum stands at the end.

import { formatAlike } from "./numbers.js";
import { room } from "./ticks.js";

const FAINT = 0.25;
const TEXT = 12;

/** Which bar is passed at a position of the stage, −1 before the first; `count` bars in all. */
export function barAt(position, stretches, count) {
  const near = 1e-6;
  return Math.min(Math.ceil(position / stretches - near), count) - 1;
}

/** Running sums before, between and after the bars; what is not finite adds nothing. */
export function runningSums(values) {
  const sums = [0];
  for (const value of values) sums.push(sums.at(-1) + (Number.isFinite(value) ? value : 0));
  return sums;
}

/**
 * The limits of the y axis over all the moments, so that it stays while they change; of `height`
 * pixels, `text` are left for the numbers beyond the bars.
 */
export function limits(rows, height, text) {
  const sums = rows.flatMap((values) => runningSums(values));
  const [low, high] = [Math.min(0, ...sums), Math.max(0, ...sums)];
  if (low === high) return [-1, 1];
  const sides = (low < 0) + (high > 0);
  const more = ((high - low) * text) / Math.max(height - sides * text, text);
  return [low < 0 ? low - more : 0, high > 0 ? high + more : 0];
}

/**
 * What plotly draws on top of `layout`: {traces, layout}, colours as tokens.
 *
 * `rows` are the values now and at each moment of the film, of which `row` is shown; bars up to
 * `lit` are full, and `lit` itself has an outline (null: all are full, none is lit).
 */
export function waterfall({ names, rows, row, lit, layout, size, widthOf }) {
  const values = [...rows[row]];
  const count = values.length;
  if (count === 0) return { traces: [], layout };
  const sums = runningSums(values);
  const last = lit ?? count - 1;
  const total = sums[last + 1];
  const written = values.some((value, i) => i <= last && !Number.isFinite(value)) ? NaN : total;
  const slot = Math.max(size.width - 52, 60) / (count + 1);
  const { texts, roomy } = writtenOn([...values, written], slot, widthOf);
  const top = (layout.margin?.t ?? 8) + (roomy ? 0 : 18);
  const inside = size.height - top - 30;
  const tokens = values.map((value) => (value > 0 ? "--fv-expand" : "--fv-contract"));
  const bar = {
    type: "bar",
    x: [...values.keys(), count].map((i) => i + 1),
    y: [...values.map((value) => (Number.isFinite(value) ? value : 0)), total],
    base: [...sums.slice(0, -1), 0],
    width: 0.72,
    marker: {
      color: [...tokens.map((token, i) => (i <= last ? token : `${token}/${FAINT}`)), "--fv-muted"],
      line: {
        color: [...values, 0].map(() => "--fv-ink"),
        width: [...values.keys(), count].map((i) => (i === lit ? 2 : 0)),
      },
    },
    text: texts,
    textposition: roomy ? "outside" : "none",
    textfont: { size: TEXT, color: "--fv-ink" },
    textangle: 0,
    constraintext: "none",
    cliponaxis: false,
    customdata: [...names, "sum"].map((name, i) => [name, texts[i]]),
    hovertemplate: "%{customdata[0]}: %{customdata[1]}<extra></extra>",
  };
  const caption = lit == null || lit < 0
    ? `Σ ${texts[count]}`
    : `${lit + 1}: ${texts[lit]}  Σ ${texts[count]}`;
  return {
    traces: [bar],
    layout: {
      ...layout,
      margin: { l: 8, t: top },
      annotations: roomy ? [] : [captioned(caption)],
      xaxis: {
        ...columns(count, slot),
        range: [0.4, count + 1.6],
        showgrid: false,
      },
      yaxis: {
        range: limits(rows, inside, roomy ? 18 : 6),
        zeroline: true,
        zerolinecolor: "--fv-muted",
        nticks: room(inside, 30, 5),
        tickformat: "~r",
      },
    },
  };
}

/** The values as texts, and whether the bars have room for them, if need be with two digits. */
function writtenOn(values, slot, widthOf) {
  const fits = (texts) => Math.max(...texts.map((text) => widthOf(text, TEXT))) + 2 <= slot;
  const [full, short] = [formatAlike(values, 3), formatAlike(values, 2)];
  return fits(full) || !fits(short)
    ? { texts: full, roomy: fits(full) }
    : { texts: short, roomy: true };
}

/** The numbers of the bars that have room for them, and Σ. */
function columns(count, slot) {
  const every = Math.ceil(22 / slot);
  const numbers = [];
  for (let i = 1; i <= count; i++) {
    const far = count + 1 - i >= every;
    if (far && (every === 1 || i === 1 || i % every === 0)) numbers.push(i);
  }
  const near = numbers.length > 1 && numbers[1] - 1 < 0.7 * every;
  const tickvals = near ? [1, ...numbers.slice(2)] : numbers;
  return {
    tickmode: "array",
    tickvals: [...tickvals, count + 1],
    ticktext: [...tickvals.map(String), "Σ"],
    tickangle: 0,
  };
}

/** Of bars too narrow for their numbers, those that matter now are written above. */
function captioned(text) {
  return {
    text, x: 1, y: 1, xref: "paper", yref: "paper", xanchor: "right", yanchor: "bottom",
    showarrow: false, font: { size: 13, color: "--fv-ink" },
  };
}
