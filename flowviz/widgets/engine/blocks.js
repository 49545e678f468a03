// A map's instructions in plain JavaScript, each on a block of numbers in one memory.
//
// Every one is (out, a, b, c, count): where its result and its arguments begin, and how many
// numbers they have, one after the other. The result may lie where an argument does.

import * as special from "./special.js";

const unary = (f) => (m) => (out, a, b, c, count) => {
  for (let i = 0; i < count; i++) m[out + i] = f(m[a + i]);
};
const binary = (f) => (m) => (out, a, b, c, count) => {
  for (let i = 0; i < count; i++) m[out + i] = f(m[a + i], m[b + i]);
};

// What is met most often has its loop written out: a function that is called for each number, and
// for many instructions, is not put in line.
const BLOCKS = {
  neg: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = -m[a + i];
  },
  square: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] * m[a + i];
  },
  exp: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = Math.exp(m[a + i]);
  },
  tanh: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = Math.tanh(m[a + i]);
  },
  silu: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] / (1 + Math.exp(-m[a + i]));
  },
  add: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] + m[b + i];
  },
  sub: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] - m[b + i];
  },
  mul: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] * m[b + i];
  },
  div: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] / m[b + i];
  },
  silu_backward: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) {
      const x = m[b + i];
      const s = 1 / (1 + Math.exp(-x));
      m[out + i] = m[a + i] * s * (1 + x * (1 - s));
    }
  },
  where: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] !== 0 ? m[b + i] : m[c + i];
  },
  fma: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] + m[b + i] * m[c + i];
  },
  lerp: (m) => (out, a, b, c, count) => {
    for (let i = 0; i < count; i++) m[out + i] = m[a + i] + m[c + i] * (m[b + i] - m[a + i]);
  },
  abs: unary(Math.abs),
  sign: unary((x) => (x > 0) - (x < 0)),
  expm1: unary(Math.expm1),
  exp2: unary((x) => 2 ** x),
  log: unary(Math.log),
  log1p: unary(Math.log1p),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  reciprocal: unary((x) => 1 / x),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  sigmoid: unary(special.sigmoid),
  softplus: unary(special.softplus),
  log_sigmoid: unary((x) => -special.softplus(-x)),
  erf: unary(special.erf),
  erfc: unary(special.erfc),
  erfcx: unary(special.erfcx),
  log_ndtr: unary(special.logNdtr),
  ndtri: unary(special.ndtri),
  next: unary(special.next),
  previous: unary((x) => -special.next(-x)),
  not: unary((x) => (x === 0 ? 1 : 0)),
  is_nan: unary((x) => (x !== x ? 1 : 0)),
  floor: unary(Math.floor),
  trunc: unary(Math.trunc),
  pow: binary(special.pow),
  minimum: binary(Math.min),
  maximum: binary(Math.max),
  atan2: binary(Math.atan2),
  lt: binary((a, b) => (a < b ? 1 : 0)),
  le: binary((a, b) => (a <= b ? 1 : 0)),
  gt: binary((a, b) => (a > b ? 1 : 0)),
  ge: binary((a, b) => (a >= b ? 1 : 0)),
  eq: binary((a, b) => (a === b ? 1 : 0)),
  ne: binary((a, b) => (a !== b ? 1 : 0)),
  and: binary((a, b) => (a !== 0 && b !== 0 ? 1 : 0)),
  or: binary((a, b) => (a !== 0 || b !== 0 ? 1 : 0)),
  tanh_backward: binary((g, y) => g * (1 - y * y)),
  sigmoid_backward: binary((g, y) => g * y * (1 - y)),
  softplus_backward: binary((g, x) => g * special.sigmoid(x)),
};

/** From elements in rows and columns, `row` and `column` apart, to a block: one after the other. */
const load = (m) => (out, from, rows, columns, row, column) => {
  for (let i = 0; i < rows; i++, from += row) {
    for (let j = 0, at = from; j < columns; j++, at += column) m[out++] = m[at];
  }
};

/** From a block to elements in rows and columns, `row` and `column` apart. */
const store = (m) => (to, from, rows, columns, row, column) => {
  for (let i = 0; i < rows; i++, to += row) {
    for (let j = 0, at = to; j < columns; j++, at += column) m[at] = m[from++];
  }
};

/**
 * Sums of `inner` elements each, `step` apart: `count` of them, that begin `row` apart and are left
 * `column` apart.
 */
