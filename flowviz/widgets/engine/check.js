// The checks of a program that do not depend on the number of points: what it is made of, and that
// nothing is read before it was written.

import { ProgramError, said } from "./format.js";
import { ARGUMENTS, FIELDS, viewsOf, walkKernels } from "./schema.js";

const UNITS = new Set(["inf", "-inf", "nan"]);

const isWhole = Number.isSafeInteger;
const isPair = (x) => Array.isArray(x) && x.length === 2 && x.every(isWhole);
const isNumber = (x) => isWhole(x) || isPair(x);
const isSize = (x) => isPair(x) || (isWhole(x) && x >= 0);
const isList = (x, is) => Array.isArray(x) && x.every(is);
const isLiteral = (x) => Number.isFinite(x) || UNITS.has(x) || isPair(x) || Number.isFinite(x?.over_n);

function refuse(words) {
  throw new ProgramError(words);
}

/** One header's checks; `buffers` is how many there are. */
class Checks {
  constructor(buffers) {
    this.buffers = buffers;
    const operand = (x, words) => this.operand(x, words);
    const list = (check) => (x, words) => {
      if (!Array.isArray(x)) refuse(`${words} must be a list, got ${said(x)}`);
      x.forEach((one, i) => check(one, `${words}[${i}]`));
    };
    const that = (is, meaning) => (x, words) => {
      if (!is(x)) refuse(`${words} must be ${meaning}, got ${said(x)}`);
    };
    this.kinds = {
      sizes: that((x) => isList(x, isSize), "a list of sizes"),
      size: that(isSize, "a size: a whole number ≥ 0 or [a, b]"),
      whole: that(isNumber, "a whole number or [a, b]"),
      flag: that((x) => typeof x === "boolean", "true or false"),
      form: that((x) => x === "lower" || x === "upper", '"lower" or "upper"'),
      literal: that(isLiteral, 'a number, [a, b], {"over_n": c}, "inf", "-inf" or "nan"'),
      literals: list(that(isLiteral, 'a number, [a, b], {"over_n": c}, "inf", "-inf" or "nan"')),
      operand,
      operands: list(operand),
      instructions: that(Array.isArray, "a list"),
      results: that(Array.isArray, "a list"),
      kernels: (x, words) => this.kernels(x, words),
    };
  }

  buffer(x, words) {
    if (!(isWhole(x) && x >= 0 && x < this.buffers)) {
      refuse(`${words}: there is no buffer ${said(x)}, there are ${this.buffers}`);
    }
  }

  operand(x, words) {
    const [buffer, offset, strides] = Array.isArray(x) && x.length === 3 ? x : [];
    if (!isNumber(offset) || !isList(strides, isNumber)) {
      refuse(`${words} must be an operand [buffer, offset, strides], got ${said(x)}`);
    }
    this.buffer(buffer, words);
  }

  view(x, words) {
    const [buffer, offset, shape, strides] = Array.isArray(x) && x.length === 4 ? x : [];
    if (!isNumber(offset) || !isList(shape, isSize) || !isList(strides, isNumber)) {
      refuse(`${words} must be a view [buffer, offset, shape, strides], got ${said(x)}`);
    }
    this.buffer(buffer, words);
    this.rank([buffer, offset, shape, strides], words);
  }

  rank([, , shape, strides], words) {
    if (shape.length !== strides.length) {
      refuse(`${words}: a shape of ${shape.length} dimensions has ${strides.length} strides`);
    }
  }

  kernels(list, words) {
    if (!Array.isArray(list)) refuse(`${words} must be a list of kernels, got ${said(list)}`);
    list.forEach((kernel, i) => this.kernel(kernel, `${words}[${i}]`));
  }

  kernel(kernel, words) {
    const op = kernel?.op;
    if (!Object.hasOwn(FIELDS, op ?? "")) {
      refuse(`${words}: ${said(op)} is no kernel that this page knows: ${Object.keys(FIELDS).join(", ")}`);
    }
    const here = `${words} (${op})`;
    for (const [field, kind] of Object.entries(FIELDS[op])) {
      if (kernel[field] === undefined && kind.endsWith("?")) continue;
      this.kinds[kind.replace("?", "")](kernel[field], `${here}.${field}`);
    }
    if (op === "map") this.instructions(kernel, here);
    const { reads, writes } = viewsOf(kernel);
    for (const view of [...reads, ...writes]) this.rank(view, here);
  }

