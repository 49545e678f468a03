// The descent of reverse KL to any density: where the flow carries its draws the density is asked,
// and what it says pulls at them.

/** Three passes that are played as one. */
export class PulledDescent {
  /**
   * @param {Pass} carry of the flow, from the base to the data.
   * @param {Pass} density of a program that leaves "log_density" and "pull" of points "x".
   * @param {Pass} descent of the flow, of the inputs "z", "log_density" and "pull".
   */
  constructor(carry, density, descent) {
    Object.assign(this, { carry, density, descent });
    const { inputs, parameters, trained, makeMemory } = descent;
    Object.assign(this, { inputs, parameters, trained, makeMemory });
    this.last = carry.count("states") - 1;
  }

  run() {
    const { carry, density, descent, inputs } = this;
    carry.inputs.z.set(inputs.z);
    carry.run();
    density.inputs.x.set(carry.output("states", this.last));
    density.run();
    for (const name of ["log_density", "pull"]) inputs[name].set(density.output(name));
    descent.run();
  }

  output(name, k) {
    return this.descent.output(name, k);
  }

  count(name) {
    return this.descent.count(name);
  }
}
