// Shapes and strides: fewer dimensions where they allow it, and walks through what is left.

/** How many elements a shape has. */
export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** The strides of a shape whose elements lie one after the other, the last dimension fastest. */
export function contiguous(shape) {
  const strides = new Array(shape.length);
  for (let d = shape.length - 1, step = 1; d >= 0; step *= shape[d--]) strides[d] = step;
  return strides;
}

/**
 * The same walk in fewer dimensions: those of size 1 are dropped, neighbours that continue one
 * another in all operands are joined. The order of the elements stays.
 *
 * @param {number[]} shape
 * @param {number[][]} strides a list for each operand.
 * @returns {{shape: number[], strides: number[][]}}
 */
export function collapse(shape, strides) {
  const joined = { shape: [], strides: strides.map(() => []) };
  shape.forEach((size, d) => {
    if (size === 1) return;
    const last = joined.shape.length - 1;
    const continues = last >= 0
      && strides.every((own, i) => joined.strides[i][last] === own[d] * size);
    if (continues) joined.shape[last] *= size;
    else joined.shape.push(size);
    strides.forEach((own, i) => (joined.strides[i][continues ? last : last + 1] = own[d]));
  });
  return joined;
}

/** The dimensions in another order: those come first in which the first of the operands steps widest. */
export function widestFirst(shape, strides) {
  if (!strides.length) return { shape, strides };
  const wide = (d) => Math.abs(strides[0][d]);
  const order = shape.map((_, d) => d).sort((a, b) => wide(b) - wide(a) || a - b);
  return {
    shape: order.map((d) => shape[d]),
    strides: strides.map((own) => order.map((d) => own[d])),
  };
}

/** A walk through all indices of a shape, last dimension fastest, which keeps the operands' offsets. */
export class Walk {
  /**
   * @param {number[]} shape of sizes ≥ 1.
   * @param {number[][]} strides a list for each operand.
   */
  constructor(shape, strides) {
    this.shape = shape;
    this.strides = strides;
    this.index = new Int32Array(shape.length);
    /** Where each operand is, from its start. */
    this.offsets = new Int32Array(strides.length);
  }

  /** Go on to the next index: false, and back at the first, where there is none. */
  next() {
    const { shape, strides, index, offsets } = this;
    for (let d = shape.length - 1; d >= 0; d--) {
      const goesOn = ++index[d] < shape[d];
      const steps = goesOn ? 1 : 1 - shape[d];
      for (let i = 0; i < offsets.length; i++) offsets[i] += steps * strides[i][d];
      if (goesOn) return true;
      index[d] = 0;
    }
    return false;
  }
}
