// The widget's entry: the goals, of which the one at hand is in view as a whole.

import { render } from "./goals_view.js";

/** By its own tab alone: the page around a panel stays where it is. */
function bring(goal) {
  const tab = goal.closest(".fv-tab-content");
  if (!tab) return;
  const [seen, whole] = [tab, goal].map((one) => one.getBoundingClientRect());
  if (whole.bottom > seen.bottom) tab.scrollTop += whole.bottom - seen.bottom;
  if (whole.top < seen.top) tab.scrollTop -= seen.top - whole.top;
}

export default {
  render({ model, el }) {
    const leave = render({ model, el });
    let before = model.get("reached");
    const reached = () => {
      const now = model.get("reached");
      for (const goal of now.filter((one) => !before.includes(one))) {
        bring(el.querySelector(`li[data-index="${goal}"]`));
      }
      before = now;
    };
    // A hint that is opened; the event does not bubble.
    el.addEventListener("toggle", (event) => bring(event.target.closest("li")), true);
    model.on("change:reached", reached);
    return () => {
      model.off("change:reached", reached);
      leave();
    };
  },
};
