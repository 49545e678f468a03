// What each layer contributes, beside the pictures of a page of its own: the waterfall without
// plotly, one row for each layer and one for the sum.

import { formatAlike } from "../charts/numbers.js";
import { barAt, runningSums } from "../charts/waterfall.js";
import { make } from "./dom.js";

export class Tally {
  /**
   * title: what is added up. names: of the layers. rows: their contributions at the end and at each
   * moment of the film; null stands for what is not finite.
   */
  constructor({ title, names, rows }) {
    this.set(rows);
    this.lines = [...names, "sum"].map((name, i) => {
      const bar = make("i", {});
      const number = make("output", {});
      const caption = make("span", {}, i < names.length ? `${i + 1} ${name}` : "Σ");
      const line = make("li", { title: name }, caption, make("div", {}, bar), number);
      return { line, bar, number };
    });
    this.element = make(
      "section", { class: "fv-stage-tally", "aria-label": title },
      make("h2", {}, title), make("ol", {}, ...this.lines.map(({ line }) => line)),
    );
  }

  /** Other rows, drawn with the next update. */
  set(rows) {
    this.rows = rows.map((row) => Array.from(row, (value) => value ?? NaN));
    const sums = this.rows.flatMap(runningSums);
    this.low = Math.min(0, ...sums);
    this.span = Math.max(0, ...sums) - this.low || 1;
    this.shown = null;
  }

  /** Bring it in line with the player: the layers passed are full, the one at hand is lit. */
  update({ moment, position, stretches, last }) {
    const row = moment >= 0 && moment + 1 < this.rows.length ? moment + 1 : 0;
    const values = this.rows[row];
    const lit = last > 0 ? barAt(position, stretches, values.length) : values.length - 1;
    const key = `${row} ${lit}`;
    if (key === this.shown) return;
    this.shown = key;
    const sums = runningSums(values);
    const passed = values.slice(0, lit + 1);
    const total = passed.every(Number.isFinite) ? sums[lit + 1] : NaN;
    const texts = formatAlike([...values, total]);
    this.lines.forEach(({ line, bar, number }, i) => {
      const sum = i === values.length;
      const [from, to] = sum ? [0, sums[lit + 1]] : [sums[i], sums[i + 1]];
      bar.style.left = `${(100 * (Math.min(from, to) - this.low)) / this.span}%`;
      bar.style.width = `${(100 * Math.abs(to - from)) / this.span}%`;
      line.dataset.sign = sum ? "sum" : values[i] > 0 ? "stretches" : "squeezes";
      line.classList.toggle("fv-stage-ahead", !sum && i > lit);
      line.classList.toggle("fv-stage-lit", i === lit);
      number.textContent = texts[i];
    });
  }
}
