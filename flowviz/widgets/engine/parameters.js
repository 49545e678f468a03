// The numbers that a flow has learnt: one vector, shared by all programs of the flow.

import { ProgramError } from "./format.js";
import { sizeOf } from "./shapes.js";

/** Parameters by name, one after the other in one vector. */
export class Parameters {
  /**
   * @param {Array<{name: string, shape: number[], trainable: (boolean|undefined), value: Float32Array}>}
   *   entries their values are copied.
   */
  constructor(entries) {
    let at = 0;
    /** {name, shape, at, size, trainable} of each, in order; `at` is where it begins in `vector`. */
    this.entries = entries.map(({ name, shape, trainable = true }) => {
      const size = sizeOf(shape);
      at += size;
      return { name, shape, at: at - size, size, trainable };
    });
    /** All numbers; call `changed` after writing to it. */
    this.vector = new Float32Array(at);
    this.entries.forEach((entry, i) => this.vector.set(entries[i].value, entry.at));
    /** Goes up with every change, so that programs know when to look again. */
    this.version = 1;
    this.byName = new Map(this.entries.map((entry) => [entry.name, entry]));
  }

  /** Those of a program's header with the numbers of one vector. */
  static of(entries, vector) {
    let at = 0;
    return new Parameters(entries.map((entry) => {
      const size = sizeOf(entry.shape);
      at += size;
      return { ...entry, value: vector.subarray(at - size, at) };
    }));
  }

  /** Say that numbers of `vector` were written. */
  changed() {
    this.version += 1;
  }

  /**
   * Take other values.
   *
   * @param {Float32Array|Float32Array[]} values one vector of all, or one array for each.
   * @throws {ProgramError} they are not as many.
   */
  set(values) {
    const { entries, vector } = this;
    const isList = Array.isArray(values) && typeof values[0] !== "number";
    const [given, wanted] = isList ? [values.length, entries.length] : [values.length, vector.length];
    if (given !== wanted) {
      throw new ProgramError(`there are ${wanted} ${isList ? "parameters" : "numbers"}, got ${given}`);
    }
    if (isList) entries.forEach((entry, i) => this.put(entry, values[i]));
    else vector.set(values);
    this.changed();
  }

  put({ name, at, size }, value) {
    if (value.length !== size) {
      throw new ProgramError(`the parameter "${name}" has ${size} numbers, got ${value.length}`);
    }
    this.vector.set(value, at);
  }

  /** A copy with a vector of its own. */
  copy() {
    return new Parameters(this.entries.map((entry) => ({ ...entry, value: this.view(entry.name) })));
  }

  /** One parameter's part of the vector. */
  view(name) {
    const { at, size } = this.byName.get(name);
    return this.vector.subarray(at, at + size);
  }
}
