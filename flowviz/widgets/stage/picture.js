// A canvas pair that shows a scene: pixels below, sketched marks above; and how sharp it can be.

import { drawAxes, margins } from "./axes.js";
import { ROW, coveredBy, drawKey, rowsOf } from "./legend.js";
import { Surface } from "./raster.js";

/** Sharper than this a display shows no difference that is worth its pixels. */
const SHARPEST = 2;
/** Coarser than this it would look broken. */
const COARSEST = 0.5;
/** A frame at 60 Hz has 16.7 ms, of which the browser needs a part. */
const SLOW = 12;
const FAST = 4;

/** Points and handles grow with a picture whose shorter side is longer; their names half as much. */
const USUAL = 480;
/** But no more than so. */
const MOST_GROWN = 2;

/** From data to pixels: window [xmin, xmax, ymin, ymax] on the rectangle `plot` (css pixels). */
export function viewOf(window, plot, scale) {
  const [xmin, xmax, ymin, ymax] = window;
  const bx = plot.width / (xmax - xmin);
  const by = -plot.height / (ymax - ymin);
  const view = {
    window, plot, scale,
    grown: Math.min(Math.max(Math.min(plot.width, plot.height) / USUAL, 1), MOST_GROWN),
    x: (x) => plot.left + (x - xmin) * bx,
    y: (y) => plot.top + (y - ymax) * by,
    dataX: (px) => xmin + (px - plot.left) / bx,
    dataY: (py) => ymax + (py - plot.top) / by,
    // In the pixels of a surface that covers the plot alone:
    bx: bx * scale, ax: -xmin * bx * scale,
    by: by * scale, ay: -ymax * by * scale,
  };
  view.px = (x) => view.ax + view.bx * x;
  view.py = (y) => view.ay + view.by * y;
  return view;
}

/** How high a plot with axes of their own scales is beside its width, where no height is given. */
const FREE = 0.6;
/** Between the plot and a key beside it, and at that key's other side. */
const COLUMN = 7;
/** A key covers at most so much of a plot that could as well be, */
const MOST_COVERED = 0.1;
/** by the width, so much of it. */
const NARROWEST = 0.7;

/**
 * The largest picture in a box of that width and, if given, height: its size and its plot.
 *
 * aspect "equal": one scale on both axes; "free": the plot fills the box. titles: of the axes.
 * type: how many times larger than usual axes and the key are written. key: what the key takes
 * (see keyOf); it stands above or beside a plot that is no narrower for it, else over its corner,
 * unless that is a large part of the plot.
 */
export function layOut(box) {
  const { key = null, type = 1 } = box;
  const bare = around(box, [0, 0], null);
  if (!key) return bare;
  // Rows make a plot lower, but one of equal axes narrower too, unless its box is higher than wide.
  const { rows, count } = rowsOf(key.row, bare.plot.width / type);
  const above = around(box, [0, ROW * count * type], { ...key, place: "above", rows });
  if (above.plot.width >= bare.plot.width) return above;
  const beside = around(box, [(key.column + COLUMN) * type, 0], { ...key, place: "beside" });
  const fits = beside.plot.width >= bare.plot.width && bare.plot.height >= key.high * type;
  if (fits) return beside;
  // A small plot that is a little narrower shows more than one that is covered.
  const narrower = above.plot.width / bare.plot.width;
  if (coveredBy(key, bare.plot, type) > MOST_COVERED && narrower > NARROWEST) return above;
  return { ...bare, key: { ...key, place: "over" } };
}

/** The layout with a key that takes so much at the right and at the top. */
function around(
  { width, height = Infinity, window, axes, aspect = "equal", titles = ["", ""], type = 1 },
  [right, top], key,
) {
  const margin = margins(axes, titles);
  for (const side of Object.keys(margin)) margin[side] *= type;
  const across = margin.left + margin.right + right;
  const down = margin.top + margin.bottom + top;
  const [xmin, xmax, ymin, ymax] = window;
  const room = [Math.max(width - across, 1), Math.max(height - down, 1)];
  const ratio = (ymax - ymin) / (xmax - xmin);
  const plotWidth = aspect === "free" ? room[0] : Math.min(room[0], room[1] / ratio);
  const plotHeight = aspect !== "free"
    ? plotWidth * ratio
    : room[1] < Infinity ? room[1] : FREE * plotWidth;
  return {
    window, axes, titles, type, key,
    plot: { left: margin.left, top: margin.top + top, width: plotWidth, height: plotHeight },
    width: plotWidth + across,
    height: plotHeight + down,
  };
}

export class Picture {
  /** most: the largest number of particles that it draws (thumbnails draw few). */
  constructor({ most = Infinity } = {}) {
    this.pixels = document.createElement("canvas");
    this.pixels.className = "fv-stage-pixels";
    this.marks = document.createElement("canvas");
    this.marks.className = "fv-stage-marks";
    this.marks.setAttribute("aria-hidden", "true");
    this.pixelContext = this.pixels.getContext("2d", { alpha: false });
    this.marksContext = this.marks.getContext("2d");
    this.most = most;
    this.buffers = new Map();
    this.level = 0;
    this.cost = 0; // a running mean of a frame's milliseconds
    this.frames = 0;
    this.stale();
  }

