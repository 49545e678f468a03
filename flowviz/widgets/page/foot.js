// What pages of panels have at their foot and head: a run bar, words about what cannot be, goals.

import { render } from "../run_bar_view.js";
import { make } from "../stage/dom.js";
import { ON_THE_PAGE, StillModel, standalone as still } from "../stage/standalone.js";
import { Goals } from "./goals.js";

const RUN = {
  clock: ON_THE_PAGE.clock, depth: true, training: true, unit: "layer", unit_range: [0, 1],
  reversible: true, state_names: [], stretches: 1, readout: null, running: false, step: 0, steps: 0,
  status: "", moments: [], hidden: [], greets: false,
};

/** A page with a run bar at its foot; `own`: what that has beyond RUN. */
export function withRunBar(parent, state, own) {
  const run = new StillModel({ ...RUN, ...own });
  const element = make("div", {});
  const page = still(parent, state, () => ({ elements: [element], update() {} }));
  render({ model: run, el: element });
  page.run = run;
  return page;
}

/** Let the head of a page show the goals that were sent with it. */
export function withGoals(page, sent) {
  page.goals = new Goals(sent);
  atHead(page, page.goals.element);
}

/** Give a page `refuse`, which says why something was not done; "" takes that away. */
export function withRefusals(page, parent) {
  const words = make("p", { class: "fv-stage-refused", role: "status" });
  parent.querySelector("footer").append(words);
  page.refuse = (text) => {
    if (words.textContent !== text) words.textContent = text;
  };
}

/** Put something into the head of a page, before what is always there. */
export function atHead(page, element) {
  page.head.querySelector(".fv-stage-theme").before(element);
}

/** Put elements beside the pictures, below what each layer contributes. */
export function besidePictures(page, ...elements) {
  const column = make("div", { class: "fv-stage-column" });
  page.frames.append(column);
  column.append(...(page.tally ? [page.tally.element] : []), ...elements);
}

export function complain(parent, words) {
  parent.querySelector("footer").append(make("p", { class: "fv-stage-untrained" }, words));
}
