// A moving average of weights, as in flowviz/training/average.py.

/** η: until the average is long enough, it is over the last 1/(η + 1) of the steps so far. */
const START = 9;

/** The share of the weights after `step` updates in their average over `span` steps. */
export const rateOf = (step, span) => Math.min(1, Math.max(1 / span, (START + 1) / (step + START)));

/**
 * Take weights into their average: w̄ ← w̄ + a (w − w̄), a = max(1/N, (η + 1)/(t + η)). What is not
 * trained is copied.
 *
 * @param {Parameters} average
 * @param {Parameters} parameters
 * @param {number} step t ≥ 0, the updates that led to them.
 * @param {number} span N ≥ 1, the steps.
 */
export function include(average, parameters, step, span) {
  const rate = rateOf(step, span);
  const means = average.vector;
  const weights = parameters.vector;
  for (const { at, size, trainable } of parameters.entries) {
    const share = trainable ? rate : 1;
    for (let i = at; i < at + size; i++) means[i] += share * (weights[i] - means[i]);
  }
  average.changed();
}
