// A question with a stage on which points are sprayed.

import { StageView } from "../widgets/stage/view.js";
import { ask, element, takeUp } from "./prediction.js";

const FEWEST = 20; // points; fewer are no drawing
const MOST = 3000; // that the page keeps
const MOST_TOLD = 500; // that a class is told

/** The drawn points of the model, flat: x, y, x, y, … */
function drawn(model) {
  const sent = model.get("drawn");
  if (!sent || sent.byteLength === 0) return [];
  const bytes = new Uint8Array(sent.buffer ?? sent, sent.byteOffset ?? 0, sent.byteLength);
  return Array.from(new Float32Array(bytes.slice().buffer));
}

/** Every so manieth of the points, `most` at most, rounded. */
function thinned(points, most) {
  const step = Math.ceil(points.length / (2 * most));
  const some = points.filter((_, index) => Math.floor(index / 2) % step === 0);
  return some.map((coordinate) => Math.round(coordinate * 1000) / 1000);
}

export default {
  render({ model, el }) {
    takeUp(model, ({ points }) => {
      const fit = Array.isArray(points) && points.length >= 2 * FEWEST
        && points.length % 2 === 0 && points.every(Number.isFinite);
      return fit ? { drawn: new DataView(Float32Array.from(points).buffer) } : null;
    });
    const field = element("div", "fv-predict-drawing");
    field.append(element("p", "fv-predict-question", model.get("question")));
    const place = element("div", "fv-predict-stage");
    field.append(place);
    const asked = ask({ model, el }, {
      field,
      names: ["drawn"],
      draw(committed) { place.inert = committed; },
      ready: () => drawn(model).length >= 2 * FEWEST,
      hand: () => ({}),
      told: () => ({
        kind: "drawing", answer: thinned(drawn(model), MOST_TOLD), window: model.get("window"),
      }),
      keep: () => ({ points: thinned(drawn(model), MOST) }),
    });
    const view = new StageView(model, place);
    return () => {
      asked.remove();
      view.remove();
    };
  },
};
