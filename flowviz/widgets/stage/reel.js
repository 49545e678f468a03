// The training scrubber: goes through the moments of a film, and comes back to what is live.

import { make } from "./dom.js";

export class Reel {
  /** act(change, settled): change the player. live: what the last stop, after the film, is called. */
  constructor({ act, live = "now" }) {
    this.live = live;
    const go = (settled) => act((p) => {
      const stop = Number(this.scrubber.value);
      p.seekMoment(stop < p.moments ? stop : -1);
    }, settled);
    this.scrubber = make("input", {
      type: "range", min: 0, step: 1, "aria-label": "Moment of the training",
      input: () => go(false), change: () => go(true),
    });
    this.readout = make("output", { class: "fv-stage-readout" });
    this.element = make(
      "div", { class: "fv-stage-transport fv-stage-reel", role: "group", "aria-label": "Training" },
      make("span", { class: "fv-stage-readout" }, "Training"),
      make("div", { class: "fv-stage-track" }, this.scrubber), this.readout,
    );
  }

  /** Bring everything in line with the player; steps: of the film's moments. */
  update({ moments, moment }, steps) {
    this.element.hidden = moments === 0;
    const stop = moment < 0 ? moments : moment;
    const text = moment < 0 ? this.live : `step ${(steps[moment] ?? 0).toLocaleString("en")}`;
    this.scrubber.max = moments;
    this.scrubber.value = stop;
    this.scrubber.style.setProperty("--fv-done", `${moments > 0 ? (100 * stop) / moments : 0}%`);
    this.scrubber.setAttribute("aria-valuetext", text);
    this.readout.textContent = text;
  }
}
