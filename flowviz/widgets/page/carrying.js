// What the flows of a page do for its pictures: carry their marks, follow the handle, be trained.

import { Carrier } from "./carrier.js";
import { PageFlow, Programs } from "./flow.js";
import { Training } from "./training.js";

export class Carrying {
  /**
   * @param {object} page {views: of the stages, in the order of `sent.stages`; clock; run: the run
   *   bar's model}.
   * @param {object} sent {programs, start, flows: [{now, objective}], stages: which flow is whose,
   *   target, training}, as `in_page` of the panel's part writes it; the last two where it trains.
   * @param {Engine} engine
   * @param {string} code the page's own module.
   */
  constructor(page, sent, engine, code) {
    this.page = page;
    this.engine = engine;
    this.programs = new Programs(engine, sent);
    this.flows = sent.flows.map((flow) => new PageFlow(this.programs, flow));
    this.carriers = page.views.map((view, i) => new Carrier(view, this.flows[sent.stages[i]]));
    for (const view of page.views) view.carrier = this;
    this.training = sent.training ? new Training(this, sent, code) : null;
    // A moment of the film is what was learned by then.
    this.moment = -1;
    this.seek = (player) => this.showMoment(player.moment);
    page.clock.join(this.seek, 1);
  }

  /** Let the flows be what was learned, a vector each; `moving`: more is to come at once. */
  learn(learned, moving = false) {
    this.flows.forEach((flow, i) => flow.parameters.set(learned[i]));
    this.show(moving);
  }

  /** Draw everything anew. */
  show(moving = false) {
    for (const carrier of this.carriers) carrier.carryAll(moving);
  }

  /** A handle of a view was moved. */
  follow(view, set, place) {
    const moved = this.carriers.find((carrier) => carrier.view === view);
    const point = moved.pointOf(set, place);
    const stays = this.refuses(point);
    for (const carrier of this.carriers) {
      carrier.follow(stays ? this.point : point, carrier === moved && !stays ? set : -1);
    }
  }

  /** Whether the marked point may not be there. */
  refuses() {
    return false;
  }

  /** What is shown was learned by a moment of the film, or by now. */
  showMoment(moment) {
    if (moment === this.moment) return;
    this.moment = moment;
    if (this.training) this.learn(this.training.learnedAt(moment));
  }

  /** What was said is of another state. */
  unsaid() {}

  /** The training of the i-th flow has made steps. */
  reported() {}

  /** The training has come to its end, or was paused. */
  ended() {}

  /** A view's marks were replaced. */
  unpacked(view) {
    for (const carrier of this.carriers) if (carrier.view === view) carrier.stale = true;
  }
}
