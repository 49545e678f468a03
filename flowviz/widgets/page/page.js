// A panel as a page of its own: its pictures, its run bar, and the flow itself, which carries what
// is dragged and is trained there.

import { serve } from "../engine/worker.js";
import { render } from "../run_bar_view.js";
import { make } from "../stage/dom.js";
import { floats } from "../stage/marks.js";
import { ON_THE_PAGE, StillModel, standalone as still } from "../stage/standalone.js";
import { Live } from "./live.js";

const RUN = {
  clock: ON_THE_PAGE.clock, depth: true, training: true, unit: "layer", unit_range: [0, 1],
  reversible: true, state_names: [], stretches: 1, readout: null, running: false, step: 0, steps: 0,
  status: "", moments: [], hidden: [], greets: false,
};

/** A stage as it was saved, with room for the states of what the page carries itself. */
function roomy(stage) {
  const { frames } = stage;
  const kinds = Object.entries(stage.carried).map(([kind, ways]) => [
    kind,
    stage[kind].map((mark, i) => {
      if (!ways[i] || ways[i] === "density" || mark.states.shape[0] === frames) return mark;
      const start = floats(mark.states.data);
      const data = new Float32Array(frames * start.length);
      for (let k = 0; k < frames; k++) data.set(start, k * start.length);
      return { ...mark, states: { shape: [frames, ...mark.states.shape.slice(1)], data } };
    }),
  ]);
  return { ...stage, ...Object.fromEntries(kinds) };
}

/**
 * Show a saved panel in `parent`: as in stage/standalone.js, and `live` as Panel.to_html writes it;
 * code: this module's own text.
 */
function standalone(parent, state, code) {
  const stages = state.stages.map(roomy);
  const [first] = stages;
  const { training } = state.live;
  const run = new StillModel({
    ...RUN, state_names: first.state_names, stretches: first.stretches, unit: first.unit,
    unit_range: first.unit_range, reversible: first.reversible, readout: first.readout,
    step: training.done, steps: Math.max(training.steps, training.done),
  });
  const element = make("div", {});
  const page = still(parent, { ...state, stages }, () => ({ elements: [element], update() {} }));
  render({ model: run, el: element });
  page.run = run;
  page.ready = Live.begin(page, state.live, code).catch((error) => {
    run.set("training", false);
    const words = `This page cannot play its flow: ${error.message}`;
    parent.querySelector("footer").append(make("p", { class: "fv-stage-untrained" }, words));
  });
  return page;
}

export default { standalone, serve };
