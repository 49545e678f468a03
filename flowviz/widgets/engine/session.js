// A training run in slices of time: what a worker does all the time, and a page between two pictures.

import { Engine } from "./engine.js";
import { Generator } from "./random.js";
import { Normal, Table } from "./sources.js";
import { Trainer } from "./trainer.js";

/**
 * One training run.
 *
 * What it is made of can be sent to a worker: {program: bytes of a descent, parameters: Float32Array
 * or null for those in the program, table: Float32Array [rows, dim] or null for draws of the base,
 * batch, seed, learningRate, maxGradientNorm, average, steps, plain}.
 */
export class Session {
  /** @returns {Promise<Session>} */
  static async of(setup) {
    return new Session(await Engine.start(setup), setup);
  }

  constructor(engine, { program: bytes, parameters, table, batch, seed = 0, ...settings }) {
    const program = engine.read(bytes);
    const generator = new Generator(seed);
    const source = table ? new Table(table, program.dim, batch, generator) : new Normal(batch, generator);
    // Noise has a stream of its own: the points are the same with it and without.
    const descent = program.prepare({ n: source.count, seed: seed + 1 });
    if (parameters) descent.parameters.set(parameters);
    this.engine = engine;
    this.trainer = new Trainer(descent, source, settings);
    /** How many steps are still to be made. */
    this.left = 0;
    this.losses = [];
  }

  /** Whether there is something to do. */
  get runs() {
    return this.left > 0 && !this.trainer.failure;
  }

  /** Make steps for some milliseconds. */
  play(milliseconds) {
    const end = performance.now() + milliseconds;
    while (this.runs && performance.now() < end) this.step();
  }

  step() {
    this.left -= 1;
    if (this.trainer.step()) this.losses.push(this.trainer.loss);
    else this.left = 0;
  }

  /**
   * What happened since the last report.
   *
   * @returns {{kind: string, steps: number, runs: boolean, losses: Float32Array, standardError: number,
   *   gradientNorm: number, parameters: Float32Array, averaged: Float32Array, failure: string|null}}
   */
  report() {
    const { trainer, losses } = this;
    this.losses = [];
    return {
      kind: this.engine.kind,
      steps: trainer.steps,
      runs: this.runs,
      losses: Float32Array.from(losses),
      standardError: trainer.standardError,
      gradientNorm: trainer.gradientNorm,
      parameters: trainer.parameters.vector.slice(),
      averaged: trainer.averaged.vector.slice(),
      failure: trainer.failure,
    };
  }
}
