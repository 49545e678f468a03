// The marks of a stage that the page's own flow carries: where they start, and how.

import { indices } from "../stage/palette.js";

const LOG_2PI = Math.log(2 * Math.PI);
/** A tangent is a difference over so much of the way. */
const NEAR = 1 / 64;
/** While it is trained a density is drawn so seldom that it takes at most this share of the time. */
const SHARE = 0.25;

export class Carrier {
  /**
   * @param {StageView} view whose traits "carried" and "coloured" say what is carried, and how.
   * @param {PageFlow} flow
   */
  constructor(view, flow) {
    this.view = view;
    this.flow = flow;
    this.handle = view.scene.own.handles[0]?.points[0].slice();
    const coloured = view.get("coloured");
    this.marks = Object.entries(view.get("carried")).flatMap(([kind, ways]) =>
      ways.map((way, i) => begun(view.scene.own[kind][i], way, coloured[kind])).filter(Boolean));
    this.next = 0;
  }

  /** Carry everything anew, with the flow as it is; `moving`: more of it is to come at once. */
  carryAll(moving = false) {
    for (const one of this.marks) {
      if (one.way !== "density") this.carry(one);
      else if (!moving || performance.now() > this.next) this.density(one);
    }
    this.view.redraw();
  }

  /** The handle was moved: what goes with it moves along. */
  follow([x, y]) {
    if (!this.handle) return;
    const [fromX, fromY] = this.handle;
    this.handle = [x, y];
    for (const one of this.marks) {
      if (one.way !== "point" && one.way !== "tangent") continue;
      shift(one.start, x - fromX, y - fromY);
      this.carry(one);
    }
    this.view.redraw();
  }

  carry(one) {
    const { mark, way, start } = one;
    if (way === "tangent") return this.tangent(one);
    const pass = this.flow.carry(way === "inverse" ? "inverse" : "forward", start, mark.states);
    if (one.colours) this.colour(one, pass);
    return undefined;
  }

  /** What the Jacobians at the handle make of a shape: of a small one it is the same as the flow. */
  tangent({ mark, start }) {
    const [x, y] = this.handle;
    const small = new Float32Array(start.length + 2);
    for (let i = 0; i < start.length; i += 2) {
      small[i] = x + NEAR * (start[i] - x);
      small[i + 1] = y + NEAR * (start[i + 1] - y);
    }
    small.set([x, y], start.length);
    const states = new Float32Array(mark.frames * small.length);
    this.flow.carry("forward", small, states);
    for (let k = 0; k < mark.frames; k++) {
      const from = k * small.length;
      const centre = [states[from + start.length], states[from + start.length + 1]];
      for (let i = 0; i < start.length; i++) {
        const at = centre[i % 2];
        mark.states[k * start.length + i] = at + (states[from + i] - at) / NEAR;
      }
    }
  }

  /** The colours of a mark: what its values say, they are made of the layers' log|det J|. */
  colour({ mark, colours, start, centres }, pass) {
    const points = centres ?? start;
    const of = centres ? this.flow.carry("forward", centres, new Float32Array(mark.frames * centres.length)) : pass;
    const count = points.length / 2;
    const values = new Float32Array(mark.frames * count);
    if (colours === "density") {
      for (let i = 0; i < count; i++) values[i] = normal(points[2 * i], points[2 * i + 1]);
    }
    const sign = colours === "density" ? -1 : 1;
    for (let k = 1; k < mark.frames; k++) {
      const changes = of.output("logabsdet", k - 1);
      for (let i = 0; i < count; i++) {
        const before = colours === "layer" ? 0 : values[(k - 1) * count + i];
        values[k * count + i] = before + sign * changes[i];
      }
    }
    mark.colour.index.set(indices(values, mark.value_range, mark.palette));
  }

  /** The model's density as an image. */
  density({ mark, points }) {
    const began = performance.now();
    const pass = this.flow.pass("log_prob", points.length / 2);
    pass.inputs.z.set(points);
    pass.run();
    const logs = pass.output("log_prob");
    const [low, high] = mark.value_range;
    for (let i = 0; i < logs.length; i++) {
      mark.values[i] = Math.max((Math.exp(logs[i]) - low) / (high - low), 0);
    }
    this.next = performance.now() + (performance.now() - began) * (1 / SHARE - 1);
  }

  /** log|det J| of each layer at the handle; null where nothing goes with it. */
  contributions() {
    if (!this.handle || !this.marks.some(({ way }) => way === "point")) return null;
    const pass = this.flow.pass("forward", 1);
    pass.inputs.z.set(this.handle);
    pass.run();
    return Array.from({ length: pass.count("logabsdet") }, (_, k) => pass.output("logabsdet", k)[0]);
  }
}

/** A mark that is carried: {mark, way, start [N, 2], colours}; a density's points are its cells. */
function begun(mark, way, colours) {
  if (!mark) return null;
  if (way === "density") return { mark, way, points: cells(mark) };
  const frames = mark.frames > 1 ? mark.frames : mark.steps;
  const size = mark.states.length / frames;
  const from = way === "inverse" ? (frames - 1) * size : 0;
  const start = mark.states.slice(from, from + size);
  // A grid has a colour for each cell, and not for each crossing of its lines.
  const centres = colours && mark.rows ? middles(start, mark.rows, mark.columns) : null;
  return { mark, way, start, colours, centres };
}

/** The centres of an image's cells, [R C, 2], rows going up. */
function cells({ rows, columns, extent: [xmin, xmax, ymin, ymax] }) {
  const points = new Float32Array(2 * rows * columns);
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      points[i++] = xmin + ((c + 0.5) * (xmax - xmin)) / columns;
      points[i++] = ymin + ((r + 0.5) * (ymax - ymin)) / rows;
    }
  }
  return points;
}

/** The centres of a grid's cells from the crossings of its lines. */
function middles(lines, rows, columns) {
  const points = [];
  for (let r = 0; r + 1 < rows; r++) {
    for (let c = 0; c + 1 < columns; c++) {
      const a = 2 * (r * columns + c);
      const b = a + 2 * (columns + 1);
      points.push((lines[a] + lines[b]) / 2, (lines[a + 1] + lines[b + 1]) / 2);
    }
  }
  return Float32Array.from(points);
}

function shift(points, dx, dy) {
  for (let i = 0; i < points.length; i += 2) {
    points[i] += dx;
    points[i + 1] += dy;
  }
}

/** log p_u of the standard normal base. */
const normal = (x, y) => -0.5 * (x * x + y * y) - LOG_2PI;