  /** Everything must be painted again with the next frame, with the same marks too. */
  stale() {
    for (const buffer of this.buffers.values()) buffer.painted = null;
    this.sketched = null;
  }

  /** Lay out for a box (see layOut). Returns the layout. */
  resize(box, ratio = Math.min(globalThis.devicePixelRatio || 1, SHARPEST)) {
    this.layout = layOut(box);
    const { width, height, plot } = this.layout;
    this.ratio = ratio;
    this.scales = [this.ratio];
    for (let scale = this.ratio * 0.75; scale >= COARSEST; scale *= 0.75) this.scales.push(scale);
    if (this.scales.at(-1) > COARSEST) this.scales.push(COARSEST);
    this.level = 0;
    this.buffers.clear();
    Object.assign(this.pixels.style, {
      left: `${plot.left}px`, top: `${plot.top}px`,
      width: `${plot.width}px`, height: `${plot.height}px`,
    });
    // In parts of the picture, for print, where the picture is as wide as the paper allows.
    const parts = {
      left: plot.left / width, top: plot.top / height,
      width: plot.width / width, height: plot.height / height,
    };
    for (const [name, part] of Object.entries(parts)) {
      this.pixels.style.setProperty(`--fv-${name}`, `${100 * part}%`);
    }
    this.marks.width = Math.round(width * this.sketchRatio);
    this.marks.height = Math.round(height * this.sketchRatio);
    this.sketched = null;
    return this.layout;
  }

  get sketchRatio() {
    return Math.min(globalThis.devicePixelRatio || 1, 3);
  }

  /** The view of the pixels at the present sharpness. */
  get view() {
    const { window, plot } = this.layout;
    return viewOf(window, plot, this.scales[this.level]);
  }

  buffer() {
    const { plot } = this.layout;
    const scale = this.scales[this.level];
    if (!this.buffers.has(scale)) {
      const width = Math.max(Math.round(plot.width * scale), 1);
      const height = Math.max(Math.round(plot.height * scale), 1);
      const data = new ImageData(width, height);
      this.buffers.set(scale, {
        data,
        surface: new Surface(width, height, new Uint32Array(data.data.buffer)),
        still: new Surface(width, height),
        painted: null, // the images in its still part
        view: viewOf(this.layout.window, plot, scale),
      });
    }
    return this.buffers.get(scale);
  }

  /** Paint the scene at a position; `moving` while it plays, when speed matters more than detail. */
  draw(scene, position, theme, tables, moving = false) {
    if (!moving) this.level = 0;
    const start = performance.now();
    const { data, surface, still, view } = this.prepared(scene, theme, tables);
    surface.copy(still);
    scene.paintMoving(surface, view, position, theme, tables, this.most);
    if (this.pixels.width !== data.width || this.pixels.height !== data.height) {
      this.pixels.width = data.width;
      this.pixels.height = data.height;
    }
    this.pixelContext.putImageData(data, 0, 0);
    if (this.sketched !== scene.marks || scene.sketchMoves) this.sketch(scene, position, theme, tables);
    if (moving) this.adapt(performance.now() - start);
  }

  prepared(scene, theme, tables) {
    const buffer = this.buffer();
    if (buffer.painted !== scene.marks.images) {
      scene.paintStill(buffer.still, buffer.view, theme, tables);
      buffer.painted = scene.marks.images;
    }
    return buffer;
  }

  sketch(scene, position, theme, tables) {
    const context = this.marksContext;
    const ratio = this.sketchRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.layout.width, this.layout.height);
    sketchAll(context, scene, this.layout, position, theme, tables);
    this.sketched = scene.marks;
  }

  /** Coarser when frames take too long, sharper again when there is time to spare. */
  adapt(milliseconds) {
    this.cost += (milliseconds - this.cost) * (this.frames === 0 ? 1 : 0.2);
    this.frames += 1;
    if (this.frames < 8) return;
    const coarser = this.cost > SLOW && this.level + 1 < this.scales.length;
    const sharper = this.cost < FAST && this.level > 0 && this.frames > 60;
    if (!coarser && !sharper) return;
    this.level += coarser ? 1 : -1;
    this.frames = 0;
  }
}

/** Marks, key and axes in css pixels. */
export function sketchAll(context, scene, layout, position, theme, tables) {
  const { type } = layout;
  const view = { ...viewOf(layout.window, layout.plot, 1), type };
  scene.sketch(context, view, position, theme, tables);
  const plot = Object.fromEntries(
    Object.entries(layout.plot).map(([name, value]) => [name, value / type]));
  context.save();
  context.scale(type, type);
  const around = viewOf(layout.window, plot, 1);
  drawKey(context, scene, around, layout.key, theme, tables);
  if (layout.axes) drawAxes(context, around, theme, layout.titles);
  context.restore();
}
