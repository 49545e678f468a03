// Maps: elementwise instructions, played block by block.
//
// A block is some hundred numbers that stay in the processor's nearest cache, so that an instruction
// is one call and its results need no way to memory and back. What lies one after the other is
// used where it is; the rest is gathered into scratch blocks first and put back after.

import { Walk, collapse, sizeOf, widestFirst } from "./shapes.js";

/** The most numbers in a block. */
export const BLOCK = 512;

/** How many scratch blocks a map may need. */
export const scratchOf = ({ in: ins, numbers, do: instructions }) =>
  ins.length + numbers.length + instructions.length;

/**
 * Make a map ready.
 *
 * @param {object} kernel resolved for n.
 * @param {object} machine its `places` (of buffers), `sizes` (of buffers), `scratch` (where the
 *   blocks begin), `memory` and `blocks` (the operations).
 * @returns {function(): void} plays it.
 */
export function mapOf(kernel, machine) {
  if (!sizeOf(kernel.shape)) return () => {};
  const operands = [...kernel.out.map(([operand]) => operand), ...kernel.in];
  const walk = cut(kernel.shape, operands.map(([, , strides]) => strides));
  const outs = kernel.out.map(([operand, value], i) => ({
    ...pieceOf(operand, walk, i, machine), value,
  }));
  const written = new Set(outs.map(({ buffer }) => buffer));
  const ins = kernel.in.map((operand, i) => pieceOf(operand, walk, outs.length + i, machine));
  for (const piece of ins) piece.shared = written.has(piece.buffer);
  for (const piece of outs) piece.shared = ins.some(({ buffer }) => buffer === piece.buffer);
  return player(new Planner(kernel, ins, outs, walk, machine).plan(), walk, machine);
}

/**
 * Cut a shape into blocks: some outer dimensions are walked through, one is cut into pieces of at
 * most `piece`, the inner ones are whole in each block.
 */
function cut(shape, strides) {
  const sorted = widestFirst(shape, strides);
  const joined = collapse(sorted.shape, sorted.strides);
  if (!joined.shape.length) {
    joined.shape.push(1);
    joined.strides.forEach((own) => own.push(1));
  }
  let d = joined.shape.length - 1;
  let inner = 1;
  while (d > 0 && inner * joined.shape[d] <= BLOCK) inner *= joined.shape[d--];
  const fitting = Math.floor(BLOCK / inner);
  const length = joined.shape[d];
  // Whole vectors of four, where there are several pieces.
  const piece = fitting >= length ? length : fitting > 4 ? fitting - (fitting % 4) : fitting;
  return { ...joined, cut: d, inner, length, piece, most: piece * inner };
}

/** One operand's part of a block: how it lies, and how it moves from block to block. */
function pieceOf([buffer, offset], walk, i, { places, sizes }) {
  const strides = walk.strides[i];
  const own = collapse([walk.piece, ...walk.shape.slice(walk.cut + 1)], [strides.slice(walk.cut)]);
  const several = walk.length > walk.piece;
  const outer = strides.slice(0, walk.cut);
  const total = sizeOf(walk.shape);
  return {
    buffer,
    at: places[buffer] + offset,
    shape: own.shape,
    strides: own.strides[0],
    outer,
    step: strides[walk.cut],
    rests: outer.every((stride) => stride === 0) && !(several && strides[walk.cut] !== 0),
    unbroken: own.shape.length === 0 || (own.shape.length === 1 && own.strides[0][0] === 1),
    // The buffer ends where the operand does: vectors may run over into what is kept free there.
    endsBuffer: collapse(walk.shape, [strides]).shape.length <= 1
      && offset + total === sizes[buffer],
  };
}

/** Decides for each value where it lies, and in which order the block is computed. */
class Planner {
  constructor(kernel, ins, outs, walk, machine) {
    this.kernel = kernel;
    this.ins = ins;
    this.outs = outs;
    this.walk = walk;
    this.machine = machine;
    /** Played once before all blocks: what is the same in each. */
    this.before = [];
    this.steps = [];
    /** Registers: where the values lie in the block at hand. Those that move say how. */
    this.registers = [];
    this.moving = [];
    this.free = [];
    this.slots = 0;
  }

  plan() {
    const { kernel: { in: ins, numbers, do: instructions }, outs } = this;
    const first = ins.length + numbers.length;
    this.homes = new Array(first + instructions.length).fill(-1);
    this.lastUses = this.homes.map(() => -1);
    instructions.forEach(([, ...given], t) => given.forEach((i) => (this.lastUses[i] = t)));
    for (const { value } of outs) {
      if (value < first) this.lastUses[value] = instructions.length;
    }
    this.ins.forEach((piece, i) => this.begin(piece, i));
    numbers.forEach((number, i) => this.number(number, ins.length + i));

    instructions.forEach((instruction, t) => this.instruct(instruction, t, first + t));
    for (const out of outs) if (out.value < first) this.leave(out, this.input(out.value));
    return this;
  }

