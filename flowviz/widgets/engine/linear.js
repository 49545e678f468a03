// Kernels of linear algebra: products of matrices, triangular systems, LU.

import { Walk, collapse, sizeOf } from "./shapes.js";

/** Sums of products are cut here: what is packed of b stays in the nearest cache. */
export const DEEP = 256;

const startOf = ([buffer, offset], { places }) => places[buffer] + offset;

/** An operand's strides along its last `count` dimensions; what it moves along the others is `walk`'s. */
const own = ([, , strides], count) => strides.slice(strides.length - count);

/** A walk through the batch, with each operand's offset. */
function batches(batch, operands) {
  const rank = batch.length;
  const { shape, strides } = collapse(batch, operands.map(([, , all]) => all.slice(0, rank)));
  return new Walk(shape, strides);
}

/** out = add + scale · a b. */
export function matmulOf(kernel, machine) {
  const { batch, m: rows, k: inner, n: columns, scale = 1 } = kernel;
  if (!sizeOf([...batch, rows, columns])) return () => {};
  const none = [kernel.out[0], 0, kernel.out[2].map(() => 0)];
  const operands = [kernel.a, kernel.b, kernel.out, kernel.add ?? none];
  const walk = batches(batch, operands);
  const { offsets: o } = walk;
  const [a, b, out, add] = operands.map((operand) => startOf(operand, machine));
  const [[aRow, aStep], [bStep, bColumn], [outRow, outColumn], [addRow, addColumn]] =
    operands.map((operand) => own(operand, 2));
  const multiply = machine.blocks.matmul;
  const more = kernel.add !== undefined;
  // The columns are those that lie next to one another where they are left: of outᵀ = bᵀ aᵀ, if need be.
  const turned = outColumn !== 1 && outRow === 1;
  return () => {
    do {
      const to = out + o[2];
      for (let k = 0; k < Math.max(inner, 1); k += DEEP) {
        const deep = Math.min(DEEP, inner - k);
        const x = a + o[0] + k * aStep;
        const y = b + o[1] + k * bStep;
        // What was summed up so far is in its place.
        const onto = k ? to : more ? add + o[3] : -1;
        const ontoRow = k ? outRow : addRow;
        const ontoColumn = k ? outColumn : addColumn;
        if (turned) {
          multiply(columns, deep, rows, y, bColumn, bStep, x, aStep, aRow, to, outColumn, outRow,
            onto, ontoColumn, ontoRow, scale);
        } else {
          multiply(rows, deep, columns, x, aRow, aStep, y, bStep, bColumn, to, outRow, outColumn,
            onto, ontoRow, ontoColumn, scale);
        }
      }
    } while (walk.next());
  };
}

/** A matrix in memory: where it begins, and the strides of its rows and columns. */
const matrix = (operand, machine) => {
  const [row, column] = own(operand, 2);
  return { start: startOf(operand, machine), row, column };
};
const transposed = ({ start, row, column }) => ({ start, row: column, column: row });

/** The same matrix `offset` further on, without a new object. */
const moved = (target, { start, row, column }, offset) => {
  target.start = start + offset;
  target.row = row;
  target.column = column;
  return target;
};

/** Solve a x = x₀ in place, a triangular [size, size], x [size, columns]. */
function substitute(m, a, x, size, columns, lower, unit) {
  for (let step = 0; step < size; step++) {
    const i = lower ? step : size - 1 - step;
    const from = lower ? 0 : i + 1;
    const to = lower ? i : size;
    const diagonal = unit ? 1 : m[a.start + i * (a.row + a.column)];
    for (let j = 0; j < columns; j++) {
      const at = x.start + i * x.row + j * x.column;
      let value = m[at];
      for (let k = from; k < to; k++) {
        value -= m[a.start + i * a.row + k * a.column] * m[x.start + k * x.row + j * x.column];
      }
      m[at] = value / diagonal;
    }
  }
}

/** Copy a matrix [rows, columns] to another place. */
function copy(m, from, to, rows, columns) {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      m[to.start + i * to.row + j * to.column] = m[from.start + i * from.row + j * from.column];
    }
  }
}

