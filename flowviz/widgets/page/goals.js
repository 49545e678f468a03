// The goals of a panel in a page of its own: ticked as far as the page can tell.

import { render } from "../panel/goals_view.js";
import { make } from "../stage/dom.js";
import { StillModel } from "../stage/standalone.js";

export class Goals {
  /**
   * @param {object} sent {panel, goals: [{sentence, hint, said, within, elsewhere}]}, as goals.py
   *   writes it.
   */
  constructor({ panel, goals }) {
    this.model = new StillModel({ panel, goals, reached: [], asked: 0, _dom_classes: [] });
    const list = make("div", {});
    this.summary = make("summary", {});
    this.element = make(
      "details", { class: "fv-stage-goals fv-panel" }, this.summary, list);
    render({ model: this.model, el: list });
    this.model.on("change:reached", () => this.count());
    list.addEventListener("click", () => this.count()); // Ticks can be forgotten.
    this.count();
  }

  /** Tick what is reached with what is known now: numbers and texts by their names. */
  check(known) {
    const before = this.model.get("reached");
    const now = this.model.get("goals").flatMap(({ within }, i) =>
      (before.includes(i) || (within && isWithin(known, within)) ? [i] : []));
    if (now.length > before.length) this.model.set("reached", now);
  }

  /** Say how many of those that can be reached here are ticked. */
  count() {
    const [all, done] = ["", ".fv-done"].map((which) =>
      this.element.querySelectorAll(`li${which}:not(.fv-elsewhere)`).length);
    this.summary.textContent = all ? `Goals ${done}/${all}` : "Goals";
  }
}

/** Whether each is between its bounds, of which null is none, or among its texts. */
export function isWithin(known, within) {
  return Object.entries(within).every(([name, bounds]) => {
    const value = known[name];
    if (typeof value === "string") return bounds.includes(value);
    return value >= (bounds[0] ?? -Infinity) && value <= (bounds[1] ?? Infinity);
  });
}