  /** What is known of an input before the first instruction. */
  begin(piece, i) {
    if (piece.rests && !piece.shared) {
      // The same in every block: gathered once.
      if (piece.unbroken) this.homes[i] = this.register(piece.at);
      else {
        this.homes[i] = this.slot();
        this.before.push(this.loading(piece, this.homes[i], this.register(piece.at)));
      }
      this.lastUses[i] = Infinity;
    } else if (!piece.shared && piece.unbroken) {
      this.homes[i] = this.mover(piece);
      this.lastUses[i] = Infinity;
    } else if (piece.shared) {
      // It may be written over before it is used: taken at once.
      this.input(i);
    }
  }

  number(value, i) {
    const home = (this.homes[i] = this.slot());
    const { memory } = this.machine;
    const start = this.registers[home];
    const end = start + 4 * Math.ceil(this.walk.most / 4);
    this.before.push({ call: () => memory.fill(value, start, end), out: home, a: 0, b: 0, c: 0 });
    this.lastUses[i] = Infinity;
  }

  /** Where an input lies; gathered now if it was not. */
  input(i) {
    if (this.homes[i] < 0) {
      const piece = this.ins[i];
      this.homes[i] = this.slot();
      this.steps.push(this.loading(piece, this.homes[i], this.mover(piece)));
    }
    return this.homes[i];
  }

  instruct([name, ...given], t, value) {
    const homes = given.map((i) => (this.homes[i] < 0 ? this.input(i) : this.homes[i]));
    for (const i of new Set(given)) if (this.lastUses[i] === t) this.free.push(this.homes[i]);
    const outs = this.outs.filter((out) => out.value === value);
    const whole = (this.walk.most % 4 || (this.walk.length * this.walk.inner) % 4) === 0;
    const direct = outs.find(
      (out) => out.unbroken && (whole || (out.endsBuffer && !out.shared)),
    );
    const out = (this.homes[value] = direct ? this.mover(direct) : this.slot());
    const [a, b = a, c = a] = homes;
    this.steps.push({ call: this.machine.blocks[name], out, a, b, c });
    for (const one of outs) if (one !== direct) this.leave(one, out);
    if (direct) this.lastUses[value] = Infinity;
    else if (this.lastUses[value] < 0) this.free.push(out);
  }

  leave(piece, home) {
    this.steps.push(this.storing(piece, this.mover(piece), home));
  }

  register(at) {
    return this.registers.push(at) - 1;
  }

  /** A register that follows an operand from block to block. */
  mover(piece) {
    const register = this.register(piece.at);
    this.moving.push({ ...piece, register });
    return register;
  }

  /** A scratch block: one that is free again, or a new one. */
  slot() {
    if (this.free.length) return this.free.pop();
    return this.register(this.machine.scratch + this.slots++ * BLOCK);
  }

  loading(piece, out, a) {
    return { call: inRows(piece, this.machine.blocks.load, false), out, a, b: a, c: a };
  }

  storing(piece, out, a) {
    return { call: inRows(piece, this.machine.blocks.store, true), out, a, b: a, c: a };
  }
}

/**
 * A step that loads or stores a piece of `count` numbers: as rows and columns, and where a piece has
 * more dimensions, as several of those.
 */
function inRows({ shape, strides }, move, stores) {
  const rank = shape.length;
  const columns = rank > 1 ? shape[rank - 1] : 0;
  const column = rank ? strides[rank - 1] : 0;
  if (rank < 2) return (out, from, b, c, count) => move(out, from, 1, count, 0, column);
  const row = strides[rank - 2];
  if (rank === 2) {
    return (out, from, b, c, count) => move(out, from, count / columns, columns, row, column);
  }
  const rows = shape[rank - 2];
  const walk = new Walk(shape.slice(0, rank - 2), [strides.slice(0, rank - 2)]);
  const { index, offsets } = walk;
  return (out, from, b, c, count) => {
    index.fill(0);
    offsets.fill(0);
    for (let done = 0; done < count; done += rows * columns, walk.next()) {
      if (stores) move(out + offsets[0], from + done, rows, columns, row, column);
      else move(out + done, from + offsets[0], rows, columns, row, column);
    }
  };
}

/** Plays a plan: all blocks, one after the other. */
function player({ before, steps, registers, moving }, walk, machine) {
  const where = Int32Array.from(registers);
  const outer = new Walk(walk.shape.slice(0, walk.cut), moving.map((piece) => piece.outer));
  const { length, piece, inner, most } = walk;
  const { offsets } = outer;
  const play = (step, count) =>
    step.call(where[step.out], where[step.a], where[step.b], where[step.c], count);
  return () => {
    for (let s = 0; s < before.length; s++) play(before[s], most);
    do {
      for (let start = 0; start < length; start += piece) {
        for (let i = 0; i < moving.length; i++) {
          where[moving[i].register] = moving[i].at + offsets[i] + start * moving[i].step;
        }
        const count = Math.min(piece, length - start) * inner;
        for (let s = 0; s < steps.length; s++) play(steps[s], count);
      }
    } while (outer.next());
  };
}
