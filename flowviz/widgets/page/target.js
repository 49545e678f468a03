// A target in the page: what draws from it and evaluates it, and how it is shown.

import { largest, middles } from "../engine/cells.js";
import { sourceOf } from "../engine/sources.js";

/** Cells a side of the pictures of its density. */
const CELLS = 96;

export class PageTarget {
  /**
   * @param {Engine} engine
   * @param {object} sent {title, window, draws, density, log_z, room, seen}: programs, either may be
   *   null; from where to where each of its modes may be, [2, M, 2], null where none can be moved;
   *   the window of the pictures in which it is seen.
   */
  constructor(engine, sent) {
    this.engine = engine;
    this.title = sent.title;
    this.seen = sent.seen;
    this.room = sent.room;
    this.density = sent.density && engine.read(sent.density);
    this.parameters = this.density?.parameters();
    /** What a training run needs of it: {window, draws, density, modes}. */
    this.sent = { ...sent, modes: this.room && this.parameters?.view("modes") };
    this.first = this.sent.modes?.slice();
    this.logs = null;
    this.entropyThere = null;
    this.passes = new Map();
  }

  /** Whether it has modes that can be moved; where they are [M][2]; whether one was moved. */
  get movable() {
    return Boolean(this.sent.modes);
  }

  get modes() {
    const { modes } = this.sent;
    return Array.from({ length: modes.length / 2 }, (_, i) => [modes[2 * i], modes[2 * i + 1]]);
  }

  get moved() {
    return this.movable && this.first.some((x, i) => x !== this.sent.modes[i]);
  }

  /** Move a mode to a place, or as near to it as there is room; whether there was. */
  move(index, place) {
    const [low, high] = this.room.map((edge) => edge[index]);
    const there = place.map((x, axis) => Math.min(Math.max(x, low[axis]), high[axis]));
    this.sent.modes.set(there, 2 * index);
    this.changed();
    return there.every((x, axis) => x === place[axis]);
  }

  putBack() {
    this.sent.modes?.set(this.first);
    this.changed();
  }

  changed() {
    this.parameters?.changed();
    this.logs = null;
    this.entropyThere = null;
  }

  /** Independent draws [count, 2]. */
  sample(count, seed) {
    const points = new Float32Array(2 * count);
    sourceOf(this.engine, this.sent, count, seed).fill(points);
    return points;
  }

  /** log p* at points [n, 2]; it has a density. */
  logDensity(points) {
    const n = points.length / 2;
    if (!this.passes.has(n)) {
      this.passes.set(n, this.density.prepare({ n, parameters: this.parameters }));
    }
    const pass = this.passes.get(n);
    pass.inputs.x.set(points);
    pass.run();
    return pass.output("log_density").map((value) => value - this.sent.log_z);
  }

  /** The same in the middles of the window's cells, rows going up. */
  onCells() {
    this.logs ??= this.logDensity(middles(this.sent.window, CELLS, CELLS));
    return this.logs;
  }

  /** The largest density, as far as it is known. */
  get top() {
    return this.sent.density ? Math.exp(largest(this.onCells())) : Infinity;
  }

  /** The entropy, by the same cells. */
  get entropy() {
    const [xmin, xmax, ymin, ymax] = this.sent.window;
    const cell = ((xmax - xmin) * (ymax - ymin)) / (CELLS * CELLS);
    const add = (sum, log) => sum - (log > -Infinity ? Math.exp(log) * log * cell : 0);
    this.entropyThere ??= this.onCells().reduce(add, 0);
    return this.entropyThere;
  }

  /** A mark of its contours, in the place of another. */
  contours(mark) {
    return { ...mark, values: asHeights(this.onCells(), CELLS, CELLS), extent: this.sent.window };
  }
}

/** The values of contours of a log-density [R C]: the highest is 1. */
export function asHeights(logs, rows, columns) {
  const most = largest(logs);
  return { shape: [rows, columns], data: logs.map((value) => Math.exp(value - most)) };
}