function swapRows(m, { start, row, column }, i, k, columns) {
  if (i === k) return;
  for (let j = 0; j < columns; j++) {
    const one = start + i * row + j * column;
    const other = start + k * row + j * column;
    const kept = m[one];
    m[one] = m[other];
    m[other] = kept;
  }
}

/** out = a⁻¹ b, a triangular. */
export function solveOf(kernel, machine) {
  const { batch, m: size, n: columns, form, unit } = kernel;
  if (!sizeOf([...batch, size, columns])) return () => {};
  const operands = [kernel.a, kernel.b, kernel.out];
  const walk = batches(batch, operands);
  const { offsets: o } = walk;
  const [a, b, out] = operands.map((operand) => matrix(operand, machine));
  const [left, right, x] = [{}, {}, {}];
  return () => {
    do {
      moved(x, out, o[2]);
      copy(machine.memory, moved(right, b, o[1]), x, size, columns);
      substitute(machine.memory, moved(left, a, o[0]), x, size, columns, form === "lower", unit);
    } while (walk.next());
  };
}

/** The L (unit lower) and U of a, in one matrix, and the rows that were interchanged for them. */
export function luOf(kernel, machine) {
  const { batch, m: size } = kernel;
  if (!sizeOf([...batch, size])) return () => {};
  const operands = [kernel.a, kernel.out, kernel.pivots];
  const walk = batches(batch, operands);
  const { offsets: o } = walk;
  const [a, out] = operands.slice(0, 2).map((operand) => matrix(operand, machine));
  const pivots = startOf(kernel.pivots, machine);
  const [pivotStep] = own(kernel.pivots, 1);
  const [given, lu] = [{}, {}];
  return () => {
    do {
      copy(machine.memory, moved(given, a, o[0]), moved(lu, out, o[1]), size, size);
      factor(machine.memory, lu, size, pivots + o[2], pivotStep);
    } while (walk.next());
  };
}

function factor(m, lu, size, pivots, pivotStep) {
  const { start, row, column } = lu;
  for (let k = 0; k < size; k++) {
    let largest = k;
    for (let i = k + 1; i < size; i++) {
      const other = Math.abs(m[start + i * row + k * column]);
      if (other > Math.abs(m[start + largest * row + k * column])) largest = i;
    }
    m[pivots + k * pivotStep] = largest + 1;
    swapRows(m, lu, k, largest, size);
    const diagonal = m[start + k * (row + column)];
    // A singular matrix has a 0 there, and is left as LAPACK leaves it.
    if (diagonal === 0) continue;
    for (let i = k + 1; i < size; i++) {
      const share = (m[start + i * row + k * column] /= diagonal);
      for (let j = k + 1; j < size; j++) {
        m[start + i * row + j * column] -= share * m[start + k * row + j * column];
      }
    }
  }
}

/** out = A⁻¹ b, or A⁻ᵀ b, from the LU of A. */
export function luSolveOf(kernel, machine) {
  const { batch, m: size, n: columns, transposed: turned } = kernel;
  if (!sizeOf([...batch, size, columns])) return () => {};
  const operands = [kernel.lu, kernel.pivots, kernel.b, kernel.out];
  const walk = batches(batch, operands);
  const { offsets: o } = walk;
  const [factors, , b, out] = operands.map((operand) => matrix(operand, machine));
  const lu = turned ? transposed(factors) : factors;
  const pivots = startOf(kernel.pivots, machine);
  const [pivotStep] = own(kernel.pivots, 1);
  const [left, right, x] = [{}, {}, {}];
  const m = machine.memory;
  const interchange = (i) => {
    const other = m[pivots + o[1] + i * pivotStep] - 1;
    swapRows(m, x, i, other >= 0 && other < size ? Math.trunc(other) : i, columns);
  };
  return () => {
    do {
      moved(left, lu, o[0]);
      moved(x, out, o[3]);
      copy(m, moved(right, b, o[2]), x, size, columns);
      // A = Pᵀ L U, and Aᵀ = Uᵀ Lᵀ P, whose factors are lower and upper.
      if (!turned) for (let i = 0; i < size; i++) interchange(i);
      substitute(m, left, x, size, columns, true, !turned);
      substitute(m, left, x, size, columns, false, turned);
      if (turned) for (let i = size - 1; i >= 0; i--) interchange(i);
    } while (walk.next());
  };
}
