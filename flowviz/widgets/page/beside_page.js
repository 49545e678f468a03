// The module that beside.js asks the kernel for: the engine, and what it does for a panel's pictures.

import { Engine } from "../engine/engine.js";
import { serve } from "../engine/worker.js";
import { Carrying } from "./carrying.js";
import { unpacked } from "./packed.js";

/** So many milliseconds after a change made here, what the kernel draws may be of the state before. */
const BEHIND = 600;
/** Two places as near as this are one: the kernel's is in float32. */
const SAME = 1e-3;
/** The kernel is told of the training in the page every so many milliseconds, and at its end. */
const NEWS = 3000;

class Beside extends Carrying {
  /**
   * @param {object} page as in `Carrying`, and tellKernel({step, running, status}, vectors).
   */
  constructor(page, sent, engine, code) {
    super(page, sent, engine, code);
    /** Which number of the flow's each slider turns. */
    this.turned = sent.flows[0].turned ?? {};
    /** Whether what is carried here is what the kernel has. */
    this.current = true;
    this.until = 0;
    this.again = null;
    this.rest = 0; // a timer
    this.recarrying = false;
    this.unsent = sent.flows.map(() => ({ losses: [], errors: [] }));
    this.told = performance.now();
  }

  get runs() {
    return Boolean(this.training?.runs);
  }

  /** Whether the pictures are the page's, and not the kernel's. */
  get leads() {
    return this.runs || performance.now() < this.until;
  }

  /** Draw, and draw again where the kernel has drawn what was before. */
  lead(draw) {
    this.again = draw;
    this.until = performance.now() + BEHIND;
    draw();
  }

  follow(view, set, place) {
    if (!this.current && !this.leads) return;
    this.lead(() => super.follow(view, set, place));
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.agree(view, set, place), BEHIND);
  }

  /** Where the kernel has not let the user have a place, go back to where it has put the handle. */
  agree(view, set, place) {
    const said = view.get("handles")[set]?.points[0];
    if (!said || view.handles.held || said.every((x, i) => Math.abs(x - place[i]) < SAME)) return;
    super.follow(view, set, said);
  }

  /** A number of the flow was turned by its slider, here or elsewhere: `own` says where. */
  turn(key, value, own) {
    const place = this.turned[key];
    if (place === undefined || this.runs || (!this.current && !this.leads)) return;
    const { parameters } = this.flows[0];
    parameters.vector[place] = value;
    parameters.changed();
    // What was turned elsewhere the kernel draws.
    if (own) this.lead(() => this.show(true));
  }

  unpacked(view) {
    super.unpacked(view);
    if (!this.leads || this.recarrying) return;
    this.recarrying = true;
    // Once, when all of a message is unpacked, and before it is drawn.
    queueMicrotask(() => {
      this.recarrying = false;
      if (this.runs) this.show(true);
      else this.again?.();
    });
  }

  // ---- training ------------------------------------------------------------------------------

  reported(i, { losses, errors }) {
    this.unsent[i].losses.push(...losses);
    this.unsent[i].errors.push(...errors);
    if (performance.now() - this.told > NEWS) this.news();
  }

  ended() {
    this.news();
  }

  /** Tell the kernel what was learned, and the losses of all steps that all flows have made. */
  news() {
    const { training, unsent } = this;
    const count = Math.min(...unsent.map(({ losses }) => losses.length));
    const rows = (kind) => {
      const columns = unsent.map((one) => one[kind].splice(0, count));
      return Float32Array.from({ length: count * columns.length }, (_, i) =>
        columns[i % columns.length][Math.floor(i / columns.length)]);
    };
    this.told = performance.now();
    const { done: step, learned, run } = training;
    const said = { step, running: run.get("running"), status: run.get("status") };
    // While it runs there is no need of what it goes on from.
    const moments = training.moments.every(Boolean) ? training.moments : [];
    const counts = moments.map(({ count }) => count);
    const kept = moments.flatMap(({ weights, first, second }) => [weights, first, second]);
    const sent = [...learned, rows("losses"), rows("errors"), ...kept];
    this.page.tellKernel(counts.length ? { ...said, counts } : said, sent);
  }

  remove() {
    clearTimeout(this.rest);
    this.training?.leave();
    this.page.clock.leave(this.seek);
    for (const view of this.page.views) if (view.carrier === this) view.carrier = null;
  }
}

let engine = null;

/** See `Beside`; what is sent is packed. */
async function begin(page, sent, code) {
  engine ??= await Engine.start();
  return new Beside(page, unpacked(sent), engine, code);
}

export default { begin, serve };
