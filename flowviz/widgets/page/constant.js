// A constant that multiplies the target, in a page of its own: it moves the loss of the reverse run,
// and nothing else, as in reverse_probe.py.

import { formatNumber } from "../charts/numbers.js";
import { make } from "../stage/dom.js";

const STEP = 0.1;

export class Constant {
  /**
   * @param {object} sent {log_c, bound}: its logarithm, and how large that may be.
   * @param {function(): void} changed is told when it is another.
   */
  constructor({ log_c: now, bound }, changed) {
    this.track = make("input", { type: "range", min: -bound, max: bound, step: STEP, value: now });
    this.track.addEventListener("input", changed);
    this.value = make("output", {});
    this.words = make("p", {});
    this.element = make(
      "section", { class: "fv-stage-slider", "aria-label": "A constant C on the target" },
      make("label", {}, make("span", {}, "log C"), this.track, this.value), this.words,
    );
  }

  get log() {
    return this.track.valueAsNumber;
  }

  /** Say what the reverse loss is where `fit` {here, outside} of the model, and log Z, are these. */
  show(fit, logZ) {
    this.loss = fit.here - logZ - this.log;
    this.value.textContent = formatNumber(this.log);
    const moved = this.log
      ? `: moved by ${formatNumber(-this.log)}, its gradient not at all` : ", E_p[log p − log p̃ − log C]";
    this.words.replaceChildren("Reverse loss ", make("b", {}, formatNumber(this.loss)), moved);
  }
}
