// A panel as a page of its own: its pictures with their player, and the flow itself to carry, drag
// and train them with.

import { standalone as still } from "../stage/standalone.js";
import { enliven } from "./live.js";

/** Show a saved panel in `parent`: as in standalone, and `live` as Panel.to_html writes it. */
function standalone(parent, state) {
  const page = still(parent, state);
  if (state.live) page.ready = enliven(parent, page, state.live);
  return page;
}

export default { standalone };
