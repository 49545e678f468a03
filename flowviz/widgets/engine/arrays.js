// Kernels that reduce, look up and run along: sums, maxima, gather, scatter, cumsum, search, repeat.

import { Walk, collapse, sizeOf, widestFirst } from "./shapes.js";

/** Where an operand begins in the memory. */
const startOf = ([buffer, offset], { places }) => places[buffer] + offset;

/** How a reduction goes on, from `total`, over `count` elements `step` apart. */
const FOLDS = {
  sum: (m, total, at, count, step) => {
    for (let i = 0; i < count; i++, at += step) total += m[at];
    return total;
  },
  product: (m, total, at, count, step) => {
    for (let i = 0; i < count; i++, at += step) total *= m[at];
    return total;
  },
  max: (m, total, at, count, step) => {
    for (let i = 0; i < count; i++, at += step) {
      const x = m[at];
      if (!(x <= total)) total = x !== x ? NaN : total === total ? x : total;
    }
    return total;
  },
  min: (m, total, at, count, step) => {
    for (let i = 0; i < count; i++, at += step) {
      const x = m[at];
      if (!(x >= total)) total = x !== x ? NaN : total === total ? x : total;
    }
    return total;
  },
};
const EMPTY = { sum: 0, product: 1, max: -Infinity, min: Infinity };

/** A reduction over some dimensions. */
export function reductionOf(kernel, machine) {
  if (!sizeOf(kernel.shape)) return () => {};
  const from = startOf(kernel.in, machine);
  const to = startOf(kernel.out, machine);
  const rank = kernel.shape.length;
  const outer = collapse(kernel.shape, [kernel.in[2].slice(0, rank), kernel.out[2]]);
  const sorted = widestFirst(kernel.over, [kernel.in[2].slice(rank)]);
  const inner = collapse(sorted.shape, sorted.strides);
  const [count, step] = lastOf(inner, 1, 0);
  if (kernel.op === "sum" && inner.shape.length < 2) {
    return sums(from, to, outer, count, step, machine.blocks.sum);
  }
  const [width, row, column] = lastOf(outer, 1, 0);
  if (LINES[kernel.op] && inner.shape.length === 1 && inLines(width, row, column)) {
    return lines(from, to, outer, count, step, machine.blocks, machine.blocks[LINES[kernel.op]]);
  }
  return folds(kernel.op, from, to, outer, inner, machine.memory);
}

/** The instruction that takes whole lines of elements together. */
const LINES = { max: "maximum", min: "minimum", product: "mul" };

/** Whether elements lie side by side in whole vectors, so that instructions can play their lines. */
const inLines = (width, ...strides) => width % 4 === 0 && strides.every((stride) => stride === 1);

function lines(from, to, outer, count, step, { load }, combine) {
  const [width] = lastOf(outer, 1, 0);
  const walk = leading(outer);
  const { offsets } = walk;
  return () => {
    do {
      const out = to + offsets[1];
      let line = from + offsets[0];
      load(out, line, 1, width, 0, 1);
      for (let i = 1; i < count; i++) combine(out, out, (line += step), 0, width);
    } while (walk.next());
  };
}

/** The last dimension's size, and the strides along it. */
function lastOf({ shape, strides }, size, stride) {
  const last = shape.length - 1;
  return last < 0
    ? [size, ...strides.map(() => stride)]
    : [shape[last], ...strides.map((own) => own[last])];
}

/** All dimensions but the last as a walk. */
const leading = ({ shape, strides }) => new Walk(shape.slice(0, -1), strides.map((s) => s.slice(0, -1)));

function sums(from, to, outer, inner, step, sum) {
  const [count, row, column] = lastOf(outer, 1, 0);
  const walk = leading(outer);
  const { offsets } = walk;
  return () => {
    do sum(to + offsets[1], from + offsets[0], count, column, row, inner, step);
    while (walk.next());
  };
}

function folds(op, from, to, outer, inner, m) {
  const fold = FOLDS[op];
  const [count, step] = lastOf(inner, 1, 0);
  const outside = new Walk(outer.shape, outer.strides);
  const inside = leading(inner);
  const nothing = inner.shape.includes(0);
  return () => {
    do {
      let total = EMPTY[op];
      if (!nothing) {
        do total = fold(m, total, from + outside.offsets[0] + inside.offsets[0], count, step);
        while (inside.next());
      }
      m[to + outside.offsets[1]] = total;
    } while (outside.next());
  };
}

