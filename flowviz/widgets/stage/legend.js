// The key: names of curves and contours, and bars that say what the colours mean. It stands
// above the plot or beside it, where it covers no mark, or over a corner where there is no room.

import { label } from "./axes.js";
import { RING } from "./handles.js";
import { overlap } from "./labels.js";
import { css, tableOf } from "./palette.js";

const BAR = { width: 72, least: 16, height: 8, stroke: 16 };
/** Between two entries, and between an entry's parts. */
const GAP = 16;
const APART = 6;
/** Between a number at a bar's end and the middle of its zero. */
const ZERO = 12;
/** At both sides of bars that have a canvas of their own. */
const PAD = 8;
/** The height of a row above the plot; of a name and of a bar with its words beside it. */
export const ROW = 18;
const BLOCK = 44;
/** Widths are rounded up to so much: a number that changes moves nothing. */
const STEP = 4;

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

/** Pictures of which a side is shorter have no room for the names of outlines. */
const ROOMY = 460;

/**
 * What a scene's key takes where the shorter side is so long, in css pixels: the width of a column
 * beside the plot and its height, the widths of the entries in a row, and whether outlines are among
 * them. Null where nothing has a name.
 */
export function keyOf(context, scene, theme, side) {
  context.font = fontOf(theme);
  const bars = legends(scene);
  const outlines = side >= ROOMY;
  const names = named(scene, outlines);
  if (bars.length + names.length === 0) return null;
  const nameWidths = names.map((mark) => BAR.stroke + APART + context.measureText(mark.label).width);
  const up = (width) => Math.ceil(width / STEP) * STEP;
  return {
    outlines,
    column: up(Math.max(...nameWidths, ...bars.map((mark) => blockWidth(context, mark)))),
    high: ROW * names.length + BLOCK * bars.length,
    row: [...nameWidths, ...bars.map((mark) => barWidth(context, mark))].map(up),
  };
}

/** In which row each of the entries begins, of rows so wide, and how many rows there are. */
export function rowsOf(widths, width) {
  let row = 0;
  let used = 0;
  const rows = widths.map((one) => {
    if (used > 0 && used + one > width) [row, used] = [row + 1, 0];
    const first = row;
    if (isDouble(one, width)) [row, used] = [row + 1, width];
    else used += one + GAP;
    return first;
  });
  return { rows, count: row + 1 };
}

/** Whether an entry takes two rows: with its shortest bar, too, it is wider than one. */
function isDouble(one, width) {
  return one - BAR.width + BAR.least > width;
}

/** How much of a plot a key over its corner covers, from 0 to 1. */
export function coveredBy({ column, high }, { width, height }, type) {
  return ((column + 2 * PAD) * (high + PAD) * type ** 2) / (width * height);
}

function fontOf(theme) {
  return `11px ${theme.font}`;
}

function named({ marks }, outlines) {
  return [...marks.contours, ...marks.lines, ...(outlines ? marks.shapes : [])]
    .filter((mark) => mark.label && !mark.colour);
}

/** The widest that the numbers at a bar's ends can be. */
function endWidths(context, mark) {
  return ends({ ...mark, colour: { beyond: [true, true] } })
    .map((text) => context.measureText(text).width);
}

function barWidth(context, mark) {
  const [first, last] = endWidths(context, mark);
  return context.measureText(mark.label).width + first + last + BAR.width + 3 * APART;
}

function blockWidth(context, mark) {
  const [first, last] = endWidths(context, mark);
  const [low, high] = mark.value_range;
  // A zero in the middle has room between the numbers at the ends.
  const signed = low === -high ? 2 * (Math.max(first, last) + ZERO + 1) : 0;
  return Math.max(context.measureText(mark.label).width, first + last + GAP, BAR.width, signed);
}

