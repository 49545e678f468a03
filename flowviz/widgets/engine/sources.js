// Where a training step's points come from.

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
