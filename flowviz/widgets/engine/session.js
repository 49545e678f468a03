// A training run in slices of time: what a worker does all the time, and a page between two pictures.

import { Engine } from "./engine.js";
import { PulledDescent } from "./pulled.js";
import { Generator } from "./random.js";
import { Normal, Table, around, sourceOf } from "./sources.js";
import { Trainer } from "./trainer.js";

/**
 * One training run.
 *
 * What it is made of can be sent to a worker: {program: bytes of a descent, parameters: Float32Array
 * or null for those in the program, moments: of `Adam` and, with them, shown: the average so far,
 * or null, batch, seed, learningRate, maxGradientNorm, average, steps, plain},
 * and where its points come from: table: Float32Array [rows, dim], or target: as in `sourceOf`;
 * else they are draws of the base. Of a "pulled_descent" those are carried by `carry`, bytes of the
 * flow's forward pass, and pulled by the density of `target`.
 */
export class Session {
  /** @returns {Promise<Session>} */
  static async of(setup) {
    return new Session(await Engine.start(setup), setup);
  }

  constructor(engine, setup) {
    const { program: bytes, parameters, moments, shown, table, target, carry, batch, seed = 0 } = setup;
    const program = engine.read(bytes);
    const pulled = program.kind === "pulled_descent";
    const source = pointsOf(engine, program, { table, target: pulled ? null : target, batch, seed });
    // Noise has a stream of its own: the points are the same with it and without.
    const own = { n: source.count, seed: seed + 1 };
    let descent = program.prepare(own);
    if (parameters) descent.parameters.set(parameters);
    if (pulled) {
      const forward = engine.read(carry).prepare({ ...own, parameters: descent.parameters });
      const density = around(engine.read(target.density).prepare(own), target.modes);
      descent = new PulledDescent(forward, density, descent);
    }
    /** What asks the target. */
    this.asking = pulled ? descent.density : source.pass;
    this.engine = engine;
    this.trainer = new Trainer(descent, source, setup);
    if (moments) {
      this.trainer.averaged.set(shown);
      this.trainer.adam.goOn(moments);
    }
    /** How many steps are still to be made. */
    this.left = 0;
    this.losses = [];
    this.errors = [];
  }

  /** Whether there is something to do. */
  get runs() {
    return this.left > 0 && !this.trainer.failure;
  }

  /** The modes of the target are elsewhere from the next step on. */
  follow(modes) {
    around(this.asking, modes);
  }

  /** Make steps for some milliseconds. */
  play(milliseconds) {
    const end = performance.now() + milliseconds;
    while (this.runs && performance.now() < end) this.step();
  }

  step() {
    this.left -= 1;
    if (!this.trainer.step()) {
      this.left = 0;
      return;
    }
    this.losses.push(this.trainer.loss);
    this.errors.push(this.trainer.standardError);
  }

  /**
   * What happened since the last report.
   *
   * @returns {{kind: string, steps: number, runs: boolean, losses: Float32Array, errors: Float32Array,
   *   gradientNorm: number, parameters: Float32Array, averaged: Float32Array, failure: string|null,
   *   moments: object|null}} the moments of Adam where it does not run.
   */
  report() {
    const { trainer, losses, errors } = this;
    this.losses = [];
    this.errors = [];
    return {
      kind: this.engine.kind,
      steps: trainer.steps,
      runs: this.runs,
      losses: Float32Array.from(losses),
      errors: Float32Array.from(errors),
      gradientNorm: trainer.gradientNorm,
      parameters: trainer.parameters.vector.slice(),
      averaged: trainer.averaged.vector.slice(),
      failure: trainer.failure,
      moments: this.runs ? null : trainer.adam.moments(),
    };
  }
}

/** Where the points of its steps come from. */
function pointsOf(engine, program, { table, target, batch, seed }) {
  if (target) return sourceOf(engine, target, batch, seed);
  const generator = new Generator(seed);
  return table ? new Table(table, program.dim, batch, generator) : new Normal(batch, generator);
}
