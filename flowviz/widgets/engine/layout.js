// A program for a given number of points: its sizes, checked, and a place in memory for each buffer.

import { viewsIn } from "./check.js";
import { ProgramError, said } from "./format.js";
import { FIELDS, viewsOf, walkKernels } from "./schema.js";
import { sizeOf } from "./shapes.js";

/** The most numbers that a program may ask for: a gibibyte. */
const MOST = 2 ** 28;
/** Buffers begin at multiples of this, in numbers: a line of the processor's cache. */
const LINE = 16;
/** Vectors of four may be read and written beyond the end of a buffer. */
const BEYOND = 3;

const LITERALS = { inf: Infinity, "-inf": -Infinity, nan: NaN };

/** What a number of the header is for n points. */
const at = (x, n) => (Array.isArray(x) ? x[0] + x[1] * n : x);

const list = (xs, n) => xs.map((x) => at(x, n));
const operand = ([buffer, offset, strides], n) => [buffer, at(offset, n), list(strides, n)];
function literal(x, n) {
  if (typeof x === "string") return LITERALS[x];
  return Object.hasOwn(Object(x), "over_n") ? x.over_n / n : at(x, n);
}

const RESOLVE = {
  sizes: list,
  size: at,
  whole: at,
  flag: (x) => x,
  form: (x) => x,
  literal,
  literals: (xs, n) => xs.map((x) => literal(x, n)),
  operand,
  operands: (xs, n) => xs.map((x) => operand(x, n)),
  instructions: (x) => x,
  results: (xs, n) => xs.map(([x, i]) => [operand(x, n), i]),
  kernels: (xs, n) => xs.map((x) => kernelFor(x, n)),
};

function kernelFor(kernel, n) {
  const resolved = { op: kernel.op };
  for (const [field, kind] of Object.entries(FIELDS[kernel.op])) {
    if (kernel[field] !== undefined) resolved[field] = RESOLVE[kind.replace("?", "")](kernel[field], n);
  }
  return resolved;
}

const viewFor = ([buffer, offset, shape, strides], n) =>
  [buffer, at(offset, n), list(shape, n), list(strides, n)];

/**
 * The program for n points: no number depends on n any more, and every view lies in its buffer.
 *
 * @param {object} header a checked one.
 * @param {number} n
 * @returns {{buffers: number[], inputs: object, noise: Array, outputs: object, once: Array, each: Array}}
 * @throws {ProgramError} what does not fit, and into what.
 */
export function resolve(header, n) {
  if (!(Number.isSafeInteger(n) && n >= 1)) {
    throw new ProgramError(`the number of points must be a whole number ≥ 1, got ${said(n)}`);
  }
  const program = {
    buffers: list(header.buffers, n),
    inputs: mapped(header.inputs, (view) => viewFor(view, n)),
    noise: (header.noise ?? []).map((view) => viewFor(view, n)),
    outputs: mapped(header.outputs, (given) => viewsIn(given).map((view) => viewFor(view, n))),
    once: RESOLVE.kernels(header.once, n),
    each: RESOLVE.kernels(header.each, n),
  };
  checkPlaces(header, program, n);
  return program;
}

/** An object with the same names; own properties alone, whatever they are called. */
export const mapped = (named, change) =>
  Object.fromEntries(Object.entries(named).map(([name, value]) => [name, change(value)]));

function checkPlaces(header, program, n) {
  const { buffers } = program;
  buffers.forEach((size, b) => {
    if (!(size >= 0 && size <= MOST)) {
      throw new ProgramError(`buffer ${b} would have ${size} numbers for ${n} points, at most ${MOST}`);
    }
  });
  const whole = (size, buffer, words) => within([buffer, 0, [size], [1]], buffers, words);
  for (const { name, shape, buffer } of header.parameters) {
    whole(sizeOf(shape), buffer, `the parameter ${said(name)}`);
  }
  header.constants.forEach(({ buffer, size }, i) => whole(size, buffer, `constants[${i}]`));
  for (const [name, view] of Object.entries(program.inputs)) {
    distinct(view, `the input ${said(name)}`);
    within(view, buffers, `the input ${said(name)}`);
  }
  program.noise.forEach((view, i) => {
    distinct(view, `noise[${i}]`);
    within(view, buffers, `noise[${i}]`);
  });
  for (const [name, views] of Object.entries(program.outputs)) {
    for (const view of views) within(view, buffers, `the output ${said(name)}`);
  }
  const visit = (kernel, words) => {
    const { reads, writes } = viewsOf(kernel);
    if (kernel.size === 0 && kernel.op !== "search" && sizeOf(kernel.shape)) {
      throw new ProgramError(`${words}: there is nothing to index, its size is 0`);
    }
    for (const view of [...reads, ...writes]) within(view, buffers, words);
    for (const view of writes) distinct(view, words);
  };
  walkKernels(program.once, visit, "once");
  walkKernels(program.each, visit, "each");
}

