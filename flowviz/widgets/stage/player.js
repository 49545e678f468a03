// The clock of an animation: positions 0…K between states z_0…z_K, eased, dwelling after each layer.

/** Cubic ease in–out: 0 → 0, 1/2 → 1/2, 1 → 1, at rest at both ends. */
export function ease(t) {
  return t < 0.5 ? 4 * t * t * t : 1 - 4 * (1 - t) ** 3;
}

/** The t whose ease(t) is s. */
export function easeInverse(s) {
  return s < 0.5 ? Math.cbrt(s / 4) : 1 - Math.cbrt((1 - s) / 4);
}

/** The part of a layer's time that is spent at rest after it. */
const DWELL = 0.35;
/** How many layers' time a loop rests at its end before it starts again. */
const REST = 1.5;

/**
 * Where the animation is, moved by `advance(milliseconds)`; it knows nothing of the page.
 *
 * direction "forward" plays base → data (0 → last), "inverse" plays data → base. A layer is
 * `stretches` states long: one, or more where it has a path of its own.
 *
 * Beside the position it knows a place in the film of a training run: `moment` 0…moments−1, or −1,
 * which is live.
 */
export class Player {
  constructor({
    frames = 1, position = 0, speed = 600, loop = false, direction = "forward", stretches = 1,
  } = {}) {
    Object.assign(this, { frames, position, speed, loop, direction, stretches });
    this.moments = 0;
    this.moment = -1;
    this.playing = false;
    this.tweening = true; // false: jump from state to state (prefers-reduced-motion)
    this.resting = 0; // milliseconds still to rest where it is
  }

  get last() {
    return Math.max(this.frames - 1, 0);
  }

  get sign() {
    return this.direction === "inverse" ? -1 : 1;
  }

  get atEnd() {
    return this.direction === "inverse" ? this.position <= 0 : this.position >= this.last;
  }

  setFrames(frames) {
    this.frames = Math.max(1, frames);
    this.position = Math.min(this.position, this.last);
  }

  /** Have a film of so many moments; 0 is none. */
  setMoments(count) {
    this.moments = Math.max(0, count);
    this.seekMoment(this.moment);
  }

  /** Go to a moment of the film, clamped to its last; live for −1 and for what is no number. */
  seekMoment(moment) {
    const wanted = Number.isFinite(moment) ? Math.round(moment) : -1;
    this.moment = Math.max(Math.min(wanted, this.moments - 1), -1);
  }

  play() {
    if (this.last === 0) return;
    if (this.atEnd) this.toStart();
    this.resting = 0;
    this.playing = true;
  }

  pause() {
    this.playing = false;
  }

  /** Go to a position, clamped to 0…last. */
  seek(position) {
    const wanted = Number.isFinite(position) ? position : 0;
    this.position = Math.min(Math.max(wanted, 0), this.last);
    this.resting = 0;
  }

  /** To the next (+1) or previous (−1) whole state. */
  step(by) {
    this.pause();
    const near = 1e-6;
    this.seek(by > 0 ? Math.floor(this.position + near) + 1 : Math.ceil(this.position - near) - 1);
  }

  toStart() {
    this.seek(this.direction === "inverse" ? this.last : 0);
  }

  /** Let time pass. Returns whether anything changed. */
  advance(milliseconds) {
    if (!this.playing) return false;
    let left = Math.min(milliseconds, 250); // a page that slept does not jump ahead
    const before = this.position;
    while (left > 0 && this.playing) {
      if (this.resting > 0) {
        const rested = Math.min(left, this.resting);
        this.resting -= rested;
        left -= rested;
        if (this.resting > 0) break;
        if (this.atEnd) this.toStart();
        continue;
      }
      if (this.atEnd) this.arrive(this.position); // there have become fewer states on the way
      else left -= this.tweening ? this.tween(left) : this.jump(left);
    }
    return this.position !== before || !this.playing;
  }

  /** Move along the eased path for at most `left` milliseconds; returns those used. */
  tween(left) {
    const layer = this.position / this.stretches;
    const from = this.stretches * (this.sign > 0 ? Math.floor(layer) : Math.ceil(layer));
    const done = easeInverse(Math.abs(this.position - from) / this.stretches);
    const used = Math.min(left, (1 - done) * this.speed);
    const t = done + used / this.speed;
    const way = this.sign * this.stretches;
    if (t >= 1 - 1e-9) this.arrive(from + way);
    else this.position = from + way * ease(t);
    return Math.max(used, 1e-3);
  }

  jump(left) {
    const near = 1e-6;
    const next =
      this.sign > 0 ? Math.floor(this.position + near) + 1 : Math.ceil(this.position - near) - 1;
    this.arrive(Math.min(Math.max(next, 0), this.last));
    const rest = this.atEnd ? REST : DWELL / this.stretches;
    if (this.playing) this.resting = this.speed * (1 / this.stretches + rest);
    return Math.min(left, 1e-3);
  }

  arrive(state) {
    this.position = Math.min(Math.max(state, 0), this.last);
    if (!this.atEnd) this.resting = this.speed * DWELL;
    else if (this.loop) this.resting = this.speed * REST;
    else this.playing = false;
  }
}
