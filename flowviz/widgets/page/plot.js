// Curves beside the pictures of a page of its own: a chart without plotly.

import { evenTicks } from "../charts/ticks.js";
import { make } from "../stage/dom.js";

const ROOM = 0.06;
/** A number stands at the side for so many pixels of the height. */
const EACH = 36;

export class Plot {
  /** label: what it shows; kind: a class of its own. */
  constructor(label, kind = "") {
    this.legend = make("ul", {});
    this.lines = make("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.ticks = make("div", {});
    this.area = make("div", { class: "fv-stage-curves-area" }, this.ticks, this.lines);
    this.ends = make("p", {});
    this.element = make(
      "section", { class: `fv-stage-curves ${kind}`.trim(), "aria-label": label },
      this.legend, this.area, this.ends,
    );
  }

  /** The names of the curves, each with its number, if it has one. */
  name(curves) {
    this.legend.replaceChildren(...curves.map(({ name, voice, said }) =>
      make("li", { "data-voice": voice }, name, ...(said === undefined ? [] : [make("output", {}, said)]))));
  }

  /**
   * @param {object[]} curves {voice, x, y} each; NaN where there is nothing.
   * @param {number[]} from what x to what.
   * @param {number[]} heights from what y to what.
   * @param {number} at what x is marked.
   * @param {string[]} ends words under both ends.
   */
  draw(curves, from, heights, at, ends) {
    const room = Math.max(ROOM * (heights[1] - heights[0]), 1e-3 * Math.abs(heights[1]), 1e-6);
    const [low, high] = [heights[0] - room, heights[1] + room];
    const x = (value) => (value - from[0]) / (from[1] - from[0]);
    const y = (value) => (high - value) / (high - low);
    const path = (points) => `M${points.map(([a, b]) => `${a.toFixed(4)} ${b.toFixed(4)}`).join("L")}`;
    this.lines.replaceChildren(
      make("path", { d: path([0, 1].map((end) => [x(at), end])), class: "fv-stage-curves-at" }),
      ...curves.map((curve) => make("path", {
        "data-voice": curve.voice,
        d: pieces(curve.x, curve.y).map((points) => path(points.map(([a, b]) => [x(a), y(b)]))).join(""),
      })),
    );
    const ticks = evenTicks([low, high], this.area.clientHeight || EACH, EACH);
    this.ticks.replaceChildren(...ticks.map((tick) =>
      make("span", { style: `top: ${(100 * y(tick)).toFixed(2)}%` }, short(tick))));
    this.ends.replaceChildren(...ends.map((text) => make("span", {}, text)));
  }
}

/** The points of a curve, cut where there is nothing. */
function pieces(x, y) {
  const found = [[]];
  y.forEach((height, i) => {
    if (Number.isFinite(height)) found.at(-1).push([x[i], height]);
    else if (found.at(-1).length) found.push([]);
  });
  return found.filter(({ length }) => length);
}

const short = (tick) => tick.toLocaleString("en", { maximumSignificantDigits: 4 }).replace("-", "−");
