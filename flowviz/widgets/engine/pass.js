// A program made ready for a number of points: its memory, its inputs and outputs, and its playing.

import { cumsumOf, gatherOf, reductionOf, repeatOf, scatterOf, searchOf } from "./arrays.js";
import { ProgramError } from "./format.js";
import { mapped, place, resolve } from "./layout.js";
import { luOf, luSolveOf, matmulOf, solveOf } from "./linear.js";
import { BLOCK, mapOf, scratchOf } from "./maps.js";
import { Generator } from "./random.js";
import { viewsOf, walkKernels } from "./schema.js";
import { Walk, collapse, sizeOf } from "./shapes.js";

const MAKE = {
  map: mapOf,
  sum: reductionOf,
  max: reductionOf,
  min: reductionOf,
  product: reductionOf,
  matmul: matmulOf,
  gather: gatherOf,
  scatter: scatterOf,
  cumsum: cumsumOf,
  search: searchOf,
  solve: solveOf,
  lu: luOf,
  lu_solve: luSolveOf,
  repeat: (kernel, machine) => repeatOf(kernel, machine, players(kernel.body, machine)),
};

const players = (kernels, machine) => kernels.map((kernel) => MAKE[kernel.op](kernel, machine));

/**
 * A program for n points. Nothing is allocated when it runs.
 *
 * `inputs` has an array for each input, in C order, to be filled before `run`; `output` gives what
 * the last run left.
 */
export class Pass {
  /**
   * @param {object} header a checked one.
   * @param {Float32Array} block
   * @param {object} settings
   * @param {number} settings.n the number of points, ≥ 1.
   * @param {Parameters} settings.parameters whose values are played; at least the program's.
   * @param {number} settings.seed of the noise.
   * @param {function(number): {memory: Float32Array, start: number, blocks: object}} makeMemory for so many numbers.
   * @throws {ProgramError} a view does not lie in its buffer, or parameters are missing.
   */
  constructor(header, block, { n, parameters, seed = 0 }, makeMemory) {
    const program = resolve(header, n);
    const { places: offsets, size } = place(header, program);
    const { memory, start, blocks } = makeMemory(size + scratchSize(program));
    const places = offsets.map((offset) => start + offset);
    const scratch = start + size;
    this.n = n;
    this.makeMemory = makeMemory;
    this.parameters = parameters;
    this.memory = memory;
    /** {rounds, left} of each repeat in the last run. */
    this.repeats = [];
    this.generator = new Generator(seed);
    for (const { buffer, at, size: length } of header.constants) {
      memory.set(block.subarray(at, at + length), places[buffer]);
    }
    const machine = { memory, blocks, places, sizes: program.buffers, scratch, repeats: this.repeats };
    this.once = players(program.once, machine);
    this.each = players(program.each, machine);
    this.links = linked(header, program, parameters, machine);
    /** What "gradients" of a descent are of, in their order. */
    this.trained = header.parameters
      .filter(({ trainable }) => trainable !== false)
      .map(({ name }) => parameters.byName.get(name));

    const port = (view) => new Port(view, machine);
    this.ins = mapped(program.inputs, port);
    this.inputs = mapped(this.ins, ({ values }) => values);
    this.noise = program.noise.map(port);
    this.filled = new Set();
    this.outs = mapped(program.outputs, (views) => views.map(port));
    this.insInOrder = Object.values(this.ins);
    this.version = 0;
  }

  /** Take values for noise[k] in the next run, instead of draws. */
  setNoise(k, values) {
    this.noise[k].values.set(values);
    this.filled.add(k);
  }

  /**
   * Play the program, from what the inputs hold, with the parameters as they are.
   *
   * @throws {ProgramError} parameters that the file does not hold have not been set.
   */
  run() {
    const { parameters, links } = this;
    if (parameters.missing.size) {
      throw new ProgramError(`these parameters have no values yet: ${[...parameters.missing].join(", ")}`);
    }
    if (this.version !== parameters.version) {
      this.version = parameters.version;
      for (let i = 0; i < links.all.length; i++) links.all[i].here.set(links.all[i].there);
      for (let i = 0; i < this.once.length; i++) this.once[i]();
    }
    for (let i = 0; i < this.noise.length; i++) this.draw(i);
    for (let i = 0; i < this.insInOrder.length; i++) this.insInOrder[i].putIn();
    for (let i = 0; i < this.each.length; i++) this.each[i]();
    if (links.written.length) this.giveBack();
  }

