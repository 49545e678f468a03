// What a page of its own can be trained on: a menu at its head.

import { make } from "../stage/dom.js";
import { PageTarget } from "./target.js";

export class Targets {
  /**
   * @param {Live} live what carries and trains.
   * @param {object[]} others as `PageTarget` takes them.
   */
  constructor(live, others) {
    this.live = live;
    const { target } = live.training;
    target.seen = live.ofData[0].get("window");
    this.all = [target, ...others.map((other) => new PageTarget(live.engine, other))];
    this.menu = make(
      "select", { change: () => this.choose(this.menu.selectedIndex) },
      ...this.all.map(({ title }) => make("option", {}, title)),
    );
    this.element = make("label", { class: "fv-stage-target" }, "Target ", this.menu);
  }

  /** Train the flow on another target: from its start, for it is another fit. */
  choose(index) {
    const { live } = this;
    const target = this.all[index];
    target.putBack();
    const draw = (count) => target.sample(count, live.training.settings.seed);
    for (const carrier of live.carriers) carrier.startFrom(draw);
    live.training.aim(target);
    live.showTarget(target);
    live.training.reset();
  }
}
