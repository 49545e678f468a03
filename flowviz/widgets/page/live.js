// A saved page comes alive: the flow itself carries the pictures' marks, and is trained there.

import { Engine } from "../engine/engine.js";
import { make } from "../stage/dom.js";
import { Carrier } from "./carrier.js";
import { PageFlow } from "./flow.js";

/**
 * Let the flows of a page carry what its stages show.
 *
 * @param {HTMLElement} parent the page.
 * @param {object} page {views, clock, tally} of standalone.
 * @param {object} live {flows: [{programs, start, now, objective}], stages: the flow of each stage,
 *   samples, training}.
 * @returns {Promise<Live|null>} null where the page cannot, which it says at its foot.
 */
export async function enliven(parent, page, live) {
  try {
    return new Live(page, live, await Engine.start());
  } catch (error) {
    const words = `This page plays what was recorded: ${error.message}`;
    parent.querySelector("footer").append(make("p", { class: "fv-stage-untrained" }, words));
    return null;
  }
}

class Live {
  constructor(page, { flows, stages }, engine) {
    this.page = page;
    this.engine = engine;
    this.flows = flows.map((sent) => new PageFlow(engine, sent));
    this.carriers = page.views.map((view, i) => new Carrier(view, this.flows[stages[i]]));
    page.views.forEach((view, i) => {
      view.carrier = this.carriers[i];
    });
    this.show();
  }

  /** Draw everything with the flows as they are. */
  show() {
    for (const carrier of this.carriers) carrier.carryAll();
  }
}
