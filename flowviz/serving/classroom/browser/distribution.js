// What a class has answered, drawn: bars for options, a histogram, one density of all drawings.

import { formatNumber } from "../../../widgets/charts/numbers.js";
import { drawn, element, percent, some } from "./elements.js";

/**
 * The picture of a kind of question: {node, show(shown, marks)}. `marks` are the answers to point
 * out, where there are such: {own, right}, an option's index or a number each. The question has
 * {options}, {unit} or {window}, by its kind.
 */
export function distribution(kind, { options, unit, window } = {}) {
  const kinds = {
    choice: () => bars(options),
    number: () => histogram(unit),
    drawing: () => density(window),
  };
  return kinds[kind]();
}

// ---- a choice ------------------------------------------------------------------------------------

function bars(options) {
  const rows = options.map((text) => {
    const fill = element("i", "");
    const count = element("span", "fv-class-count");
    const mark = element("span", "fv-class-mark");
    const bar = element("span", "fv-class-bar", fill);
    bar.setAttribute("aria-hidden", "true");
    const row = element("li", "", element("span", "fv-class-option", text, " ", mark), bar, count);
    return { row, fill, count, mark };
  });
  const node = element("ul", "fv-class-bars", ...rows.map(({ row }) => row));
  function show({ counts }, { own, right } = {}) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    rows.forEach(({ row, fill, count, mark }, index) => {
      fill.style.transform = `scaleX(${total ? counts[index] / total : 0})`;
      count.textContent = `${counts[index]} · ${percent(counts[index], total)}`;
      mark.textContent = [index === right && "✓ right", index === own && "your answer"]
        .filter(Boolean).join(" · ");
      row.classList.toggle("fv-class-right", index === right);
      row.classList.toggle("fv-class-own", index === own);
    });
  }
  return { node, show };
}

// ---- a number ------------------------------------------------------------------------------------

const WIDTH = 480;
const HEIGHT = 160;
const TOP = 46; // room for the words of the marks and the highest bar's count
const BASE = HEIGHT - 24;

/** An edge of the bins, with the decimals that their width has. */
function written(value, width) {
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(width) + 1e-9))).replace("-", "−");
}

/** The bins with their ends: {from, count, text}; the outermost are open. */
export function bins({ start, width, counts, below, above }) {
  const edge = (index) => written(start + index * width, width);
  const closed = counts.map((count, index) => (
    { from: start + index * width, count, text: `${edge(index)} to ${edge(index + 1)}` }));
  const end = start + counts.length * width;
  return [
    ...(below ? [{ from: start - width, count: below, text: `below ${edge(0)}` }] : []),
    ...closed,
    ...(above ? [{ from: end, count: above, text: `above ${edge(counts.length)}` }] : []),
  ];
}

function histogram(unit) {
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const node = element("div", "fv-class-histogram", picture);
  function show(shown, { own, right } = {}) {
    const all = bins(shown);
    const total = all.reduce((sum, { count }) => sum + count, 0);
    const most = Math.max(1, ...all.map(({ count }) => count));
    const [first, last] = all.length ? [all[0].from, all.at(-1).from + shown.width] : [0, 1];
    const x = (value) => (WIDTH * (Math.min(last, Math.max(first, value)) - first)) / (last - first);
    const parts = all.map(({ from, count }) => {
      const height = ((BASE - TOP) * count) / most;
      const left = x(from) + 1;
      const wide = Math.max(1, x(from + shown.width) - left - 1);
      return drawn("g", {},
        drawn("rect", { x: left, y: BASE - height, width: wide, height, class: "fv-class-bin" }),
        ...(count ? [words(left + wide / 2, BASE - height - 4, String(count))] : []));
    });
    const axis = drawn("path", { d: `M0 ${BASE}H${WIDTH}`, class: "fv-class-axis" });
    const ticks = ticked(shown).map(([value, text]) => words(x(value), HEIGHT - 8, text));
    const pointed = (value, name, className, y) => (
      Number.isFinite(value) ? mark(x(value), named(name, value, first, last), className, y) : []);
    const marks = [pointed(right, "✓ right:", "right", 12), pointed(own, "you:", "own", 26)];
    picture.replaceChildren(...parts, axis, ...ticks, ...marks.flat());
    const said = all.filter(({ count }) => count).map(({ count, text }) => `${text}: ${count}`);
    const truth = Number.isFinite(right) ? [`Right: ${formatNumber(right)}`] : [];
    const answers = `${some(total, "answer")}${unit ? ` in ${unit}` : ""}`;
    picture.setAttribute("aria-label", [answers, said.join("; "), ...truth].join(". "));
  }
  return { node, show };
}

/** The edges that have a tick, with its text: five at most. */
function ticked({ start, width, counts }) {
  const step = Math.max(1, Math.ceil(counts.length / 4));
  return counts.flatMap((_, index) => (index % step ? [] : [start + index * width]))
    .map((value) => [value, written(value, width)]);
}

function words(x, y, text, className = "fv-class-tick") {
  const anchor = x < 30 ? "start" : x > WIDTH - 30 ? "end" : "middle";
  return drawn("text", { x, y, "text-anchor": anchor, class: className }, text);
}

/** The words of a mark, which stands at an end of the axis for what lies beyond it. */
export function named(name, value, first, last) {
  const text = `${name} ${formatNumber(value)}`;
  return value < first ? `← ${text}` : value > last ? `${text} →` : text;
}

function mark(at, text, className, y) {
  return [
    drawn("path", { d: `M${at} ${y + 3}V${BASE}`, class: `fv-class-line fv-class-${className}` }),
    words(at, y, text, `fv-class-name fv-class-${className}`),
  ];
}

// ---- a drawing -----------------------------------------------------------------------------------

function density([xmin, xmax, ymin, ymax]) {
  const picture = drawn("svg", { role: "img" });
  const numbers = [xmin, xmax, ymin, ymax].map((value) => String(value).replace("-", "−"));
  const axes = `x from ${numbers[0]} to ${numbers[1]}, y from ${numbers[2]} to ${numbers[3]}`;
  const caption = element(
    "p", "fv-class-caption", `The fuller the colour, the more drawings are there; ${axes}.`);
  const node = element("div", "fv-class-density", picture, caption);
  function show({ density: shares }) {
    const cells = Math.sqrt(shares.length);
    picture.setAttribute("viewBox", `0 0 ${cells} ${cells}`);
    picture.replaceChildren(...shares.flatMap((share, index) => {
      if (share === 0) return [];
      const place = { x: index % cells, y: Math.floor(index / cells), width: 1.02, height: 1.02 };
      return [drawn("rect", { ...place, "fill-opacity": share / 255, class: "fv-class-cell" })];
    }));
    picture.setAttribute("aria-label", where(shares, cells));
  }
  return { node, show };
}

/** Where the drawings are densest, in words. */
export function where(shares, cells) {
  const most = Math.max(...shares);
  if (most === 0) return "No drawing yet";
  const at = shares.indexOf(most);
  const third = (index) => Math.floor((3 * index) / cells);
  const row = ["top", "middle", "bottom"][third(Math.floor(at / cells))];
  const column = ["left", "centre", "right"][third(at % cells)];
  return `Density of the drawings, greatest at the ${row} ${column}`;
}