  instructions({ in: ins, numbers, do: instructions, out }, words) {
    let known = ins.length + numbers.length;
    const value = (i, what) => {
      if (!(isWhole(i) && i >= 0 && i < known)) {
        refuse(`${words}: ${what} is of value ${said(i)}, there are ${known} before it`);
      }
    };
    for (const instruction of instructions) {
      const [name, ...given] = Array.isArray(instruction) ? instruction : [];
      if (!ARGUMENTS.has(name)) {
        refuse(`${words}: ${said(name)} is no instruction that this page knows: ${[...ARGUMENTS.keys()].join(", ")}`);
      }
      if (given.length !== ARGUMENTS.get(name)) {
        refuse(`${words}: ${name} takes ${ARGUMENTS.get(name)} arguments, got ${given.length}`);
      }
      for (const i of given) value(i, name);
      known += 1;
    }
    for (const result of out) {
      const [operand, i] = Array.isArray(result) ? result : [];
      this.operand(operand, `${words}.out`);
      value(i, "an out");
    }
  }
}

/**
 * Check a header as far as that goes without a number of points.
 *
 * @param {object} header as `readFile` gives it.
 * @param {number} length how many numbers the block has.
 * @throws {ProgramError} what is wrong, and what is allowed.
 */
export function checkHeader(header, length) {
  if (!isList(header.buffers, isSize)) refuse("buffers must be a list of sizes");
  if (!(isWhole(header.dim) && header.dim >= 1)) {
    refuse(`dim must be a whole number ≥ 1, got ${said(header.dim)}`);
  }
  const checks = new Checks(header.buffers.length);
  checkSaved(header, length, checks);
  checkNamed(header, checks);
  checks.kernels(header.once, "once");
  checks.kernels(header.each, "each");
  checkOrder(header);
}

/** Parameters and constants: what the block holds. */
function checkSaved(header, length, checks) {
  const inBlock = (at, size, words) => {
    if (!(isWhole(at) && at >= 0 && at + size <= length)) {
      refuse(`${words} takes ${size} numbers from ${said(at)}, the block has ${length}`);
    }
  };
  for (const field of ["parameters", "constants"]) {
    if (!Array.isArray(header[field])) refuse(`${field} must be a list, got ${said(header[field])}`);
  }
  const names = new Set();
  for (const { name, shape, buffer, at } of header.parameters.map(Object)) {
    const words = `the parameter ${said(name)}`;
    if (typeof name !== "string" || names.has(name)) refuse(`${words}: names are texts, each once`);
    names.add(name);
    if (!isList(shape, (s) => isWhole(s) && s >= 0)) refuse(`${words}: ${said(shape)} is no shape`);
    checks.buffer(buffer, words);
    // Null: whoever plays it has the numbers.
    if (at !== null) inBlock(at, shape.reduce((a, b) => a * b, 1), words);
  }
  header.constants.map(Object).forEach(({ buffer, at, size }, i) => {
    const words = `constants[${i}]`;
    if (!(isWhole(size) && size >= 0)) refuse(`${words}: ${said(size)} is no size`);
    checks.buffer(buffer, words);
    inBlock(at, size, words);
  });
}

/** Inputs, noise and outputs: what is filled in and taken out by name. */
function checkNamed(header, checks) {
  for (const field of ["inputs", "outputs"]) {
    const named = header[field];
    if (typeof named !== "object" || named === null || Array.isArray(named)) {
      refuse(`${field} must be views by name, got ${said(named)}`);
    }
  }
  for (const [name, view] of Object.entries(header.inputs)) checks.view(view, `the input ${said(name)}`);
  const noise = header.noise ?? [];
  if (!Array.isArray(noise)) refuse(`noise must be a list of views, got ${said(noise)}`);
  noise.forEach((view, i) => checks.view(view, `noise[${i}]`));
  for (const [name, given] of Object.entries(header.outputs)) {
    const words = `the output ${said(name)}`;
    if (!Array.isArray(given)) refuse(`${words} must be a view or a list of views, got ${said(given)}`);
    viewsIn(given).forEach((view, i) => checks.view(view, `${words}[${i}]`));
  }
}

/** The views of an output: it is one view, or a list of them. */
export const viewsIn = (output) => (Array.isArray(output[0]) || !output.length ? output : [output]);

/** That nothing is read before anything was written there. */
function checkOrder(header) {
  const written = new Set([
    ...[...header.parameters, ...header.constants].map(({ buffer }) => buffer),
    ...[...Object.values(header.inputs), ...(header.noise ?? [])].map(([buffer]) => buffer),
  ]);
  const read = ([buffer, , shape], words) => {
    if (!written.has(buffer) && !shape.includes(0)) refuse(`${words} reads buffer ${buffer} before anything was written there`);
  };
  const visit = (kernel, words) => {
    const { reads, writes } = viewsOf(kernel);
    for (const view of reads) read(view, words);
    for (const [buffer] of writes) written.add(buffer);
  };
  walkKernels(header.once, visit, "once");
  walkKernels(header.each, visit, "each");
  for (const [name, given] of Object.entries(header.outputs)) {
    for (const view of viewsIn(given)) read(view, `the output ${said(name)}`);
  }
}
