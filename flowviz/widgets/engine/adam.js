// Adam, as in flowviz/training/adam.py.

/** Adam with bias correction (Kingma & Ba 2015) on one vector. */
export class Adam {
  /**
   * @param {number} size of the vector.
   * @param {object} settings as in Python.
   */
  constructor(size, { learningRate = 3e-3, betas = [0.9, 0.999], eps = 1e-8 } = {}) {
    Object.assign(this, { learningRate, betas, eps });
    this.first = new Float32Array(size);
    this.second = new Float32Array(size);
    this.steps = 0;
  }

  /**
   * Update the vector. What has no gradient, and never had one, stays as it is.
   *
   * @param {Float32Array} vector
   * @param {Float32Array} gradient
   */
  step(vector, gradient) {
    const { first, second, betas: [beta1, beta2], eps } = this;
    this.steps += 1;
    const rate = this.learningRate / (1 - beta1 ** this.steps);
    const correction = 1 / Math.sqrt(1 - beta2 ** this.steps);
    for (let i = 0; i < vector.length; i++) {
      const g = gradient[i];
      const m = (first[i] += (1 - beta1) * (g - first[i]));
      const v = (second[i] = beta2 * second[i] + (1 - beta2) * g * g);
      vector[i] -= (rate * m) / (Math.sqrt(v) * correction + eps);
    }
  }
}
