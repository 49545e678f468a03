// The loss against the training step, beside the pictures of a page of its own.

import { formatNumber } from "../charts/numbers.js";
import { Plot } from "./plot.js";

/** A curve has at most so many points. */
const MOST = 240;
/** The axis holds so many steps from the first one, and the first steps' spikes may leave the picture:
 * loss.py has the same. */
const LEAST_STEPS = 20;
const INSIDE = 0.985;

export class LossCurve {
  /**
   * @param {Training} training whose losses are drawn, each a mean of the last steps.
   * @param {function(): object[]} describe for each flow {name, minimum, voice}: what its loss is
   *   called above its minimum, a function of the step, and whose colour it has.
   */
  constructor(training, describe) {
    this.training = training;
    this.describe = describe;
    this.plot = new Plot("The loss against the training step", "fv-stage-loss");
    this.element = this.plot.element;
  }

  /** Draw what was trained so far; `moment`: of the film, whose step is marked; −1: the last. */
  draw(moment) {
    const { plot, training: { first, done, film, losses } } = this;
    const count = Math.min(...losses.map(({ length }) => length));
    plot.area.hidden = count === 0;
    if (count === 0) {
      const before = first ? `Trained ${first.toLocaleString("en")} steps before. ` : "";
      plot.name([]);
      plot.ends.replaceChildren(`${before}Press Train: the loss appears here, step by step`);
      return;
    }
    const at = moment < 0 ? done : film.moments[moment]?.step ?? done;
    const curves = this.describe().map(({ name, minimum, voice }, i) => ({
      name, voice,
      value: (step) => this.training.lossAt(i, step) - minimum(step),
    }));
    plot.name(curves.map((curve) => ({ ...curve, said: saidOf(curve.value(at)) })));
    this.picture(curves, first + 1, first + count, at);
  }

  picture(curves, first, last, at) {
    const end = Math.max(last, first + LEAST_STEPS);
    const count = Math.min(last - first + 1, MOST);
    const x = Array.from({ length: count }, (_, k) =>
      Math.round(first + ((last - first) * k) / Math.max(count - 1, 1)));
    const drawn = curves.map(({ voice, value }) => ({ voice, x, y: x.map(value) }));
    const step = (number) => number.toLocaleString("en");
    this.plot.draw(
      drawn, [first, end], heights(drawn.map(({ y }) => y)), Math.max(at, first),
      [`step ${step(first)}`, step(end)],
    );
  }
}

/** From where to where the curves [C N] are drawn. */
function heights(curves) {
  const values = curves.flat().filter(Number.isFinite).sort((a, b) => a - b);
  if (values.length === 0) return [0, 1];
  const ends = curves.map((curve) => curve.at(-1)).filter(Number.isFinite);
  return [values[0], Math.max(values[Math.floor(INSIDE * (values.length - 1))], ...ends)];
}

const saidOf = (value) => (Number.isFinite(value) ? formatNumber(value) : "–");