/** Draw the key of a picture in that view where its layout says. */
export function drawKey(context, scene, view, key, theme, tables) {
  if (!key) return;
  context.save();
  context.font = fontOf(theme);
  context.textBaseline = "middle";
  const draw = { above: drawRows, beside: drawBeside, over: drawOver }[key.place];
  draw(context, scene, view, key, theme, tables);
  context.restore();
}

function drawRows(context, scene, { plot }, key, theme, tables) {
  const x = [];
  const place = (i) => {
    const row = key.rows[i];
    const left = x[row] ?? plot.left;
    x[row] = left + key.row[i] + GAP;
    return [left, ROW * (row + 0.5)];
  };
  const names = named(scene, key.outlines);
  names.forEach((mark, i) => drawName(context, mark, ...place(i), theme));
  legends(scene).forEach((mark, i) => {
    const [left, y] = place(names.length + i);
    if (isDouble(key.row[names.length + i], plot.width)) {
      context.textAlign = "left";
      context.fillStyle = theme.css.ink;
      context.fillText(mark.label, left, y);
      const [first, last] = endWidths(context, mark);
      const bar = Math.min(BAR.width, plot.width - first - last - 2 * APART);
      drawScale(context, mark, left + first + APART, y + ROW, bar, theme, tableOf(mark, tables));
      return;
    }
    // Where one alone is too wide for its row its bar is shorter.
    const over = left + barWidth(context, mark) - (plot.left + plot.width);
    const bar = Math.max(BAR.width - Math.max(over, 0), BAR.least);
    drawBar(context, mark, left, y, bar, theme, tableOf(mark, tables));
  });
}

function drawBeside(context, scene, { plot }, key, theme, tables) {
  const place = [plot.left + plot.width + APART, plot.top + plot.height - key.high];
  drawColumn(context, scene, key, place, theme, tables);
}

/** In a corner, on a veil that marks shine through. */
function drawOver(context, scene, view, key, theme, tables) {
  const [width, height] = [key.column + 2 * PAD, key.high + PAD];
  const corners = cornersOf([width, height], view.plot);
  scene.corner = cornerFor(scene, corners, [width, height], namedPoints(context, scene, view, theme));
  const [left, top] = corners[scene.corner];
  context.globalAlpha = 0.7;
  context.fillStyle = theme.css.card;
  context.beginPath();
  context.roundRect(left, top, width, height, 6);
  context.fill();
  context.globalAlpha = 1;
  drawColumn(context, scene, key, [left + PAD, top + PAD / 2], theme, tables);
}

/** The places [left, top] of so large a box in the corners of a plot; the preferred first. */
export function cornersOf([width, height], plot) {
  const [right, bottom] = [plot.left + plot.width - APART - width, plot.top + plot.height - APART - height];
  const [left, top] = [plot.left + APART, plot.top + APART];
  return [[right, bottom], [left, bottom], [right, top], [left, top]];
}

/** In which corner the box covers the fewest of others; where it is, while a handle is dragged. */
export function cornerFor({ held, corner }, corners, size, others) {
  if (held) return corner;
  const covered = corners.map((place) =>
    others.filter((one) => overlap(one, [...place, ...size]) > 0).length);
  return covered.indexOf(Math.min(...covered));
}

/** The boxes of the points that have names: of handles, and of the picked one on all its way. */
function namedPoints(context, scene, view, theme) {
  const points = scene.marks.handles.flatMap(({ points, labels }) =>
    points.map((at, i) => [at, labels[i] ?? ""]));
  for (let k = 0; k < scene.frames; k++) points.push([scene.particleAt(scene.picked, k), scene.pickedName]);
  context.font = `12px ${theme.font}`;
  const boxes = points.filter(([at]) => at).map(([[x, y], name]) =>
    [view.x(x) - RING, view.y(y) - RING, 3 * RING + context.measureText(name).width, 2 * RING]);
  context.font = fontOf(theme);
  return boxes;
}

