// A panel as a page of its own: its pictures, its run bar, and the flow itself, which carries what
// is dragged and is trained there.

import { serve } from "../engine/worker.js";
import { floats } from "../stage/marks.js";
import { complain, withGoals, withRefusals, withRunBar } from "./foot.js";
import { Live } from "./live.js";
import { unpacked } from "./packed.js";

/** A stage as it was saved, with room for the states of what the page carries itself. */
function roomy(stage) {
  const { frames } = stage;
  const kinds = Object.entries(stage.carried).map(([kind, ways]) => [
    kind,
    stage[kind].map((mark, i) => {
      if (!mark.states || !ways[i] || ways[i] === "density" || mark.states.shape[0] === frames) return mark;
      const start = floats(mark.states.data);
      const data = new Float32Array(frames * start.length);
      for (let k = 0; k < frames; k++) data.set(start, k * start.length);
      return { ...mark, states: { shape: [frames, ...mark.states.shape.slice(1)], data } };
    }),
  ]);
  return { ...stage, ...Object.fromEntries(kinds) };
}

/**
 * Show a saved panel in `parent`; packed: as in stage/standalone.js, and `live` as Panel.to_html
 * writes it; code: this module's own text.
 */
function standalone(parent, packed, code) {
  const state = unpacked(packed);
  const stages = state.stages.map(roomy);
  const [first] = stages;
  const { training } = state.live;
  const page = withRunBar(parent, { ...state, stages }, {
    state_names: first.state_names, stretches: first.stretches, unit: first.unit,
    unit_range: first.unit_range, reversible: first.reversible, readout: first.readout,
    step: training.done, steps: Math.max(training.steps, training.done),
  });
  withRefusals(page, parent);
  if (state.live.goals) withGoals(page, state.live.goals);
  page.ready = Live.begin(page, state.live, code).catch((error) => {
    page.run.set("training", false);
    complain(parent, `This page cannot play its flow: ${error.message}`);
  });
  return page;
}

export default { standalone, serve };
