// The film of a training in the page: what was learned at moments of it, carried when it is looked at.

/** The most moments that are kept; where there are more, every other is dropped. */
const MOST = 40;

export class LearnedFilm {
  constructor() {
    this.clear();
  }

  clear() {
    this.moments = []; // {step, learned: a vector of each flow}
    this.stride = 1;
    this.shown = false;
  }

  /** The training step of each moment; none while it is still taken. */
  get steps() {
    return this.shown && this.moments.length > 1 ? this.moments.map(({ step }) => step) : [];
  }

  /** Keep what was learned by a step, unless the last moment is close. */
  keep(step, learned) {
    const last = this.moments.at(-1)?.step ?? -Infinity;
    if (step < last + this.stride) return;
    this.moments.push({ step, learned });
    if (this.moments.length <= MOST) return;
    this.moments = this.moments.filter((_, i) => i % 2 === 0);
    this.stride = Math.max(2 * this.stride, this.moments[1].step - this.moments[0].step);
  }

  hide() {
    this.shown = false;
  }

  /** The run is over: the last moment is the present, whatever the stride. */
  end(step, learned) {
    if ((this.moments.at(-1)?.step ?? -1) < step) this.moments.push({ step, learned });
    this.shown = true;
  }
}
