// The sliders of a page's own: a panel's settings that its pictures follow, as its sliders have them.

import { position, stopsOf, valueAt, written } from "../stops.js";
import { make } from "../stage/dom.js";

export class Sliders {
  /**
   * @param {object[]} sent {place, label, help, min, max, step, log, most}: which of the numbers each
   *   one turns, and how.
   * @param {function(number, number): void} turned is told which one the user has turned, and to what.
   */
  constructor(sent, turned) {
    this.rows = sent.map((range, i) => {
      const { label, help } = range;
      const track = make("input", { type: "range", min: 0, max: stopsOf(range), step: "any" });
      track.addEventListener("input", () => turned(i, valueAt(Math.round(track.valueAsNumber), range)));
      const value = make("output", {});
      return { range, track, value, row: make("label", { title: help }, make("span", {}, label), track, value) };
    });
    this.element = make(
      "section", { class: "fv-stage-slider", "aria-label": "Settings" }, ...this.rows.map(({ row }) => row),
    );
  }

  /** Stand where the numbers are. */
  show(numbers) {
    for (const { range, track, value } of this.rows) {
      const now = numbers[range.place];
      track.value = position(now, range);
      value.textContent = written(now, false, range.most, range.max);
      track.setAttribute("aria-valuetext", value.textContent);
    }
  }
}
