// Which modes of the target the samples of both models are at, in a page of its own: the bars of
// mode_shares.py, where each sample counts for the nearest mode.

import { formatNumber } from "../charts/numbers.js";
import { make } from "../stage/dom.js";

/** Fewer modes are seen at a glance. */
const LEAST = 3;

export class Shares {
  constructor() {
    this.bars = make("div", {});
    this.element = make(
      "section", { class: "fv-stage-shares", role: "img" },
      make("p", {}, "Samples nearest to each mode, in %"), this.bars,
    );
  }

  /**
   * @param {number[][]|null} modes where they are; null: there are none.
   * @param {Array<{voice: string, points: Float32Array}>} models the samples [n, 2] of each.
   */
  show(modes, models) {
    this.element.hidden = !modes || modes.length < LEAST;
    if (this.element.hidden) return;
    const shares = models.map(({ points }) => sharesOf(points, modes));
    const most = Math.max(...shares.flat(), 1);
    this.bars.replaceChildren(...modes.map((_, m) => make(
      "span", { title: shares.map((one) => formatNumber(one[m], 2)).join(" and ") },
      ...models.map(({ voice }, i) =>
        make("i", { "data-voice": voice, style: `height: ${((100 * shares[i][m]) / most).toFixed(1)}%` })),
      make("b", {}, String(m + 1)),
    )));
    const said = models.map(({ voice }, i) =>
      `${voice} ${shares[i].map((share) => formatNumber(share, 2)).join(", ")}`);
    this.element.setAttribute("aria-label", `Samples nearest to each mode, in %: ${said.join("; ")}`);
  }
}

/** The share of points [n, 2] that each place is the nearest to, in percent. */
export function sharesOf(points, places) {
  const counts = places.map(() => 0);
  for (let i = 0; i < points.length; i += 2) {
    const far = places.map(([x, y]) => (points[i] - x) ** 2 + (points[i + 1] - y) ** 2);
    const nearest = far.indexOf(Math.min(...far));
    if (nearest >= 0) counts[nearest] += 1;
  }
  return counts.map((count) => (200 * count) / points.length);
}
