// Gradient descent by a recorded descent, one step at a time, as in flowviz/training/trainer.py.

import { Adam } from "./adam.js";
import { include } from "./average.js";
import { ProgramError } from "./format.js";

/**
 * Trains the parameters of a descent.
 *
 * A loss or a gradient that is not finite ends the run: the weights go back to the last at which
 * both were finite, and `failure` says what happened. So does a first gradient of exactly 0.
 */
export class Trainer {
  /**
   * @param {Pass} descent with the outputs "losses" [n], whose mean is minimised, and "gradients".
   * @param {{fill: function(Float32Array): void}} source of the points z [n, dim].
   * @param {object} settings
   * @param {number} settings.learningRate
   * @param {number} settings.maxGradientNorm longer gradients are shortened to this.
   * @param {number} settings.average over about how many steps the weights are averaged; 0: not.
   * @param {number} settings.steps that led to the weights.
   * @throws {ProgramError} the program has not one gradient for each of what it trains.
   */
  constructor(
    descent, source, { learningRate = 3e-3, maxGradientNorm = 10, average = 0, steps = 0 } = {},
  ) {
    const { parameters, trained } = descent;
    if (descent.count("gradients") !== trained.length || !trained.length) {
      throw new ProgramError(
        `the program has ${descent.count("gradients")} gradients for ${trained.length} parameters`,
      );
    }
    Object.assign(this, { descent, source, maxGradientNorm, parameters, trained, steps });
    this.first = steps;
    this.span = average;
    /** The parameters to show: the average, or those that are trained where there is none. */
    this.averaged = average ? parameters.copy() : parameters;
    this.adam = new Adam(parameters.vector.length, descent.makeMemory, { learningRate });
    this.gradient = this.adam.gradient;
    // As they were before this step, and before the last one that went well.
    this.before = parameters.vector.slice();
    this.good = parameters.vector.slice();
    /** Why the run stopped, in words; null while all is well. */
    this.failure = null;
    /** Of the last step: the loss in nats, its standard error, the gradient's length before clipping. */
    this.loss = this.standardError = this.gradientNorm = NaN;
  }

  /** One update; false where the run has stopped, which `failure` explains. */
  step() {
    const { descent, parameters, source } = this;
    if (this.failure) return false;
    this.before.set(parameters.vector);
    source.fill(descent.inputs.z);
    descent.run();
    this.measure(descent.output("losses"));
    this.gradientNorm = this.collect();
    const reason = this.wrong();
    if (reason) return this.fail(reason);
    [this.good, this.before] = [this.before, this.good];
    // Before the update: its weights are not known to be good until their loss is.
    if (this.span) include(this.averaged, parameters, this.steps, this.span);
    this.adam.step(parameters.vector);
    parameters.changed();
    this.steps += 1;
    return true;
  }

  measure(losses) {
    const n = losses.length;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += losses[i];
    const mean = sum / n;
    let squares = 0;
    for (let i = 0; i < n; i++) squares += (losses[i] - mean) ** 2;
    this.loss = mean;
    this.standardError = Math.sqrt(squares / (n * (n - 1)));
  }

  /** Gather the gradient, shorten it where it is too long; its length before that. */
  collect() {
    const { descent, gradient, trained } = this;
    for (let k = 0; k < trained.length; k++) gradient.set(descent.output("gradients", k), trained[k].at);
    const length = Math.sqrt(this.adam.squaredLength());
    if (length > this.maxGradientNorm) {
      const share = this.maxGradientNorm / length;
      for (let i = 0; i < gradient.length; i++) gradient[i] *= share;
    }
    return length;
  }

  wrong() {
    if (!Number.isFinite(this.loss)) return "the loss is not finite";
    if (!Number.isFinite(this.gradientNorm)) return "the gradient is not finite";
    return this.steps === this.first && this.gradientNorm === 0 ? "the gradient is exactly 0" : "";
  }

  /** Put the last good weights back, say what happened and what may help. */
  fail(reason) {
    this.parameters.vector.set(this.good);
    this.parameters.changed();
    const advice = this.steps === this.first
      ? "No step was made, and the weights are as they were. Look at the data and the objective."
      : "The weights of the last good step are kept. A smaller learning rate or a larger batch often helps.";
    this.failure = `Training stopped at step ${this.steps + 1}: ${reason}. ${advice}`;
    return false;
  }
}
