// The controls of a player, each of them once: the bar under a stage, the run bar of a panel and a
// page of its own are put together from them.
//
// act(change, settled): change the player, as a clock does.

import { icon, make } from "./dom.js";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";
const BACK = "M10 2.5 4.5 8l5.5 5.5 1.5-1.5-4-4 4-4z";
const ON = "M6 2.5 11.5 8 6 13.5 4.5 12l4-4-4-4z";
const TURN = "M10.5 2 14 5l-3.5 3V6H2V4h8.5zM5.5 8v2H14v2H5.5v2L2 11z";

/** More layers than these have no ticks of their own. */
const MOST_TICKS = 32;

/**
 * The film's moment for a step that the training scrubber shows: the last one not after it, or the
 * first; −1 where there is no film.
 */
export function momentAt(moments, step) {
  const after = moments.findIndex((moment) => moment > step);
  return after < 0 ? moments.length - 1 : Math.max(after - 1, 0);
}

/** "1,200" */
export const grouped = (number) => number.toLocaleString("en");

/** What a key does to the player; false if nothing. */
export function playerKey(key, act) {
  const change = {
    " ": (p) => (p.playing ? p.pause() : p.play()),
    ArrowLeft: (p) => p.step(-1),
    ArrowRight: (p) => p.step(1),
    Home: (p) => { p.pause(); p.seek(0); },
    End: (p) => { p.pause(); p.seek(p.last); },
  }[key];
  if (change) act(change);
  return Boolean(change);
}

/** A button, of those css classes. */
export function button(shape, click) {
  return make("button", { type: "button", class: shape, click });
}

/** What a button is called, and what it shows: words, the picture of a path, or both. */
export function dress(element, name, { path, words }) {
  element.title = name;
  element.setAttribute("aria-label", name);
  element.replaceChildren(...(path ? [icon(path)] : []), ...(words ? [make("span", {}, words)] : []));
}

/** To the next (+1) or the previous (−1) state. */
export function stepButton(act, by, shape) {
  const element = button(shape, () => act((p) => p.step(by)));
  dress(element, by > 0 ? "Next state (→)" : "Previous state (←)", { path: by > 0 ? ON : BACK });
  return element;
}

/** Plays, and pauses what plays. */
export class PlayButton {
  constructor(act, shape) {
    this.element = button(shape, () => act((p) => (p.playing ? p.pause() : p.play())));
  }

  update({ playing }) {
    if (playing === this.playing) return;
    this.playing = playing;
    const words = playing ? "Pause" : "Play";
    dress(this.element, `${words} (Space)`, { path: playing ? PAUSE : PLAY, words });
  }
}

/** Says which way it plays, and turns it round. */
export class DirectionButton {
  constructor(act, shape) {
    this.element = button(shape, () => act((p) => {
      p.direction = p.direction === "inverse" ? "forward" : "inverse";
    }));
  }

  update({ direction }) {
    if (direction === this.direction) return;
    this.direction = direction;
    const inverse = direction === "inverse";
    const words = inverse ? "data → base: density" : "base → data: sampling";
    const name = `Direction: ${words}`;
    dress(this.element, name, { path: TURN, words });
  }
}

/** A track with a thumb, filled up to it. */
class Scrubber {
  /** listeners {input, change, keydown}: of the track. */
  constructor(label, listeners) {
    this.input = make("input", { type: "range", min: 0, step: "any", "aria-label": label, ...listeners });
    this.ticks = make("div", { class: "fv-ticks", "aria-hidden": "true" });
    this.element = make("div", { class: "fv-scrubber" }, this.ticks, this.input);
  }

  get value() {
    return Number(this.input.value);
  }

  put(value, most) {
    this.input.max = most;
    this.input.value = value;
    this.fill();
  }

  /** Colour the track up to the thumb. */
  fill() {
    const most = Number(this.input.max);
    this.input.style.setProperty("--fv-done", `${most > 0 ? (100 * this.value) / most : 0}%`);
  }

  /** Where it is, as words for who does not see it. */
  say(text) {
    this.input.setAttribute("aria-valuetext", text);
  }
}

/** Goes through the layers, which have a tick each. */
export class LayerScrubber extends Scrubber {
  /** keydown: listens to the keys that are pressed on it. */
  constructor(act, keydown) {
    super("Position between base and data", {
      input: () => act((p) => { p.pause(); p.seek(this.value); }, false),
      change: () => act((p) => p.seek(this.value)),
      keydown,
    });
  }

  update({ position, last, stretches }) {
    const layers = last / stretches;
    if (layers !== this.layers) {
      this.layers = layers;
      const count = layers <= MOST_TICKS ? layers + 1 : 2;
      this.ticks.replaceChildren(...Array.from({ length: count }, () => make("i")));
    }
    this.put(position, last);
  }
}

/** So many moments a key goes on: of steps there are too many. */
const ON_BY = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

/** Goes back through the steps of a training run, as far as there is a film, and on to its end. */
export class TrainingScrubber extends Scrubber {
  /** seek(moment, settled): go there in the film, −1 for what is live. */
  constructor(seek) {
    const go = (settled) => seek(this.value >= this.live ? -1 : momentAt(this.moments, this.value), settled);
    const keydown = (event) => {
      const by = ON_BY[event.key];
      if (!by || !this.moments?.length) return;
      event.preventDefault();
      const next = momentAt(this.moments, this.value) + by;
      this.input.value = this.moments[Math.min(Math.max(next, 0), this.moments.length - 1)];
      go(true);
    };
    super("Training step", { input: () => go(false), change: () => go(true), keydown });
  }

  /**
   * Bring it in line with the player. Returns the step that is shown.
   *
   * moments: the steps of the film; live: the step of what is no film; most: where the track ends.
   */
  update({ moment }, moments, live, most = live) {
    Object.assign(this, { moments, live });
    const step = moment >= 0 && moment < moments.length ? moments[moment] : live;
    // A thumb that is held stays under the finger, between two moments too.
    const held = moment >= 0 && document.activeElement === this.input;
    this.put(held ? this.value : step, Math.max(most, 1));
    return step;
  }
}
