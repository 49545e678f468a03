// Flows in the page: their programs, made ready for as many points as are asked for.

import { mapped } from "../engine/layout.js";
import { floats } from "../stage/marks.js";
import { fromWholes } from "./packed.js";

/** The programs of flows that differ by what they have learned alone. */
export class Programs {
  /**
   * @param {Engine} engine
   * @param {object} sent {programs: {kind: bytes}, start: as `wholes` of packed.py writes it}.
   */
  constructor(engine, { programs, start }) {
    this.files = programs;
    this.read = mapped(programs, (file) => engine.read(file));
    /** What such a flow has learned before it is trained, one vector. */
    this.start = fromWholes(start, this.parameters().vector.length);
  }

  /** What such a flow may learn. */
  parameters() {
    return Object.values(this.read)[0].parameters();
  }
}

export class PageFlow {
  /**
   * @param {Programs} programs
   * @param {object} sent {now, objective}: what it has learned, bytes of float32 or as `wholes` of
   *   packed.py writes it; the program that trains it.
   */
  constructor(programs, { now, objective }) {
    this.programs = programs;
    this.objective = objective;
    this.parameters = programs.parameters();
    this.now = now.planes ? fromWholes(now, this.parameters.vector.length) : floats(now);
    this.parameters.set(this.now);
    this.passes = new Map();
  }

  /** The pass of that kind for n points. */
  pass(kind, n) {
    const key = `${kind} ${n}`;
    if (!this.passes.has(key)) {
      this.passes.set(key, this.programs.read[kind].prepare({ n, parameters: this.parameters }));
    }
    return this.passes.get(key);
  }

  /**
   * Carry points through the layers.
   *
   * @param {string} way "forward" from the base, "inverse" from the data.
   * @param {Float32Array} points [n, 2] where they start.
   * @param {Float32Array} states [K+1, n, 2], to be filled.
   * @returns {Pass} whose outputs "logabsdet" are those of the layers.
   */
  carry(way, points, states) {
    const pass = this.pass(way, points.length / 2);
    pass.inputs.z.set(points);
    pass.run();
    const count = pass.count("states");
    for (let k = 0; k < count; k++) states.set(pass.output("states", k), k * points.length);
    return pass;
  }
}
