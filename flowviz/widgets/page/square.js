// The square at the marked point of a page of its own: log|det J| there in three ways, as in
// cursor_numbers.py, and a slider for its side.

import { formatNumber } from "../charts/numbers.js";
import { make } from "../stage/dom.js";
import { Figures } from "./figures.js";

/** Below this log|det J| is 0 to rounding. */
const ROUNDING = 2e-6;
const STEP = 0.05;

export class Square {
  /**
   * @param {Carrier} carrier of the picture in which it is.
   * @param {object} sent {side, least, most}: as it is, and how small and large it may be.
   * @param {function(): void} changed is told when its side is another.
   */
  constructor(carrier, { side, least, most }, changed) {
    this.carrier = carrier;
    this.side = side;
    const [min, max] = [least, most].map(Math.log);
    this.track = make("input", { type: "range", min, max, step: STEP, value: Math.log(side) });
    this.track.addEventListener("input", () => {
      this.take(Math.min(Math.max(Math.exp(this.track.valueAsNumber), least), most));
      changed();
    });
    this.value = make("output", {});
    this.figures = new Figures("log|det J| at the cursor", ["formula", "differences", "area"]);
    this.element = make(
      "section", { class: "fv-stage-slider", "aria-label": "The square at the cursor" },
      this.figures.element, make("label", {}, make("span", {}, "side"), this.track, this.value),
    );
  }

  /** Make it as large as that. */
  take(side) {
    this.carrier.scale(side / this.side);
    this.side = side;
  }

  /** Say what the flow makes of it; total: the sum of the layers' log|det J|. */
  show(total) {
    const { image, tangent } = this.carrier.areas();
    const ways = [total, tangent, image];
    this.error = Math.abs(total - image);
    this.value.textContent = formatNumber(this.side, 2);
    this.figures.show([["log|det J|", ways.map((way) => formatNumber(Math.abs(way) > ROUNDING ? way : 0))]]);
  }
}