  draw(i) {
    const noise = this.noise[i];
    if (!this.filled.delete(i)) this.generator.fillNormal(noise.values);
    noise.putIn();
  }

  /** What kernels wrote into parameters is their new value, for all programs of the flow. */
  giveBack() {
    for (const { here, there } of this.links.written) there.set(here);
    const { parameters } = this;
    parameters.changed();
    // This program has these values already, unless "once" works with them.
    if (!this.once.length) this.version = parameters.version;
  }

  /**
   * What the last run left.
   *
   * @param {string} name
   * @param {number} k which, where it is a list.
   * @returns {Float32Array} in C order, good until the next run; `shapeOf` tells its shape.
   */
  output(name, k = 0) {
    return this.#out(name, k).takeOut();
  }

  /** How many views an output has. */
  count(name) {
    return this.#list(name).length;
  }

  /** The shape of an output. */
  shapeOf(name, k = 0) {
    return this.#out(name, k).shape;
  }

  #list(name) {
    if (Object.hasOwn(this.outs, name)) return this.outs[name];
    throw new ProgramError(`there is no output "${name}", there are: ${Object.keys(this.outs).join(", ")}`);
  }

  #out(name, k) {
    const list = this.#list(name);
    if (list[k]) return list[k];
    throw new ProgramError(`the output "${name}" has ${list.length} views, there is none with number ${k}`);
  }
}

/** How much scratch memory the maps need, in numbers. */
function scratchSize(program) {
  let most = 0;
  const visit = (kernel) => {
    if (kernel.op === "map") most = Math.max(most, scratchOf(kernel));
  };
  walkKernels(program.once, visit, "");
  walkKernels(program.each, visit, "");
  return most * BLOCK;
}

/** Where each parameter of the program lies here, and there in the vector of all. */
function linked(header, program, parameters, { memory, places }) {
  const written = new Set();
  const visit = (kernel) => {
    for (const [buffer] of viewsOf(kernel).writes) written.add(buffer);
    if (kernel.op === "scatter") written.add(kernel.out[0]);
  };
  walkKernels(program.once, visit, "");
  walkKernels(program.each, visit, "");
  const all = header.parameters.map(({ name, shape, buffer }) => {
    const found = parameters.byName.get(name);
    if (!found || found.size !== sizeOf(shape)) {
      throw new ProgramError(
        `the program needs the parameter "${name}" of shape [${shape}], `
        + (found ? `this one is [${found.shape}]` : "there is none of that name"),
      );
    }
    const here = memory.subarray(places[buffer], places[buffer] + found.size);
    return { here, there: parameters.view(name), buffer };
  });
  return { all, written: all.filter(({ buffer }) => written.has(buffer)) };
}

/** A view of the memory seen from outside: its values in C order. */
class Port {
  constructor([buffer, offset, shape, strides], { memory, places }) {
    this.shape = shape;
    this.memory = memory;
    this.start = places[buffer] + offset;
    const size = sizeOf(shape);
    const joined = collapse(shape, [strides]);
    const rank = joined.shape.length;
    this.lies = size === 0 || rank === 0 || (rank === 1 && joined.strides[0][0] === 1);
    /** Where it lies in C order already, that place itself. */
    this.values = this.lies
      ? memory.subarray(this.start, this.start + size)
      : new Float32Array(size);
    this.walk = new Walk(joined.shape, joined.strides);
  }

  /** From `values` to the memory. */
  putIn() {
    if (this.lies) return;
    const { values, memory, walk, start } = this;
    for (let i = 0; i < values.length; i++, walk.next()) memory[start + walk.offsets[0]] = values[i];
  }

  /** From the memory to `values`. */
  takeOut() {
    const { values, memory, walk, start } = this;
    if (!this.lies) {
      for (let i = 0; i < values.length; i++, walk.next()) values[i] = memory[start + walk.offsets[0]];
    }
    return values;
  }
}