/** Refuse a view that reaches beyond its buffer. */
function within([buffer, offset, shape, strides], buffers, words) {
  if (shape.some((size) => size < 0)) {
    throw new ProgramError(`${words}: the shape ${said(shape)} has a size below 0`);
  }
  if (shape.includes(0)) return;
  let low = offset;
  let high = offset;
  shape.forEach((size, d) => {
    const reach = (size - 1) * strides[d];
    if (reach < 0) low += reach;
    else high += reach;
  });
  if (low >= 0 && high < buffers[buffer]) return;
  throw new ProgramError(
    `${words} reaches from ${low} to ${high} in buffer ${buffer}, which has ${buffers[buffer]} numbers`,
  );
}

/** Refuse a view to be written that reaches an element more than once by standing still. */
function distinct([buffer, , shape, strides], words) {
  if (shape.some((size, d) => size > 1 && strides[d] === 0)) {
    throw new ProgramError(`${words} writes elements of buffer ${buffer} several times: a stride is 0`);
  }
}

/**
 * Give each buffer its place, so that those that are needed at the same time lie apart.
 *
 * Inputs, outputs, parameters, constants and what "once" leaves for "each" have places of their
 * own; the others are live from their first kernel to their last, and take the first gap among
 * those that are live with them (larger ones first).
 *
 * @param {object} header the checked header.
 * @param {object} program what `resolve` gives.
 * @returns {{places: number[], size: number}} where each buffer begins, and the numbers in all.
 * @throws {ProgramError} the program needs too much memory.
 */
export function place(header, program) {
  const lives = livesOf(header, program);
  const order = [...lives.keys()].sort(
    (a, b) => program.buffers[b] - program.buffers[a] || lives.get(a).first - lives.get(b).first,
  );
  const places = program.buffers.map(() => 0);
  const placed = [];
  let size = 0;
  for (const buffer of order) {
    const { first, last } = lives.get(buffer);
    const length = Math.ceil((program.buffers[buffer] + BEYOND) / LINE) * LINE;
    let start = 0;
    for (const other of placed) {
      if (other.first > last || other.last < first) continue;
      if (other.start >= start + length) break;
      start = Math.max(start, other.end);
    }
    places[buffer] = start;
    insert(placed, { start, end: start + length, first, last });
    size = Math.max(size, start + length);
  }
  if (size > MOST) throw new ProgramError(`the program needs ${size} numbers of memory, at most ${MOST}`);
  return { places, size };
}

function insert(placed, one) {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle].start <= one.start) low = middle + 1;
    else high = middle;
  }
  placed.splice(low, 0, one);
}

/** From which kernel to which each buffer is needed; "each" counts on from "once". */
export function livesOf(header, program) {
  const lives = new Map();
  const always = (buffer) => lives.set(buffer, { first: -Infinity, last: Infinity });
  const touch = (buffer, time) => {
    const life = lives.get(buffer);
    if (!life) lives.set(buffer, { first: time, last: time });
    else life.last = Math.max(life.last, time);
  };
  for (const { buffer } of [...header.parameters, ...header.constants]) always(buffer);
  const named = [Object.values(program.inputs), program.noise, ...Object.values(program.outputs)];
  for (const [buffer] of named.flat()) always(buffer);

  let time = 0;
  const play = (kernels) => kernels.forEach((kernel) => {
    // A body's buffers carry its state from round to round.
    walkKernels([kernel], (one) => {
      const { reads, writes } = viewsOf(one);
      for (const [buffer] of [...reads, ...writes]) touch(buffer, time);
    }, "");
    time += 1;
  });
  play(program.once);
  const between = time;
  play(program.each);
  for (const [buffer, { first, last }] of lives) {
    if (first < between && last >= between) always(buffer);
  }
  return lives;
}
