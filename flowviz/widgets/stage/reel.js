// The training scrubber of a page of its own: goes through the moments of a film, and on to its end.

import { make } from "./dom.js";
import { TrainingScrubber, grouped } from "./player_controls.js";

export class Reel {
  /** act(change, settled): change the player. live: what the end, after the film, is called. */
  constructor({ act, live }) {
    this.live = live;
    this.scrubber = new TrainingScrubber((moment, settled) => act((p) => p.seekMoment(moment), settled));
    this.readout = make("output", { class: "fv-stage-readout" });
    this.element = make(
      "div", { class: "fv-stage-transport fv-stage-reel", role: "group", "aria-label": "Training" },
      make("span", { class: "fv-stage-readout" }, "Training"), this.scrubber.element, this.readout,
    );
  }

  /** Bring everything in line with the player; steps: of the film's moments. */
  update(player, steps) {
    this.element.hidden = player.moments === 0;
    const step = this.scrubber.update(player, steps, steps.at(-1) ?? 0);
    const text = player.moment < 0 ? this.live : `step ${grouped(step)}`;
    this.scrubber.say(text);
    this.readout.textContent = text;
  }
}
