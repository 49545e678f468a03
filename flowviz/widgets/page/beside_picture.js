// What stands beside a picture that follows its handles: numbers, and curves.

import { formatNumber } from "../charts/numbers.js";
import { Figures } from "./figures.js";
import { besidePictures } from "./foot.js";
import { Plot } from "./plot.js";

export class BesidePicture {
  /**
   * @param {object} page to which it is added.
   * @param {object} sent {table: {columns, rows}, plot: {title, curves: [name, voice][]}} as
   *   parts/following.py writes it, either may be null.
   * @param {object[]} others what stands above these, with an element each.
   */
  constructor(page, { table, plot }, others) {
    this.table = table;
    this.sent = plot;
    this.figures = table && new Figures("Numbers", table.columns);
    this.plot = plot && new Plot(plot.title);
    const made = [...others, this.figures, this.plot].filter(Boolean);
    if (made.length) besidePictures(page, ...made.map(({ element }) => element));
  }

  /** Show what a pass has left; `text` gives the words of one of its numbers. */
  show(pass, text) {
    const { table, figures, sent, plot } = this;
    if (figures) {
      const wide = table.columns.length;
      figures.show(table.rows.map((name, i) =>
        [name, table.columns.map((_, k) => text(`cell.${wide * i + k}`))]));
    }
    if (!plot) return;
    const x = pass.output("plot.x").slice();
    const curves = sent.curves.map(([name, voice], i) =>
      ({ name, voice, x, y: [...pass.output(`plot.${i}`)] }));
    const ends = [x[0], x.at(-1)];
    const highest = Math.max(...curves.flatMap(({ y }) => y.filter(Number.isFinite)), 0);
    const [at] = pass.output("plot.at");
    plot.name([{ name: sent.title }, ...curves]);
    const marked = Math.min(Math.max(at, ends[0]), ends[1]);
    plot.draw(curves, ends, [0, highest], marked, ends.map((end) => formatNumber(end, 2)));
  }
}
