// The marks of a stage that the page's own flow carries: where they start, and how.

import { largest, middles } from "../engine/cells.js";
import { indices } from "../stage/palette.js";
import { slicedDistance } from "./sliced.js";
import { asHeights } from "./target.js";

const LOG_2PI = Math.log(2 * Math.PI);
/** The flow's derivatives at a point are differences over so much, to both sides. */
const NEAR = 1e-3;
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
    this.target = null; // a PageTarget, where one is known
    /** How the model fits it, where its density is shown: {there, here, outside}. */
    this.fit = null;
    this.next = 0;
    this.stale = true; // whether the view has other marks now
  }

  /** Take the marks as they are now; those that go with the handle are to start there. */
  refresh() {
    if (!this.stale) return;
    this.stale = false;
    const { view } = this;
    const { handles: ends = ["point"], contours = [], ...carried } = view.get("carried");
    this.ends = ends;
    this.pulled = contours;
    const coloured = view.get("coloured");
    const before = new Map(this.marks?.map((one) => [one.mark, one]));
    const begin = (mark, way, colours) => before.get(mark) ?? begun(mark, way, colours);
    this.marks = Object.entries(carried).flatMap(([kind, ways]) =>
      ways.map((way, i) => begin(view.scene.own[kind][i], way, coloured[kind])).filter(Boolean));
    // The marked point, in the base plane: a handle's, or where a path begins.
    const [path] = this.following;
    const at = view.scene.own.handles[ends.indexOf("point")]?.points[0] ?? path?.start.subarray(0, 2);
    this.handle = at && Array.from(at);
    if (this.handle) for (const one of this.following) moveTo(one.start, this.handle);
  }

  /** What begins at the data begins at points [n, 2] that `draw` makes of their number n. */
  startFrom(draw) {
    this.refresh();
    for (const { way, start } of this.marks) if (way === "inverse") start.set(draw(start.length / 2));
  }

  /** The marks that go with the handle. */
  get following() {
    return this.marks.filter(({ way }) => way === "point" || way === "tangent");
  }

  /** Carry everything anew, with the flow as it is; `moving`: more of it is to come at once. */
  carryAll(moving = false) {
    this.refresh();
    const rests = !moving || performance.now() > this.next;
    for (const one of this.marks) {
      if (one.way !== "density") this.carry(one);
      else if (rests) this.seldom(() => this.density(one));
    }
    if (this.pulled.includes("pulled") && this.target && rests) this.seldom(() => this.pullBack());
    this.view.redraw();
  }

  /** The marked point where a handle is at a place: that itself, or its preimage. */
  pointOf(set, place) {
    this.refresh();
    return this.ends[set] === "image" ? this.carryOne("inverse", place)[0] : place;
  }

  /** The marked point was moved, by the handle `held`: what goes with it moves along. */
  follow(point, held) {
    this.refresh();
    if (!this.handle) return;
    this.handle = point;
    for (const one of this.following) {
      moveTo(one.start, point);
      this.carry(one);
    }
    const { handles } = this.view.scene.own;
    this.ends.forEach((end, set) => {
      if (set === held || !handles[set]) return;
      handles[set].points[0] = end === "image" ? this.carryOne("forward", point).at(-1) : point;
    });
    this.view.redraw();
  }

  /** Where what is carried of a kind of marks has ended [n, 2]. */
  ended(kind) {
    const own = this.view.scene.own[kind];
    const { mark, start } = this.marks.find((one) => own.includes(one.mark));
    return mark.states.subarray(-start.length);
  }

  /** The largest share of the particles that lie outside the window in a state. */
  outside() {
    const [xmin, xmax, ymin, ymax] = this.view.get("window");
    const own = this.view.scene.own.particles;
    const { mark: { states }, start } = this.marks.find((one) => own.includes(one.mark));
    let most = 0;
    for (let from = 0; from < states.length; from += start.length) {
      let count = 0;
      for (let i = from; i < from + start.length; i += 2) {
        const [x, y] = [states[i], states[i + 1]];
        if (!(x >= xmin && x <= xmax && y >= ymin && y <= ymax)) count += 1;
      }
      most = Math.max(most, (2 * count) / start.length);
    }
    return most;
  }

  /** Let the shapes at the marked point be so many times as large. */
  scale(factor) {
    for (const one of this.following) {
      const { start } = one;
      for (let i = 0; i < start.length; i++) {
        const middle = this.handle[i % 2];
        start[i] = middle + factor * (start[i] - middle);
      }
      this.carry(one);
    }
    this.view.redraw();
  }

  /** The log of what the flow, and its linear part, make of the area of the shape there. */
  areas() {
    const grown = (way) => {
      const { mark, start } = this.following.find((one) => one.way === way);
      return Math.log(areaOf(mark.states.subarray(-start.length)) / areaOf(start));
    };
    return { image: grown("point"), tangent: grown("tangent") };
  }

  /** The states of one point, base to data. */
  carryOne(way, point) {
    const pass = this.flow.pass(way, 1);
    pass.inputs.z.set(point);
    pass.run();
    return Array.from({ length: pass.count("states") }, (_, k) => [...pass.output("states", k)]);
  }

  carry(one) {
    const { mark, way, start } = one;
    if (way === "tangent") return this.tangent(one);
    const pass = way === "base"
      ? this.run(start)
      : this.flow.carry(way === "inverse" ? "inverse" : "forward", start, mark.states);
    if (one.colours) this.colour(one, pass);
    return undefined;
  }

  /** Carry points [n, 2] from the base, to see where they end. */
  run(points) {
    const pass = this.flow.pass("forward", points.length / 2);
    pass.inputs.z.set(points);
    pass.run();
    return pass;
  }

  /** log p* / p where points [n, 2] of the base end, of the pass that has carried them. */
  ratios(points, pass) {
    const ends = this.target.logDensity(pass.output("states", pass.count("states") - 1));
    return added(ends, pass).map((value, i) => value - normal(points[2 * i], points[2 * i + 1]));
  }

  /** The same at one point of the base, there by the flow and where it ends by the inverse. */
  ratiosAt(point) {
    const [atU] = this.ratios(point, this.run(point));
    const x = this.carryOne("forward", point).at(-1);
    const [u] = this.carryOne("inverse", x);
    const [sum] = added(this.target.logDensity(x), this.flow.pass("inverse", 1));
    return [atU, sum - normal(...u)];
  }

  /**
   * What draws x [n, 2] of the target and as many of the base say on both sides, u first: KL(p*‖p),
   * a mean and its standard error, and the sliced W₁ of p* and p.
   */
  sidesBy(x, base) {
    const n = x.length / 2;
    const back = this.flow.pass("inverse", n);
    back.inputs.z.set(x);
    back.run();
    const u = back.output("states", 0).slice();
    const there = added(this.target.logDensity(x), back);
    const atX = there.map((value, i) => value - normal(u[2 * i], u[2 * i + 1]));
    const atU = this.ratios(u, this.run(u));
    const pass = this.run(base);
    const model = pass.output("states", pass.count("states") - 1);
    return {
      kls: [atU, atX].map((values) => {
        const mean = values.reduce((a, b) => a + b, 0) / n;
        return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n * (n - 1)))];
      }),
      distances: [slicedDistance(u, base), slicedDistance(x, model)],
    };
  }

  /** What the Jacobians at the handle make of a shape. */
  tangent({ mark, start }) {
    const [x, y] = this.handle;
    const five = Float32Array.of(x, y, x + NEAR, y, x - NEAR, y, x, y + NEAR, x, y - NEAR);
    const states = new Float32Array(mark.frames * five.length);
    this.flow.carry("forward", five, states);
    // Rounded as the engine has them, so that the first state is the shape itself.
    const [across, up] = [five[2] - five[4], five[7] - five[9]];
    for (let k = 0; k < mark.frames; k++) {
      const at = states.subarray(k * five.length, (k + 1) * five.length);
      for (let i = 0; i < start.length; i += 2) {
        const [a, b] = [(start[i] - x) / across, (start[i + 1] - y) / up];
        const to = k * start.length + i;
        mark.states[to] = at[0] + a * (at[2] - at[4]) + b * (at[6] - at[8]);
        mark.states[to + 1] = at[1] + a * (at[3] - at[5]) + b * (at[7] - at[9]);
      }
    }
  }

  /** The colours of a mark: what its values say, they are made of the layers' log|det J|. */
  colour({ mark, colours, start, centres }, pass) {
    if (colours === "ratio") {
      if (!this.target) return;
      mark.colour.index.set(indices(this.ratios(start, pass), mark.value_range, mark.palette));
      return;
    }
    const points = centres ?? start;
    const of = centres ? this.flow.carry("forward", centres, new Float32Array(mark.frames * centres.length)) : pass;
    const count = points.length / 2;
    const values = new Float32Array(mark.frames * count);
    if (colours === "density") {
      for (let i = 0; i < count; i++) values[i] = normal(points[2 * i], points[2 * i + 1]);
    }
    if (centres) this.volume = endsOf(added(new Float32Array(count), of));
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

  /** The model's density as an image, on the scale of the target's as in model_on_grid.py. */
  density(one) {
    const { points } = one;
    const pass = this.flow.pass("log_prob", points.length / 2);
    pass.inputs.z.set(points);
    pass.run();
    one.logs = pass.output("log_prob").slice();
    this.shade(one);
  }

  /** The target has changed: what the flow says stays, and is held against that. */
  hold() {
    this.refresh();
    for (const one of this.marks) if (one.logs) this.shade(one);
    this.view.redraw();
  }

  shade(one) {
    const { mark, logs } = one;
    const top = this.target?.top ?? Infinity;
    const high = Math.min(top, Math.exp(largest(logs))) || top;
    mark.value_range = [0, high];
    for (let i = 0; i < logs.length; i++) mark.values[i] = Math.exp(logs[i]) / high;
    this.fit = this.target?.density ? this.measure(one) : null;
  }

  /** KL(p*‖p) and KL(p‖p*) over the image's cells, and the model's mass beyond them. */
  measure(one) {
    const { mark: { rows, columns, extent: [xmin, xmax, ymin, ymax] }, points, logs } = one;
    const now = this.target.onCells(); // others after every change of it
    if (one.of !== now) {
      one.of = now;
      one.wanted = this.target.logDensity(points);
    }
    const cell = ((xmax - xmin) * (ymax - ymin)) / (rows * columns);
    let [there, here, mass] = [0, 0, 0];
    for (let i = 0; i < logs.length; i++) {
      const [model, target] = [Math.exp(logs[i]) * cell, Math.exp(one.wanted[i]) * cell];
      if (target > 0) there += target * (one.wanted[i] - logs[i]);
      if (model > 0) here += model * (logs[i] - one.wanted[i]);
      mass += model;
    }
    // No divergence is negative; the sum over cells can be, by its own error.
    return { there: Math.max(there, 0), here: Math.max(here, 0), outside: 1 - mass };
  }

  /** The target's contours, pulled back to the base: p*(T(u)) |det J_T(u)|. */
  pullBack() {
    const { view, target } = this;
    view.model.set("contours", view.get("contours").map((sent, i) => {
      if (this.pulled[i] !== "pulled") return sent;
      const [rows, columns] = sent.values.shape;
      const pass = this.run(middles(sent.extent, rows, columns));
      const ends = target.logDensity(pass.output("states", pass.count("states") - 1));
      return { ...sent, values: asHeights(added(ends, pass), rows, columns) };
    }));
  }

  /** Do what takes long, and leave time for the rest. */
  seldom(draw) {
    const began = performance.now();
    draw();
    this.next = performance.now() + (performance.now() - began) * (1 / SHARE - 1);
  }

  /** log|det J| of each layer at the handle; null where nothing goes with it. */
  contributions() {
    this.refresh();
    if (!this.handle || !this.marks.some(({ way }) => way === "point")) return null;
    const pass = this.run(this.handle);
    return Array.from({ length: pass.count("logabsdet") }, (_, k) => pass.output("logabsdet", k)[0]);
  }
}

