// A chart goes by the stage's clock: on the page alone, no message sent.

import { clockFor } from "../stage/clock.js";

/** Goes by the clock that `model` names, once started; `hear()` as it moves. */
export class Follower {
  constructor(model, hear) {
    this.model = model;
    this.hear = hear;
    this.clock = null;
    this.started = false;
    this.rejoin = () => { if (this.started) this.join(); };
    model.on("change:clock", this.rejoin);
  }

  /** Not before the chart is drawn: the stages set their clock first, a chart only follows. */
  start() {
    if (this.started) return;
    this.started = true;
    this.join();
  }

  join() {
    this.leave();
    const name = this.model.get("clock");
    if (name) {
      this.clock = clockFor(name);
      this.clock.join(this.hear, 1);
    }
    this.hear();
  }

  /** The clock's player; null without a clock. */
  get player() {
    return this.clock?.player ?? null;
  }

  /** Which moment of a training's film is shown; −1 is the present. */
  get moment() {
    return this.player?.moment ?? -1;
  }

  act(change) {
    this.clock?.act(change);
  }

  leave() {
    this.clock?.leave(this.hear);
    this.clock = null;
  }

  remove() {
    this.model.off("change:clock", this.rejoin);
    this.leave();
  }
}
