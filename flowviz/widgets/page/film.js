// The film of a training in the page: what was learned at moments of it, carried when it is looked at.

/** The most moments that are kept; where there are more, every other is dropped. */
const MOST = 40;

export class LearnedFilm {
  /** carriers: of the stages' marks; live(): the flows' present parameters, a vector each. */
  constructor(carriers) {
    this.carriers = carriers;
    this.moments = []; // {step, learned: [vector of each flow]}
    this.stride = 1;
  }

  get length() {
    return this.moments.length < 2 ? 0 : this.moments.length;
  }

  get steps() {
    return this.moments.slice(0, this.length).map(({ step }) => step);
  }

  clear() {
    this.moments = [];
    this.stride = 1;
  }

  /** Keep what was learned by a step. */
  keep(step, learned) {
    if (this.moments.length > 0 && step < this.moments.at(-1).step + this.stride) return;
    this.moments.push({ step, learned: learned.map((vector) => vector.slice()) });
    if (this.moments.length <= MOST) return;
    this.moments = this.moments.filter((_, i) => i % 2 === 0);
    this.stride *= 2;
  }

  /** The last moment is the present, whatever the stride. */
  end(step, learned) {
    if (this.moments.length === 0 || this.moments.at(-1).step >= step) return;
    this.moments.push({ step, learned: learned.map((vector) => vector.slice()) });
  }
}