/** A mark that is carried: {mark, way, start [N, 2], colours}; a density's points are its cells. */
function begun(mark, way, colours) {
  if (!mark) return null;
  if (way === "density") return { mark, way, points: middles(mark.extent, mark.rows, mark.columns) };
  const frames = mark.frames > 1 ? mark.frames : mark.steps ?? 1;
  const size = mark.states.length / frames;
  const from = way === "inverse" ? (frames - 1) * size : 0;
  const start = mark.states.slice(from, from + size);
  // A grid has a colour for each cell, and not for each crossing of its lines.
  const centres = colours && mark.rows ? between(start, mark.rows, mark.columns) : null;
  return { mark, way, start, colours, centres };
}

/** The centres of a grid's cells from the crossings of its lines. */
function between(lines, rows, columns) {
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

/** Put points around another middle. */
function moveTo(points, middle) {
  const count = points.length / 2;
  for (let axis = 0; axis < 2; axis++) {
    let sum = 0;
    for (let i = axis; i < points.length; i += 2) sum += points[i];
    const shift = middle[axis] - sum / count;
    for (let i = axis; i < points.length; i += 2) points[i] += shift;
  }
}

/** Values at the ends of a pass, and all of its layers' log|det J|. */
function added(values, pass) {
  const sums = Float32Array.from(values);
  for (let k = 0; k < pass.count("logabsdet"); k++) {
    const changes = pass.output("logabsdet", k);
    for (let i = 0; i < sums.length; i++) sums[i] += changes[i];
  }
  return sums;
}

/** The least and the largest of some values. */
function endsOf(values) {
  return { low: -largest(values.map((value) => -value)), high: largest(values) };
}

/** The area inside a closed line [V, 2], whichever way it turns. */
function areaOf(line) {
  let sum = 0;
  for (let i = 0; i < line.length; i += 2) {
    const next = (i + 2) % line.length;
    sum += (line[i] - line[0]) * (line[next + 1] - line[1]) - (line[next] - line[0]) * (line[i + 1] - line[1]);
  }
  return Math.abs(sum) / 2;
}

/** log p_u of the standard normal base. */
const normal = (x, y) => -0.5 * (x * x + y * y) - LOG_2PI;
