// From what Python sends to what plotly.js draws: arrays put in, tokens turned into colours, and
// the family look under the chart's own layout. Pure functions.

import { lines } from "./text.js";

const ARRAYS = { float32: Float32Array, int32: Int32Array };

/** A typed array over the bytes of `packed`, by rows if it has two dimensions. */
export function unpack(packed) {
  const { dtype, shape, data } = packed;
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  const flat = new ARRAYS[dtype](bytes.slice().buffer);
  if (shape.length === 1) return flat;
  const [rows, columns] = shape;
  return Array.from({ length: rows }, (_, r) => flat.subarray(r * columns, (r + 1) * columns));
}

/** The traces with their arrays: `arrays` has keys such as "0.x" or "1.marker.size". */
export function assemble(traces, arrays) {
  const made = traces.map((trace) => structuredClone(trace));
  for (const [path, packed] of Object.entries(arrays)) {
    const [index, ...names] = path.split(".");
    let place = made[Number(index)];
    for (const name of names.slice(0, -1)) place = place[name] ??= {};
    place[names.at(-1)] = unpack(packed);
  }
  return made;
}

/** `value` with every "--fv-name" and "--fv-name/0.2" in it replaced by that token's colour. */
export function coloured(value, token) {
  if (typeof value === "string") {
    if (!value.startsWith("--fv-")) return value;
    const [name, alpha] = value.split("/");
    return alpha === undefined ? token(name) : withAlpha(token(name), Number(alpha));
  }
  if (Array.isArray(value)) return value.map((item) => coloured(item, token));
  if (value && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, token)]));
  }
  return value;
}

function withAlpha(hex, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** `over` on `under`, objects merged at every depth. */
export function merged(under, over) {
  const isObject = (v) => v && typeof v === "object" && !Array.isArray(v);
  if (!isObject(under) || !isObject(over)) return over === undefined ? under : over;
  const made = { ...under };
  for (const [key, value] of Object.entries(over)) made[key] = merged(under[key], value);
  return made;
}

const TITLE = 13;

/** Annotations of this name stand in the place of a figure. */
const WORDS = "words";

/** `layout` with such words in lines that its width has room for. */
function worded(layout, width, widthOf) {
  if (!layout.annotations?.some((note) => note.name === WORDS)) return layout;
  const broken = (text) =>
    text.split("<br>").flatMap((line) => lines(line, TITLE, width - 24, widthOf)).join("<br>");
  const annotations = layout.annotations.map((note) =>
    (note.name === WORDS ? { ...note, text: broken(note.text) } : note));
  return { ...layout, annotations };
}

/** `layout` with its title and its words in lines that its width has room for. */
export function titled(layout, width, widthOf) {
  const said = worded(layout, width, widthOf);
  const text = layout.title?.text;
  if (!text) return said;
  const broken = lines(text, TITLE, width - 4, widthOf);
  return {
    ...said,
    // plotly centres the lines on where a single one would be.
    title: { ...layout.title, text: broken.join("<br>"), pad: { t: 4 + 9 * (broken.length - 1) } },
    margin: { ...layout.margin, t: (layout.margin?.t ?? 12) + 18 * broken.length },
  };
}

/** The family look, with the chart's own `layout` on top; still in tokens. */
export function styled(layout, font) {
  const axis = {
    automargin: true,
    fixedrange: true,
    gridcolor: "--fv-line",
    gridwidth: 1,
    zeroline: false,
    showline: false,
    ticks: "",
    tickfont: { color: "--fv-muted", size: 12 },
    title: { font: { color: "--fv-muted", size: 13 }, standoff: 8 },
  };
  const base = {
    autosize: false,
    minreducedwidth: 24, // else names beside a narrow plot are cut
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: font, size: 13, color: "--fv-ink" },
    colorway: ["--fv-forward", "--fv-reverse", "--fv-muted", "--fv-accent"],
    margin: { l: 8, r: 12, t: 12, b: 8 },
    showlegend: false,
    dragmode: false,
    hovermode: "closest",
    hoverlabel: {
      bgcolor: "--fv-card",
      bordercolor: "--fv-line",
      font: { family: font, size: 13, color: "--fv-ink" },
    },
    title: {
      font: { size: TITLE, color: "--fv-muted" },
      x: 0, xref: "container", xanchor: "left",
      y: 1, yanchor: "top", pad: { t: 4 },
    },
    xaxis: axis,
    yaxis: axis,
  };
  for (const name of Object.keys(layout)) if (/^[xy]axis\d+$/.test(name)) base[name] = axis;
  return merged(base, layout);
}
