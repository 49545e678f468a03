// The numbers that a flow has learnt: one vector, shared by all programs of the flow.

import { ProgramError } from "./format.js";
import { sizeOf } from "./shapes.js";

/** Parameters by name, one after the other in one vector. */
export class Parameters {
  /**
   * @param {Array<{name: string, shape: number[], trainable: (boolean|undefined), value: Float32Array|null}>}
   *   entries their values are copied; null where they are still to be set.
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
    /** The names of those that have no values yet. */
    this.missing = new Set();
    this.entries.forEach((entry, i) => {
      const { value } = entries[i];
      if (value) this.vector.set(value, entry.at);
      else this.missing.add(entry.name);
    });
    /** Goes up with every change, so that programs know when to look again. */
    this.version = 1;
    this.byName = new Map(this.entries.map((entry) => [entry.name, entry]));
  }

  /** Say that the numbers of `vector` were written. */
  changed() {
    this.version += 1;
    this.missing.clear();
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