const sum = (m) => (out, from, count, column, row, inner, step) => {
  for (let i = 0; i < count; i++, out += column, from += row) {
    let total = 0;
    for (let k = 0, at = from; k < inner; k++, at += step) total += m[at];
    m[out] = total;
  }
};

/** A number of the memory as an index from 0 to size − 1: whatever it is. */
const indexOf = (x, size) => (x > 0 ? (x < size ? x | 0 : size - 1) : 0);

// Of `count` elements: where the three operands begin, and how far apart their elements are; what an
// index reaches has `size` places, `stride` apart.

const gatherLine = (m) => (count, size, stride, from, a, index, b, to, c) => {
  for (let i = 0; i < count; i++, from += a, index += b, to += c) {
    m[to] = m[from + stride * indexOf(m[index], size)];
  }
};

const scatterLine = (m) => (count, size, stride, from, a, index, b, to, c) => {
  for (let i = 0; i < count; i++, from += a, index += b, to += c) {
    m[to + stride * indexOf(m[index], size)] = m[from];
  }
};

const addLine = (m) => (count, size, stride, from, a, index, b, to, c) => {
  for (let i = 0; i < count; i++, from += a, index += b, to += c) {
    m[to + stride * indexOf(m[index], size)] += m[from];
  }
};

/** How many of `size` sorted knots lie below each value (`right`: or at it). */
const searchLine = (m) => (count, size, stride, knots, a, value, b, to, c, right) => {
  for (let i = 0; i < count; i++, knots += a, value += b, to += c) {
    const x = m[value];
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >> 1;
      const knot = m[knots + middle * stride];
      if (right ? !(knot > x) : !(knot >= x)) low = middle + 1;
      else high = middle;
    }
    m[to] = low;
  }
};

/** Σ x² of numbers that lie one after the other. */
const squares = (m) => (from, count) => {
  let total = 0;
  for (let i = from; i < from + count; i++) total += m[i] * m[i];
  return total;
};

/**
 * One step of Adam: the moments m ← m + share₁ (g − m), v ← v + share₂ (g² − v), and
 * w ← w − rate m / (√v correction + eps).
 */
const adam = (m) => (
  vector, gradient, first, second, count, share1, share2, rate, correction, eps,
) => {
  for (let i = 0; i < count; i++) {
    const g = m[gradient + i];
    m[first + i] += share1 * (g - m[first + i]);
    m[second + i] += share2 * (g * g - m[second + i]);
    m[vector + i] -= (rate * m[first + i]) / (Math.sqrt(m[second + i]) * correction + eps);
  }
};

/**
 * out = add + scale · a b, of [rows, inner] and [inner, columns]; each with the strides of its two
 * dimensions, and `add` < 0 for none.
 */
const matmul = (m) => (
  rows, inner, columns, a, aRow, aStep, b, bStep, bColumn, out, outRow, outColumn,
  add, addRow, addColumn, scale,
) => {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j += 4) {
      // Four at once, so that each number of a is read once for them.
      const wide = Math.min(4, columns - j);
      const b0 = b + j * bColumn;
      const b1 = b0 + (wide > 1 ? bColumn : 0);
      const b2 = b1 + (wide > 2 ? bColumn : 0);
      const b3 = b2 + (wide > 3 ? bColumn : 0);
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let k = 0, x = a + i * aRow, y = 0; k < inner; k++, x += aStep, y += bStep) {
        const left = m[x];
        s0 += left * m[b0 + y];
        s1 += left * m[b1 + y];
        s2 += left * m[b2 + y];
        s3 += left * m[b3 + y];
      }
      for (let w = 0; w < wide; w++) {
        const product = scale * (w === 0 ? s0 : w === 1 ? s1 : w === 2 ? s2 : s3);
        const more = add < 0 ? 0 : m[add + i * addRow + (j + w) * addColumn];
        m[out + i * outRow + (j + w) * outColumn] = more + product;
      }
    }
  }
};

/**
 * All block operations over one memory.
 *
 * @param {Float32Array} memory
 * @returns {Object<string, Function>} by name: the instructions, and what is above.
 */
export function plainBlocks(memory) {
  const all = {
    ...BLOCKS, load, store, sum, squares, gatherLine, scatterLine, addLine, searchLine, adam, matmul,
  };
  return Object.fromEntries(Object.entries(all).map(([name, make]) => [name, make(memory)]));
}