function drawColumn(context, scene, key, [left, top], theme, tables) {
  for (const mark of named(scene, key.outlines)) {
    drawName(context, mark, left, top + ROW / 2, theme);
    top += ROW;
  }
  for (const mark of legends(scene)) {
    drawBlock(context, mark, left, top, theme, tableOf(mark, tables));
    top += BLOCK;
  }
}

/** A short line as the mark's own, or a small area, and its name. */
function drawName(context, mark, x, y, theme) {
  context.strokeStyle = theme.css[mark.palette];
  context.lineWidth = Math.max(mark.width, 1.25);
  context.globalAlpha = mark.opacity ?? 1;
  context.setLineDash(mark.dashed ? [5, 4] : []);
  context.beginPath();
  if (mark.closed) context.rect(x, y - BAR.height / 2, BAR.stroke, BAR.height);
  else {
    context.moveTo(x, y);
    context.lineTo(x + BAR.stroke, y);
  }
  context.stroke();
  if (mark.closed) {
    context.globalAlpha = mark.fill;
    context.fillStyle = theme.css[mark.palette];
    context.fill();
  }
  context.globalAlpha = 1;
  context.fillStyle = theme.css.ink;
  context.textAlign = "left";
  context.fillText(mark.label, x + BAR.stroke + APART, y);
}

/** A name, a number, the bar and a number in one line. */
function drawBar(context, mark, x, y, width, theme, table) {
  const [before] = endWidths(context, mark);
  const name = context.measureText(mark.label).width;
  context.textAlign = "left";
  context.fillStyle = theme.css.ink;
  context.fillText(mark.label, x, y);
  drawScale(context, mark, x + name + before + 2 * APART, y, width, theme, table);
}

/** A bar that begins at `left`, between its numbers. */
function drawScale(context, mark, left, y, width, theme, table) {
  const [first, last] = ends(mark);
  context.textAlign = "left";
  context.fillStyle = theme.css.muted;
  context.fillText(last, left + width + APART, y);
  context.textAlign = "right";
  context.fillText(first, left - APART, y);
  fillBar(context, left, y - BAR.height / 2, width, table);
}

/** A name, under it the bar, and under that the numbers. */
export function drawBlock(context, mark, x, top, theme, table) {
  const [first, last] = ends(mark);
  const width = blockWidth(context, mark);
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = theme.css.ink;
  context.fillText(mark.label, x, top + 9);
  fillBar(context, x, top + 18, width, table);
  context.fillStyle = theme.css.muted;
  context.fillText(first, x, top + 35);
  const [low, high] = mark.value_range;
  const zero = (width * -low) / (high - low);
  const room = Math.min(
    zero - context.measureText(first).width, width - zero - context.measureText(last).width,
  );
  context.textAlign = "right";
  context.fillText(last, x + width, top + 35);
  if (low >= 0 || high <= 0 || room <= ZERO) return;
  context.textAlign = "center";
  context.fillText("0", x + zero, top + 35);
}

function fillBar(context, x, y, width, table) {
  const gradient = context.createLinearGradient(x, 0, x + width, 0);
  for (let i = 0; i <= 16; i++) gradient.addColorStop(i / 16, css(table[Math.round(i * 15.9375)]));
  context.fillStyle = gradient;
  context.beginPath();
  context.roundRect(x, y, width, BAR.height, 2);
  context.fill();
}

/** Draw a scene's bars, one below the other, on a canvas of their own; its width and height. */
export function drawBars(canvas, scene, theme, tables, ratio = globalThis.devicePixelRatio || 1) {
  const marks = legends(scene);
  canvas.hidden = marks.length === 0;
  const context = canvas.getContext("2d");
  context.font = fontOf(theme);
  const width = Math.ceil(Math.max(0, ...marks.map((mark) => blockWidth(context, mark)))) + 2 * PAD;
  const height = BLOCK * marks.length;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = fontOf(theme);
  marks.forEach((mark, i) => {
    drawBlock(context, mark, PAD, BLOCK * i, theme, tableOf(mark, tables));
  });
  return [width, height];
}
