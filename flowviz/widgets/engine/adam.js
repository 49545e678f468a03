// Adam, as in flowviz/training/adam.py.

/** Adam with bias correction (Kingma & Ba 2015) on one vector. */
export class Adam {
  /**
   * @param {number} size of the vector.
   * @param {function(number): object} makeMemory that of the engine.
   * @param {object} settings as in Python.
   */
  constructor(size, makeMemory, { learningRate = 3e-3, betas = [0.9, 0.999], eps = 1e-8 } = {}) {
    Object.assign(this, { learningRate, betas, eps, size });
    const apart = 4 * Math.ceil(size / 4);
    const { memory, start, blocks } = makeMemory(4 * apart);
    this.places = [0, 1, 2, 3].map((i) => start + i * apart);
    const parts = this.places.map((at) => memory.subarray(at, at + size));
    /** To be filled before a step. What has no gradient, and never had one, stays as it is. */
    this.gradient = parts[1];
    [this.vector, , this.first, this.second] = parts;
    this.play = blocks.adam;
    this.squares = blocks.squares;
    this.steps = 0;
  }

  /** Σ g² of the gradient. */
  squaredLength() {
    return this.squares(this.places[1], this.size);
  }

  /** What steps to come depend on: the moments, and how many there have been. */
  moments() {
    return { first: this.first.slice(), second: this.second.slice(), count: this.steps };
  }

  /** Go on from the moments of another. */
  goOn({ first, second, count }) {
    this.first.set(first);
    this.second.set(second);
    this.steps = count;
  }

  /**
   * Update a vector by `gradient`.
   *
   * @param {Float32Array} vector
   */
  step(vector) {
    const { places, size, betas: [beta1, beta2], eps } = this;
    this.steps += 1;
    const rate = this.learningRate / (1 - beta1 ** this.steps);
    const correction = 1 / Math.sqrt(1 - beta2 ** this.steps);
    this.vector.set(vector);
    this.play(...places, size, 1 - beta1, 1 - beta2, rate, correction, eps);
    vector.set(this.vector);
  }
}
