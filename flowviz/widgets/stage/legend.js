// What the colours mean: a bar with its range in numbers.

import { label } from "./axes.js";
import { css } from "./palette.js";

const BAR = { width: 96, narrow: 72, height: 8, pad: 8 };
/** The height of one legend's box. */
export const LEGEND_HEIGHT = 46;

/** The marks that need a legend: coloured by a continuous value and named. */
export function legends(scene) {
  const seen = new Set();
  return [...scene.marks.grids, ...scene.marks.particles, ...scene.marks.shapes,
    ...scene.marks.lines, ...scene.marks.paths, ...scene.marks.images]
    .filter((mark) => mark.label && mark.value_range && mark.palette !== "groups")
    .filter((mark) => mark.colour || mark.values)
    .filter((mark) => {
      const key = [mark.label, mark.palette, ...mark.value_range].join();
      return !seen.has(key) && seen.add(key);
    });
}

/** The numbers at a legend's ends; "≥" where values go on beyond. */
export function ends({ value_range: [low, high], colour, beyond }) {
  const [below, above] = colour?.beyond ?? beyond ?? [false, false];
  return [`${below ? "≤ " : ""}${limit(low)}`, `${above ? "≥ " : ""}${limit(high)}`];
}

/** A limit as a label: π where π is meant. */
function limit(value) {
  const turns = value / Math.PI;
  if (Math.abs(Math.abs(turns) - 1) < 1e-5) return turns < 0 ? "−π" : "π";
  return label(value, 2);
}

/** What a legend says, as words. */
export function legendWords(mark) {
  const [low, high] = ends(mark);
  const words = `${mark.label}: colours from ${low} to ${high}`;
  return mark.palette === "diverging" ? `${words}, purple squeezes, green stretches` : words;
}

/** What the widest legend beside a picture of ``width`` takes, in css pixels. */
export function legendsWidth(context, scene, width, theme) {
  context.font = fontOf(theme);
  const widths = legends(scene).map((mark) => barWidth(context, mark, width) + 2 * BAR.pad);
  return Math.max(0, ...widths);
}

function fontOf(theme) {
  return `11px ${theme.font}`;
}

/** The width of a legend's bar, that of its name and of its numbers at least. */
function barWidth(context, mark, width) {
  const numbers = context.measureText(ends(mark).join("   ")).width;
  const bar = width < 420 ? BAR.narrow : BAR.width;
  return Math.max(context.measureText(mark.label).width, bar, numbers);
}

/** Draw the names of contours and curves in the lower left of a box, each beside a short line. */
export function drawNames(context, scene, { left, top, width, height }, theme) {
  const named = [...scene.marks.contours, ...scene.marks.lines]
    .filter((mark) => mark.label && !mark.colour);
  context.save();
  context.font = fontOf(theme);
  context.textBaseline = "middle";
  context.lineJoin = "round";
  // In a narrow picture they stand over the legends, not beside them.
  const written = named.map((mark) => 30 + context.measureText(mark.label).width);
  const legend = legendsWidth(context, scene, width, theme);
  const over = legend > 0 && Math.max(0, ...written) + legend + 12 > width;
  const low = top + height - 14 - (over ? LEGEND_HEIGHT * legends(scene).length : 0);
  named.forEach((mark, i) => {
    const y = low - 18 * (named.length - 1 - i);
    context.strokeStyle = theme.css[mark.palette];
    context.lineWidth = Math.max(mark.width, 1.25);
    context.globalAlpha = mark.opacity ?? 1;
    context.setLineDash(mark.dashed ? [5, 4] : []);
    context.beginPath();
    context.moveTo(left + 8, y);
    context.lineTo(left + 24, y);
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
    context.lineWidth = 3;
    context.strokeStyle = theme.css.card;
    context.strokeText(mark.label, left + 30, y);
    context.fillStyle = theme.css.ink;
    context.fillText(mark.label, left + 30, y);
  });
  context.restore();
}

/** Draw the legends in the lower right corner of a box in css pixels. */
export function drawLegends(context, scene, { left, top, width, height }, theme, tables) {
  let bottom = top + height - 6;
  context.save();
  context.font = fontOf(theme);
  for (const mark of legends(scene)) {
    const [first, last] = ends(mark);
    const name = barWidth(context, mark, width);
    const boxWidth = name + 2 * BAR.pad;
    const x = left + width - boxWidth - 6;
    const y = bottom - LEGEND_HEIGHT;
    context.globalAlpha = 0.7;
    context.fillStyle = theme.css.card;
    context.beginPath();
    context.roundRect(x, y, boxWidth, LEGEND_HEIGHT, 6);
    context.fill();
    context.globalAlpha = 1;
    const gradient = context.createLinearGradient(x + BAR.pad, 0, x + BAR.pad + name, 0);
    const table = tables[mark.palette];
    for (let i = 0; i <= 16; i++) gradient.addColorStop(i / 16, css(table[Math.round(i * 15.9375)]));
    context.fillStyle = gradient;
    context.beginPath();
    context.roundRect(x + BAR.pad, y + 20, name, BAR.height, 2);
    context.fill();
    context.fillStyle = theme.css.ink;
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillText(mark.label, x + BAR.pad, y + 5);
    context.fillStyle = theme.css.muted;
    const [low, high] = mark.value_range;
    context.fillText(first, x + BAR.pad, y + 31);
    context.textAlign = "right";
    context.fillText(last, x + BAR.pad + name, y + 31);
    const zero = (name * -low) / (high - low);
    const room = Math.min(
      zero - context.measureText(first).width, name - zero - context.measureText(last).width,
    );
    if (low < 0 && high > 0 && room > 12) {
      context.textAlign = "center";
      context.fillText("0", x + BAR.pad + zero, y + 31);
    }
    bottom = y - 6;
  }
  context.restore();
}