/** out[i] = in[i + stride · index[i]]. */
export function gatherOf(kernel, machine) {
  return indexed(kernel, machine, machine.blocks.gatherLine);
}

/** out[i + stride · index[i]] = in[i], or that added to it. */
export function scatterOf(kernel, machine) {
  const { addLine, scatterLine } = machine.blocks;
  return indexed(kernel, machine, kernel.add ? addLine : scatterLine);
}

function indexed({ shape, in: given, index: indices, out, size, stride }, machine, line) {
  if (!sizeOf(shape)) return () => {};
  const [from, index, to] = [given, indices, out].map((operand) => startOf(operand, machine));
  const joined = collapse(shape, [given[2], indices[2], out[2]]);
  const [count, a, b, c] = lastOf(joined, 1, 0);
  const walk = leading(joined);
  const { offsets: o } = walk;
  return () => {
    do line(count, size, stride, from + o[0], a, index + o[1], b, to + o[2], c);
    while (walk.next());
  };
}

/** Sums so far, along the last dimension. */
export function cumsumOf({ shape, in: given, out }, machine) {
  if (!sizeOf(shape)) return () => {};
  const m = machine.memory;
  const [from, to] = [given, out].map((operand) => startOf(operand, machine));
  const last = shape.length - 1;
  const length = last < 0 ? 1 : shape[last];
  const step = given[2][last] ?? 0;
  const stride = out[2][last] ?? 0;
  const outer = collapse(shape.slice(0, -1), [given[2].slice(0, -1), out[2].slice(0, -1)]);
  const [width, row, column] = lastOf(outer, 1, 0);
  if (inLines(width, row, column)) {
    return runningLines(from, to, outer, length, step, stride, machine.blocks);
  }
  const walk = new Walk(outer.shape, outer.strides);
  const { offsets } = walk;
  return () => {
    do {
      let total = 0;
      let at = from + offsets[0];
      let left = to + offsets[1];
      for (let i = 0; i < length; i++, at += step, left += stride) m[left] = total += m[at];
    } while (walk.next());
  };
}

function runningLines(from, to, outer, length, step, stride, { load, add }) {
  const [width] = lastOf(outer, 1, 0);
  const walk = leading(outer);
  const { offsets } = walk;
  return () => {
    do {
      let line = from + offsets[0];
      let out = to + offsets[1];
      load(out, line, 1, width, 0, 1);
      for (let i = 1; i < length; i++, out += stride) add(out + stride, out, (line += step), 0, width);
    } while (walk.next());
  };
}

/** How many of sorted knots lie below each value (`right`: or at it); all of them for NaN. */
export function searchOf({ shape, size, in: knots, stride, value, right, out }, machine) {
  if (!sizeOf(shape)) return () => {};
  const [first, given, to] = [knots, value, out].map((operand) => startOf(operand, machine));
  const joined = collapse(shape, [knots[2], value[2], out[2]]);
  const [count, a, b, c] = lastOf(joined, 1, 0);
  const walk = leading(joined);
  const { offsets: o } = walk;
  const line = machine.blocks.searchLine;
  return () => {
    do line(count, size, stride, first + o[0], a, given + o[1], b, to + o[2], c, right);
    while (walk.next());
  };
}

/**
 * A body, played until no number of `going` is other than 0, at most `most` times.
 *
 * @param {object} kernel
 * @param {object} machine its `repeats` gets a record {rounds, left}: how many rounds the last run
 *   took, and how many numbers were still going after them.
 * @param {Array<function(): void>} body
 */
export function repeatOf({ most, shape, going }, machine, body) {
  const record = { rounds: 0, left: 0 };
  machine.repeats.push(record);
  const m = machine.memory;
  const start = startOf(going, machine);
  const joined = collapse(shape, [going[2]]);
  const walk = new Walk(joined.shape, joined.strides);
  const empty = !sizeOf(shape);
  const left = () => {
    if (empty) return 0;
    let count = 0;
    do count += m[start + walk.offsets[0]] === 0 ? 0 : 1;
    while (walk.next());
    return count;
  };
  return () => {
    record.left = record.rounds = 0;
    while (record.rounds < most) {
      for (let i = 0; i < body.length; i++) body[i]();
      record.rounds += 1;
      record.left = left();
      if (!record.left) return;
    }
  };
}
