// What the pointer and the keys do on the plot: probe, pick, draw, and drive the player.

import { label } from "./axes.js";
import { playerKey } from "./player_controls.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Points a step of a stroke sprays, and how far they scatter (css pixels). */
const SPRAY = { points: 3, spread: 7, every: 4 };

/** A small seeded generator, so that the same strokes give the same points. */
function generator(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

export class Interaction {
  /**
   * host: {view(), plot (element), act(change), probed(x, y), pick(x, y, reach), drawnChanged(),
   * scene, mode() → {probing, picking, drawing}}.
   */
  constructor(host) {
    this.host = host;
    this.normal = generator(1);
    this.past = []; // what was drawn before each step: a stroke, a clearing, the kernel's points
    this.stroke = null; // where the pointer was last, while it draws
    this.cursor = null; // the keyboard's cursor, in data coordinates
    this.listeners = {
      pointerdown: (event) => this.down(event),
      pointermove: (event) => this.move(event),
      pointerup: () => this.up(),
      pointercancel: () => this.up(),
      keydown: (event) => this.key(event),
    };
    for (const [name, listener] of Object.entries(this.listeners)) {
      host.plot.addEventListener(name, listener);
    }
  }

  remove() {
    for (const [name, listener] of Object.entries(this.listeners)) {
      this.host.plot.removeEventListener(name, listener);
    }
  }

  at(event) {
    const box = this.host.plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  data([px, py]) {
    const view = this.host.view();
    const [xmin, xmax, ymin, ymax] = view.window;
    return [
      Math.min(Math.max(view.dataX(px), xmin), xmax), Math.min(Math.max(view.dataY(py), ymin), ymax),
    ];
  }

  down(event) {
    if (event.button !== 0) return;
    const { drawing, picking, probing } = this.host.mode();
    const place = this.at(event);
    if (drawing) {
      this.host.plot.setPointerCapture(event.pointerId);
      this.remember();
      this.stroke = place;
      this.spray(place);
      return;
    }
    if (picking) this.host.pick(...this.data(place), this.reach(14));
    if (probing) this.point(this.data(place));
  }

  move(event) {
    const place = this.at(event);
    if (this.stroke) {
      const [fromX, fromY] = this.stroke;
      const long = Math.hypot(place[0] - fromX, place[1] - fromY);
      const steps = Math.floor(long / SPRAY.every);
      for (let i = 1; i <= steps; i++) {
        const t = (i * SPRAY.every) / long;
        this.spray([fromX + (place[0] - fromX) * t, fromY + (place[1] - fromY) * t]);
      }
      if (steps > 0) this.stroke = place;
      return;
    }
    if (this.host.mode().probing) this.point(this.data(place));
  }

  up() {
    if (!this.stroke) return;
    this.stroke = null;
    this.host.drawnChanged(true);
  }

  /** So many css pixels in data units. */
  reach(pixels) {
    const view = this.host.view();
    return Math.abs(view.dataX(pixels) - view.dataX(0));
  }

  point([x, y]) {
    this.cursor = [x, y];
    this.host.probed(x, y);
  }

  // ---- drawing -------------------------------------------------------------------------------

  /** Before another step: undo comes back to what is drawn now. */
  remember() {
    this.past.push([...this.host.scene.drawn]);
  }

  spray([px, py]) {
    const { scene } = this.host;
    for (let i = 0; i < SPRAY.points; i++) {
      const place = [px + this.normal() * SPRAY.spread, py + this.normal() * SPRAY.spread];
      scene.drawn.push(...this.data(place));
    }
    this.host.drawnChanged(false);
  }

  undo() {
    this.host.scene.drawn = this.past.pop();
    this.host.drawnChanged(true);
  }

  clear() {
    this.remember();
    this.host.scene.drawn = [];
    this.host.drawnChanged(true);
  }

  // ---- keys ----------------------------------------------------------------------------------

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { probing, picking, drawing, still } = this.host.mode();
    const move = MOVES[event.key];
    const pointing = probing || picking || drawing;
    let handled = true;
    if (move && pointing && (event.shiftKey || still)) this.moveCursor(move);
    else if (event.key === "Enter" && pointing) this.enter();
    else if (!still) handled = playerKey(event.key, (change) => this.host.act(change));
    else handled = false;
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
  }

  moveCursor([dx, dy]) {
    const [xmin, xmax, ymin, ymax] = this.host.view().window;
    const [x, y] = this.cursor ?? [(xmin + xmax) / 2, (ymin + ymax) / 2];
    const to = [x + (dx * (xmax - xmin)) / 40, y + (dy * (ymax - ymin)) / 40];
    this.cursor = [Math.min(Math.max(to[0], xmin), xmax), Math.min(Math.max(to[1], ymin), ymax)];
    this.host.cursorMoved(...this.cursor, `${label(this.cursor[0])}, ${label(this.cursor[1])}`);
    if (this.host.mode().probing) this.host.probed(...this.cursor);
  }

  enter() {
    const { picking, drawing } = this.host.mode();
    const view = this.host.view();
    const [xmin, xmax, ymin, ymax] = view.window;
    const [x, y] = this.cursor ?? [(xmin + xmax) / 2, (ymin + ymax) / 2];
    if (drawing) {
      this.remember();
      this.spray([view.x(x), view.y(y)]);
      this.host.drawnChanged(true);
    } else if (picking) this.host.pick(x, y, Infinity);
  }
}
