// The widget's entry: a figure in plotly's own language.

import { titled } from "./figure.js";
import { ChartView } from "./view.js";

class PlainView extends ChartView {
  figure({ width }, widthOf) {
    const { traces, layout } = super.figure();
    return { traces, layout: titled(layout, width, widthOf) };
  }
}

export default {
  render({ model, el }) {
    const view = new PlainView(model, el, ["traces", "arrays", "figure_layout"]);
    return () => view.remove();
  },
};
