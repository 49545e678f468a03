// A flow in the page: its programs, made ready for as many points as are asked for.

import { floats, fromBase64 } from "../stage/marks.js";

export class PageFlow {
  /**
   * @param {Engine} engine
   * @param {object} sent {programs: {kind: base64}, start, now}: base64 of float16 and of float32.
   */
  constructor(engine, { programs, start, now }) {
    this.files = Object.fromEntries(
      Object.entries(programs).map(([kind, text]) => [kind, fromBase64(text)]),
    );
    this.programs = Object.fromEntries(
      Object.entries(this.files).map(([kind, file]) => [kind, engine.read(file)]),
    );
    /** What it has learned before it is trained, and as it was saved: one vector each. */
    this.start = floats(start, true);
    this.now = floats(now);
    this.parameters = Object.values(this.programs)[0].parameters();
    this.parameters.set(this.now);
    this.passes = new Map();
  }

  /** The pass of that kind for n points. */
  pass(kind, n) {
    const key = `${kind} ${n}`;
    if (!this.passes.has(key)) {
      this.passes.set(key, this.programs[kind].prepare({ n, parameters: this.parameters }));
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
