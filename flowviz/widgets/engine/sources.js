// Where a training step's points come from.

import { largest, middles } from "./cells.js";
import { Generator } from "./random.js";

/** Rows of a table, drawn with replacement; all of them, in order, where they are no more than a batch. */
export class Table {
  /**
   * @param {Float32Array} values [rows, dim], in C order.
   * @param {number} dim
   * @param {number} batch the most rows a step, ≥ 1.
   * @param {Generator} generator
   */
  constructor(values, dim, batch, generator) {
    Object.assign(this, { values, dim, generator });
    this.rows = Math.floor(values.length / dim);
    /** How many points it gives. */
    this.count = Math.min(batch, this.rows);
  }

  /** @param {Float32Array} points [count, dim], to be filled. */
  fill(points) {
    const { values, dim, rows, count, generator } = this;
    if (rows === count) {
      for (let i = 0; i < points.length; i++) points[i] = values[i];
      return;
    }
    for (let i = 0, to = 0; i < count; i++) {
      let from = dim * generator.below(rows);
      for (let d = 0; d < dim; d++) points[to++] = values[from++];
    }
  }
}

/** Draws of the base, N(0, I). */
export class Normal {
  constructor(batch, generator) {
    this.count = batch;
    this.generator = generator;
  }

  /** @param {Float32Array} points [count, dim], to be filled. */
  fill(points) {
    this.generator.fillNormal(points);
  }
}

/** Draws that a program makes. */
export class Drawn {
  /** @param {Pass} pass of a program that leaves "x" [n, dim]. */
  constructor(pass) {
    this.pass = pass;
    this.count = pass.n;
  }

  /** @param {Float32Array} points [count, dim], to be filled. */
  fill(points) {
    this.pass.run();
    points.set(this.pass.output("x"));
  }
}

/** The cells a side of a window that is drawn from. */
const SIDE = 256;
/** So many of them are evaluated together. */
const TOGETHER = 4096;

/** Draws from a density over a window of the plane: a cell by its mass, and any place in that. */
export class Cells {
  /**
   * @param {Program} density that leaves "log_density" [n] of points "x" [n, 2].
   * @param {number[]} window [xmin, xmax, ymin, ymax].
   * @param {number} batch how many points it gives.
   * @param {Generator} generator
   */
  constructor(density, window, batch, generator) {
    const [xmin, xmax, ymin, ymax] = window;
    Object.assign(this, { count: batch, generator, left: xmin, low: ymin });
    this.width = (xmax - xmin) / SIDE;
    this.height = (ymax - ymin) / SIDE;
    const logs = evaluated(density.prepare({ n: TOGETHER }), middles(window, SIDE, SIDE));
    const most = largest(logs);
    /** The mass of each cell and of all before it, up to a factor. */
    this.mass = new Float64Array(logs.length);
    let sum = 0;
    for (let i = 0; i < logs.length; i++) this.mass[i] = sum += Math.exp(logs[i] - most) || 0;
  }

  /** @param {Float32Array} points [count, 2], to be filled. */
  fill(points) {
    const { generator, mass } = this;
    for (let i = 0; i < points.length; i += 2) {
      const cell = this.cellAt(generator.uniform() * mass[mass.length - 1]);
      points[i] = this.left + ((cell % SIDE) + generator.uniform()) * this.width;
      points[i + 1] = this.low + (Math.floor(cell / SIDE) + generator.uniform()) * this.height;
    }
  }

  /** The cell in which the masses come to that. */
  cellAt(share) {
    const { mass } = this;
    let [first, last] = [0, mass.length - 1];
    while (first < last) {
      const middle = (first + last) >> 1;
      if (mass[middle] > share) last = middle;
      else first = middle + 1;
    }
    return first;
  }
}

/** The log-density at points [n, 2], of which TOGETHER are evaluated at once. */
function evaluated(pass, points) {
  const logs = new Float32Array(points.length / 2);
  for (let first = 0; first < logs.length; first += TOGETHER) {
    pass.inputs.x.set(points.subarray(2 * first, 2 * (first + TOGETHER)));
    pass.run();
    logs.set(pass.output("log_density"), first);
  }
  return logs;
}

/**
 * The source of so many points of a target.
 *
 * @param {Engine} engine
 * @param {{draws: Uint8Array|null, density: Uint8Array|null, window: number[],
 *   modes: Float32Array|null|undefined}} target the programs that draw from it and that evaluate it;
 *   the latter is asked where there is none of the former. And where its modes are, if they were moved.
 * @param {number} count
 * @param {number} seed
 */
export function sourceOf(engine, { draws, density, window, modes }, count, seed) {
  if (draws) return new Drawn(around(engine.read(draws).prepare({ n: count, seed }), modes));
  return new Cells(engine.read(density), window, count, new Generator(seed));
}

/** A pass of a target, with its modes where they are; by default where the file has them. */
export function around(pass, modes) {
  if (modes) pass.parameters.set(modes);
  return pass;
}
