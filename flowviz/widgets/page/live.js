// A saved page comes alive: its own flows carry the pictures' marks, follow the handle and are
// trained.

import { Engine } from "../engine/engine.js";
import { Carrier } from "./carrier.js";
import { PageFlow } from "./flow.js";
import { Training } from "./training.js";

export class Live {
  /**
   * Let the flows of a page carry what its stages show.
   *
   * @param {object} page {views, clock, tally, run} of page.js.
   * @param {object} sent {flows: [{programs, start, now, objective}], stages: which flow is whose,
   *   samples, training}, as Panel.to_html writes it.
   * @param {string} code the page's own module.
   */
  static async begin(page, sent, code) {
    return new Live(page, sent, code, await Engine.start());
  }

  constructor(page, sent, code, engine) {
    this.page = page;
    this.engine = engine;
    this.flows = sent.flows.map((flow) => new PageFlow(engine, flow));
    this.carriers = page.views.map((view, i) => new Carrier(view, this.flows[sent.stages[i]]));
    for (const view of page.views) view.carrier = this;
    this.training = new Training(this, sent, code);
    page.run.send = ({ kind }) => this.training.press(kind);
    // A moment of the film is what was learned by then.
    this.moment = -1;
    page.clock.join((player) => this.showMoment(player.moment), 1);
    this.show();
  }

  /** Let the flows be what was learned, a vector each; `moving`: more is to come at once. */
  learn(learned, moving = false) {
    this.flows.forEach((flow, i) => flow.parameters.set(learned[i]));
    this.show(moving);
  }

  /** Draw everything anew. */
  show(moving = false) {
    for (const carrier of this.carriers) carrier.carryAll(moving);
    this.tell();
  }

  /** A handle was moved. */
  follow(point) {
    this.unsaid();
    for (const carrier of this.carriers) carrier.follow(point);
    this.tell();
  }

  /** What was said is of the state that was saved: it holds no longer. */
  unsaid() {
    if (Number.isNaN(this.page.saved)) return;
    this.page.saved = NaN;
    this.page.clock.tell(false);
  }

  /** The numbers of the marked point, beside the pictures. */
  tell() {
    const { tally, run, clock } = this.page;
    const contributions = this.carriers[0].contributions();
    if (!contributions) return;
    const stretches = clock.player.stretches;
    const layers = Array.from({ length: contributions.length / stretches }, (_, layer) =>
      contributions.slice(layer * stretches, (layer + 1) * stretches).reduce((a, b) => a + b, 0));
    let sum = 0;
    run.set("readout", { label: "Σ so far", values: [0, ...contributions.map((c) => (sum += c))] });
    tally?.set([layers]);
    clock.tell(false);
  }

  /** What is shown was learned by a moment of the film, or by now. */
  showMoment(moment) {
    if (moment === this.moment) return;
    this.moment = moment;
    this.learn(this.training.learnedAt(moment));
  }
}
