// A panel as a page of its own: its pictures, which follow their handles.

import { standalone as still } from "../stage/standalone.js";
import { Following } from "./following.js";
import { complain, withGoals, withRefusals, withRunBar } from "./foot.js";
import { unpacked } from "./packed.js";

/**
 * Show a saved panel in `parent`; packed: as in stage/standalone.js, and `live.follows` as
 * Panel.to_html writes it.
 */
function standalone(parent, packed) {
  const state = unpacked(packed);
  const { follows } = state.live;
  const trains = follows.some((one) => one?.training);
  const page = trains ? withRunBar(parent, state, { depth: false }) : still(parent, state);
  withRefusals(page, parent);
  if (state.live.goals) withGoals(page, state.live.goals);
  page.ready = Following.begin(page, follows).catch((error) => {
    page.run?.set("training", false);
    for (const view of page.views) view.model.set("handles", []);
    complain(parent, `This page cannot follow its handles: ${error.message}`);
  });
  return page;
}

export default { standalone };
