// The widget's entry: a view of a Stage, and how to undo it.

import { followClasses } from "../classes.js";
import { standalone } from "./standalone.js";
import { StageView } from "./view.js";

function render({ model, el }) {
  const view = new StageView(model, el);
  const leave = followClasses(model, el);
  return () => {
    leave();
    view.remove();
  };
}

export default { render, standalone };
