// The widget's entry: a matrix whose numbers are written where its cells have room for them.

import { css, mix, pack, parseColour } from "../stage/palette.js";
import { titled } from "./figure.js";
import { fittedCells } from "./cells.js";
import { ChartView } from "./view.js";

class HeatmapView extends ChartView {
  figure(size, widthOf, token) {
    const { traces, layout } = super.figure();
    // The darkest cell is half-way to the text's colour, so that ink is legible on all of them.
    const [card, muted] = ["--fv-card", "--fv-muted"].map((name) => parseColour(token(name)));
    const darkest = css(pack(mix(card, muted, 0.5)));
    return fittedCells(traces, titled(layout, size.width, widthOf), size, widthOf, darkest);
  }
}

export default {
  render({ model, el }) {
    const view = new HeatmapView(model, el, ["traces", "arrays", "figure_layout"]);
    return () => view.remove();
  },
};
